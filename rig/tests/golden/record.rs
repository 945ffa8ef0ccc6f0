//! The record in trouble: torn, damaged, locked, taken, unwritable, continued.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use miette::Diagnostic;
use rig::record::format::{BlockRecord, BlockStatus, Version};
use rig::record::{JournalEntry, Layout, Reader, RecordError, Writer, find, list};

use crate::fixture::{Bench, Play, attempt_at, id_of, sound, void};

/// What a reader says of a run that was not ended.
const NOT_ENDED: &str = "journal.jsonl does not say that the run ended: it was killed, it is still running, or the last lines are missing";

fn help(error: &RecordError) -> String {
    error.help().expect("every error says what to try").to_string()
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).expect("there").write_all(bytes).expect("written");
}

/// The number of blocks that a resumed run would not play again.
fn resumed(dir: &Path) -> usize {
    Writer::resume(dir).expect("it can go on").2.len()
}

#[test]
fn everything_that_was_written_is_read_back() {
    let mut bench = sound();
    void(bench.block(Play::Base, "virtio-tap", "6.1", 1), "guest lost its NIC");
    let results = tempfile::tempdir().expect("a folder");
    let dir = bench.write(results.path());
    let run = Reader::open(&dir).expect("just written");
    assert_eq!(run.record, bench.record);
    assert_eq!(run.blocks, bench.blocks.iter().map(|(block, _)| block.clone()).collect::<Vec<_>>());
    assert!(run.complete);
    assert_eq!(run.cautions, Vec::<String>::new());
    for (block, trials) in &bench.blocks {
        let read: Result<Vec<_>, _> = run.trials(&block.id, block.attempt).expect("readable").collect();
        assert_eq!(&read.expect("whole"), trials);
    }
    assert!(bench.blocks.iter().any(|(_, trials)| !trials.is_empty()), "the fixture keeps some trials whole");
    assert!(matches!(bench.blocks[0].0.status, BlockStatus::Complete));
}

#[test]
fn packets_are_written_before_their_block_and_missed_where_they_are_gone() {
    let mut bench = Bench { complete: false, ..sound() };
    let (block, trials) = bench.blocks.last_mut().expect("played");
    let (block, trials) = (block.clone(), trials.clone());
    let results = tempfile::tempdir().expect("a folder");
    let dir = bench.write(results.path());
    let file = Layout::target_capture(&block.id, block.attempt + 1);
    let (mut writer, ..) = Writer::resume(&dir).expect("it can go on");
    writer.capture(&file, b"packets").expect("written");
    let attempt = block.attempt + 1;
    let named = BlockRecord { captures: vec![file.clone()], ..attempt_at(&block, attempt) };
    writer.block(&named, &trials).expect("written");
    writer.end(None).expect("written");
    drop(writer);
    let run = Reader::open(&dir).expect("readable");
    assert_eq!(run.blocks.last(), Some(&named));
    assert_eq!(run.cautions, Vec::<String>::new());
    fs::remove_file(dir.join(&file)).expect("there");
    let run = Reader::open(&dir).expect("readable");
    assert_eq!(run.cautions, [format!("{file} is missing: its packets are lost; the counts remain")]);

    // Written, and never named: the attempt that takes its place has nothing worth keeping.
    let (mut writer, ..) = Writer::resume(&dir).expect("it can go on");
    let stale = Layout::target_capture(&block.id, attempt + 1);
    writer.capture(&stale, b"of an attempt that was cut off").expect("written");
    writer.block(&attempt_at(&block, attempt + 1), &trials).expect("written");
    assert!(!dir.join(&stale).exists());
}

#[test]
fn every_journal_entry_survives_its_line() {
    let entries = [
        JournalEntry::Started { at: "t".into(), format: 2, format_minor: 0, run_sha256: Some("00".into()) },
        JournalEntry::Block {
            at: "t".into(),
            id: rig::record::format::BlockId("a-0".into()),
            attempt: 3,
            status: BlockStatus::Void { reason: "guest \"panicked\"\n".into() },
            files: [("blocks/a-0.3.json".into(), "00".into())].into(),
        },
        JournalEntry::Ended { at: "t".into(), complete: false, stopped: None },
    ];
    for entry in entries {
        let line = serde_json::to_string(&entry).expect("plain data");
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<JournalEntry>(&line).expect(&line), entry);
    }
}

#[test]
fn a_torn_last_line_is_cut_away_and_the_rest_goes_on() {
    for torn in [
        &b"{\"entry\":\"blo"[..],
        b"\0\0\0\0\0\0\0\0",
        b"{\"entry\":\"ended\",\"at\":\"t\",\"complete\":true}",
        b"\0\0\n",
    ] {
        let results = tempfile::tempdir().expect("a folder");
        let bench = Bench { complete: false, ..sound() };
        let dir = bench.write(results.path());
        append(&dir.join("journal.jsonl"), torn);
        let run = Reader::open(&dir).expect("readable");
        assert_eq!(run.blocks.len(), bench.blocks.len());
        assert!(!run.complete);
        assert_eq!(run.cautions.len(), 1, "{:?}", run.cautions);
        assert_eq!(resumed(&dir), bench.blocks.len());
        let journal = fs::read_to_string(dir.join("journal.jsonl")).expect("text again");
        for line in journal.lines() {
            serde_json::from_str::<JournalEntry>(line).expect("every line is whole again");
        }
        assert_eq!(Reader::open(&dir).expect("readable").cautions, [NOT_ENDED]);
    }
}

#[test]
fn a_journal_cut_anywhere_never_invents_a_block_and_can_go_on() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = Bench::new("20261121-201950-1f3a", &[("bare-metal", "host")]);
    bench.play_all();
    let dir = bench.write(results.path());
    let journal = dir.join("journal.jsonl");
    let whole = fs::read(&journal).expect("there");
    for cut in (0..whole.len()).step_by(97) {
        fs::write(&journal, &whole[..cut]).expect("cut");
        let lines = whole[..cut].iter().filter(|&&byte| byte == b'\n').count();
        let run = Reader::open(&dir).expect("readable");
        assert_eq!(run.blocks.len(), lines.saturating_sub(1), "cut at {cut}");
        assert!(!run.complete);
        assert_eq!(resumed(&dir), run.blocks.len());
    }
}

#[test]
fn damaged_and_missing_blocks_count_as_not_played_until_they_are_played_again() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    let dir = bench.write(results.path());
    let changed = id_of(&mut bench, Play::Base, "virtio-tap", "6.1");
    let missing = id_of(&mut bench, Play::Base, "virtio-tap", "6.12");
    let file = dir.join(format!("blocks/{changed}-0.1.json"));
    let text = fs::read_to_string(&file).expect("there").replace("\"trials\": 1000", "\"trials\": 9999");
    fs::write(&file, text).expect("changed");
    fs::remove_file(dir.join(format!("blocks/{missing}-1.1.json"))).expect("removed");

    let run = Reader::open(&dir).expect("the rest is there");
    assert_eq!(run.blocks.len(), bench.blocks.len() - 2);
    assert_eq!(run.cautions.len(), 2);
    assert!(
        run.cautions.iter().any(|c| c.contains(&format!("{changed}-0.1.json is not the file"))),
        "{:?}",
        run.cautions
    );
    assert!(
        run.cautions.iter().any(|c| c.contains(&format!("{missing}-1.1.json is missing"))),
        "{:?}",
        run.cautions
    );

    let (mut writer, _, blocks) = Writer::resume(&dir).expect("it can go on");
    assert_eq!(blocks.len(), bench.blocks.len() - 2);
    for (block, trials) in &bench.blocks {
        if !blocks.iter().any(|done| done.id == block.id) {
            writer.block(block, trials).expect("played again");
        }
    }
    writer.end(None).expect("ended");
    drop(writer);
    let run = Reader::open(&dir).expect("whole again");
    assert_eq!(run.blocks.len(), bench.blocks.len());
    assert_eq!(run.cautions, Vec::<String>::new());
    assert!(run.complete);
}

#[test]
fn trials_kept_whole_that_are_lost_are_named() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    let dir = bench.write(results.path());
    let id = id_of(&mut bench, Play::Watcher, "bare-metal", "host");
    let lost = dir.join(format!("anomalies/{id}-0.1.jsonl"));
    let broken = dir.join(format!("anomalies/{id}-1.1.jsonl"));
    fs::remove_file(&lost).expect("removed");
    append(&broken, b"not a trial\n");
    let run = Reader::open(&dir).expect("the sums are there");
    assert_eq!(run.blocks.len(), bench.blocks.len());
    assert!(
        matches!(run.cautions.as_slice(), [lost, changed]
            if lost.contains("-0.1.jsonl is missing") && changed.contains("-1.1.jsonl is not the file that was written")),
        "{:?}",
        run.cautions
    );
    let block = run.blocks.iter().find(|block| block.id.0 == format!("{id}-1")).expect("played");
    let read: Vec<_> = run.trials(&block.id, 1).expect("readable").collect();
    assert_eq!(read.iter().filter(|trial| trial.is_ok()).count() as u64, block.records);
    assert!(
        matches!(read.last(), Some(Err(RecordError::Damaged { reason, .. })) if reason.starts_with("line 5"))
    );
}

#[test]
fn one_writer_at_a_time_and_no_run_twice() {
    let results = tempfile::tempdir().expect("a folder");
    let bench = sound();
    let writer = Writer::create(results.path(), &bench.record).expect("fresh");
    let dir = writer.dir().to_owned();
    assert!(matches!(Writer::create(results.path(), &bench.record), Err(RecordError::Exists { .. })));
    let locked = Writer::resume(&dir).expect_err("it is being written");
    assert!(matches!(locked, RecordError::Locked { .. }), "{locked}");
    assert!(help(&locked).contains("journal.jsonl"));
    Reader::open(&dir).expect("reading needs no lock");
    drop(writer);
    assert_eq!(resumed(&dir), 0);
}

#[test]
fn another_format_and_a_broken_run_file_are_refused() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let run = dir.join("run.json");
    let text = fs::read_to_string(&run).expect("there");
    fs::write(&run, r#"{"format": 7, "rig_version": "9.9.0", "nothing": "else"}"#).expect("newer");
    let newer = Writer::resume(&dir).expect_err("not ours");
    assert!(matches!(newer, RecordError::Newer { found: Version { major: 7, minor: 0 }, .. }));
    assert!(help(&newer).contains("version 9.9.0"));
    fs::write(&run, &text[..text.len() / 2]).expect("half");
    assert!(matches!(Reader::open(&dir), Err(RecordError::Damaged { .. })));
    fs::remove_file(&run).expect("gone");
    assert!(matches!(Reader::open(&dir), Err(RecordError::NotARun { .. })));
}

#[test]
fn leftovers_of_an_interrupted_write_are_removed_and_never_read() {
    let results = tempfile::tempdir().expect("a folder");
    let bench = sound();
    let dir = bench.write(results.path());
    let half = dir.join("blocks/0123456789ab-0.1.json.unfinished");
    fs::write(&half, "{").expect("left");
    assert_eq!(Reader::open(&dir).expect("readable").cautions, Vec::<String>::new());
    assert_eq!(resumed(&dir), bench.blocks.len());
    assert!(!half.exists());
}

#[test]
fn a_place_that_cannot_be_written_is_named_with_what_to_do() {
    let results = tempfile::tempdir().expect("a folder");
    let file = results.path().join("file");
    fs::write(&file, "in the way").expect("written");
    let error = Writer::create(&file, &sound().record).expect_err("a file is no folder");
    assert!(error.to_string().contains("file"), "{error}");
    assert!(help(&error).contains("--results"), "{}", help(&error));

    // The blocks' folder vanishes under a running rig: the block is refused, the journal does not name it.
    let bench = sound();
    let mut writer = Writer::create(results.path(), &bench.record).expect("fresh");
    let dir = writer.dir().to_owned();
    fs::remove_dir_all(dir.join(Layout::BLOCKS)).expect("removed");
    let (block, trials) = &bench.blocks[0];
    let error = writer.block(block, trials).expect_err("no folder");
    assert!(error.to_string().contains(&Layout::block(&block.id, 1)), "{error}");
    drop(writer);
    assert_eq!(Reader::open(&dir).expect("readable").blocks.len(), 0);
}

#[test]
fn runs_are_found_by_what_users_type() {
    let results = tempfile::tempdir().expect("a folder");
    for id in ["20261121-201950-1f3a", "20261121-211950-0001", "20261122-000000-0002"] {
        Bench { complete: false, ..Bench::new(id, &[]) }.write(results.path());
    }
    fs::create_dir(results.path().join("20261123-not-a-run")).expect("made");
    let place = results.path();
    assert_eq!(list(place).len(), 3);
    assert_eq!(find(place, "latest").expect("the newest").dir(), place.join("20261122-000000-0002"));
    assert_eq!(find(place, "20261122").expect("one begins so").dir(), place.join("20261122-000000-0002"));
    assert_eq!(find(place, "211950").expect("one has it").dir(), place.join("20261121-211950-0001"));
    let path = place.join("20261121-211950-0001");
    assert_eq!(find(place, path.to_str().expect("text")).expect("a path").dir(), path);
    assert!(matches!(find(place, "20261121"), Err(RecordError::Ambiguous { found, .. }) if found.len() == 2));
    let unknown = find(place, "20261121-201950-1f3b").expect_err("a slip");
    assert!(help(&unknown).contains("did you mean `20261121-201950-1f3a`?"), "{}", help(&unknown));
    assert!(help(&find(place, "yesterday").expect_err("none")).contains("20261122-000000-0002"));
    assert!(matches!(find(place, "./nowhere"), Err(RecordError::NotARun { .. })));
    assert!(help(&find(&place.join("empty"), "latest").expect_err("none")).contains("no run yet"));
}

#[test]
fn a_full_disk_loses_nothing_that_the_journal_names() {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    if !nix::unistd::geteuid().is_root() {
        eprintln!("not run: a small disk can be mounted by root only");
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    // A disk of 512 KiB in a mount namespace of this thread: gone with it.
    let results = place.path().to_owned();
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace of our own");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).expect("private");
        mount(Some("small"), &results, Some("tmpfs"), MsFlags::empty(), Some("size=512k")).expect("a small disk");

        let bench = sound();
        let mut writer = Writer::create(&results, &bench.record).expect("it fits");
        let dir = writer.dir().to_owned();
        let mut written = Vec::new();
        let mut attempt = 0;
        let error = loop {
            attempt += 1;
            let (block, trials) = &bench.blocks[0];
            let block = attempt_at(block, attempt);
            match writer.block(&block, trials) {
                Ok(()) => written.push(block),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, RecordError::Disk { source, .. } if source.kind() == std::io::ErrorKind::StorageFull));
        assert!(help(&error).contains("--resume"), "{}", help(&error));
        drop(writer);
        let run = Reader::open(&dir).expect("readable");
        assert_eq!((&run.blocks, run.cautions), (&written, vec![NOT_ENDED.to_owned()]));

        let last = written.pop().expect("some fitted");
        fs::remove_file(dir.join(Layout::block(&last.id, last.attempt))).expect("room");
        let (mut writer, _, blocks) = Writer::resume(&dir).expect("it can go on");
        assert_eq!(blocks, written);
        writer.block(&last, &[]).expect("it fits now");
    })
    .join()
    .expect("the assertions above");
}
