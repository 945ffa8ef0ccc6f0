//! The watchdog's view of one worker: until when its trial may last, and how to get its lanes out of a blocking call.
//!
//! Holds the deadline and the lanes' thread ids; must not know what they do.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none.
//! A healthy trial never sees a signal: interrupts go out under a lock, only while the trial is known to be the late one, and
//! [`Watch::disarm`] waits for that lock. Repeated at every sweep, for a signal that arrives just before a call is lost.
//! Tests: `tests/loopback` (trial deadline).

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::stage::Stage;
use crate::sys::thread;

const IDLE: u64 = 0;
const EXPIRED: u64 = u64::MAX;

/// Whether a trial ended in its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By itself.
    InTime,
    /// The watchdog cut it.
    Cut,
}

/// One worker under watch.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `IDLE`, `EXPIRED`, or the moment after which the trial is late.
    state: AtomicU64,
    threads: Box<[AtomicI32]>,
    interrupts: Mutex<()>,
    /// Once true, a stray signal may be pending somewhere: see [`Watch::absorb_interrupts`].
    interrupted: AtomicBool,
}

impl Watch {
    /// For a worker of `lanes` threads.
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            state: AtomicU64::new(IDLE),
            threads: (0..lanes).map(|_| AtomicI32::new(0)).collect(),
            interrupts: Mutex::new(()),
            interrupted: AtomicBool::new(false),
        }
    }

    /// Says that the calling thread plays lane `lane`.
    pub(crate) fn enlist(&self, lane: usize) {
        self.threads[lane].store(thread::id(), Ordering::Release);
    }

    /// A trial begins that may last until `deadline_ns`.
    pub(crate) fn arm(&self, deadline_ns: u64) {
        self.state.store(deadline_ns.clamp(IDLE + 1, EXPIRED - 1), Ordering::Release);
    }

    /// The trial is over, all lanes are done.
    pub(crate) fn disarm(&self) -> Ending {
        if self.state.swap(IDLE, Ordering::AcqRel) != EXPIRED {
            return Ending::InTime;
        }
        // A sweep that saw EXPIRED holds this lock while it interrupts; after it, no further interrupt can be sent.
        drop(self.interrupts.lock().unwrap_or_else(PoisonError::into_inner));
        self.absorb_interrupts();
        Ending::Cut
    }

    /// Takes a signal that was sent for an earlier trial now, rather than in the next one's verdict call: a pending signal is
    /// handled at the return of any system call.
    pub(crate) fn absorb_interrupts(&self) {
        if self.interrupted.load(Ordering::Acquire) {
            thread::id();
        }
    }

    /// Cuts the trial, and goes on cutting at every call, if it is late at `now_ns`.
    pub(crate) fn sweep(&self, now_ns: u64, stage: &Stage) {
        let state = self.state.load(Ordering::Acquire);
        let late = state != IDLE && (state == EXPIRED || now_ns >= state);
        if !late {
            return;
        }
        if state != EXPIRED
            && self.state.compare_exchange(state, EXPIRED, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        let guard = self.interrupts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.load(Ordering::Acquire) == EXPIRED {
            self.interrupted.store(true, Ordering::Release);
            stage.cut();
            for id in &self.threads {
                match id.load(Ordering::Acquire) {
                    0 => {}
                    id => thread::interrupt(id),
                }
            }
        }
        drop(guard);
    }

    /// Makes the trial late now, if one is under way.
    pub(crate) fn cut(&self, stage: &Stage) {
        self.sweep(EXPIRED - 1, stage);
    }
}
