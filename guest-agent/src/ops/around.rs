//! What surrounds the doing of a step: where it stands, what its lane's thread keeps, the clock and errno, and what was seen.
//!
//! Holds the timing around each call; must not know operations, judge (void, outcome) or count.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none, an errno is what was seen.
//! Between the two readings of the clock lies the call and nothing else; libc's errno is led along as libc's wrappers would
//! lead it, so that what a program would print can be recorded.
//! Tests: `tests/loopback` (stale errno, state before the call).

use rig_protocol::{Op, Readiness};

use super::log::KernelLog;
use super::rings::Rings;
use super::trace::Traces;
use crate::clock::now_ns;
use crate::draw::Place;
use crate::plan::{Plan, StepPlan};
use crate::stage::Stage;
use crate::sys::poll::Polled;
use crate::sys::readiness::{FdSets, Timeout};
use crate::sys::socket;
use crate::sys::{errno, filler, signal};

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
    /// Of a call that waits for readiness in sets.
    pub(crate) ready: Option<Readiness>,
    /// Of a call that waits for readiness in bits.
    pub(crate) events: Option<u32>,
    /// Verdict step only.
    pub(crate) state_before: Option<u8>,
}

/// What a lane's last select left, besides the sets themselves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) nfds: i32,
    pub(super) timeout: Timeout,
}

/// What a lane's thread keeps from step to step: sets, buffers, an armed injection, rings, probes.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(super) sets: FdSets,
    /// By the lane's last select.
    pub(super) left: Option<Left>,
    pub(super) polled: Polled,
    pub(super) rings: Rings,
    /// Where a step looks at it.
    log: Option<KernelLog>,
    pub(super) traces: Traces,
    /// One per step; empty but for `read` and `receive`.
    pub(super) buffers: Vec<Vec<u8>>,
    /// For the next select; 0 is none.
    pub(super) cookie: u64,
}

impl Scratch {
    /// For a lane of these steps.
    pub(crate) fn new(steps: &[StepPlan]) -> Self {
        let of_no_meaning =
            |op: &Op| matches!(op, Op::Write { bytes: Some(_), .. } | Op::Send { bytes: Some(_), .. });
        if steps.iter().any(|planned| of_no_meaning(&planned.step.op)) {
            // Made now, not in the first trial; where that fails each write says so.
            let _ = filler::bytes(1);
        }
        let buffer = |planned: &StepPlan| match planned.step.op {
            Op::Read { bytes, .. } | Op::Receive { bytes, .. } => vec![0; bytes as usize],
            _ => Vec::new(),
        };
        Self {
            sets: FdSets::new(),
            left: None,
            polled: Polled::default(),
            rings: Rings::default(),
            log: KernelLog::of(steps),
            traces: Traces::default(),
            buffers: steps.iter().map(buffer).collect(),
            cookie: 0,
        }
    }

    /// Opens what stays open from trial to trial; called by the thread that plays the lane.
    pub(crate) fn prepare(&mut self, steps: &[StepPlan]) {
        self.traces.open(steps);
    }

    /// A trial begins, and no lane plays yet.
    pub(crate) fn begin(&mut self) {
        self.log.iter_mut().for_each(KernelLog::begin);
    }

    /// How many lines of the kernel's log have this text, since the trial began.
    pub(super) fn count_logged(&mut self, contained: &str) -> i64 {
        self.log.as_mut().map_or(-i64::from(libc::EBADF), |log| log.count(contained))
    }

    /// Gives up what holds the trial's sockets, before their descriptors are closed.
    pub(crate) fn release(&mut self) {
        self.rings.release();
    }

    /// Forgets what the last trial left; called by the thread that plays the lane.
    pub(crate) fn empty(&mut self) {
        signal::begin_trial();
        self.cookie = 0;
        self.left = None;
        self.traces.empty();
    }

    /// What a read step read, in this trial; nothing for other steps.
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
    /// What is played: addresses, and what the script's sockets need.
    pub(crate) plan: &'a Plan,
}

impl Around<'_> {
    /// Reads the verdict socket's state, then the clock, calls, reads errno, reads the clock.
    #[inline(always)]
    pub(super) fn timed(&self, planned: &StepPlan, call: impl FnOnce() -> i64) -> Seen {
        let state_before = if planned.step.verdict { self.state_before(planned) } else { None };
        let sets_errno = planned.sets_errno;
        let begin_ns = now_ns();
        let returned = call();
        if sets_errno {
            errno::follow(returned);
        }
        let errno_after = errno::get();
        let end_ns = now_ns();
        Seen {
            step: self.place.step,
            begin_ns,
            end_ns,
            returned,
            errno_after,
            ready: None,
            events: None,
            state_before,
        }
    }

    /// `tcpi_state` of the step's first socket, where it can be read.
    fn state_before(&self, planned: &StepPlan) -> Option<u8> {
        let fd = self.stage.descriptor_of(*planned.sockets.first()?);
        if fd < 0 { None } else { u8::try_from(socket::tcp_state(fd)).ok() }
    }
}
