//! The audit: every figure of a report computed anew from the files by a second path. Where both agree over runs of all kinds, neither has a slip of its own; where a figure is
//! doctored, it is named.

use std::fs;
use std::path::Path;

use rig::analysis::analyse;
use rig::analysis::model::{REPORT_FORMAT_MINOR, ReportModel};
use rig::audit::{Audit, AuditError, KNOWN_FORMAT, audit};
use rig::configuration::{NicBackend, TargetSpec};
use rig::matrix::StopRule;
use rig::record::format::{BootRecord, FORMAT, FORMAT_MINOR};
use rig::record::{Folder, Reader};
use rig::report::Format;
use rig_protocol::Errno;
use serde_json::{Value as Json, json};

use crate::fixture::{
    BLOCK, Bench, Play, attempt_at, cell, divert, id_of, sound, sound_in, turn, unarmed, void,
};
use crate::recorded::folder;
use crate::reports::rig;

fn now(dir: &Path) -> Json {
    serde_json::to_value(analyse(&Reader::open(dir).expect("a run"))).expect("plain data")
}

fn audited(dir: &Path) -> Audit {
    audit(&Folder::open(dir).expect("there"), &now(dir)).expect("a run that can be audited")
}

/// Audits a run that nobody touched: nothing differs. Gives the number of figures that were compared.
#[track_caller]
pub(crate) fn agrees(dir: &Path) -> u64 {
    let found = audited(dir);
    assert_eq!(found.files, [], "{dir:?}");
    for held in &found.reports {
        assert_eq!(
            (held.differences.as_slice(), held.not_compared.as_str()),
            (&[][..], ""),
            "{}",
            held.report
        );
    }
    found.reports.iter().map(rig::audit::Held::total).sum()
}

/// The same of a run that is written first.
#[track_caller]
pub(crate) fn of(bench: &Bench) -> u64 {
    let results = tempfile::tempdir().expect("a folder");
    agrees(&bench.write(results.path()))
}

#[test]
fn a_sound_run_agrees_in_every_kind_of_figure() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let found = audited(&dir);
    let [held] = &found.reports[..] else { panic!("no report.json was written: {found:?}") };
    assert_eq!((found.files.as_slice(), held.differences.as_slice()), (&[][..], &[][..]));
    assert!(held.total() > 1_500 && found.digests > 30, "{} {}", held.total(), found.digests);
    let kinds: Vec<&str> = held.compared.keys().map(String::as_str).collect();
    for kind in [
        "cells: counts",
        "cells: rates",
        "cells: latencies",
        "cells: expectations",
        "controls",
        "comparisons",
    ] {
        assert!(held.compared.get(kind).is_some_and(|n| *n > 20), "{kind}: {kinds:?}");
    }
    for kind in ["outcome comparisons", "headlines", "run", "again", "alerts"] {
        // An alert and a pair that are not there are no figures, unless they should be.
        assert!(kinds.contains(&kind) || kind == "alerts", "{kind}: {kinds:?}");
    }
    let others: Vec<&str> = held.not_recomputed.keys().map(String::as_str).collect();
    for named in ["comparisons[].detectable", "comparisons[].p_boschloo", "environment"] {
        assert!(others.contains(&named), "{named}: {others:?}");
    }
}

#[test]
fn runs_with_an_excess_agree() {
    let mut bench = sound_in(8);
    for (index, hits) in (0..).zip([23, 19, 21, 25, 18, 20, 24, 18]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.12", index), hits, Errno::EBADF);
    }
    assert!(of(&bench) > 500);
    // Too many boots for all labellings, one of them unlike the others; and a race that is no news.
    let mut bench = sound_in(12);
    for (index, hits) in (0..).zip([0, 1, 0, 40, 2, 0, 0, 3, 1, 0, 0, 1]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.1", index), hits + 1, Errno::ENOENT);
        divert(bench.block(Play::Base, "bare-metal", "host", index), 2 * hits, "readable,data,eof");
    }
    turn(bench.block(Play::Watcher, "virtio-tap", "6.1", 0), 7, Errno::EBADF);
    assert!(of(&bench) > 500);
    // A single boot on each side.
    let mut bench = sound_in(1);
    turn(bench.block(Play::Base, "virtio-tap", "6.1", 0), 300, Errno::EBADF);
    assert!(of(&bench) > 500);
}

#[test]
fn runs_with_voids_blind_machines_and_early_ends_agree() {
    let mut bench = sound_in(4);
    let second = attempt_at(bench.block(Play::Base, "virtio-tap", "6.1", 0), 2);
    void(bench.block(Play::Base, "virtio-tap", "6.1", 0), "guest panicked during boot");
    bench.blocks.push((second, Vec::new()));
    void(bench.block(Play::Base, "virtio-tap", "6.12", 1), "agent was killed");
    let tally = &mut bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", 0).tally;
    tally.injected.insert(Errno::ENOENT, 11);
    unarmed(&mut bench, "virtio-tap", "6.12");
    bench.complete = false;
    assert!(of(&bench) > 500);
    bench.record.judgement.stop = Some(StopRule::Below { errno: "ENOENT".into(), below: 0.01 });
    assert!(of(&bench) > 500);
    let mut bench = sound();
    turn(bench.block(Play::NoFault, "bare-metal", "host", 0), 1, Errno::ENOENT);
    assert!(of(&bench) > 500);
}

/// Guests behind a proxy are counted apart from those that are not, whoever the proxy is.
#[test]
fn runs_with_every_backend_agree() {
    use NicBackend::{Macvtap, MacvtapVhost, Passt, Socket, Tap, TapVhost, User};
    let mut headlines = Vec::new();
    for backend in [Tap, TapVhost, Macvtap, MacvtapVhost, User, Passt, Socket] {
        let mut bench = sound();
        for record in &mut bench.record.cells {
            let subject = &mut record.cell.subject;
            if let (TargetSpec::Qemu(spec), "6.12") = (&mut subject.configuration.target, &*subject.kernel) {
                spec.nic.backend = backend;
            }
        }
        assert!(of(&bench) > 500, "{backend:?}");
        headlines.push((backend.is_proxied(), bench.model().headlines.len()));
    }
    let of =
        |wanted| headlines.iter().filter(move |(proxied, _)| *proxied == wanted).map(|(_, count)| *count);
    assert!(of(true).min() > of(false).max(), "{headlines:?}");
}

/// Cells that share boots: the host's blocks stand together by round.
#[test]
fn runs_with_shared_boots_and_a_pair_agree() {
    let mut bench = Bench::new("20261127-000000-0020", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        for delay in ["0ms", "3s"] {
            let mut one = cell(Play::Base, configuration, kernel);
            one.subject.parameters.insert("client_delay".into(), delay.into());
            (one.blocks, one.trials) = (6, 6 * BLOCK);
            one.id = one.subject.id();
            bench.plan(one);
        }
    }
    for planned in &mut bench.record.blocks {
        planned.round = planned.index;
    }
    let base = bench.cell(Play::Base, "virtio-tap", "6.1").cell.clone();
    bench.plan(base.again("virtio-tap-again".to_owned()));
    bench.play_all();
    let is_base = |block: &rig::record::format::BlockRecord| {
        block.target.accelerator == "tcg" && block.tally.outcomes.contains_key("readable,data,ECONNRESET")
    };
    for (hits, (block, _)) in (0..).zip(bench.blocks.iter_mut().filter(|(block, _)| is_base(block))) {
        let round = block.id.0.rsplit('-').next().expect("an index").to_owned();
        let is_again = block.cell == base.again("virtio-tap-again".to_owned()).id;
        let name = if is_again { format!("r{round}-again.1") } else { format!("r{round}-b0.1") };
        block.boot = Some(BootRecord { name, place: 0 });
        turn(block, 2 + hits % 5, Errno::ENOENT);
    }
    assert!(of(&bench) > 500);
}

#[test]
fn a_run_that_a_rig_recorded_agrees() {
    assert!(agrees(&folder("format-2")) > 500);
}

/// Writes `report.json` with this done to it, and audits.
fn doctored(dir: &Path, now: &Json, change: impl Fn(&mut Json)) -> Audit {
    let mut report = now.clone();
    change(&mut report);
    fs::write(dir.join("report.json"), report.to_string()).expect("written");
    audit(&Folder::open(dir).expect("there"), now).expect("a run that can be audited")
}

/// The host and one guest.
fn two_machines() -> Bench {
    let mut bench = Bench::new("20261127-000000-0021", &[("bare-metal", "host"), ("virtio-tap", "6.1")]);
    bench.play_all();
    bench
}

#[test]
fn a_doctored_figure_is_named_with_its_place_both_values_and_its_files() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = two_machines();
    let id = id_of(&mut bench, Play::Base, "virtio-tap", "6.1");
    let dir = bench.write(results.path());
    let report = now(&dir);
    let place =
        report["cells"].as_array().expect("cells").iter().position(|cell| cell["id"] == id.0.as_str());
    let place = place.expect("it is there");
    let cases: [(&str, Json); 6] = [
        ("/rates/EBADF/high", json!(0.001)),
        ("/rates/any_error/count", json!(1)),
        ("/void", json!(7)),
        ("/outcomes/readable,data,ECONNRESET", json!(1_999)),
        ("/status", json!("short")),
        ("/witness_rsts", Json::Null),
    ];
    for (pointer, value) in cases {
        let found = doctored(&dir, &report, |report| {
            *report["cells"][place].pointer_mut(pointer).expect(pointer) = value.clone();
        });
        let [rendered, written] = &found.reports[..] else { panic!("{found:?}") };
        assert_eq!((rendered.differences.len(), written.report.as_str()), (0, "report.json"));
        let [one] = &written.differences[..] else { panic!("{pointer}: {:?}", written.differences) };
        assert!(one.path.starts_with(&format!("cells[{place}].")), "{one:?}");
        assert_eq!(one.reported, value.to_string());
        assert_eq!(one.files[..2], ["run.json".to_owned(), format!("blocks/{id}-0.1.json")]);
        assert!(found.differs());
    }
    let found = doctored(&dir, &report, |report| report["comparisons"][0]["p_value"] = json!(0.999_998));
    assert_eq!(found.reports[1].differences[0].path, "comparisons[0].p_value");
    // Less than one millionth is rounding.
    let found = doctored(&dir, &report, |report| report["comparisons"][0]["p_value"] = json!(0.999_999_5));
    assert!(!found.differs());
    let found = doctored(&dir, &report, |report| report["alerts"] = json!([{"cell": "x"}]));
    assert_eq!(found.reports[1].differences[0].reported, "1 entries");
}

#[test]
fn a_report_of_another_version_is_not_compared() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = two_machines().write(results.path());
    let report = now(&dir);
    let found = doctored(&dir, &report, |report| report["format_minor"] = json!(REPORT_FORMAT_MINOR - 1));
    assert!(!found.differs() && found.is_short());
    assert!(found.reports[1].not_compared.contains("another version of rig"), "{found:?}");
}

#[test]
fn a_changed_block_does_not_count_and_is_named() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    let id = id_of(&mut bench, Play::NoFault, "virtio-tap", "6.1");
    let dir = bench.write(results.path());
    let file = format!("blocks/{id}-1.1.json");
    let text = fs::read_to_string(dir.join(&file)).expect("there");
    fs::write(dir.join(&file), text.replace("\"trials\": 1000", "\"trials\": 999")).expect("changed");
    let found = audited(&dir);
    let [one] = &found.files[..] else { panic!("{:?}", found.files) };
    assert_eq!((one.path.as_str(), one.what.as_str()), (file.as_str(), "SHA-256"));
    assert_eq!(found.reports[0].differences, [], "the report leaves it out too");
    fs::remove_file(dir.join(&file)).expect("gone");
    assert_eq!(audited(&dir).files.len(), 1, "a missing one is named as well");
    let journal = fs::read_to_string(dir.join("journal.jsonl")).expect("there");
    let journal = journal.replacen("\"attempt\":1", "\"attempt\":2", 1);
    fs::write(dir.join("journal.jsonl"), journal).expect("changed");
    let found = audited(&dir);
    assert!(found.files.iter().any(|one| one.path == "journal.jsonl line 2"), "{:?}", found.files);
}

/// Whoever adds to the record looks whether the audit must know it.
#[test]
fn the_audit_knows_the_newest_format() {
    assert_eq!(KNOWN_FORMAT, (u64::from(FORMAT), u64::from(FORMAT_MINOR)));
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let run = fs::read_to_string(dir.join("run.json")).expect("there");
    let newer = run.replacen("\"format_minor\": 7", "\"format_minor\": 8", 1);
    assert_ne!(run, newer);
    fs::write(dir.join("run.json"), newer).expect("written");
    let refused = audit(&Folder::open(&dir).expect("there"), &json!({})).expect_err("a newer format");
    assert!(refused.to_string().contains("format 2.8"), "{refused}");
}

#[test]
fn a_run_of_format_1_is_refused() {
    let dir = folder("format-1");
    let refused = audit(&Folder::open(&dir).expect("there"), &now(&dir)).expect_err("another format");
    assert!(matches!(refused, AuditError::OtherFormat { .. }) && refused.blames_the_input());
    assert!(refused.to_string().ends_with("only runs of 2.0 to 2.7 are audited"), "{refused}");
}

#[test]
fn the_command_says_what_agrees_and_what_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = sound().write(&folder.path().join("results"));
    let (code, out, err) = rig(&["results", "verify"], folder.path());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("All figures that were computed anew agree with the reports.\n"), "{out}");
    assert!(
        out.contains("numbers that were not computed anew: ") && out.contains("comparisons[].detectable"),
        "{out}"
    );
    assert!(out.lines().all(|line| line.chars().count() <= 110), "{out}");

    let model: ReportModel = analyse(&Reader::open(&dir).expect("a run"));
    let report = Format::from_name("json").expect("a format").render(&model);
    fs::write(dir.join("report.json"), report.replacen("\"trials\": 2000", "\"trials\": 2001", 1))
        .expect("written");
    let (code, out, _) = rig(&["results", "verify", "latest"], folder.path());
    assert_eq!(code, 5, "{out}");
    assert!(
        out.contains("DIFFERS cells[0].trials (cells: counts): written is 2001, the files give 2000"),
        "{out}"
    );
    let (code, out, _) = rig(&["results", "verify", "--format", "json"], folder.path());
    let said: Json = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &said["reports"][1]["differences"][0]["path"]), (5, &json!("cells[0].trials")));
    let (code, _, err) = rig(&["results", "verify", "nosuch"], folder.path());
    assert!(code == 2 && err.contains("there is no run"), "{err}");
}
