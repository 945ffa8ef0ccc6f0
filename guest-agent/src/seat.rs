//! One worker's place: its stage, its lanes' logs, its watch, and the hand-over of a trial to its further lanes.
//!
//! Holds what outlives the trial in that worker; made once, no allocation per trial.
//! Units: none. Errors: none. Must not know whether the worker connects or accepts.
//! The first lane is played by the worker's own thread; further lanes have threads that wait for their turn.
//! Tests: `tests/loopback` (watcher lanes).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::interp::LaneLog;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::sys::futex;
use crate::watch::Watch;

/// The turn after which the further lanes end.
const DISMISSED: u32 = u32::MAX;

/// A worker's place.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Shared by the lanes of the present trial.
    pub(crate) stage: Stage,
    /// For the watchdog.
    pub(crate) watch: Watch,
    logs: Box<[Mutex<LaneLog>]>,
    /// Changes with every trial; further lanes sleep on it.
    turn: AtomicU32,
    trial: AtomicU64,
    /// Further lanes that have finished the present trial.
    done: AtomicU32,
}

impl Seat {
    /// A place for a worker of this plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            stage: Stage::new(&plan.script),
            watch: Watch::new(plan.lanes.len()),
            logs: plan.lanes.iter().map(|planned| Mutex::new(LaneLog::new(planned))).collect(),
            turn: AtomicU32::new(0),
            trial: AtomicU64::new(0),
            done: AtomicU32::new(0),
        }
    }

    /// The log of a lane: its player holds it while it plays, the tally afterwards; nobody ever waits for it.
    pub(crate) fn log(&self, lane: usize) -> MutexGuard<'_, LaneLog> {
        self.logs[lane].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A trial begins, and no lane plays yet.
    pub(crate) fn begin(&self) {
        (0..self.logs.len()).for_each(|lane| self.log(lane).scratch.begin());
    }

    /// All lanes have played: what they hold of the trial's sockets is given up, before their descriptors are closed.
    pub(crate) fn release(&self) {
        (0..self.logs.len()).for_each(|lane| self.log(lane).scratch.release());
    }

    /// Lets the further lanes play `trial`.
    pub(crate) fn begin_turn(&self, trial: u64) {
        if self.logs.len() > 1 {
            self.done.store(0, Ordering::Relaxed);
            self.trial.store(trial, Ordering::Relaxed);
            self.next_turn((self.turn.load(Ordering::Relaxed) + 1) % DISMISSED);
        }
    }

    /// Waits until the further lanes have played; the watchdog sees to it that they do.
    pub(crate) fn end_turn(&self) {
        let further = self.logs.len() as u32 - 1;
        loop {
            let done = self.done.load(Ordering::Acquire);
            if done == further {
                return;
            }
            futex::wait(&self.done, done, None);
        }
    }

    /// Ends the threads of the further lanes.
    pub(crate) fn dismiss(&self) {
        self.next_turn(DISMISSED);
    }

    fn next_turn(&self, turn: u32) {
        self.turn.store(turn, Ordering::Release);
        futex::wake_all(&self.turn);
    }

    /// A further lane waits for a turn after `last`: the turn and its trial, or nothing more.
    pub(crate) fn await_turn(&self, last: u32) -> Option<(u32, u64)> {
        loop {
            match self.turn.load(Ordering::Acquire) {
                DISMISSED => return None,
                turn if turn == last => {
                    futex::wait(&self.turn, last, None);
                }
                turn => return Some((turn, self.trial.load(Ordering::Relaxed))),
            }
        }
    }

    /// A further lane has played.
    pub(crate) fn finish_turn(&self) {
        if self.done.fetch_add(1, Ordering::AcqRel) + 1 == self.logs.len() as u32 - 1 {
            futex::wake_all(&self.done);
        }
    }
}
