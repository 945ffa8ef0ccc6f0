//! `--capture`: the packets of trials that end as nobody expects, as tshark reads them, against what the trials themselves say.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use nix::mount::{MsFlags, mount};
use rig::record::format::{BlockRecord, CaptureWhen};
use rig_protocol::{Errno, TrialRecord};

use super::host::with_private_mounts;
use crate::blackbox::packets::{Checksum, Shown, has_tshark, segments, tshark};
use crate::blackbox::{Lab, Recorded, is_root, matrix};

const TRIALS: usize = 30;

/// The base program, and a scenario that expects something else of the same packets.
const UNEXPECTED: &str = r#"
title = "data, then a RST, and the file expects a time-out"
about = "Every trial of it is an anomaly."
claims = []
expect = ["timeout,**"]

[lane.client]
steps = [
    { op = "connect", socket = "conn" },
    { op = "write", socket = "conn", data = "ABCD" },
    { op = "sleep", for = "50ms" },
    { op = "select", read = ["conn"], timeout = "5s", verdict = true },
    { op = "read", socket = "conn", bytes = 1024, outcome = true },
    { op = "read", socket = "conn", bytes = 1024, outcome = true },
    { op = "close", socket = "conn" },
]

[lane.peer]
steps = [
    { op = "accept", socket = "conn" },
    { op = "read", socket = "conn", bytes = 1024 },
    { op = "write", socket = "conn", data = "CDEF" },
    { op = "linger", socket = "conn", seconds = 0 },
    { op = "close", socket = "conn" },
]
"#;

fn lab(more: &str) -> Lab {
    let run = format!(
        "trials = {TRIALS}\nblocks = 2\nin_flight = 10\ncontrol_trials = 150\ncontrol_blocks = 1\nretries = 0\n\
         [scenario.rst]\nclient_delay = \"50ms\"\n{more}"
    );
    let lab = Lab::new(&matrix(&run, r#""rst", "./unexpected.toml""#, r#""bare-metal""#));
    fs::write(lab.path().join("unexpected.toml"), UNEXPECTED).unwrap();
    lab
}

/// Blocks of the cells of a scenario, in the order in which they were played.
fn blocks(run: &Recorded, scenario: &str) -> Vec<BlockRecord> {
    let record = run.record();
    let of_scenario = |block: &BlockRecord| {
        record.cells.iter().any(|one| one.cell.id == block.cell && one.cell.subject.scenario == scenario)
    };
    run.played().into_iter().filter(of_scenario).collect()
}

fn files(run: &Recorded) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(run.folder.join("capture")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn packets_of_an_anomaly_show_what_the_trial_says() {
    if !is_root("netns") || !has_tshark() {
        return;
    }
    let lab = lab("");
    // All trials of one scenario end otherwise than it expects.
    let ended = lab.run("matrix run --seed 7 --capture anomaly").expect(5);
    let run = lab.only_run();
    assert_eq!(run.record().conduct.capture, CaptureWhen::Anomaly);

    // Of blocks that ended as expected, and of controls (whose errnos are made), nothing is kept.
    let unexpected = blocks(&run, "unexpected");
    let named: Vec<&String> = unexpected.iter().flat_map(|block| &block.captures).collect();
    assert_eq!(unexpected.len(), 2);
    assert_eq!(named.len(), 2 * 2, "a file for each end");
    let injected = |block: &BlockRecord| block.tally.returned(Errno::ENOENT) > 0;
    assert!(blocks(&run, "control-inject-enoent").iter().any(injected));
    let mut wanted: Vec<PathBuf> = named.iter().map(|file| run.folder.join(file)).collect();
    wanted.sort();
    assert_eq!(files(&run), wanted);

    for block in &unexpected {
        let trials = run.kept(block);
        assert_eq!(trials.len(), TRIALS / 2);
        let shown = of_both_ends(&run, block);
        let mut by_comment: BTreeMap<&str, Vec<&Shown>> = BTreeMap::new();
        shown.iter().for_each(|one| by_comment.entry(&one.comment).or_default().push(one));
        for trial in &trials {
            agrees(trial, &by_comment);
        }
        assert_eq!(by_comment.len(), TRIALS / 2, "every packet belongs to one of them: {by_comment:#?}");
    }
    // One line under the cell tells where they are.
    let mention = format!("packets, with the trials' names on them: {} and 3 more", named[0]);
    ended.says(&[&mention]);
}

/// The segments next to the target, then those next to the peer.
fn of_both_ends(run: &Recorded, block: &BlockRecord) -> Vec<Shown> {
    block.captures.iter().flat_map(|file| segments(&run.folder.join(file))).collect()
}

/// What the trial's reads returned, and what its connection's packets are at each interface: the same, in the same order.
fn agrees(trial: &TrialRecord, by_comment: &BTreeMap<&str, Vec<&Shown>>) {
    assert_eq!((trial.outcome.as_str(), trial.anomaly), ("readable,data,ECONNRESET", true));
    let select = trial.steps.iter().position(|log| log.ready.is_some()).unwrap();
    let reads: Vec<&str> = trial.steps[select + 1..]
        .iter()
        .filter_map(|log| match (log.returned, log.data.as_deref()) {
            (4, Some("CDEF")) => Some("data"),
            (-104, _) => Some("reset"),
            _ => None,
        })
        .collect();
    assert_eq!(reads, ["data", "reset"], "{trial:?}");
    let comment = format!("trial {} (anomaly): readable,data,ECONNRESET", trial.trial);
    let packets = by_comment.get(comment.as_str()).unwrap_or_else(|| panic!("{comment}: {by_comment:#?}"));
    assert!(packets.iter().all(|packet| packet.port == trial.local_port), "{trial:?} {packets:#?}");
    for interface in ["target:to-target", "peer:peer0"] {
        let here: Vec<_> = packets.iter().filter(|packet| packet.interface == interface).collect();
        assert!(here.is_sorted_by_key(|packet| packet.time_ns));
        let opened = here.iter().filter(|packet| packet.syn).map(|packet| packet.from_peer);
        assert_eq!(opened.collect::<Vec<_>>(), [false, true], "{interface}: {packets:#?}");
        let from_peer = here.iter().filter(|packet| packet.from_peer && !packet.syn);
        let mut told: Vec<&str> = from_peer
            .filter_map(|packet| match (packet.rst, packet.length) {
                (true, _) => Some("reset"),
                (false, 4) => Some("data"),
                (false, _) => None,
            })
            .collect();
        // An acknowledgement that was under way as the reset came is answered by a second one.
        told.dedup();
        assert_eq!(told, reads, "{interface}: {packets:#?}");
    }
}

#[test]
fn what_is_asked_for_is_kept_and_a_resumed_run_goes_on_with_it() {
    if !is_root("netns") || !has_tshark() {
        return;
    }
    let lab = lab("");
    lab.run("matrix run --seed 7").expect(5);
    let first = lab.only_run();
    assert_eq!(files(&first), [] as [PathBuf; 0]);
    assert!(first.played().iter().all(|block| block.captures.is_empty()));
    fs::remove_dir_all(&first.folder).unwrap();

    lab.run("matrix run --seed 7 --capture always").expect(5);
    let run = lab.only_run();
    let played = run.played();
    for block in &played {
        let named = ["target", "peer"].map(|end| format!("capture/{}.1.{end}.pcapng", block.id));
        assert_eq!(block.captures, named);
    }
    assert_eq!(files(&run).len(), 2 * played.len());

    // As if the power had gone before the last block was in the journal: its packets are there, and nobody vouches for them.
    let journal = run.read("journal.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    fs::write(run.folder.join("journal.jsonl"), format!("{}\n", lines[..lines.len() - 2].join("\n")))
        .unwrap();
    let last = run.folder.join(&played.last().unwrap().captures[0]);
    fs::write(&last, "half a file").unwrap();
    fs::write(run.folder.join("capture/other.1.pcapng.unfinished"), "x").unwrap();
    lab.run("matrix run --resume latest --capture never").expect(2).says(&["cannot be used with"]);
    lab.run("matrix run --resume latest").expect(5);
    assert_eq!(files(&run).len(), 2 * played.len());
    let block = run.played().pop().unwrap();
    for (file, wanted) in block.captures.iter().zip(["target:to-target", "peer:peer0"]) {
        let shown = segments(&run.folder.join(file));
        assert!(!shown.is_empty() && shown.iter().all(|one| one.interface == wanted), "{file}");
    }
    assert_eq!(run.folder.join(&block.captures[0]), last);

    // A file that went is told of, and counts for nothing.
    fs::remove_file(&last).unwrap();
    let report = lab.run("report latest").expect(0);
    report.says(&[&format!("{} is missing: its packets are lost; the counts remain", block.captures[0])]);
}

#[test]
fn a_file_says_what_it_is_about() {
    if !is_root("netns") || !has_tshark() {
        return;
    }
    let lab = lab("");
    lab.run("matrix run --seed 7 --capture always scenario=rst").expect(0);
    let run = lab.only_run();
    for block in blocks(&run, "rst") {
        for file in &block.captures {
            let again = tshark(&run.folder.join(file), &["-Y", "tcp.analysis.retransmission"]);
            assert_eq!(again, "", "nothing was lost on this link, so nothing was sent again");
        }
        let file = run.folder.join(&block.captures[0]);
        let section = tshark(&file, &["-q", "-z", "io,stat,0"]);
        assert!(section.contains("IO Statistics"), "{section}");
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for wanted in [
            format!("run {}", run.id()),
            format!("cell {}: rst call=select client_delay=50ms", block.cell),
            format!("block {}, attempt 1, seed ", block.id),
            format!("rig {}", env!("CARGO_PKG_VERSION")),
            "switch/to-target, next to the target; outbound is towards the target".to_owned(),
        ] {
            assert!(text.contains(&wanted), "{wanted:?}");
        }
        // The first examples of an outcome are kept whole in the record, and bear their names here; the others bear none.
        let kept = run.kept(&block);
        assert!(!kept.is_empty() && kept.len() < TRIALS / 2);
        let shown = segments(&file);
        for trial in &kept {
            let comment = format!("trial {} (example): readable,data,ECONNRESET", trial.trial);
            assert!(shown.iter().any(|one| one.comment == comment), "{comment}");
        }
        assert!(shown.iter().any(|one| one.comment.is_empty()));
        let bad = shown.iter().find(|one| one.checksum == Checksum::Bad);
        assert!(bad.is_none(), "what is kept of a segment is what it was: {bad:?}");
    }
}

#[test]
fn a_disk_that_cannot_take_the_packets_stops_the_run() {
    with_private_mounts(|| {
        let lab = lab("[scenario.unexpected]\ntrials = 4000\nblocks = 1\nin_flight = 200");
        fs::create_dir(lab.results()).unwrap();
        let flags = MsFlags::empty();
        mount(Some("test"), &lab.results(), Some("tmpfs"), flags, Some("size=2m")).unwrap();
        let ended = lab.run("matrix run --seed 7 --capture anomaly scenario=unexpected").expect(4);
        ended.says(&["cannot write", ".pcapng", "No space left on device", "free some space", "--resume"]);
        let run = lab.only_run();
        assert!(blocks(&run, "unexpected").is_empty(), "a block without its packets does not count");
        assert_eq!(files(&run), [] as [PathBuf; 0], "half a file is removed");
        mount(None::<&str>, &lab.results(), None::<&str>, MsFlags::MS_REMOUNT, Some("size=64m")).unwrap();
        lab.run("matrix run --resume latest").expect(5);
        assert_eq!(files(&run).len(), 2);
    });
}
