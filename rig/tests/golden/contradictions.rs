//! Blocks on disk whose digest is right and whose numbers cannot be: they are named and left out, and the rest of the run is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rig::analysis::analyse;
use rig::analysis::model::{CellReason, CellStatus, CellSummary, ReportModel};
use rig::record::format::BlockRecord;
use rig::record::{Reader, Writer};
use rig::report::Format;
use rig_protocol::{Errno, Histogram, Returned, Tally};

use crate::fixture::{Bench, Play, sound};

const TOP: u64 = u64::MAX;

type Change = fn(&mut BlockRecord);

fn times(count: u64, max: u64, buckets: &[(u16, u64)]) -> Histogram {
    Histogram { count, max, buckets: buckets.iter().copied().collect() }
}

/// What a guest could have had recorded, by name, and what is said of it.
const CASES: [(&str, Change, &str); 12] = [
    (
        "largest time in no step of the scale",
        |block| block.tally.latency.extend([("call".into(), times(5, 7, &[(65_535, 5)]))]),
        "target: times of each call: 7 is the largest value but does not lie in the last bucket, 975",
    ),
    (
        "counters at their limit",
        |block| {
            block.tally.counters.extend([("Tcp.OutRsts".into(), i64::MAX)]);
            block.peer_tally.counters.extend([("Tcp.OutRsts".into(), i64::MAX)]);
        },
        "target: a kernel counter that rose by 9223372036854775807",
    ),
    (
        "voids at their limit",
        |block| block.tally.voids.extend([("a".into(), TOP), ("b".into(), 5)]),
        "target: 1000 trials and their voids are more than 17592186044416",
    ),
    (
        "the peer's trials at their limit",
        |block| block.peer_tally.trials = TOP,
        "peer: 18446744073709551615 trials and their voids are more than 17592186044416",
    ),
    (
        "a histogram's count at its limit",
        |block| block.tally.latency.extend([("call".into(), times(TOP, 7, &[(1, 5)]))]),
        "target: times of each call: 18446744073709551615 values but 5 in the buckets",
    ),
    (
        "a histogram's bucket at its limit",
        |block| block.tally.latency.extend([("call".into(), times(5, 7, &[(1, TOP), (2, 9)]))]),
        "target: times of each call: 5 values but too many in the buckets",
    ),
    (
        "the witness at its limit",
        |block| (block.witness.rst_to_target, block.witness.rst_to_peer) = (TOP, TOP),
        "witness: 18446744073709551615 RSTs to the target",
    ),
    (
        "returns at their limit",
        |block| block.tally.returns.extend([(Returned::ONE, TOP), (Returned::ZERO, 1_001)]),
        "target: 1000 trials but too many verdict returns to count",
    ),
    (
        "a counter of the path at its limit",
        |block| block.path.counters.extend([("rule.x".into(), TOP)]),
        "path: counter \"rule.x\" is 18446744073709551615",
    ),
    (
        "more injections than trials",
        |block| block.tally.injected.extend([(Errno::ENOENT, 1_001)]),
        "target: 1001 injections in 1000 trials",
    ),
    (
        "returns that do not add up",
        |block| block.tally.returns.extend([(Returned::failed(Errno::EBADF), 5_000)]),
        "target: 1000 trials but 6000 verdict returns",
    ),
    ("an attempt before the first", |block| block.attempt = 0, "attempt 0"),
];

/// A run in which both blocks of one cell are changed.
fn changed(change: Change) -> Bench {
    let mut bench = sound();
    for index in [0, 1] {
        change(bench.block(Play::Base, "virtio-tap", "6.1", index));
    }
    bench
}

/// The figures of each cell, by its id.
fn cells(model: &ReportModel) -> BTreeMap<String, &CellSummary> {
    model.cells.iter().map(|cell| (cell.id.clone(), cell)).collect()
}

/// What a user sees of the run on disk.
fn reported(dir: &Path) -> String {
    let rig = Command::new(env!("CARGO_BIN_EXE_rig")).arg("report").arg(dir).output().expect("rig starts");
    let text = String::from_utf8(rig.stdout).expect("text");
    assert_eq!(rig.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&rig.stderr));
    text
}

#[test]
fn a_block_that_contradicts_itself_is_named_and_left_out() {
    let results = tempfile::tempdir().expect("a folder");
    let whole = analyse(&Reader::open(&sound().write(results.path())).expect("readable"));
    for (name, change, words) in CASES {
        let results = tempfile::tempdir().expect("a folder");
        let mut bench = changed(change);
        let dir = bench.write(results.path());
        let run = Reader::open(&dir).expect(name);
        let left_out = bench.cell(Play::Base, "virtio-tap", "6.1").cell.id.clone();
        assert_eq!(run.blocks.len(), bench.blocks.len() - 2, "{name}");
        assert!(run.blocks.iter().all(|block| block.cell != left_out), "{name}");
        let [first, second] = &run.cautions[..] else { panic!("{name}: {:?}", run.cautions) };
        for (index, caution) in [(0, first), (1, second)] {
            assert!(caution.starts_with(&format!("blocks/{left_out}-{index}.")), "{caution}");
            let end = format!(".json contradicts itself ({words}): this attempt does not count");
            assert!(caution.ends_with(&end), "{name}: {caution}");
        }
        let model = analyse(&run);
        for format in Format::ALL {
            assert!(!format.render(&model).is_empty(), "{name}");
        }
        for (id, cell) in cells(&model) {
            if id == left_out.0 {
                assert_eq!((cell.status, cell.trials), (CellStatus::Short, 0), "{name}");
                let Some(CellReason::Short(shortage)) = &cell.reason else { panic!("{:?}", cell.reason) };
                assert_eq!((shortage.unplayed, shortage.planned), (2, 2), "{name}");
            } else {
                assert_eq!(cell, cells(&whole)[&id], "{name}: the rest of the run is there");
            }
        }
        let text = reported(&dir);
        assert!(text.contains("contradicts itself"), "{name}: {text}");
    }
}

#[test]
fn a_block_that_contradicts_itself_is_played_again() {
    for (name, change, _) in CASES {
        let results = tempfile::tempdir().expect("a folder");
        let dir = changed(change).write(results.path());
        let (mut writer, _, done) = Writer::resume(&dir).expect(name);
        let good = sound();
        assert_eq!(done.len(), good.blocks.len() - 2, "{name}");
        let again = good.blocks.iter().filter(|(block, _)| !done.iter().any(|played| played.id == block.id));
        again.for_each(|(block, trials)| writer.block(block, trials).expect("played again"));
        writer.end(None).expect("ended");
        drop(writer);
        let run = Reader::open(&dir).expect(name);
        assert_eq!(run.blocks.len(), good.blocks.len(), "{name}");
    }
}

#[test]
fn a_block_of_a_cell_that_the_run_does_not_have_is_named() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    let strange = &mut bench.blocks[0].0;
    strange.cell.0 = "ffffffffffff".into();
    let file = format!("blocks/{}.1.json", strange.id);
    let run = Reader::open(&bench.write(results.path())).expect("readable");
    let caution = format!(
        "{file} is about cell ffffffffffff, which run.json does not have: this attempt does not count"
    );
    assert_eq!(run.cautions, [caution]);
    assert_eq!(run.blocks.len(), bench.blocks.len() - 1);
}

#[test]
fn the_largest_numbers_that_a_block_can_have_are_added() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    for (block, _) in &mut bench.blocks {
        let most = i64::try_from(Tally::MOST).expect("it fits");
        for tally in [&mut block.tally, &mut block.peer_tally] {
            for counter in ["Tcp.OutRsts", "Tcp.RetransSegs"] {
                tally.counters.insert(counter.into(), most);
            }
        }
        (block.witness.rst_to_target, block.witness.rst_to_peer) = (Tally::MOST, Tally::MOST);
        block.witness.lost_packets = Tally::MOST;
        block.path.counters.insert("rule.x".into(), Tally::MOST);
    }
    let dir = bench.write(results.path());
    let run = Reader::open(&dir).expect("readable");
    assert_eq!(run.cautions, Vec::<String>::new());
    let model = analyse(&run);
    let base = model.cells.iter().find(|cell| cell.scenario == "reset-after-data").expect("in the plan");
    // Two blocks, two directions, two ends.
    assert_eq!((base.witness_rsts, base.kernel_rsts), (Some(4 * Tally::MOST), 4 * Tally::MOST));
    assert_eq!(base.path_counters["rule.x"], 2 * Tally::MOST);
    reported(&dir);
}

#[test]
fn a_plan_of_more_trials_than_can_be_counted_is_reported() {
    let results = tempfile::tempdir().expect("a folder");
    let mut bench = sound();
    for planned in &mut bench.record.blocks {
        planned.trials = TOP;
    }
    for planned in &mut bench.record.cells {
        planned.cell.trials = TOP;
    }
    for (block, _) in &mut bench.blocks {
        crate::fixture::void(block, "guest hung");
    }
    let dir = bench.write(results.path());
    let model = analyse(&Reader::open(&dir).expect("readable"));
    let played: Vec<_> = model.cells.iter().filter(|cell| cell.status != CellStatus::Skipped).collect();
    assert!(!played.is_empty() && played.iter().all(|cell| cell.void == 2 * Tally::MOST));
    reported(&dir);
}
