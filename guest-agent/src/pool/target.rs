//! The target's crew: workers that take trials from one counter, each with a descriptor table of its own.
//!
//! Holds the worker's loop and the threads of its further lanes; must not decide what an outcome is.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: a reason in words (no threads, seccomp refused).
//! In a worker's table 0, 1, 2 are open and nothing else, so the connection of a trial is descriptor 3.
//! Tests: `tests/loopback`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rig_protocol::Program;

use super::{Instruction, Shared, own_table, prepare_player, seats};
use crate::clock::now_ns;
use crate::interp::play_lane;
use crate::program::{self, Played, Prepared};
use crate::seat::Seat;
use crate::sys::perf::InUse;
use crate::sys::thread::{Thread, start};
use crate::sys::{files, orphans, time};
use crate::tally::{End, Finished};
use crate::watch::Ending;

/// The first descriptor of a trial.
const FIRST: i32 = 3;

/// The workers of one assignment.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    seats: Vec<Arc<Seat>>,
    workers: Vec<Thread>,
    /// Of this thread's descriptors: a worker has others.
    _in_use: Option<InUse>,
}

struct Work {
    next: AtomicU64,
    at_work: AtomicUsize,
    /// The user's program, where that is what is played.
    program: Option<Prepared>,
}

impl Crew {
    /// Starts all threads; they wait for [`Crew::begin`]. On failure all of them end.
    pub(crate) fn assemble(shared: Arc<Shared>) -> Result<Self, String> {
        let plan = &shared.plan;
        let workers = u32::try_from(plan.trials).unwrap_or(u32::MAX).clamp(1, plan.in_flight);
        let threads = workers as usize * plan.lanes.len();
        let seats = seats(plan, workers);
        let program = plan.program().map(|program| Prepared::of(program, plan)).transpose()?;
        let in_use = program.as_ref().map(Prepared::hold_tracepoints).transpose()?.flatten();
        let (next, at_work) = (AtomicU64::new(0), AtomicUsize::new(seats.len()));
        let work = Arc::new(Work { next, at_work, program });
        let mut crew = Self { shared, seats, workers: Vec::new(), _in_use: in_use };
        for (index, seat) in crew.seats.iter().enumerate() {
            let (shared, seat, work) = (crew.shared.clone(), seat.clone(), work.clone());
            match start(&format!("worker-{index}"), move || work_through(&shared, &seat, &work, index)) {
                Ok(worker) => crew.workers.push(worker),
                Err(errno) => {
                    crew.shared.line.report(Err(format!("thread: {errno}")));
                    break;
                }
            }
        }
        match crew.shared.line.await_ready(threads) {
            Ok(()) => Ok(crew),
            Err(reason) => {
                crew.shared.line.open(Instruction::Leave);
                crew.dismiss();
                Err(reason)
            }
        }
    }

    /// Lets them play. The last one that has no more trials reports idle.
    pub(crate) fn begin(&self) {
        self.shared.line.open(Instruction::Play);
    }

    /// Cuts trials that last too long.
    pub(crate) fn sweep(&self) {
        let now_ns = now_ns();
        self.seats.iter().for_each(|seat| seat.watch.sweep(now_ns, &seat.stage));
        if self.shared.plan.program().is_some() {
            orphans::reap();
        }
    }

    /// Waits for the end of all threads, which have nothing more to do.
    pub(crate) fn dismiss(self) {
        for worker in self.workers {
            worker.join();
        }
        if self.shared.plan.program().is_some() {
            orphans::end();
        }
    }
}

/// A worker's life.
fn work_through(shared: &Arc<Shared>, seat: &Arc<Seat>, work: &Work, index: usize) {
    let (further, ready) = prepare(shared, seat);
    shared.line.report(ready);
    if shared.line.await_instruction() == Instruction::Play {
        let apart = u32::try_from(index).map_or(Duration::ZERO, |index| shared.plan.pace() * index);
        time::sleep(apart);
        loop {
            let trial = work.next.fetch_add(1, Ordering::Relaxed);
            if trial >= shared.plan.trials {
                break;
            }
            match (&work.program, shared.plan.program()) {
                (Some(prepared), Some(program)) => {
                    play_program(shared, seat, index, trial, (prepared, program));
                }
                _ => play_trial(shared, seat, index, trial),
            }
        }
    }
    seat.dismiss();
    for lane in further {
        lane.join();
    }
    if work.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
        shared.report_idle();
    }
}

/// Own table first, then the further lanes, which share it, and the filter last: it must not be theirs.
fn prepare(shared: &Arc<Shared>, seat: &Arc<Seat>) -> (Vec<Thread>, Result<(), String>) {
    let mut further = Vec::new();
    let mut ready = || {
        own_table()?;
        files::close_from(FIRST);
        for lane in 1..shared.plan.lanes.len() {
            let (shared, seat) = (shared.clone(), seat.clone());
            let name = shared.plan.lanes[lane].name.clone();
            let started = start(&name, move || follow(&shared, &seat, lane));
            further.push(started.map_err(|errno| format!("thread: {errno}"))?);
        }
        if shared.plan.program().is_some() {
            // A program inherits what a thread does to itself.
            seat.watch.enlist(0);
            return Ok(());
        }
        prepare_player(&shared.plan, seat, 0)
    };
    let ready = ready();
    (further, ready)
}

/// A further lane's life.
fn follow(shared: &Shared, seat: &Seat, lane: usize) {
    let planned = &shared.plan.lanes[lane];
    shared.line.report(prepare_player(&shared.plan, seat, lane));
    let mut last = 0;
    while let Some((turn, trial)) = seat.await_turn(last) {
        last = turn;
        seat.watch.absorb_interrupts();
        let mut log = seat.log(lane);
        log.clear();
        play_lane(&shared.plan, planned, &seat.stage, trial, 0, &mut log);
        drop(log);
        seat.finish_turn();
    }
}

fn play_trial(shared: &Shared, seat: &Seat, index: usize, trial: u64) {
    let plan = &shared.plan;
    let deadline_ns = u64::try_from(plan.deadline.as_nanos()).unwrap_or(u64::MAX);
    seat.stage.reset();
    seat.begin();
    let begin_ns = now_ns();
    seat.watch.arm(begin_ns.saturating_add(deadline_ns));
    seat.begin_turn(trial);
    {
        let mut log = seat.log(0);
        log.clear();
        play_lane(plan, &plan.lanes[0], &seat.stage, trial, 0, &mut log);
    }
    seat.end_turn();
    let elapsed_ns = now_ns() - begin_ns;
    let ending = seat.watch.disarm();
    seat.release();
    seat.stage.end_children();
    files::close_from(FIRST);
    let end = match ending {
        Ending::Cut => End::Deadline,
        Ending::InTime => End::Itself,
    };
    let logs: Vec<_> = (0..plan.lanes.len()).map(|lane| seat.log(lane)).collect();
    shared.ledger.settle(plan, index, &Finished { trial, stage: &seat.stage, logs: &logs, elapsed_ns, end });
}

/// One trial of a user's program; the descriptors of its worker are as they were before.
fn play_program(shared: &Shared, seat: &Seat, index: usize, trial: u64, played: (&Prepared, &Program)) {
    let plan = &shared.plan;
    let (prepared, program) = played;
    let deadline_ns = u64::try_from(plan.deadline.as_nanos()).unwrap_or(u64::MAX);
    seat.stage.reset();
    let begin_ns = now_ns();
    let deadline_ns = begin_ns.saturating_add(deadline_ns);
    seat.watch.arm(deadline_ns);
    let played = program::play(prepared, program, plan, trial, deadline_ns);
    let elapsed_ns = now_ns() - begin_ns;
    seat.watch.disarm();
    files::close_from(FIRST);
    match played {
        Played::Ran(ran) => shared.ledger.settle_program(plan, index, trial, &ran, elapsed_ns),
        Played::Void(reason) => shared.ledger.settle_program_void(plan, index, trial, &reason),
    }
}
