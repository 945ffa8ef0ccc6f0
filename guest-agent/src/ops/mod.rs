//! The doing of each operation: from slots to descriptors, from a system call to what was seen.
//!
//! Holds the one match over all operations and the timing around each call; must not judge (void, outcome) or count.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none, an errno is what was seen.
//! Between the two readings of the clock lies the call and nothing else; libc's errno is led along as libc's wrappers would
//! lead it, so that what a program would print can be recorded.
//! Tests: `tests/loopback.rs`. A new operation gets its arm in [`perform`] and its meaning in the protocol.

mod descriptor;
mod inject;
mod options;
mod readiness;
mod socket;
mod time;
mod transfer;

use rig_protocol::{Op, Readiness, Slot, Step};

use crate::clock::now_ns;
use crate::draw::Place;
use crate::plan::sockets_of;
use crate::stage::Stage;
use crate::sys::errno;
use crate::sys::readiness::FdSets;
use crate::sys::socket::KernelAddress;

/// What one step saw; the compact form of the protocol's `StepLog`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Index in the lane.
    pub(crate) step: u16,
    /// Begin of the call.
    pub(crate) begin_ns: u64,
    /// End of the call.
    pub(crate) end_ns: u64,
    /// As in `StepLog::returned`.
    pub(crate) returned: i64,
    /// libc's errno right after.
    pub(crate) errno_after: i32,
    /// `select` only.
    pub(crate) ready: Option<Readiness>,
    /// Verdict step only.
    pub(crate) state_before: Option<u8>,
}

/// What a lane's thread holds from step to step: sets, buffers, an armed injection.
#[derive(Debug)]
pub(crate) struct Hands {
    sets: FdSets,
    /// One per step; empty but for `read`.
    buffers: Vec<Vec<u8>>,
    /// For the next select; 0 is none.
    cookie: u64,
}

impl Hands {
    /// For a lane of these steps.
    pub(crate) fn new(steps: &[Step]) -> Self {
        let buffer = |step: &Step| match step.op {
            Op::Read { bytes, .. } => vec![0; bytes as usize],
            _ => Vec::new(),
        };
        Self { sets: FdSets::new(), buffers: steps.iter().map(buffer).collect(), cookie: 0 }
    }

    /// Forgets what the last trial left.
    pub(crate) fn empty(&mut self) {
        self.cookie = 0;
    }

    /// What a read step read, in this trial.
    pub(crate) fn read_by(&self, seen: &Seen) -> Option<&[u8]> {
        let bytes = usize::try_from(seen.returned).ok().filter(|bytes| *bytes > 0)?;
        self.buffers[usize::from(seen.step)].get(..bytes)
    }
}

/// Where a step stands.
pub(crate) struct Around<'a> {
    /// What the lanes share.
    pub(crate) stage: &'a Stage,
    /// For draws.
    pub(crate) place: Place,
    /// The peer's address, where the script connects.
    pub(crate) address: Option<&'a KernelAddress>,
}

/// Plays one step.
pub(crate) fn perform(step: &Step, hands: &mut Hands, around: &Around<'_>) -> Seen {
    let stage = around.stage;
    let of = |slot: Slot| stage.descriptor_of(slot);
    match &step.op {
        Op::Select { read, write, except, timeout, call } => {
            let timeout = around.place.delay(*timeout);
            readiness::select(step, [read, write, except], timeout, *call, hands, around)
        }
        Op::Connect { socket } => around.timed(step, || socket::connect(stage, *socket, around.address)),
        Op::Accept { .. } => unreachable!("the peer's worker accepts; a plan has no other accept"),
        Op::Close { socket } => around.timed(step, || descriptor::close(of(*socket))),
        Op::Shutdown { socket, how } => around.timed(step, || socket::shutdown(of(*socket), *how)),
        Op::Linger { socket, seconds } => around.timed(step, || options::linger(of(*socket), *seconds)),
        Op::Cork { socket } => around.timed(step, || options::cork(of(*socket))),
        Op::Nodelay { socket } => around.timed(step, || options::nodelay(of(*socket))),
        Op::ReceiveTimeout { socket, duration } => {
            let length = around.place.delay(*duration);
            around.timed(step, || options::receive_timeout(of(*socket), length))
        }
        Op::SoError { socket } => around.timed(step, || options::take_error(of(*socket))),
        Op::TcpState { socket } => around.timed(step, || options::tcp_state(of(*socket))),
        Op::Read { socket, .. } => {
            let buffer = &mut hands.buffers[usize::from(around.place.step)];
            around.timed(step, || transfer::read(of(*socket), buffer))
        }
        Op::Write { socket, data } => around.timed(step, || transfer::write(of(*socket), data)),
        Op::Pending { socket } => around.timed(step, || transfer::pending(of(*socket))),
        Op::FdCheck { socket } => around.timed(step, || descriptor::check(of(*socket))),
        Op::Sleep { duration } => {
            let length = around.place.delay(*duration);
            around.timed(step, || time::sleep(length))
        }
        Op::Localtime {} => around.timed(step, time::localtime),
        Op::Mark { mark } => around.timed(step, || time::mark(stage, *mark)),
        Op::Await { mark, timeout } => {
            let timeout = around.place.delay(*timeout);
            around.timed(step, || time::await_mark(stage, *mark, timeout))
        }
        Op::Inject { errno, rate_ppm } => {
            let armed = inject::draw(around.place, *errno, *rate_ppm);
            hands.cookie = armed.unwrap_or(0);
            around.timed(step, || i64::from(armed.is_some()))
        }
    }
}

impl Around<'_> {
    /// Reads the verdict socket's state, then the clock, calls, reads errno, reads the clock.
    #[inline(always)]
    fn timed(&self, step: &Step, call: impl FnOnce() -> i64) -> Seen {
        let state_before = if step.verdict { self.state_before(&step.op) } else { None };
        let begin_ns = now_ns();
        let returned = call();
        if sets_errno(&step.op) {
            errno::follow(returned);
        }
        let errno_after = errno::get();
        let end_ns = now_ns();
        Seen { step: self.place.step, begin_ns, end_ns, returned, errno_after, ready: None, state_before }
    }

    /// `tcpi_state` of the step's first socket, where it can be read.
    fn state_before(&self, op: &Op) -> Option<u8> {
        let fd = sockets_of(op).map(|slot| self.stage.descriptor_of(slot)).next().filter(|fd| *fd >= 0)?;
        u8::try_from(options::tcp_state(fd)).ok()
    }
}

/// Whether the libc function that a program would call here reports failure through errno. clock_nanosleep(3) and
/// pthread_cond_timedwait(3) return the number instead.
#[inline(always)]
fn sets_errno(op: &Op) -> bool {
    !matches!(
        op,
        Op::Sleep { .. } | Op::Mark { .. } | Op::Await { .. } | Op::Inject { .. } | Op::Localtime {}
    )
}
