//! Takes blocks in their recorded order, has each played, tries voids again, and says on the spine what happens.
//!
//! Must not know how a block is played ([`Player`]) nor who listens. Units: counts of attempts.
//! Errors: none; a void block is tried again, and is then an event like any other. A block in which rig itself panics is void, too. Tests: beside the module, against faked players.

mod queue;

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedSender;

use rig_protocol::TrialRecord;

use super::attempt::Attempt;
use super::stop::{Stop, Stopper, Why};
use crate::clock;
use crate::event::Event;
use crate::matrix::{Cell, CellId};
use crate::process::panicked;
use crate::record::VoidReason;
use crate::record::format::{BlockRecord, BlockStatus, RunRecord};
use crate::stopping::Stopping;
use queue::Queue;

/// Plays blocks. The real one is `Laboratory`; tests fake it.
pub trait Player: Send + Sync {
    /// Plays one block to its end, complete or void. Told to stop before the end it gives what is known of it until then, aborted, or `None`
    /// where nothing is.
    fn play(
        &self,
        attempt: Attempt,
        events: UnboundedSender<Event>,
        stop: Stop,
    ) -> impl Future<Output = Option<(BlockRecord, Vec<TrialRecord>)>> + Send;
}

/// A run under way.
#[derive(Debug)]
pub struct Dispatcher<P> {
    player: P,
    events: UnboundedSender<Event>,
    stopper: Stopper,
    stop: Stop,
    /// How often a void block is tried in all.
    attempts: u32,
    fail_fast: bool,
}

impl<P: Player> Dispatcher<P> {
    /// A dispatcher that tries each block at most `attempts` times.
    pub fn new(
        player: P,
        events: UnboundedSender<Event>,
        (stopper, stop): (Stopper, Stop),
        attempts: u32,
        fail_fast: bool,
    ) -> Self {
        Self { player, events, stopper, stop, attempts: attempts.max(1), fail_fast }
    }

    /// Plays every block of `run` that `done` does not hold, in the recorded order. A void block is tried again in the next round, so that what disturbed it has
    /// time to pass. Returns why it stopped early, if it did.
    pub async fn run(self, run: &RunRecord, done: &[BlockRecord]) -> Option<Why> {
        let cells: HashMap<&CellId, &Cell> =
            run.cells.iter().map(|record| (&record.cell.id, &record.cell)).collect();
        let mut queue = Queue::of(run, done, self.attempts);
        let mut stopping = Stopping::after(run, done);
        run.cells.iter().for_each(|record| self.leave_out(&record.cell.id, &stopping, &mut queue));
        while let Some((turn, boot)) = queue.next() {
            if let Some(why) = self.stop.why() {
                return self.end(Some(why));
            }
            let cell =
                (*cells.get(&turn.block.cell).expect("a planned block names a cell of its plan")).clone();
            let (block, attempt) = (turn.block.clone(), turn.attempt);
            self.say(Event::BlockStarted { block: block.clone(), attempt });
            let Some((record, trials)) = self.play(Attempt { cell, block, attempt, boot }).await else {
                return self.end(Some(self.stop.why().unwrap_or(Why::Interrupted)));
            };
            queue.note(&record);
            let met = stopping.note(&record);
            let aborted = matches!(record.status, BlockStatus::Aborted { .. });
            let void = matches!(record.status, BlockStatus::Void { .. });
            let again = void && turn.has_another();
            self.say(Event::BlockFinished { record: Box::new(record), trials, again });
            if aborted {
                return self.end(Some(self.stop.why().unwrap_or(Why::Interrupted)));
            }
            met.iter().for_each(|cell| self.leave_out(cell, &stopping, &mut queue));
            if again {
                queue.again(turn);
            } else if void && self.fail_fast {
                self.stopper.stop(Why::FailFast);
            }
        }
        self.end(None)
    }

    /// Of a cell whose rule is met nothing more is played.
    fn leave_out(&self, cell: &CellId, stopping: &Stopping, queue: &mut Queue) {
        if let (Some(met), Some(rule)) = (stopping.met(cell), stopping.rule()) {
            let left_out = queue.leave_out(cell);
            self.say(Event::CellStopped { cell: cell.clone(), rule: rule.clone(), met, left_out });
        }
    }

    /// A panic in it is a bug in rig, and no reason to give up the blocks that it is not about: this one is void.
    async fn play(&self, attempt: Attempt) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        let blank = attempt.blank_record(&clock::now());
        let playing = self.player.play(attempt, self.events.clone(), self.stop.clone());
        AssertUnwindSafe(playing).catch_unwind().await.unwrap_or_else(|panic| {
            let reason = VoidReason::Bug { what: panicked(&*panic) }.plain();
            Some((BlockRecord { status: BlockStatus::Void { reason }, ..blank }, vec![]))
        })
    }

    fn end(&self, why: Option<Why>) -> Option<Why> {
        if why == Some(Why::Interrupted) {
            self.say(Event::Interrupted);
        }
        self.say(Event::RunEnded { stopped: why.map(Why::word) });
        why
    }

    /// A spine without listeners is a run whose consumer has failed and told us to stop already.
    fn say(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

#[cfg(test)]
mod tests;
