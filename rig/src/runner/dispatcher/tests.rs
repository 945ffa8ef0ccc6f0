//! The dispatcher against a faked player: state x failure x stop.

use std::sync::Mutex;

use rig_protocol::{Errno, Returned};
use tokio::sync::mpsc::unbounded_channel;

use super::super::kit::{cell, guest_cell, run};
use super::*;
use crate::matrix::StopRule;
use crate::record::format::{BlockId, BootRecord};
use crate::stopping::Met;

/// Plays blocks by a rule, and stops the run in the middle of the block that the rule answers `None` for.
struct Fake<F, R> {
    rule: F,
    /// What is known of a block, but for how it ended.
    record: R,
    stopper: Stopper,
    played: Mutex<Vec<(BlockId, u32)>>,
}

impl<F, R> Player for &Fake<F, R>
where
    F: Fn(&Attempt) -> Option<BlockStatus> + Send + Sync,
    R: Fn(&Attempt) -> BlockRecord + Send + Sync,
{
    async fn play(
        &self,
        attempt: Attempt,
        _events: UnboundedSender<Event>,
        mut stop: Stop,
    ) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        self.played.lock().expect("no panic in a test").push((attempt.block.id.clone(), attempt.attempt));
        if let Some(status) = (self.rule)(&attempt) {
            if matches!(status, BlockStatus::Aborted { .. }) {
                self.stopper.stop(Why::Deadline);
            }
            Some((BlockRecord { status, ..(self.record)(&attempt) }, vec![]))
        } else {
            self.stopper.stop(Why::Interrupted);
            stop.told().await;
            None
        }
    }
}

struct Seen {
    why: Option<Why>,
    played: Vec<(BlockId, u32)>,
    finished: Vec<BlockRecord>,
    ended: Vec<Option<&'static str>>,
    /// When, and how many of its blocks were left.
    stopped: Vec<(CellId, Met, usize)>,
}

async fn drive(
    run: &RunRecord,
    done: &[BlockRecord],
    fail_fast: bool,
    rule: impl Fn(&Attempt) -> Option<BlockStatus> + Send + Sync,
) -> Seen {
    let blank = |attempt: &Attempt| attempt.blank_record("");
    drive_as(run, done, fail_fast, (rule, blank)).await
}

/// Every block is complete, with this record.
async fn drive_records(
    run: &RunRecord,
    done: &[BlockRecord],
    record: impl Fn(&Attempt) -> BlockRecord + Send + Sync,
) -> Seen {
    drive_as(run, done, false, (|_: &Attempt| Some(BlockStatus::Complete), record)).await
}

async fn drive_as(
    run: &RunRecord,
    done: &[BlockRecord],
    fail_fast: bool,
    (rule, record): (
        impl Fn(&Attempt) -> Option<BlockStatus> + Send + Sync,
        impl Fn(&Attempt) -> BlockRecord + Send + Sync,
    ),
) -> Seen {
    let (sender, mut receiver) = unbounded_channel();
    let (stopper, stop) = Stopper::new();
    let fake = Fake { rule, record, stopper: stopper.clone(), played: Mutex::new(vec![]) };
    let why = Dispatcher::new(&fake, sender, (stopper, stop), 3, fail_fast).run(run, done).await;
    let (mut finished, mut ended, mut stopped) = (vec![], vec![], vec![]);
    while let Ok(event) = receiver.try_recv() {
        match event {
            Event::BlockFinished { record, .. } => finished.push(*record),
            Event::RunEnded { stopped } => ended.push(stopped),
            Event::CellStopped { cell, met, left_out, .. } => stopped.push((cell, met, left_out.len())),
            Event::RunStarted { .. }
            | Event::BlockStarted { .. }
            | Event::BlockPhase { .. }
            | Event::BlockProgress { .. }
            | Event::PacketsCaptured { .. }
            | Event::Interrupted => {}
        }
    }
    Seen { why, played: fake.played.into_inner().expect("no panic"), finished, ended, stopped }
}

fn void() -> BlockStatus {
    BlockStatus::Void { reason: "guest died".into() }
}

#[tokio::test]
async fn all_blocks_are_played_once_in_the_recorded_order() {
    let run = run(&[cell("a"), cell("b"), cell("c")]);
    let seen = drive(&run, &[], false, |_| Some(BlockStatus::Complete)).await;
    assert_eq!(seen.why, None);
    assert_eq!(seen.ended, [None]);
    assert_eq!(seen.played, run.blocks.iter().map(|b| (b.id.clone(), 1)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_void_block_is_tried_again_in_later_rounds_and_then_left() {
    let run = run(&[cell("a"), cell("b")]);
    let bad = run.blocks[0].id.clone();
    let seen =
        drive(&run, &[], false, |a| Some(if a.block.id == bad { void() } else { BlockStatus::Complete }))
            .await;
    assert_eq!(seen.why, None);
    let tries: Vec<_> = seen.played.iter().filter(|(id, _)| *id == bad).map(|(_, n)| *n).collect();
    assert_eq!(tries, [1, 2, 3]);
    assert_eq!(seen.played.last(), Some(&(bad.clone(), 3)));
    assert_eq!(seen.finished.iter().filter(|r| r.id == bad).count(), 3, "every attempt is on the record");
    assert_eq!(seen.ended, [None], "the plan was played; the cell is short");
}

#[tokio::test]
async fn fail_fast_stops_after_the_last_attempt_of_a_void_block() {
    let run = run(&[cell("a")]);
    let seen = drive(&run, &[], true, |_| Some(void())).await;
    assert_eq!(seen.why, Some(Why::FailFast));
    assert_eq!(seen.ended, [Some("fail_fast")]);
    assert_eq!(seen.played.iter().filter(|(_, n)| *n == 3).count(), 1);
}

#[tokio::test]
async fn an_interrupted_block_leaves_no_record_and_resume_plays_exactly_the_rest() {
    let run = run(&[cell("a"), cell("b"), cell("c")]);
    let third = run.blocks[2].id.clone();
    let first = drive(&run, &[], false, |a| (a.block.id != third).then_some(BlockStatus::Complete)).await;
    assert_eq!(first.why, Some(Why::Interrupted));
    assert_eq!(first.finished.len(), 2);
    assert_eq!(first.ended, [Some("interrupted")]);
    let rest = drive(&run, &first.finished, false, |_| Some(BlockStatus::Complete)).await;
    assert_eq!(rest.played, run.blocks[2..].iter().map(|b| (b.id.clone(), 1)).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_was_seen_of_a_block_that_was_stopped_is_on_the_record_and_resume_plays_it_again() {
    let run = run(&[cell("a"), cell("b")]);
    let second = run.blocks[1].id.clone();
    let aborted = || BlockStatus::Aborted { reason: Why::Deadline.word().into() };
    let rule = |a: &Attempt| Some(if a.block.id == second { aborted() } else { BlockStatus::Complete });
    let first = drive(&run, &[], true, rule).await;
    assert_eq!(first.why, Some(Why::Deadline), "and not because a block failed");
    assert_eq!(first.finished.last().map(|record| &record.status), Some(&aborted()));
    assert_eq!((first.finished.len(), first.ended), (2, vec![Some("deadline")]));
    let rest = drive(&run, &first.finished, false, |_| Some(BlockStatus::Complete)).await;
    assert_eq!(rest.played[0], (second, 2), "an attempt of its own");
    assert_eq!(rest.played.len(), run.blocks.len() - 1);
}

#[tokio::test]
async fn resume_goes_on_counting_the_attempts_of_a_void_block() {
    let run = run(&[cell("a")]);
    let failed = drive(&run, &[], false, |_| Some(void())).await;
    let again = drive(&run, &failed.finished, false, |_| Some(BlockStatus::Complete)).await;
    assert_eq!(again.played, run.blocks.iter().map(|b| (b.id.clone(), 4)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_panic_voids_its_block_and_all_others_are_played() {
    let run = run(&[cell("a"), cell("b")]);
    let bad = run.blocks[1].id.clone();
    let rule = |a: &Attempt| {
        assert!(a.block.id != bad, "no such thing as {}", "\u{1b}[2J");
        Some(BlockStatus::Complete)
    };
    let seen = drive(&run, &[], false, rule).await;
    assert_eq!((seen.why, seen.ended), (None, vec![None]));
    let of_bad: Vec<_> = seen.finished.iter().filter(|record| record.id == bad).collect();
    assert_eq!(of_bad.iter().map(|record| record.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    for record in of_bad {
        let BlockStatus::Void { reason } = &record.status else { panic!("{:?}", record.status) };
        assert_eq!(reason.to_string(), "rig has a bug: no such thing as \u{fffd}[2J");
        assert!(!record.started.is_empty());
    }
    let complete = seen.finished.iter().filter(|record| record.status == BlockStatus::Complete);
    assert_eq!(complete.count(), run.blocks.len() - 1);
}

/// Plays the boots of a plan as a laboratory does: a guest is kept while blocks of its boot follow, unless its block fails.
#[derive(Default)]
struct Guests {
    kept: Mutex<Option<(String, BootRecord)>>,
    bad: Vec<(BlockId, u32)>,
}

impl Player for &Guests {
    async fn play(
        &self,
        attempt: Attempt,
        _events: UnboundedSender<Event>,
        _stop: Stop,
    ) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        let kept = self.kept.lock().expect("no panic").take();
        let kept = kept.filter(|(planned, _)| Some(planned) == attempt.boot.planned.as_ref());
        let fresh = BootRecord { name: attempt.boot.name.clone(), place: 0 };
        let boot = kept.map_or(fresh, |(_, boot)| BootRecord { place: boot.place + 1, ..boot });
        let failed = self.bad.contains(&(attempt.block.id.clone(), attempt.attempt));
        let status = if failed { void() } else { BlockStatus::Complete };
        if let (false, 1.., Some(planned)) = (failed, attempt.boot.following, attempt.boot.planned.clone()) {
            *self.kept.lock().expect("no panic") = Some((planned, boot.clone()));
        }
        Some((BlockRecord { status, boot: Some(boot), ..attempt.blank_record("") }, vec![]))
    }
}

async fn boots_of(run: &RunRecord, done: &[BlockRecord], bad: Vec<(BlockId, u32)>) -> Vec<BlockRecord> {
    let (sender, mut receiver) = unbounded_channel();
    let guests = Guests { bad, ..Guests::default() };
    let dispatcher = Dispatcher::new(&guests, sender, Stopper::new(), 3, false);
    assert_eq!(dispatcher.run(run, done).await, None);
    let mut finished = vec![];
    while let Ok(event) = receiver.try_recv() {
        if let Event::BlockFinished { record, .. } = event {
            finished.push(*record);
        }
    }
    finished
}

fn boots(records: &[BlockRecord]) -> Vec<(&str, u32)> {
    let boots = records.iter().filter_map(|record| record.boot.as_ref());
    boots.map(|boot| (boot.name.as_str(), boot.place)).collect()
}

/// Three cells in guests: two rounds, each in one boot.
fn shared() -> RunRecord {
    run(&[guest_cell("a"), guest_cell("b"), guest_cell("c")])
}

#[tokio::test]
async fn blocks_of_a_planned_boot_share_one_guest() {
    let all = boots_of(&shared(), &[], vec![]).await;
    let of = |name| (0..3).map(move |place| (name, place));
    assert_eq!(boots(&all), of("r0-b0.1").chain(of("r1-b0.1")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_void_block_ends_its_boot_and_is_tried_again_in_a_guest_of_its_own() {
    let run = shared();
    let bad = run.blocks[1].id.clone();
    let all = boots_of(&run, &[], vec![(bad.clone(), 1)]).await;
    assert_eq!(boots(&all[..3]), [("r0-b0.1", 0), ("r0-b0.1", 1), ("r0-b0.2", 0)]);
    let again = all.iter().find(|record| record.attempt == 2).expect("tried again");
    assert_eq!((&again.id, boots(std::slice::from_ref(again))[0]), (&bad, (&*format!("{bad}.2"), 0)));
    // It is before or after the boot of the next round, never within it.
    assert!(
        [Some(&again.id), None].contains(&all.get(3).map(|record| &record.id)) || all.last() == Some(again)
    );
    let next: Vec<_> = boots(&all[3..]).into_iter().filter(|(name, _)| name.starts_with("r1")).collect();
    assert_eq!(next, [("r1-b0.1", 0), ("r1-b0.1", 1), ("r1-b0.1", 2)]);
}

#[tokio::test]
async fn a_resumed_run_boots_anew_under_another_name() {
    let run = shared();
    let all = boots_of(&run, &[], vec![]).await;
    let rest = boots_of(&run, &all[..2], vec![]).await;
    assert_eq!(boots(&rest)[..2], [("r0-b0.2", 0), ("r1-b0.1", 0)]);
}

/// A run of two cells of six blocks whose rule is met after two blocks without an errno.
fn stopping_run() -> RunRecord {
    let cells = ["a", "b"].map(|name| crate::matrix::Cell { blocks: 6, trials: 60, ..cell(name) });
    let mut run = run(&cells);
    run.judgement.icc = Some(0.0);
    run.judgement.stop = Some(StopRule::Below { errno: "ENOENT".into(), below: 0.2 });
    run
}

/// Ten trials that returned 1 each, or ENOENT.
fn tallied(attempt: &Attempt, errno: bool) -> BlockRecord {
    let mut record = attempt.blank_record(&format!("{:03}", attempt.block.round));
    record.tally.trials = 10;
    let returned = if errno { Returned::failed(Errno::ENOENT) } else { Returned::ONE };
    record.tally.returns = [(returned, 10)].into();
    record
}

#[tokio::test]
async fn a_cell_whose_rule_is_met_plays_no_further_block_and_the_others_go_on() {
    let run = stopping_run();
    let hit = run.cells[1].cell.id.clone();
    let seen = drive_records(&run, &[], |a| tallied(a, a.block.cell == hit)).await;
    assert_eq!(seen.why, None);
    assert_eq!(seen.ended, [None], "the run is complete");
    let of = |cell: &CellId| seen.finished.iter().filter(|block| block.cell == *cell).count();
    let quiet = &run.cells[0].cell.id;
    assert_eq!((of(quiet), of(&hit)), (2, 6));
    assert_eq!(seen.stopped, [(quiet.clone(), Met { trials: 20, blocks: 2 }, 4)]);
}

#[tokio::test]
async fn a_resumed_run_decides_again_by_the_blocks_on_disk() {
    let run = stopping_run();
    let first = drive_records(&run, &[], |a| tallied(a, false)).await;
    assert_eq!(first.finished.len(), 4);
    // Killed after both cells had what they need, or after three blocks.
    let nothing = drive_records(&run, &first.finished, |a| tallied(a, false)).await;
    assert_eq!((nothing.played.len(), nothing.stopped.len()), (0, 2));
    let rest = drive_records(&run, &first.finished[..3], |a| tallied(a, false)).await;
    assert_eq!((rest.played.len(), rest.stopped.len()), (1, 2));
    assert_eq!(rest.played[0].0, first.finished[3].id);
}
