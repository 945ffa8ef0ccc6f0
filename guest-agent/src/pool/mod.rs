//! The crews that play an assignment: what the target's and the peer's workers have in common.
//!
//! Holds the start line (nobody plays before all stand ready) and the making of workers; must not speak with the controller.
//! Units: counts. Errors: a reason in words, which becomes `Refused` and blames the machine (threads, memory, seccomp, address).
//! Tests: `tests/loopback`.

pub(crate) mod peer;
pub(crate) mod target;

use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::incoming::Incoming;
use crate::plan::Plan;
use crate::seat::Seat;
use crate::sys::errno::check;
use crate::sys::{files, seccomp, thread};
use crate::tally::Ledger;

/// Sums are kept in this many parts: more than CPUs that a guest has.
const SHARDS: usize = 16;

/// What all workers of an assignment share.
pub(crate) struct Shared {
    /// What is played.
    pub(crate) plan: Plan,
    /// What was seen.
    pub(crate) ledger: Ledger,
    /// Where they wait for each other.
    line: StartLine,
    /// Tells the session when the last worker has gone.
    session: Sender<Incoming>,
    /// Which assignment of the session this is.
    number: u64,
}

impl Shared {
    /// For the session's assignment `number`.
    pub(crate) fn new(plan: Plan, number: u64, session: Sender<Incoming>) -> Self {
        let ledger = Ledger::new(SHARDS, &plan);
        Self { plan, ledger, line: StartLine::default(), session, number }
    }

    /// Tells the session that nobody plays any more.
    fn report_idle(&self) {
        // A session that no longer listens has ended the process, or is about to.
        let _ = self.session.send(Incoming::Idle { number: self.number });
    }
}

#[derive(Debug, Default)]
struct Line {
    ready: usize,
    failure: Option<String>,
    open: Option<Instruction>,
}

/// What the threads behind the start line are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Instruction {
    Play,
    Leave,
}

/// Every thread of a crew reports here once; workers then wait for the instruction. Two conditions, not one: thousands that wait for
/// it must not be woken by each report of one more.
#[derive(Debug, Default)]
struct StartLine {
    line: Mutex<Line>,
    reported: Condvar,
    opened: Condvar,
}

impl StartLine {
    /// A thread stands ready, or could not be made so.
    fn report(&self, ready: Result<(), String>) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match ready {
            Ok(()) => line.ready += 1,
            Err(reason) => line.failure = line.failure.take().or(Some(reason)),
        }
        drop(line);
        self.reported.notify_all();
    }

    /// Waits for the instruction.
    fn await_instruction(&self) -> Instruction {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let line =
            self.opened.wait_while(line, |line| line.open.is_none()).unwrap_or_else(PoisonError::into_inner);
        line.open.unwrap_or(Instruction::Leave)
    }

    /// Waits until `threads` have reported or one has failed; a failure says how many stood ready.
    fn await_ready(&self, threads: usize) -> Result<(), String> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let line = self
            .reported
            .wait_while(line, |line| line.failure.is_none() && line.ready < threads)
            .unwrap_or_else(PoisonError::into_inner);
        match &line.failure {
            None => Ok(()),
            Some(reason) => Err(format!("{reason} ({} of {threads} threads were ready)", line.ready)),
        }
    }

    /// Tells all that wait.
    fn open(&self, instruction: Instruction) {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).open = Some(instruction);
        self.opened.notify_all();
    }
}

/// Makes the calling thread the player of a lane: exact timers, known to the watch, filtered if its steps inject.
fn prepare_player(plan: &Plan, seat: &Seat, lane: usize) -> Result<(), String> {
    thread::sharpen_timers();
    seat.watch.enlist(lane);
    seat.stage.enlist(plan.lanes[lane].index, thread::id());
    seat.log(lane).scratch.prepare(&plan.lanes[lane].steps);
    if plan.lanes[lane].filter {
        seccomp::install().map_err(|errno| format!("seccomp: {errno}"))?;
    }
    Ok(())
}

/// Gives the calling thread a descriptor table of its own.
fn own_table() -> Result<(), String> {
    check(files::unshare_table()).map(|_| ()).map_err(|errno| format!("unshare: {errno}"))
}

/// Seats for `count` workers.
fn seats(plan: &Plan, count: u32) -> Vec<Arc<Seat>> {
    (0..count).map(|_| Arc::new(Seat::new(plan))).collect()
}
