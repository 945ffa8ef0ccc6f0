//! Where an errno came from: the kernel's return, errno after a failure, after a success, and after localtime().

use rig::analysis::model::{ErrnoSource, LocaltimeFile, ReportModel, SightingKind};
use rig::configuration::{Arm, Localtime};
use rig_protocol::Errno;

use crate::fixture::{BLOCK, Bench, ORDINARY, Play, cell, sound, turn};
use crate::reports::{model, render};

/// Sets what was in the C library's errno in the plain cells of a configuration.
pub(crate) fn leave(bench: &mut Bench, configuration: &str, kernel: &str, localtime: bool, after: Errno) {
    for index in 0..2 {
        let block = bench.block(Play::Base, configuration, kernel, index);
        block.tally.stale_errno.insert(Errno(0), BLOCK);
        block.tally.errno_after_localtime.insert(after, BLOCK);
        block.target_hello.as_mut().expect("it spoke").localtime = localtime;
    }
}

fn row<'a>(model: &'a ReportModel, configuration: &str, kernel: &str) -> &'a ErrnoSource {
    let is_row = |row: &&ErrnoSource| {
        row.configuration == configuration && row.kernel == kernel && row.kind == SightingKind::Plain
    };
    model.errno_sources.iter().find(is_row).expect("it has trials")
}

#[test]
fn the_four_are_apart_and_say_of_how_many() {
    let mut bench = sound();
    leave(&mut bench, "virtio-tap", "6.1", false, Errno::ENOENT);
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    turn(block, 30, Errno::EBADF);
    block.tally.stale_errno = [(Errno(0), BLOCK - 50), (Errno(11), 20)].into();
    block.tally.errno_after_failure = [(Errno::EBADF, 30)].into();
    let model = model(&bench);
    let row = row(&model, "virtio-tap", "6.1");
    assert_eq!((row.on_host, row.localtime_file), (false, LocaltimeFile::Absent));
    assert_eq!((row.calls, row.failed, row.succeeded, row.log_lines), (2_000, 30, 1_970, 2_000));
    let named = |errno: &str, n: u64| [(errno.to_owned(), n)].into();
    assert_eq!((&row.seen.kernel, &row.seen.libc), (&named("EBADF", 30), &named("EBADF", 30)));
    assert_eq!((&row.seen.stale, &row.seen.log_line), (&named("EAGAIN", 20), &named("ENOENT", 2_000)));
    let text = render(&model, "text");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = "virtio-tap 6.1 absent EBADF 30 of 2,000 the same EAGAIN 20 of 1,970 ENOENT 2,000 of 2,000";
    assert!(words.contains(line), "{text}");
}

#[test]
fn one_sentence_says_who_set_it_in_how_many_trials() {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY);
    bench.play_all();
    leave(&mut bench, "bare-metal", "host", false, Errno::ENOENT);
    leave(&mut bench, "virtio-tap", "6.1", false, Errno::ENOENT);
    leave(&mut bench, "virtio-tap", "6.12", true, Errno(0));
    let model = model(&bench);
    let sentence = model.sentences.iter().find(|text| text.contains("localtime()")).expect("it is said");
    assert_eq!(
        sentence,
        "ENOENT was never returned by the measured call (8,000 calls); localtime(), which a program calls for the time stamp of a log line, left it in errno in \
         4,000 of 4,000 trials where /etc/localtime is absent and TZ unset (2,000 of 2,000 on the host, 2,000 of 2,000 in guests) and 0 of 2,000 trials where \
         /etc/localtime is there and TZ unset: a log line with a time stamp then says \"No such file or directory\", whatever the call returned."
    );
}

/// What the call itself returns stays in errno whatever localtime() does: it is not localtime()'s doing.
#[test]
fn an_errno_that_the_call_returned_is_not_laid_at_localtimes_door() {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY);
    bench.play_all();
    leave(&mut bench, "virtio-tap", "6.1", true, Errno(0));
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    turn(block, 30, Errno::EBADF);
    block.tally.errno_after_failure = [(Errno::EBADF, 30)].into();
    block.tally.stale_errno = [(Errno(0), BLOCK - 30)].into();
    block.tally.errno_after_localtime = [(Errno(0), BLOCK - 30), (Errno::EBADF, 30)].into();
    let found = model(&bench);
    let blames = |found: &ReportModel| found.sentences.iter().any(|text| text.contains("localtime()"));
    assert!(!blames(&found), "{:?}", found.sentences);
    assert!(!render(&found, "answer").contains("localtime() set errno"));
    // Two more than the call returned are.
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    block.tally.errno_after_localtime = [(Errno(0), BLOCK - 32), (Errno::EBADF, 32)].into();
    let found = model(&bench);
    assert!(blames(&found) && render(&found, "answer").contains("says EBADF in 2 of 2,000"));
}

/// Base programs of two guests without the file, the second with TZ set: it does not look for the file.
pub(crate) fn with_timezone() -> Bench {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY[..2]);
    let mut set = cell(Play::Base, "virtio-tap-tz", "6.1");
    let target = &mut set.subject.configuration.target;
    *target = target.in_arm(Arm { localtime: Localtime::Absent, timezone: Some("UTC".into()) });
    set.id = set.subject.id();
    bench.plan(set);
    bench.play_all();
    leave(&mut bench, "virtio-tap", "6.1", false, Errno::ENOENT);
    leave(&mut bench, "virtio-tap-tz", "6.1", false, Errno(0));
    bench
}

#[test]
fn where_tz_is_set_the_file_says_nothing() {
    let model = model(&with_timezone());
    let timezone = |configuration: &str| row(&model, configuration, "6.1").timezone.as_deref();
    assert_eq!((timezone("virtio-tap"), timezone("virtio-tap-tz")), (None, Some("UTC")));
    let sentence = model.sentences.iter().find(|text| text.contains("localtime()")).expect("it is said");
    let told = "left it in errno in 2,000 of 2,000 trials where /etc/localtime is absent and TZ unset and 0 of 2,000 trials with TZ set: a log";
    assert!(sentence.contains(told), "{sentence}");
}

/// Cells of one configuration name and kernel are apart where their arm is another.
#[test]
fn arms_are_not_added_up() {
    let mut bench = with_timezone();
    for record in &mut bench.record.cells {
        record.cell.subject.configuration.name = record.cell.subject.configuration.name.replace("-tz", "");
    }
    let rows = bench.model().errno_sources;
    let plain = rows.iter().filter(|row| row.kind == SightingKind::Plain && !row.on_host);
    let told: Vec<_> = plain.map(|row| (row.timezone.as_deref(), row.log_lines)).collect();
    assert_eq!(told, [(None, 2_000), (Some("UTC"), 2_000)]);
}

#[test]
fn where_errno_held_nothing_nothing_is_said() {
    let mut bench = sound();
    leave(&mut bench, "virtio-tap", "6.1", true, Errno(0));
    let model = model(&bench);
    assert!(model.sentences.iter().all(|text| !text.contains("localtime()")), "{:#?}", model.sentences);
    assert!(render(&model, "text").contains("none in 6,000 calls: "), "{}", render(&model, "text"));
}
