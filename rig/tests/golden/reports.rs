//! What people and scripts read, as snapshots; and that it depends on nothing but the files.

use std::fs;
use std::path::Path;

use rig::analysis::model::ReportModel;
use rig::analysis::{Conclusion, analyse, conclusion};
use rig::record::format::{BlockId, BlockStatus, CaptureWhen, Shard};
use rig::record::{Layout, Reader};
use rig::report::{FileSchema, Format};
use rig_protocol::{Errno, Histogram, Returned};

use crate::audited::agrees;
use crate::fixture::{
    BLOCK, Bench, ORDINARY, Play, attempt_at, cell, id_of, sound, sound_in, turn, unarmed, void,
};
use crate::scale::scale;

/// Through the disk, as every report goes.
pub(crate) fn model(bench: &Bench) -> ReportModel {
    let results = tempfile::tempdir().expect("a folder");
    let dir = bench.write(results.path());
    // At night a second path computes every figure of every run of these tests anew.
    if scale(false, true) {
        agrees(&dir);
    }
    analyse(&Reader::open(&dir).expect("just written"))
}

pub(crate) fn render(model: &ReportModel, format: &str) -> String {
    Format::from_name(format).expect("one of the list").render(model)
}

fn text(bench: &Bench) -> String {
    let text = render(&model(bench), "text");
    for line in text.lines() {
        assert!(line.chars().count() <= 110 && line == line.trim_end(), "{line:?}");
    }
    text
}

#[test]
fn a_sound_run() {
    let bench = sound();
    let model = model(&bench);
    assert_eq!(conclusion(&model), Conclusion::Done);
    insta::assert_snapshot!("sound_text", text(&bench));
    insta::assert_snapshot!("sound_csv", render(&model, "csv"));
    insta::assert_snapshot!("sound_junit", render(&model, "junit"));
}

#[test]
fn an_excess_of_ebadf_in_one_guest() {
    let mut bench = sound_in(8);
    for (index, hits) in (0..).zip([23, 19, 21, 25, 18, 20, 24, 18]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.12", index), hits, Errno::EBADF);
    }
    let model = model(&bench);
    assert_eq!(conclusion(&model), Conclusion::Alert);
    insta::assert_snapshot!("excess_text", text(&bench));
    insta::assert_snapshot!("excess_junit", render(&model, "junit"));
}

#[test]
fn packets_that_were_kept_are_told_of_where_something_is_odd() {
    let mut bench = sound();
    for index in 0..2 {
        let block = bench.block(Play::Base, "virtio-tap", "6.1", index);
        block.captures = vec![Layout::target_capture(&block.id, 1), Layout::peer_capture(&block.id, 1)];
    }
    let id = bench.cell(Play::Base, "virtio-tap", "6.1").cell.id.0.clone();
    let summary = model(&bench).cells.into_iter().find(|cell| cell.id == id).expect("planned");
    let file = |index, end: &str| format!("capture/{id}-{index}.1.{end}.pcapng");
    assert_eq!(summary.captures, [file(0, "target"), file(0, "peer"), file(1, "target"), file(1, "peer")]);
    // Where all is as expected there is nothing to look for in them.
    assert!(!text(&bench).contains("packets, with"));
    turn(bench.block(Play::Base, "virtio-tap", "6.1", 1), 1, Errno::EBADF);
    let said = format!("packets, with the trials' names on them: {} and 3 more", file(0, "target"));
    assert!(text(&bench).contains(&said));
}

#[test]
fn a_run_that_kept_no_packets_says_why() {
    let mut bench = sound();
    let said = |bench: &Bench| (text(bench).replace("\n           ", " "), render(&model(bench), "answer"));
    let (report, _) = said(&bench);
    assert!(!report.contains("packets"), "nobody asked for them: {report}");
    bench.record.conduct.capture = CaptureWhen::Anomaly;
    let (report, screen) = said(&bench);
    assert!(report.contains("packets  none kept: no block had an anomaly"), "{report}");
    assert!(screen.contains("packets   none kept: no block had an anomaly"), "{screen}");
    bench.record.conduct.capture = CaptureWhen::Always;
    assert!(said(&bench).0.contains("over an interface of this host"));
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    block.captures = vec![Layout::target_capture(&block.id, 1)];
    assert!(!said(&bench).0.contains("none kept"));
}

#[test]
fn a_part_of_a_matrix_and_an_early_end_are_named() {
    let mut bench = sound();
    bench.record.shard = Some(Shard { index: 2, of: 3 });
    for (block, planned) in bench.blocks.iter_mut().map(|(block, _)| block).zip(&mut bench.record.blocks) {
        assert_eq!(block.id, planned.id);
        planned.id = BlockId::of(&planned.cell, Some(2), planned.index);
        block.id = planned.id.clone();
        // Logs are named after their block.
        (block.target.console, block.target.qmp) = (String::new(), String::new());
    }
    assert_eq!(conclusion(&model(&bench)), Conclusion::Done, "its blocks are its own");
    assert!(text(&bench).contains(", shard 2 of 3, seed "));
    assert!(render(&model(&bench), "answer").contains("shard     2 of 3"));
    assert!(render(&model(&bench), "json").contains(r#""shard": {"#));
    bench.complete = false;
    let stopped = model(&bench);
    assert_eq!(stopped.run.stopped.as_deref(), Some("interrupted"));
    assert!(text(&bench).contains("ended    interrupted before all blocks were played"));
    let mut late = stopped;
    late.run.stopped = Some("deadline".into());
    for format in ["text", "answer"] {
        let said = render(&late, format);
        assert!(said.contains("--deadline was reached"), "{said}");
    }
}

#[test]
fn a_blind_configuration_on_a_virtual_host() {
    let mut bench = sound();
    bench.record.environment.host.virtualized = "kvm".into();
    for index in 0..2 {
        // The filter was armed ten times, and one return was lost on the way.
        let tally = &mut bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", index).tally;
        tally.injected.insert(Errno::ENOENT, 11);
    }
    let model = model(&bench);
    assert_eq!(conclusion(&model), Conclusion::Short);
    insta::assert_snapshot!("blind_text", text(&bench));
}

#[test]
fn void_blocks_a_short_cell_and_a_damaged_file() {
    let mut bench = sound();
    // A void attempt that was made good by a second one.
    let second = attempt_at(bench.block(Play::Base, "virtio-tap", "6.1", 0), 2);
    void(bench.block(Play::Base, "virtio-tap", "6.1", 0), "guest panicked during boot");
    bench.blocks.push((second, Vec::new()));
    // A block that stayed void, and single void trials.
    void(bench.block(Play::Base, "virtio-tap", "6.12", 1), "agent was killed");
    let block = bench.block(Play::Watcher, "bare-metal", "host", 0);
    assert_eq!(block.status, BlockStatus::Complete);
    block.tally.trials -= 4;
    *block.tally.returns.get_mut(&Returned::ONE).expect("readable") -= 4;
    *block.tally.outcomes.get_mut("readable,data").expect("readable") -= 4;
    *block.tally.state_before.get_mut(&1).expect("established") -= 4;
    let mut call = Histogram::default();
    (4..BLOCK).for_each(|i| call.record(2_000 + i));
    block.tally.latency.insert("call".into(), call);
    block.tally.voids.insert("trial deadline".into(), 4);
    bench.complete = false;
    let damaged = id_of(&mut bench, Play::NoFault, "virtio-tap", "6.1");

    let results = tempfile::tempdir().expect("a folder");
    let dir = bench.write(results.path());
    fs::write(dir.join(format!("blocks/{damaged}-1.1.json")), "{}").expect("damaged");
    let model = analyse(&Reader::open(&dir).expect("the rest is there"));
    assert_eq!(conclusion(&model), Conclusion::Short);
    insta::assert_snapshot!("void_text", render(&model, "text"));
    insta::assert_snapshot!("void_csv", render(&model, "csv"));
}

#[test]
fn a_proxied_configuration_and_a_plan_without_bare_metal() {
    let mut bench = Bench::new("20261122-000000-0001", &[("virtio-user", "6.1")]);
    bench.play_all();
    insta::assert_snapshot!("proxied_text", text(&bench));
}

#[test]
fn nothing_was_played() {
    let bench = Bench { complete: false, ..Bench::new("20261122-000000-0002", &ORDINARY) };
    insta::assert_snapshot!("nothing_text", text(&bench));
}

#[test]
fn a_real_kvm_host_with_few_trials() {
    let mut bench = Bench::new("20261122-000000-0003", &[]);
    bench.record.environment.accelerator = "kvm".into();
    bench.record.environment.accelerator_reason = "a guest booted in 1.2 s".into();
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-vhost", "6.1")] {
        for play in Play::ALL {
            let mut small = cell(play, configuration, kernel);
            (small.trials, small.blocks) = (if play == Play::Base { 300 } else { 2_000 }, 1);
            bench.plan(small);
        }
    }
    bench.play_all();
    bench.on_kvm();
    insta::assert_snapshot!("few_text", text(&bench));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("there").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn a_copy_elsewhere_gives_the_same_bytes() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let elsewhere = tempfile::tempdir().expect("another");
    let copied = elsewhere.path().join("under another name");
    copy(&dir, &copied);
    let here = analyse(&Reader::open(&dir).expect("there"));
    let there = analyse(&Reader::open(&copied).expect("there too"));
    for format in Format::ALL {
        assert_eq!(format.render(&here), format.render(&there), "{}", format.name);
    }
}

/// Controls of so few trials that not one was armed: nothing failed, and nothing is proven.
#[test]
fn a_control_that_had_nothing_to_find() {
    let mut bench = sound();
    unarmed(&mut bench, "virtio-tap", "6.12");
    let model = model(&bench);
    assert_eq!(conclusion(&model), Conclusion::Short);
    insta::assert_snapshot!("unarmed_text", text(&bench));
    let lines = |format: &str| {
        let all = render(&model, format);
        all.lines()
            .filter(|line| line.contains("exercised"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    insta::assert_snapshot!("unarmed_junit_lines", lines("junit"));
    insta::assert_snapshot!("unarmed_csv_lines", lines("csv"));
}

/// Runs the binary and gives exit code, standard output and standard error.
pub(crate) fn rig(arguments: &[&str], folder: &Path) -> (i32, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "")
        .env("RIG_CALLED_AS", "rig")
        .output()
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_renders_writes_and_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = sound().write(&folder.path().join("results"));
    let model = analyse(&Reader::open(&dir).expect("there"));

    let (code, out, _) = rig(&["report", "latest"], folder.path());
    assert_eq!((code, out), (0, render(&model, "text")));
    let (code, out, _) = rig(&["report", "20261121", "--format", "json"], folder.path());
    assert_eq!((code, out), (0, render(&model, "json")));

    let (code, out, _) = rig(&["report", "--format", "csv,junit,csv", "--output", "there"], folder.path());
    assert_eq!((code, out.as_str()), (0, "there/report.csv\nthere/report.xml\n"));
    let written = fs::read_to_string(folder.path().join("there/report.csv")).expect("written");
    assert_eq!(written, render(&model, "csv"));

    let (code, out, err) = rig(&["report", "--format", "jsn"], folder.path());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("'json'"), "{err}");
    let (code, _, err) = rig(&["report", "20261121-201950-1f3b"], folder.path());
    assert_eq!(code, 2);
    assert!(err.contains("did you mean `20261121-201950-1f3a`?"), "{err}");
    let (code, _, err) = rig(&["report", "--results", "elsewhere"], folder.path());
    assert_eq!(code, 2);
    assert!(err.contains("no run yet"), "{err}");
}

/// A schema needs no run, and has nothing to do with one.
#[test]
fn the_command_prints_schemas() {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = FileSchema::REPORT.text();
    for arguments in [&["report", "--schema"][..], &["report", "--schema=report"]] {
        let (code, out, err) = rig(arguments, folder.path());
        assert_eq!((code, out.as_str(), err.as_str()), (0, wanted.as_str(), ""), "{arguments:?}");
    }
    let conflicts = [
        &["report", "--schema", "latest"][..],
        &["report", "--schema", "--format", "csv"],
        &["report", "--schema", "--output", "there"],
        &["report", "--schema", "--results", "there"],
        &["report", "--schema=raport"],
    ];
    for arguments in conflicts {
        let (code, out, err) = rig(arguments, folder.path());
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains("--schema"), "{err}");
    }
}
