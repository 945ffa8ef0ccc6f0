//! Trials in the order of their blocks, and what was seen in attempts that count for nothing.

use std::sync::Arc;

use rig::analysis::model::{Caution, NotCountedBecause, Question, ReportModel, TrialCaution};
use rig::record::format::{BlockRecord, BlockStatus};
use rig::report::Format;
use rig_protocol::{Errno, Op, PlacementBuilder, Returned, Step};

use crate::fixture::{BLOCK, Bench, Play, attempt_at, sound, turn};
use crate::reports::model;

/// Turns the trials with these indices into EBADF, and records where they lie.
fn turn_at(block: &mut BlockRecord, indices: &[u64]) {
    turn(block, indices.len() as u64, Errno::EBADF);
    let mut builder = PlacementBuilder::new(BLOCK);
    indices.iter().for_each(|index| builder.add(*index));
    block.tally.placements.outcomes.insert("EBADF".into(), builder.finish().expect("some"));
}

fn clustered(model: &ReportModel) -> Option<&TrialCaution> {
    model.cautions.iter().find_map(|caution| match caution {
        Caution::Trials(caution @ TrialCaution::Clustered { .. }) => Some(caution),
        _ => None,
    })
}

#[test]
fn trials_that_come_in_a_cluster_are_told_from_trials_that_lie_evenly() {
    let mut bench = sound();
    turn_at(bench.block(Play::Base, "virtio-tap", "6.1", 0), &(100..160).collect::<Vec<_>>());
    turn_at(
        bench.block(Play::Base, "virtio-tap", "6.12", 0),
        &(0..60).map(|i| i * 16 + 3).collect::<Vec<_>>(),
    );
    let model = model(&bench);
    let figures = |kernel: &str| {
        let cell = model.cells.iter().find(|cell| {
            (cell.scenario.as_str(), cell.configuration.as_str(), cell.kernel.as_str())
                == (Play::Base.scenario(), "virtio-tap", kernel)
        });
        let [figures] = &cell.expect("in the plan").order[..] else { panic!("{cell:?}") };
        figures.clone()
    };
    let cluster = figures("6.1");
    assert_eq!((cluster.what.as_str(), cluster.count, cluster.n), ("EBADF", 60, BLOCK));
    assert_eq!((cluster.adjacent_pairs, cluster.first, cluster.last), (59, 100, 159));
    assert!((cluster.adjacent_expected - 60.0 * 59.0 / 1_000.0).abs() < 1e-12);
    assert!(
        cluster.dispersion.is_some_and(|ratio| ratio > 20.0) && cluster.p_value.is_some_and(|p| p < 1e-9)
    );
    let even = figures("6.12");
    assert_eq!((even.adjacent_pairs, even.first), (0, 3));
    assert!(even.dispersion.is_some_and(|ratio| ratio < 0.5) && even.p_value.is_some_and(|p| p > 0.5));

    let Some(TrialCaution::Clustered { cells: 1, surest, what, .. }) = clustered(&model) else {
        panic!("{:?}", model.cautions);
    };
    assert_eq!((surest.kernel.as_str(), what.as_str()), ("6.1", "EBADF"));
    let said = Caution::Trials(clustered(&model).expect("found").clone()).to_string();
    assert!(
        said.contains("end alike more often than independent trials would in 1 cell")
            && said.contains("`EBADF`"),
        "{said}"
    );
}

#[test]
fn a_few_trials_say_nothing_about_clusters() {
    let mut bench = sound();
    turn_at(bench.block(Play::Base, "virtio-tap", "6.1", 0), &[7, 8, 9]);
    let model = model(&bench);
    assert_eq!(clustered(&model), None);
    let figures = model.cells.iter().flat_map(|cell| &cell.order).next().expect("recorded");
    assert_eq!((figures.count, figures.adjacent_pairs), (3, 2));
    assert_eq!((figures.dispersion, figures.p_value), (None, None));
}

/// Stops the run in a block: what was known of it is on the record, and then it is played again, or not.
fn stopped(played_again: bool) -> ReportModel {
    let mut bench = Bench { complete: played_again, ..sound() };
    let whole = bench.block(Play::Base, "virtio-tap", "6.1", 1).clone();
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 1);
    let (mut tally, mut peer) = Default::default();
    std::mem::swap(&mut block.tally, &mut tally);
    std::mem::swap(&mut block.peer_tally, &mut peer);
    block.status = BlockStatus::Aborted { reason: "interrupted".into() };
    block.records = 0;
    block.tally.trials = 10;
    block.tally.returns.extend([(Returned::ONE, 7), (Returned::failed(Errno::ENOENT), 3)]);
    block.tally.outcomes.extend([("readable,data,ECONNRESET".into(), 7), ("ENOENT".into(), 3)]);
    if played_again {
        bench.blocks.push((attempt_at(&whole, 2), vec![]));
    }
    model(&bench)
}

#[test]
fn an_errno_of_a_block_that_was_stopped_is_in_no_rate_and_is_told() {
    for played_again in [true, false] {
        let model = stopped(played_again);
        let cell = model.cells.iter().find(|cell| !cell.not_counted.is_empty()).expect("it is told");
        let [seen] = &cell.not_counted[..] else { panic!("{cell:?}") };
        assert_eq!((seen.because, seen.attempts, seen.trials), (NotCountedBecause::Aborted, 1, 10));
        assert_eq!(seen.returns[&Returned::failed(Errno::ENOENT)], 3);
        assert_eq!(seen.outcomes["ENOENT"], 3);
        assert_eq!((cell.rates[&Question::Enoent].count, cell.void), (0, 0), "neither seen nor void");
        assert_eq!(cell.trials, if played_again { 2 * BLOCK } else { BLOCK });
        let told = Caution::Trials(TrialCaution::SeenWhereNothingCounts {
            errnos: vec![("ENOENT".into(), 3)],
            attempts: 1,
        });
        assert!(model.cautions.contains(&told), "{:?}", model.cautions);
        assert!(told.to_string().contains("are in no rate: 3 ENOENT in 1 attempt; "), "{told}");
    }
}

#[test]
fn an_errno_that_no_call_returned_is_told_apart() {
    let mut bench = sound();
    for index in 0..2 {
        let tally = &mut bench.block(Play::Base, "virtio-tap", "6.1", index).tally;
        tally.stale_errno = [(Errno(0), 900), (Errno(104), 100)].into();
        tally.errno_after_localtime = [(Errno::ENOENT, 1_000)].into();
    }
    // A block has no more errnos after localtime than its script plays it.
    let cell = bench.cell(Play::Base, "virtio-tap", "6.1");
    let mut script = (*cell.cell.subject.script).clone();
    script.lanes[0].steps.push(Step::of(Op::Localtime {}));
    cell.cell.subject.script = Arc::new(script);
    let model = model(&bench);
    let cell = model.cells.iter().find(|cell| cell.errno_seen.misleads()).expect("it is told");
    let seen = &cell.errno_seen;
    assert_eq!(seen.stale, [("ECONNRESET".to_owned(), 200)].into());
    assert_eq!(seen.log_line, [("ENOENT".to_owned(), 2_000)].into());
    assert!(seen.kernel.is_empty() && cell.rates[&Question::Enoent].count == 0, "the kernel returned none");
    let text = Format::TEXT.render(&model);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "no call had failed, and errno held, after a call that succeeded: ECONNRESET in 200; after localtime(): ENOENT in 2,000";
    assert!(words.contains(said), "{text}");
    let returned =
        model.cells.iter().find(|cell| cell.scenario == Play::InjectedEnoent.scenario()).expect("played");
    assert_eq!(returned.errno_seen.kernel, [("ENOENT".to_owned(), 20)].into());
}
