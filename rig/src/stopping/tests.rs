//! The rule against made-up blocks: what meets it, what does not, and that asking again later gives the same answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use rig_protocol::{Returned, Script};
use rig_stats::zero_trials;

use super::*;
use crate::configuration::{
    Accelerator, Configuration, Hardware, Localtime, Nic, NicBackend, NicModel, QemuSpec, TargetSpec, Tuning,
};
use crate::matrix::{Cell, Control, HOST_KERNEL, Subject};
use crate::path::PathSpec;

fn cell(scenario: &str, name: &str, target: TargetSpec) -> Cell {
    Cell::of(Subject {
        scenario: scenario.into(),
        parameters: BTreeMap::new(),
        configuration: Configuration { name: name.into(), target },
        kernel: HOST_KERNEL.into(),
        kernel_at: None,
        path: PathSpec::plain("direct", 1500),
        machine: None,
        script: Arc::new(Script::default()),
    })
}

/// A host and two guests that are compared with it.
fn cells() -> [Cell; 3] {
    let guest = TargetSpec::Qemu(QemuSpec {
        accelerator: Accelerator::Auto,
        machine: "q35".into(),
        vcpus: 1,
        memory_mib: 256,
        nic: Nic { model: NicModel::VirtioNet, backend: NicBackend::Tap, queues: 1 },
        localtime: Localtime::Present,
        timezone: None,
        disk: None,
        tuning: Tuning::default(),
        hardware: Hardware::default(),
    });
    [cell("a", "metal", TargetSpec::plain_host()), cell("a", "one", guest.clone()), cell("a", "two", guest)]
}

fn run(stop: Option<StopRule>, icc: f64, cells: &[Cell]) -> RunRecord {
    let record = |cell: &Cell| CellRecord { cell: cell.clone(), skipped: None, lack: None };
    RunRecord {
        judgement: Judgement { margin: 0.01, icc: Some(icc), stop, ..Judgement::default() },
        cells: cells.iter().map(record).collect(),
        ..RunRecord::new("run".into())
    }
}

fn below(below: f64) -> Option<StopRule> {
    Some(StopRule::Below { errno: "ENOENT".into(), below })
}

/// The `index`th block of a cell: so many ENOENT in so many trials.
fn block(cell: &Cell, index: u32, hits: u64, trials: u64) -> BlockRecord {
    let mut record = BlockRecord::new(BlockId::of(&cell.id, None, index), cell.id.clone(), 1);
    record.started = format!("2026-01-01T00:00:{index:02}Z");
    record.tally.trials = trials;
    record.tally.returns = [(Returned::ONE, trials - hits), (Returned::failed(Errno::ENOENT), hits)].into();
    record
}

/// After how many blocks of so many trials each, without a hit, a cell stops.
fn blocks_without_a_hit(run: &RunRecord, cell: &Cell, trials: u64) -> Option<u32> {
    let mut stopping = Stopping::of(run);
    (0..2_000).find(|index| !stopping.note(&block(cell, *index, 0, trials)).is_empty()).map(|index| index + 1)
}

#[test]
fn a_rate_below_a_bound_stops_where_the_statistics_say() {
    let cells = cells();
    for (bound, icc, trials) in [(0.01, 0.0, 50), (0.01, 0.001, 50), (0.02, 0.05, 10), (1e-4, 0.0, 1_000)] {
        let share = |value| Probability::new(value).expect("a share");
        let needed = zero_trials(share(bound), share(icc), trials, 1.0 - 0.95).expect("some number");
        let blocks = blocks_without_a_hit(&run(below(bound), icc, &cells), &cells[0], trials);
        assert_eq!(blocks.map(|blocks| u64::from(blocks) * trials), Some(needed), "{bound} {icc}");
    }
    // Another errno is no hit, and one hit takes it longer.
    let run = run(below(0.01), 0.0, &cells);
    let mut other = Stopping::of(&run);
    let mut one_hit = Stopping::of(&run);
    for index in 0..8 {
        let mut ebadf = block(&cells[0], index, 0, 50);
        ebadf.tally.returns = [(Returned::failed(Errno::EBADF), 50)].into();
        other.note(&ebadf);
        one_hit.note(&block(&cells[0], index, u64::from(index == 0), 50));
    }
    assert_eq!(other.met(&cells[0].id), Some(Met { trials: 350, blocks: 7 }));
    assert_eq!(one_hit.met(&cells[0].id), None);
    let (errno, interval) = one_hit.share(&cells[0].id).expect("blocks");
    assert!(errno == "ENOENT" && interval.contains(1.0 / 400.0) && interval.high > 0.01, "{interval:?}");
}

#[test]
fn what_does_not_count_stops_nothing() {
    let mut cells = cells();
    cells[1].control = Some(Control { name: "injected".into(), errno: Errno::ENOENT, expected_rate: 0.0 });
    let run = run(below(0.5), 0.0, &cells);
    let mut stopping = Stopping::of(&run);
    assert!(stopping.note(&block(&cells[1], 0, 0, 1_000)).is_empty(), "a control plays all");
    let mut void = block(&cells[0], 0, 0, 1_000);
    void.status = BlockStatus::Void { reason: "guest died".into() };
    assert!(stopping.note(&void).is_empty());
    void.status = BlockStatus::Aborted { reason: "deadline".into() };
    assert!(stopping.note(&void).is_empty());
    let small = block(&cells[0], 0, 0, 4);
    assert!(stopping.note(&small).is_empty());
    assert!(stopping.note(&small).is_empty(), "the same block counts once");
    assert_eq!(stopping.note(&block(&cells[0], 1, 0, 4)), [cells[0].id.clone()]);
    assert!(stopping.note(&block(&cells[0], 2, 0, 4)).is_empty(), "it is met once");
    assert_eq!(stopping.met(&cells[0].id), Some(Met { trials: 8, blocks: 2 }));

    let none = RunRecord { judgement: Judgement::default(), ..run };
    assert_eq!(blocks_without_a_hit(&none, &cells[0], 1_000), None, "no rule");
    for bound in [0.0, 1.0, f64::NAN] {
        let run =
            RunRecord { judgement: Judgement { stop: below(bound), ..Judgement::default() }, ..none.clone() };
        assert_eq!(blocks_without_a_hit(&run, &cells[0], 100), None, "{bound} is no bound");
    }
}

#[test]
fn an_interval_stops_when_it_is_narrow() {
    let cells = cells();
    let rule = StopRule::Width { errno: ANY.into(), width: 0.02 };
    let run = run(Some(rule), 0.001, &cells);
    let mut stopping = Stopping::of(&run);
    let mut widths = vec![];
    for index in 0..40 {
        let met = stopping.note(&block(&cells[2], index, 1, 100));
        let (_, interval) = stopping.share(&cells[2].id).expect("blocks");
        widths.push(interval.high - interval.low);
        if !met.is_empty() {
            break;
        }
    }
    let (last, before) = widths.split_last().expect("blocks");
    assert!(*last <= 0.02 && before.len() > 3 && before.iter().all(|width| *width > 0.02), "{widths:?}");
}

#[test]
fn a_comparison_stops_when_it_is_decided_and_the_host_last() {
    let cells = cells();
    let [metal, one, two] = &cells;
    let run = run(Some(StopRule::Decided { errno: None }), 0.001, &cells);
    let mut stopping = Stopping::of(&run);
    let mut order = vec![];
    // The second guest has ENOENT in a tenth of its trials, and begins late.
    for index in 0..30 {
        order.extend(stopping.note(&block(metal, index, 0, 100)));
        order.extend(stopping.note(&block(one, index, 0, 100)));
        if index >= 15 {
            order.extend(stopping.note(&block(two, index, 10, 100)));
        }
    }
    let at = |cell: &Cell| order.iter().position(|id| *id == cell.id);
    assert_eq!(order.len(), 3, "{order:?}");
    assert!(at(metal) > at(one) && at(metal) > at(two), "{order:?}");
    let of = |cell: &Cell| stopping.looked((&metal.id, &cell.id), "ENOENT").expect("blocks");
    assert!(of(one).interval.within(0.01) && of(one).p_value == 1.0, "{:?}", of(one));
    assert!(!of(two).interval.contains(0.0) && of(two).p_value < 0.05 / 6.0, "{:?}", of(two));
    assert_eq!(stopping.looked((&metal.id, &one.id), "EPIPE"), None, "no comparison has it");
    assert_eq!(stopping.share(&one.id), None);

    // By one errno alone it is sooner or as soon.
    let only = RunRecord {
        judgement: Judgement {
            stop: Some(StopRule::Decided { errno: Some("EBADF".into()) }),
            ..run.judgement.clone()
        },
        ..run
    };
    let mut stopping = Stopping::of(&only);
    for index in 0..30 {
        stopping.note(&block(metal, index, 0, 100));
        stopping.note(&block(two, index, 1, 100));
    }
    assert!(stopping.met(&two.id).is_some(), "EBADF is the same on both sides");
    assert_eq!(stopping.met(&metal.id), None, "the first guest has no block yet");
}

/// A cell on the baseline's kernel is compared with bare metal, and others with it: it stops after them, and bare metal last.
#[test]
fn with_a_baseline_a_kernel_stops_when_both_its_comparisons_are_decided() {
    let [metal, mut old, mut new] = cells();
    for (cell, kernel) in [(&mut old, "6.1"), (&mut new, "./linux")] {
        cell.subject.configuration.name = "guest".into();
        cell.subject.kernel = kernel.into();
        cell.id = cell.subject.id();
    }
    let decided = Some(StopRule::Decided { errno: Some("EBADF".into()) });
    let plain = run(decided, 0.001, &[metal.clone(), old.clone(), new.clone()]);
    let baseline = Some("kernel:6.1".parse().expect("a baseline"));
    let with = RunRecord { judgement: Judgement { baseline, ..plain.judgement.clone() }, ..plain.clone() };
    // Bare metal and the new kernel have blocks enough; the old one's come later.
    let early = |run: &RunRecord| {
        let mut stopping = Stopping::of(run);
        for index in 0..30 {
            stopping.note(&block(&metal, index, 0, 100));
            stopping.note(&block(&new, index, 0, 100));
        }
        stopping
    };
    assert!(early(&plain).met(&new.id).is_some(), "it is the same as bare metal");
    let mut stopping = early(&with);
    assert_eq!(stopping.met(&new.id), None, "nothing is known yet of the other kernel");
    let order: Vec<CellId> = (0..30).flat_map(|index| stopping.note(&block(&old, index, 0, 100))).collect();
    assert_eq!(order, [new.id, old.id, metal.id]);
}

#[test]
fn the_same_blocks_say_the_same_later() {
    let cells = cells();
    let run = run(below(0.02), 0.01, &cells);
    let blocks: Vec<BlockRecord> =
        (0..30).map(|index| block(&cells[0], index, u64::from(index == 2), 40)).collect();
    let mut live = Stopping::of(&run);
    blocks.iter().for_each(|block| {
        live.note(block);
    });
    let later = Stopping::after(&run, blocks.iter().rev());
    assert!(live.met(&cells[0].id).is_some());
    assert_eq!(later.met(&cells[0].id), live.met(&cells[0].id));
}
