//! Takes blocks in their recorded order, has each played, tries voids again, and says on the spine what happens.
//!
//! Must not know how a block is played ([`Player`]) nor who listens. Units: counts of attempts.
//! Errors: none; a void block is tried again, and is then an event like any other. A block in which rig itself panics is void, too. Tests: beside the module, against faked players.

use std::collections::{HashMap, VecDeque};
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
use crate::record::format::{BlockId, BlockRecord, BlockStatus, PlannedBlock, RunRecord};

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

    /// Plays every block of `run` that `done` does not hold, in the recorded order. A void block is tried again after all others,
    /// so that what disturbed it has time to pass. Returns why it stopped early, if it did.
    pub async fn run(self, run: &RunRecord, done: &[BlockRecord]) -> Option<Why> {
        let cells: HashMap<&CellId, &Cell> =
            run.cells.iter().map(|record| (&record.cell.id, &record.cell)).collect();
        let mut queue: VecDeque<(PlannedBlock, u32, u32)> = run
            .blocks
            .iter()
            .filter(|block| !is_complete(&block.id, done))
            .map(|block| {
                let before =
                    done.iter().filter(|record| record.id == block.id).map(|record| record.attempt).max();
                let first = before.unwrap_or(0).saturating_add(1);
                // A resumed run gives a block its full number of attempts again: what failed then may work now.
                (block.clone(), first, first.saturating_add(self.attempts - 1))
            })
            .collect();
        while let Some((block, attempt, last)) = queue.pop_front() {
            if let Some(why) = self.stop.why() {
                return self.end(Some(why));
            }
            let cell = (*cells.get(&block.cell).expect("a planned block names a cell of its plan")).clone();
            self.say(Event::BlockStarted { block: block.clone(), attempt });
            let play = Attempt { cell, block: block.clone(), attempt };
            let Some((record, trials)) = self.play(play).await else {
                return self.end(Some(self.stop.why().unwrap_or(Why::Interrupted)));
            };
            let aborted = matches!(record.status, BlockStatus::Aborted { .. });
            let void = matches!(record.status, BlockStatus::Void { .. });
            let again = void && attempt < last;
            self.say(Event::BlockFinished { record: Box::new(record), trials, again });
            if aborted {
                return self.end(Some(self.stop.why().unwrap_or(Why::Interrupted)));
            }
            if again {
                queue.push_back((block, attempt + 1, last));
            } else if void && self.fail_fast {
                self.stopper.stop(Why::FailFast);
            }
        }
        self.end(None)
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

fn is_complete(block: &BlockId, done: &[BlockRecord]) -> bool {
    done.iter().any(|record| record.id == *block && record.status == BlockStatus::Complete)
}

#[cfg(test)]
mod tests;
