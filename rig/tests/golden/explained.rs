//! `rig explain`: what it says of a run is what the run's files say, and it fits a screen.

use std::collections::BTreeMap;

use rig::analysis::{Counted, LocaltimeFile, SightingKind, Sightings, sightings};
use rig::explain::{Answer, Catalogue};
use rig::record::Reader;
use rig_protocol::Errno;

use crate::fixture::{BLOCK, Bench, Play, sound, turn, void};
use crate::recorded::{folder, sums};

const ECONNRESET: Errno = Errno(104);

fn of_format_1(errno: Errno) -> Sightings {
    sightings(&Reader::open(&folder("format-1")).expect("it is read"), errno)
}

fn text(errno: Errno, seen: Sightings) -> String {
    Answer::new(errno, Ok(seen)).text(100)
}

/// The part that depends on the run, in one line.
fn measured(errno: Errno, bench: &Bench) -> String {
    let text = text(errno, sightings(&bench.run(), errno));
    let part = text.split_once("What rig measured here\n").expect("it has this part").1;
    part.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sets what was in the C library's errno in the plain cells of a configuration.
fn leave(bench: &mut Bench, configuration: &str, kernel: &str, localtime: bool, after: Errno) {
    for index in 0..2 {
        let block = bench.block(Play::Base, configuration, kernel, index);
        block.tally.stale_errno.insert(Errno(0), BLOCK);
        block.tally.errno_after_localtime.insert(after, BLOCK);
        block.target_hello.as_mut().expect("it spoke").localtime = localtime;
    }
}

/// Independent of every reader: the numbers of the files, added up by cell.
#[test]
fn the_figures_are_those_of_the_record() {
    for errno in [Errno::ENOENT, Errno::EBADF, ECONNRESET] {
        let seen = of_format_1(errno);
        // A return is spelled `-1/EBADF` in format 1, and an errno behind a success by its number.
        let [returns, stale, localtime] = [
            ("returns", format!("-1/{errno}")),
            ("stale_errno", errno.0.to_string()),
            ("errno_after_localtime", errno.0.to_string()),
        ]
        .map(|(map, label)| total(&sums("format-1", map), &label));
        let sum = |of: fn(&rig::analysis::Sighting) -> Counted| {
            seen.places.iter().map(of).fold((0, 0), |sum, one| (sum.0 + one.count, sum.1 + one.n))
        };
        assert_eq!(
            sum(|place| Counted { count: place.returned.count, n: place.returned.n }),
            returns,
            "{errno}"
        );
        assert_eq!(sum(|place| place.stale), stale, "{errno}");
        assert_eq!(sum(|place| place.after_localtime), localtime, "{errno}");
    }
    let seen = of_format_1(ECONNRESET);
    assert_eq!(seen.later, Counted { count: 64, n: 64 }, "every plain trial ends with it");
    let injected: u64 = of_format_1(Errno::ENOENT).places.iter().map(|place| place.injected).sum();
    assert_eq!(injected, total(&sums("format-1", "injected"), "2").0);
}

/// How often the label was counted, of how many counts.
fn total(cells: &BTreeMap<String, BTreeMap<String, u64>>, label: &str) -> (u64, u64) {
    let counts = || cells.values().flatten();
    (counts().filter(|(one, _)| *one == label).map(|(_, n)| n).sum(), counts().map(|(_, n)| n).sum())
}

#[test]
fn what_is_read_of_a_run_and_without_one() {
    insta::assert_snapshot!("explain_enoent_format_1", text(Errno::ENOENT, of_format_1(Errno::ENOENT)));
    insta::assert_snapshot!("explain_ebadf_format_1", measured_of(Errno::EBADF));
    insta::assert_snapshot!("explain_econnreset_format_1", measured_of(ECONNRESET));
    let without = Answer::new(Errno::ENOENT, Err("Nothing: there is no run.".into()));
    insta::assert_snapshot!("explain_enoent", without.text(100));
    insta::assert_snapshot!("explain_unexplained", Answer::new(Errno(41), Err("Nothing.".into())).text(100));
}

fn measured_of(errno: Errno) -> String {
    text(errno, of_format_1(errno))
        .split_once("What rig measured here\n")
        .expect("it has this part")
        .1
        .to_owned()
}

#[test]
fn an_answer_fits_a_screen() {
    for (errno, explanation) in Catalogue::shipped().iter() {
        let without = Answer::new(errno, Err("Nothing.".into())).text(100);
        assert!(without.lines().count() <= 60, "{errno}: {} lines", without.lines().count());
        let with = text(errno, of_format_1(errno));
        // The zeros of that run are blind, and two lines say why.
        assert!(with.lines().count() <= 67, "{errno}: {} lines", with.lines().count());
        let is_command = |line: &str| explanation.commands.iter().any(|command| line.trim() == command.run);
        for line in with.lines().filter(|line| !is_command(line)) {
            assert!(line.chars().count() <= 100, "{errno}: {line}");
        }
    }
}

#[test]
fn localtime_is_told_apart_by_whether_its_file_is_there() {
    let mut bench = sound();
    leave(&mut bench, "bare-metal", "host", true, Errno(0));
    leave(&mut bench, "virtio-tap", "6.1", false, Errno::ENOENT);
    leave(&mut bench, "virtio-tap", "6.12", false, Errno::ENOENT);
    let seen = sightings(&bench.run(), Errno::ENOENT);
    let of = |file| seen.after_localtime[&file];
    assert_eq!(of(LocaltimeFile::Absent), Counted { count: 4 * BLOCK, n: 4 * BLOCK });
    assert_eq!(of(LocaltimeFile::Present), Counted { count: 0, n: 2 * BLOCK });
    let said = measured(Errno::ENOENT, &bench);
    let sentence = "ENOENT: select() returned it in 0 of 6,000 calls (at most 0.089 % at 95 %); after localtime() errno held it in 0 of 2,000 \
                    trials where /etc/localtime is there and TZ unset and 4,000 of 4,000 trials where /etc/localtime is absent and TZ unset.";
    assert!(said.contains(sentence), "{said}");
    // Where blocks of one cell differ, nothing is said of the file.
    bench.block(Play::Base, "bare-metal", "host", 1).target_hello.as_mut().expect("it spoke").localtime =
        false;
    assert!(sightings(&bench.run(), Errno::ENOENT).after_localtime.contains_key(&LocaltimeFile::Unknown));
}

#[test]
fn localtime_with_tz_set_is_told_apart() {
    let bench = crate::sources::with_timezone();
    let seen = sightings(&bench.run(), Errno::ENOENT);
    assert_eq!(seen.after_localtime[&LocaltimeFile::Absent], Counted { count: 2 * BLOCK, n: 2 * BLOCK });
    assert_eq!(seen.after_localtime_with_timezone, Counted { count: 0, n: 2 * BLOCK });
    let place = seen.places.iter().find(|place| place.configuration == "virtio-tap-tz").expect("played");
    assert_eq!(place.timezone.as_deref(), Some("UTC"));
    let said = measured(Errno::ENOENT, &bench);
    let sentence = "errno held it in 2,000 of 2,000 trials where /etc/localtime is absent and TZ unset and 0 of 2,000 trials with TZ set.";
    assert!(said.contains(sentence), "{said}");
    assert!(said.contains("0 of 2,000 absent, TZ set"), "{said}");
}

#[test]
fn a_hit_is_shown_and_what_is_brought_about_on_purpose_is_not_mixed_with_it() {
    let mut bench = sound();
    turn(bench.block(Play::Base, "virtio-tap", "6.1", 0), 3, Errno::ENOENT);
    let seen = sightings(&bench.run(), Errno::ENOENT);
    let rate = seen.returned.expect("plain cells were played");
    assert_eq!((rate.count, rate.n), (3, 6 * BLOCK));
    let controls =
        seen.places.iter().filter(|place| place.kind == SightingKind::Control && place.injected > 0);
    assert_eq!(
        controls.map(|place| (place.injected, place.returned.count)).collect::<Vec<_>>(),
        [(20, 20); 3]
    );
    let said = measured(Errno::ENOENT, &bench);
    assert!(said.contains("returned it in 3 of 6,000 calls (at most 7.6 % at 95 %)"), "{said}");
    let first_row = "its file virtio-tap 6.1 (tcg) 3 of 2,000";
    assert!(said.contains(first_row), "the place with a hit comes first: {said}");
    assert!(said.contains("Control injected-enoent"), "{said}");
    assert!(measured(Errno::EBADF, &bench).contains("Scenario watcher-closes, where the program closes"));
}

#[test]
fn a_blind_place_counts_for_no_bound_and_void_blocks_for_nothing() {
    let mut bench = sound();
    for index in 0..2 {
        void(bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", index), "guest lost its NIC");
    }
    let rate = sightings(&bench.run(), Errno::ENOENT).returned.expect("two places are left");
    assert_eq!((rate.count, rate.n), (0, 4 * BLOCK));
    let said = measured(Errno::ENOENT, &bench);
    assert!(
        said.contains("virtio-tap 6.1 (tcg) is blind, its zero proves nothing: control injected-enoent"),
        "{said}"
    );

    let mut bench = sound();
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    turn(block, 7, Errno::ENOENT);
    block.status = rig::record::format::BlockStatus::Void { reason: "guest lost its NIC".into() };
    bench.complete = false;
    let said = measured(Errno::ENOENT, &bench);
    assert!(said.contains("returned it in 0 of 5,000 calls"), "{said}");
    assert!(said.contains("Besides, 7 calls returned it in blocks that do not count"), "{said}");
    assert!(said.contains("The run is not complete"), "{said}");
}

#[test]
fn nothing_to_look_at_is_said() {
    let mut bench = sound();
    bench.blocks.clear();
    assert!(measured(Errno::ENOENT, &bench).contains("no cell that measures the kernel has a trial"));
}

#[test]
fn the_answer_for_programs_has_the_same_in_it() {
    let answer = Answer::new(Errno::EBADF, Ok(of_format_1(Errno::EBADF)));
    let json: serde_json::Value = serde_json::from_str(&answer.json()).expect("JSON");
    assert_eq!((&json["format"], &json["format_minor"]), (&1.into(), &2.into()));
    assert_eq!(
        json["errno"],
        serde_json::json!({"number": 9, "name": "EBADF", "text": "Bad file descriptor"})
    );
    let explanation = Catalogue::shipped().get(Errno::EBADF).expect("it has a file");
    assert_eq!(json["explanation"]["sources"].as_array().map(Vec::len), Some(explanation.sources.len()));
    assert_eq!(json["explanation"]["sources"][0]["who"], "kernel");
    assert_eq!(json["explanation"]["commands"].as_array().map(Vec::len), Some(explanation.commands.len()));
    // Its controls injected too little: no place has a zero that counts.
    assert_eq!(json["measured"]["returned"], serde_json::Value::Null);
    assert_eq!(json["measured"]["places"][0]["stale"]["n"], 32);
    assert_eq!(json["not_measured"], serde_json::Value::Null);
    let without = Answer::new(Errno(41), Err("why".into()));
    let json: serde_json::Value = serde_json::from_str(&without.json()).expect("JSON");
    assert_eq!(
        (&json["explanation"], &json["measured"], &json["not_measured"]),
        (&().into(), &().into(), &"why".into())
    );
}
