//! The peer's crew: workers that accept a connection and play the peer lane on it, until the session finishes them.
//!
//! Holds the listening socket, the acceptors and the growth of their number; must not let a connection wait for a worker.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: a reason in words (address in use, no threads).
//! Each worker has a descriptor table of its own: 3 is the listening socket, 4 the connection.
//! Tests: `tests/loopback`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Instruction, Shared, own_table, prepare_player};
use crate::clock::now_ns;
use crate::interp::play_lane;
use crate::ops::Seen;
use crate::seat::Seat;
use crate::stage::Ends;
use crate::sys::errno::{check, is_failure};
use crate::sys::socket::{self, KernelAddress};
use crate::sys::thread::{Thread, start};
use crate::sys::{files, futex, time};
use crate::tally::{End, Finished};
use crate::watch::Ending;

/// Where every worker has the listening socket.
const LISTENER: i32 = 3;
/// The kernel cuts it to net.core.somaxconn.
const BACKLOG: i32 = 65_535;
/// A lane may outlast its client's trial (a sleep before a close that nobody waits for), so more lanes than trials can be under
/// way; beyond this many per trial in flight connections wait.
const MOST_PER_TRIAL: u32 = 8;
/// shutdown(2) of a listening vsock socket is refused (`ENOTCONN`; af_vsock.c, vsock_shutdown) and wakes nobody: who accepts there looks up so
/// often.
const LOOK_UP: Duration = Duration::from_millis(100);
/// So long a stop waits for connections that were made and that no worker has accepted: their trials were played.
const DRAIN: Duration = Duration::from_secs(1);
/// Between two looks whether one is left.
const DRAIN_LOOK: Duration = Duration::from_millis(1);
/// After a failed accept, so that a lasting failure does not become a busy loop.
const PAUSE: Duration = Duration::from_millis(10);

/// An accept that was interrupted, or that has waited for [`LOOK_UP`].
const EMPTY_HANDED: [i64; 2] = [-(libc::EINTR as i64), -(libc::EAGAIN as i64)];

struct Work {
    stopping: AtomicBool,
    connections: AtomicU64,
    /// Threads that have not ended.
    alive: AtomicU32,
    /// Workers that play no lane.
    idle: AtomicU32,
    /// How often the last idle worker took a connection: the next one may have waited.
    starved: AtomicU32,
    /// Fewer idle workers than this call for more.
    reserve: u32,
    /// Changes when more workers are called for, or on stopping; the recruiter sleeps on it.
    calls: AtomicU32,
}

/// The workers of one assignment.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    work: Arc<Work>,
    seats: Arc<Mutex<Vec<Arc<Seat>>>>,
    listener: i32,
    recruiter: Option<Thread>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew {
    /// Listens, and starts the workers; they accept at once, a connection may come before [`Crew::begin`].
    pub(crate) fn assemble(shared: Arc<Shared>) -> Result<Self, String> {
        let address = shared.plan.address.as_ref().expect("a peer's plan has an address: its lane accepts");
        let listener = listen(address)?;
        let wanted = shared.plan.in_flight;
        let reserve = (wanted / 4).max(4);
        let work = Arc::new(Work {
            stopping: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            alive: AtomicU32::new(0),
            idle: AtomicU32::new(0),
            starved: AtomicU32::new(0),
            reserve,
            calls: AtomicU32::new(0),
        });
        let mut crew = Self { shared, work, seats: Arc::default(), listener, recruiter: None };
        let recruiter = Recruiter {
            shared: crew.shared.clone(),
            work: crew.work.clone(),
            seats: crew.seats.clone(),
            listener,
        };
        let first = wanted.saturating_add(reserve);
        for _ in 0..first {
            if let Err(reason) = recruiter.recruit() {
                crew.shared.line.report(Err(reason));
                break;
            }
        }
        let assembled = crew.shared.line.await_ready(first as usize).and_then(|()| {
            start("recruiter", move || recruiter.follow_calls()).map_err(|errno| format!("thread: {errno}"))
        });
        match assembled {
            Ok(recruiter) => {
                crew.recruiter = Some(recruiter);
                Ok(crew)
            }
            Err(reason) => {
                crew.stop();
                crew.shared.line.open(Instruction::Leave);
                Err(reason)
            }
        }
    }

    /// `address:port` of the listening socket.
    pub(crate) fn listening(&self) -> String {
        socket::local_address(self.listener).map(|local| local.to_string()).unwrap_or_default()
    }

    /// Lets them play.
    pub(crate) fn begin(&self) {
        self.shared.line.open(Instruction::Play);
    }

    /// Cuts lanes that last too long; after [`Crew::stop`] and a grace, all lanes.
    pub(crate) fn sweep(&self, grace: Grace) {
        let now_ns = now_ns();
        for seat in lock(&self.seats).iter() {
            match grace {
                Grace::Granted => seat.watch.sweep(now_ns, &seat.stage),
                Grace::Over => seat.watch.cut(&seat.stage),
            }
        }
    }

    /// Waits until every connection that was made has a worker, however late the workers get the processor. A connection left in the queue would
    /// be a trial that the target has and the peer has not.
    ///
    /// For at most [`DRAIN`]: where all workers wait, nobody accepts.
    pub(crate) fn drain(&self) {
        let until_ns = now_ns().saturating_add(u64::try_from(DRAIN.as_nanos()).unwrap_or(u64::MAX));
        while !files::poll_all(&[self.listener], 0).is_empty() && now_ns() < until_ns {
            time::sleep(DRAIN_LOOK);
        }
    }

    /// Stops accepting: blocked accepts return, idle workers end. The last one to end reports idle.
    pub(crate) fn stop(&mut self) {
        self.work.stopping.store(true, Ordering::Release);
        self.work.calls.fetch_add(1, Ordering::AcqRel);
        futex::wake_all(&self.work.calls);
        socket::shutdown(self.listener, libc::SHUT_RDWR);
        if let Some(recruiter) = self.recruiter.take() {
            // It ends at its next look at `stopping`; afterwards no thread copies our table any more.
            recruiter.join();
        }
        files::close(self.listener);
    }

    /// How often every worker was busy, so that a connection may have waited for one.
    pub(crate) fn starved(&self) -> u32 {
        self.work.starved.load(Ordering::Relaxed)
    }
}

/// Whether lanes under way may still end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grace {
    /// Until their deadline.
    Granted,
    /// No: the block is finished.
    Over,
}

fn listen(address: &KernelAddress) -> Result<i32, String> {
    let described = |errno| format!("listen on {address}: {errno}");
    let fd = check(socket::open(address)).map_err(described)? as i32;
    let ready = check(socket::reuse_address(fd))
        .and_then(|_| check(socket::bind(fd, address)))
        .and_then(|_| check(socket::listen(fd, BACKLOG)))
        .and_then(|_| match address.vsock() {
            Some(_) => check(socket::receive_timeout(fd, LOOK_UP)),
            None => Ok(0),
        });
    if ready.is_err() {
        files::close(fd);
    }
    ready.map(|_| fd).map_err(described)
}

/// Makes workers: the first ones, and more when lanes outlast their trials.
struct Recruiter {
    shared: Arc<Shared>,
    work: Arc<Work>,
    seats: Arc<Mutex<Vec<Arc<Seat>>>>,
    listener: i32,
}

impl Recruiter {
    fn recruit(&self) -> Result<(), String> {
        let seat = Arc::new(Seat::new(&self.shared.plan));
        let index = {
            let mut seats = lock(&self.seats);
            seats.push(seat.clone());
            seats.len() - 1
        };
        let (shared, work, listener) = (self.shared.clone(), self.work.clone(), self.listener);
        self.work.alive.fetch_add(1, Ordering::AcqRel);
        self.work.idle.fetch_add(1, Ordering::AcqRel);
        start(&format!("peer-{index}"), move || {
            let ready = prepare(&shared, &seat, listener);
            let failed = ready.is_err();
            shared.line.report(ready);
            if !failed && shared.line.await_instruction() == Instruction::Play {
                accept_until_stopped(&shared, &seat, &work, index);
            }
            if work.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
                shared.report_idle();
            }
        })
        .map(|_| ())
        .map_err(|errno| {
            self.work.alive.fetch_sub(1, Ordering::AcqRel);
            self.work.idle.fetch_sub(1, Ordering::AcqRel);
            format!("thread: {errno}")
        })
    }

    /// Keeps the reserve until the crew stops or has become as large as it may.
    fn follow_calls(self) {
        let most = self.shared.plan.in_flight.saturating_mul(MOST_PER_TRIAL).saturating_add(64);
        let mut ready = lock(&self.seats).len();
        loop {
            let calls = self.work.calls.load(Ordering::Acquire);
            if self.work.stopping.load(Ordering::Acquire) || ready >= most as usize {
                return;
            }
            if self.work.idle.load(Ordering::Acquire) >= self.work.reserve {
                futex::wait(&self.work.calls, calls, None);
                continue;
            }
            // One at a time, each seen ready: it has copied the table before the listening socket can be closed.
            if self.recruit().is_err() || self.shared.line.await_ready(ready + 1).is_err() {
                return;
            }
            ready += 1;
        }
    }
}

fn prepare(shared: &Shared, seat: &Seat, listener: i32) -> Result<(), String> {
    own_table()?;
    if listener != LISTENER {
        check(files::place(listener, LISTENER)).map_err(|errno| format!("dup3: {errno}"))?;
    }
    files::close_from(LISTENER + 1);
    prepare_player(&shared.plan, seat, 0)
}

/// A worker's life.
fn accept_until_stopped(shared: &Shared, seat: &Seat, work: &Work, index: usize) {
    while !work.stopping.load(Ordering::Acquire) {
        let begin_ns = now_ns();
        let (accepted, from) = socket::accept(LISTENER);
        let end_ns = now_ns();
        if !is_failure(accepted) {
            work.leave_idle();
            let accept = Seen {
                step: 0,
                begin_ns,
                end_ns,
                returned: accepted,
                errno_after: 0,
                ready: None,
                events: None,
                state_before: None,
            };
            let connection = work.connections.fetch_add(1, Ordering::Relaxed);
            play_connection(shared, seat, work, index, connection, (accept, from));
            work.idle.fetch_add(1, Ordering::AcqRel);
        } else if !work.stopping.load(Ordering::Acquire) && !EMPTY_HANDED.contains(&accepted) {
            shared.ledger.count_void(index, format!("accept: {}", rig_protocol::Errno(-accepted as i32)));
            time::sleep(PAUSE);
        }
    }
}

impl Work {
    /// A worker takes a connection; too few idle ones left call for more.
    fn leave_idle(&self) {
        let left = self.idle.fetch_sub(1, Ordering::AcqRel) - 1;
        if left < self.reserve {
            self.calls.fetch_add(1, Ordering::AcqRel);
            futex::wake_all(&self.calls);
        }
        if left == 0 {
            self.starved.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn play_connection(
    shared: &Shared,
    seat: &Seat,
    work: &Work,
    index: usize,
    trial: u64,
    (accept, from): (Seen, KernelAddress),
) {
    let plan = &shared.plan;
    let planned = &plan.lanes[0];
    let deadline_ns = u64::try_from(plan.deadline.as_nanos()).unwrap_or(u64::MAX);
    seat.stage.reset();
    // The first step accepts, or the plan had been refused.
    let accepted = accept.returned as i32;
    let local = plan.needs.any().then(|| socket::local_address(accepted)).flatten();
    let ends = Ends { local: local.map(|local| local.plain()), remote: Some(from.plain()) };
    for socket in planned.steps.first().iter().flat_map(|step| &step.sockets) {
        seat.stage.fill(*socket, accepted);
        seat.stage.remember(*socket, ends);
    }
    seat.stage.note_port(from.port());
    seat.stage.note_first(ends);
    seat.watch.arm(accept.end_ns.saturating_add(deadline_ns));
    let mut log = seat.log(0);
    log.clear();
    log.scratch.begin();
    log.seen.push(accept);
    play_lane(plan, planned, &seat.stage, trial, 1, &mut log);
    let elapsed_ns = now_ns() - accept.end_ns;
    let ending = seat.watch.disarm();
    log.scratch.release();
    seat.stage.end_children();
    files::close_from(LISTENER + 1);
    let end = match ending {
        Ending::Cut if work.stopping.load(Ordering::Acquire) => End::Finished,
        Ending::Cut => End::Deadline,
        Ending::InTime => End::Itself,
    };
    let logs = [log];
    shared.ledger.settle(plan, index, &Finished { trial, stage: &seat.stage, logs: &logs, elapsed_ns, end });
}
