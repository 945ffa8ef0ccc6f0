//! One run over bare metal and guests: what its report says, and whether an independent look at the packets agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use rig::record::format::{BlockRecord, Origin};
use rig_protocol::Tally;
use serde_json::Value as Json;

use crate::QEMU;
use crate::blackbox::processes::{Process, family};
use crate::blackbox::{Lab, Recorded, matrix};
use crate::wire::{Capture, Seen};

const SIZES: &str = "trials = 200\nblocks = 1\nin_flight = 200\ncontrol_trials = 200\ncontrol_blocks = 1";

pub(crate) fn a_run_says_what_it_measured() {
    let lab = Lab::new(&matrix(
        &format!("{SIZES}\n[scenario.watcher]\nin_flight = 50\n[scenario.rst]\nclient_delay = \"500ms\""),
        r#""rst", "watcher""#,
        r#""bare-metal", "virtio-tap", "virtio-vhost""#,
    ));
    // Under TCG a guest that shares its processors with a compiler may be too slow once: then it is tried again.
    let running = lab.start(lab.rig("matrix run --seed 7"));
    let mut taps = Taps::default();
    let root = running.pid();
    let ended = running.end_while(|| taps.watch(root)).expect(0);
    assert!(ended.stdout.contains("What was found"), "{}", ended.stdout);
    let run = lab.only_run();
    assert_eq!(run.ended(), Some(true));
    assert_eq!(run.order(), run.plan(), "blocks are played in the recorded order");

    the_report_is_what_was_asked_for(&run);
    every_trial_is_accounted_for(&run);
    the_packets_agree(&run, taps.end());
    a_copy_renders_the_same(&lab, &run);
    every_format_is_one(&run);
}

fn the_report_is_what_was_asked_for(run: &Recorded) {
    let report = run.report();
    assert_eq!(report["format"], 1);
    assert_eq!(report["run"]["complete"], true);
    assert_eq!(report["run"]["seed"], 7);
    for configuration in ["bare-metal", "virtio-tap"] {
        let cells = run.cells(configuration);
        let scenarios: BTreeSet<&str> = cells.iter().map(|cell| cell["scenario"].as_str().unwrap()).collect();
        assert!(scenarios.is_superset(&["rst", "watcher"].into()), "{scenarios:?}");
        for cell in &cells {
            assert_eq!(cell["status"], "complete", "{cell}");
            assert_eq!((&cell["trials"], &cell["void"]), (&200.into(), &0.into()), "{cell}");
            assert_eq!(sum(&cell["returns"]), 200, "{cell}");
            assert_eq!(sum(&cell["outcomes"]), 200, "{cell}");
            // A kernel is asked when its agent is done, the wire is watched to the end: a RST that answers a segment which a busy host delivered
            // late is on the wire only. None is ever missing there.
            let [wire, sent] = ["witness_rsts", "kernel_rsts"].map(|key| cell[key].as_u64().unwrap());
            assert!((sent..=sent + sent / 20).contains(&wire), "{wire} on the wire, {sent} sent: {cell}");
        }
        let watcher = cell(&cells, "watcher");
        assert!(watcher["rates"]["EBADF"]["count"].as_u64().unwrap() > 0, "{watcher}");
        let rst = cell(&cells, "rst");
        assert_eq!(rst["returns"]["1"], 200, "{rst}");
        assert_eq!(rst["outcomes"]["readable,data,ECONNRESET"], 200, "{rst}");
        assert_eq!(rst["rst_before_call"], 200, "the RST came half a second before the call: {rst}");
        for errno in ["EBADF", "ENOENT"] {
            let rate = &rst["rates"][errno];
            assert_eq!(rate["low"], 0.0, "{rate}");
            // Clopper-Pearson, 0 of 200: 1 - 0.025^(1/200).
            let number = |key: &str| rate[key].as_f64().unwrap();
            assert!((number("trial_high") - 0.018_275_4).abs() < 1e-6, "{rate}");
            // Trials of one boot may be alike, and the controls prove a little less than everything: never a smaller bound.
            assert!((0.018_275_4..0.03).contains(&number("high")), "{rate}");
            assert_eq!(rate["high"], rate["unseen"]["at_icc"], "{rate}");
        }
    }
    let controls = report["controls"].as_array().unwrap();
    let of = |configuration: &str, name: &str| {
        let found = controls.iter().find(|c| c["configuration"] == configuration && c["control"] == name);
        found.unwrap_or_else(|| panic!("no control {name} in {configuration}")).clone()
    };
    for configuration in ["bare-metal", "virtio-tap"] {
        for name in ["closed-descriptor", "inject-enoent", "negative"] {
            assert_eq!(of(configuration, name)["passed"], true, "{}", of(configuration, name));
        }
        let injected = of(configuration, "inject-enoent");
        let [low, rate, high] = ["low", "expected_rate", "high"].map(|key| injected[key].as_f64().unwrap());
        assert!(0.0 < low && low < rate && rate < high && rate == 0.2, "{injected}");
    }
    let vhost = run.cells("virtio-vhost");
    assert!(vhost.len() >= 2, "{vhost:?}");
    for cell in vhost {
        match Path::new("/dev/vhost-net").exists() {
            true => assert_eq!(cell["status"], "complete", "{cell}"),
            false => {
                assert_eq!(cell["status"], "skipped", "{cell}");
                assert!(cell["reason"].as_str().unwrap().contains("/dev/vhost-net does not exist"), "{cell}");
            }
        }
    }
    let compared = report["comparisons"].as_array().unwrap().iter();
    assert_eq!(
        compared.filter(|c| c["configuration"] == "virtio-tap").count(),
        6,
        "two cells, three questions"
    );
}

fn cell<'a>(cells: &'a [Json], scenario: &str) -> &'a Json {
    cells.iter().find(|cell| cell["scenario"] == scenario).unwrap()
}

fn sum(counts: &Json) -> u64 {
    counts.as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum()
}

fn every_trial_is_accounted_for(run: &Recorded) {
    let cells = run.record().cells;
    for block in run.played() {
        let planned = cells.iter().find(|planned| planned.cell.id == block.cell).unwrap();
        assert_eq!(block.tally.inconsistency(&planned.cell.subject.script), None);
        assert_eq!(block.witness.lost_packets, 0);
        let (target, peer) = (block.target_hello.as_ref().unwrap(), block.peer_hello.as_ref().unwrap());
        assert_eq!(target.build_id, peer.build_id, "the same bytes in both");
        let is_guest = block.target.origin == Some(Origin::Cold);
        assert_eq!(is_guest, target.kernel_release != peer.kernel_release, "a guest has a kernel of its own");
        for log in [&block.target.console, &block.target.qmp] {
            assert_eq!(run.folder.join(log).is_file(), is_guest, "{log:?}");
        }
        // Every trial in which select() returned -1 is kept whole, and the sums know no other.
        let mut kept = BTreeMap::<String, u64>::new();
        for trial in run.kept(&block).iter().filter(|trial| trial.anomaly) {
            *kept.entry(trial.outcome.clone()).or_default() += 1;
        }
        assert_eq!(kept.values().sum::<u64>(), block.tally.anomalies, "{kept:?}");
        for (outcome, count) in kept {
            assert_eq!(block.tally.outcomes[&outcome], count, "{outcome} of {}", block.id);
        }
    }
}

/// A capture of every guest's tap in its first network, in the order of the guests.
#[derive(Default)]
struct Taps {
    now: Option<(Process, Capture)>,
    seen: Vec<Seen>,
}

impl Taps {
    fn watch(&mut self, root: u32) {
        if let Some((_, capture)) = self.now.take_if(|(qemu, _)| qemu.is_gone()) {
            self.seen.push(capture.end());
        }
        if self.now.is_none()
            && let Some(qemu) = family(root).into_iter().find(|process| process.is(QEMU))
        {
            // The guest of the accelerator's probe has no tap.
            self.now = Capture::begin(&qemu).map(|capture| (qemu, capture));
        }
    }

    fn end(mut self) -> Vec<Seen> {
        self.seen.extend(self.now.take().map(|(_, capture)| capture.end()));
        self.seen
    }
}

fn the_packets_agree(run: &Recorded, seen: Vec<Seen>) {
    let in_guests: Vec<BlockRecord> =
        run.played().into_iter().filter(|block| block.target.origin == Some(Origin::Cold)).collect();
    // A capture is bound to a tap where it is when its guest appears: it sees the first block of a boot, and nothing once the tap moves on to the next one's network.
    let is_first = |block: &&BlockRecord| block.boot.as_ref().is_some_and(|boot| boot.place == 0);
    let guests: Vec<&BlockRecord> = in_guests.iter().filter(is_first).collect();
    assert_eq!(guests.len(), seen.len(), "a capture for every guest");
    let sent =
        |tally: &Tally| u64::try_from(tally.counters.get("Tcp.OutRsts").copied().unwrap_or(0)).unwrap();
    for (block, seen) in guests.iter().zip(seen) {
        assert_eq!(seen.dropped, 0);
        assert!(seen.frames >= 4 * block.tally.trials, "{}: {seen:?}", block.id);
        let witness = (block.witness.rst_to_target, block.witness.rst_to_peer);
        assert_eq!((seen.rst_to_target, seen.rst_to_peer), witness, "witness of {}", block.id);
        let kernels = (sent(&block.peer_tally), sent(&block.tally));
        assert_eq!((seen.rst_to_target, seen.rst_to_peer), kernels, "kernels of {}", block.id);
    }
    let rsts: u64 = in_guests.iter().map(|block| block.witness.rst_to_target).sum();
    // rst, watcher and inject-enoent end every connection with a RST of the peer.
    assert!(rsts >= 600, "{rsts}");
}

fn a_copy_renders_the_same(lab: &Lab, run: &Recorded) {
    let elsewhere = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(&run.folder).arg(elsewhere.path()).status().unwrap();
    assert!(copied.success());
    let copy = elsewhere.path().join(run.id());
    let mut names = BTreeMap::new();
    for (format, name) in [("text", "txt"), ("json", "json"), ("csv", "csv"), ("junit", "xml")] {
        let file = format!("report.{name}");
        fs::remove_file(copy.join(&file)).unwrap();
        names.insert(format, file);
    }
    for (format, file) in names {
        let mut command = lab.rig(&format!("report --format {format}"));
        command.arg(&copy);
        let ended = lab.start(command).end().expect(0);
        assert_eq!(ended.stdout, run.read(&file), "{format} of a copy");
    }
}

fn every_format_is_one(run: &Recorded) {
    let cells = run.report()["cells"].as_array().unwrap().len();
    let text = run.read("report.csv");
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let columns = table.headers().unwrap().clone();
    assert!(columns.iter().any(|column| column == "trials"), "{columns:?}");
    let rows = table.records().map(Result::unwrap).count();
    assert!(rows >= cells, "{rows} rows, {cells} cells");
    let junit = quick_junit::Report::deserialize_from_str(&run.read("report.xml")).unwrap();
    let suites: Vec<&str> = junit.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["cells", "controls", "comparisons", "outcomes", "headlines", "alerts"]);
    assert_eq!(junit.test_suites[0].test_cases.len(), cells);
    assert_eq!(junit.failures, 0);
    let prose = run.read("report.txt");
    for word in ["virtio-tap", "bare-metal", "EBADF", "ENOENT", "inject-enoent"] {
        assert!(prose.contains(word), "{word} is not in:\n{prose}");
    }
}
