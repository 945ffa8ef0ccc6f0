//! What the lanes of one trial share: socket slots and their addresses, marks, children, and how far the trial has come.
//!
//! Reset between trials; must not know steps or outcomes. What every step asks for is atomic.
//! Units: descriptors, nanoseconds. Errors: none.
//! One stage belongs to one worker and its lanes, which share a descriptor table.
//! Tests: `tests/loopback` (watcher lanes, marks).

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rig_protocol::{LaneIndex, Mark, Script, Slot};

use crate::clock::now_ns;
use crate::sys::errno::is_failure;
use crate::sys::{child, futex};

const UNSET: u32 = 0;
const SET: u32 = 1;
/// The trial is over for all lanes: whoever waits stops waiting.
const ABANDONED: u32 = 2;

/// A slot that no step has tried to open yet.
const UNOPENED: i32 = i32::MIN;

/// What a program has in place of a descriptor where the call that was to make one failed.
const FAILED: i32 = -1;

/// The addresses of a socket, as far as they are known: they outlive its descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// This end's.
    pub(crate) local: Option<SocketAddr>,
    /// The other end's; none of a listening socket.
    pub(crate) remote: Option<SocketAddr>,
}

/// The shared state of one trial.
#[derive(Debug)]
pub(crate) struct Stage {
    slots: Box<[AtomicI32]>,
    marks: Box<[AtomicU32]>,
    abandoned: AtomicBool,
    /// When the watchdog cut the trial; 0 where it did not.
    cut_ns: AtomicU64,
    verdict_end_ns: AtomicU64,
    descriptor: AtomicI32,
    port: AtomicU16,
    /// The threads that play the script's lanes; they outlive the trial.
    players: Box<[AtomicI32]>,
    ends: Box<[Mutex<Ends>]>,
    /// Of the trial's first connection.
    first: Mutex<Ends>,
    children: Mutex<Vec<i32>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stage {
    /// A stage for the sockets and marks of `script`.
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            slots: script.sockets.iter().map(|_| AtomicI32::new(UNOPENED)).collect(),
            marks: script.marks.iter().map(|_| AtomicU32::new(UNSET)).collect(),
            abandoned: AtomicBool::new(false),
            cut_ns: AtomicU64::new(0),
            verdict_end_ns: AtomicU64::new(0),
            descriptor: AtomicI32::new(-1),
            port: AtomicU16::new(0),
            players: script.lanes.iter().map(|_| AtomicI32::new(0)).collect(),
            ends: script.sockets.iter().map(|_| Mutex::default()).collect(),
            first: Mutex::default(),
            children: Mutex::default(),
        }
    }

    /// Makes it ready for the next trial; no lane may be playing.
    pub(crate) fn reset(&self) {
        self.ends.iter().chain([&self.first]).for_each(|ends| *lock(ends) = Ends::default());
        self.slots.iter().for_each(|slot| slot.store(UNOPENED, Ordering::Relaxed));
        self.marks.iter().for_each(|mark| mark.store(UNSET, Ordering::Relaxed));
        self.verdict_end_ns.store(0, Ordering::Relaxed);
        self.descriptor.store(-1, Ordering::Relaxed);
        self.port.store(0, Ordering::Relaxed);
        self.cut_ns.store(0, Ordering::Relaxed);
        self.abandoned.store(false, Ordering::Release);
    }

    /// The descriptor of a slot, or a number below 0; a closed one keeps its number.
    #[inline]
    pub(crate) fn descriptor_of(&self, slot: Slot) -> i32 {
        self.slots[usize::from(slot.0)].load(Ordering::Acquire).max(FAILED)
    }

    /// Whether no step has tried to open it yet.
    pub(crate) fn is_unopened(&self, slot: Slot) -> bool {
        self.slots[usize::from(slot.0)].load(Ordering::Acquire) == UNOPENED
    }

    /// Fills a slot with a number that nothing need have opened: 0.
    pub(crate) fn name_number(&self, slot: Slot, number: i32) -> i64 {
        self.fill(slot, number);
        0
    }

    /// The step that was to fill a slot failed: from now on it is -1, as in a program. One that is filled already stays so.
    pub(crate) fn fail(&self, slot: Slot) {
        let slot = &self.slots[usize::from(slot.0)];
        let _ = slot.compare_exchange(UNOPENED, FAILED, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Fills a slot.
    pub(crate) fn fill(&self, slot: Slot, fd: i32) {
        self.slots[usize::from(slot.0)].store(fd, Ordering::Release);
    }

    /// Fills a slot with what the kernel made, or with the fact that it refused: a program then goes on with a number that is no descriptor,
    /// and its calls fail. For what is not the connection: without a connection there is nothing to measure. Gives `made`.
    pub(crate) fn fill_made(&self, slot: Slot, made: i64) -> i64 {
        self.fill(slot, if is_failure(made) { FAILED } else { made as i32 });
        made
    }

    /// Says which thread plays a lane of the script.
    pub(crate) fn enlist(&self, lane: u16, thread: i32) {
        self.players[usize::from(lane)].store(thread, Ordering::Release);
    }

    /// The thread that plays a lane of the script; 0 where it is the other end's.
    pub(crate) fn player_of(&self, LaneIndex(lane): LaneIndex) -> i32 {
        self.players[usize::from(lane)].load(Ordering::Acquire)
    }

    /// Whether a thread plays one of these lanes.
    pub(crate) fn is_player(&self, thread: i32) -> bool {
        thread != 0 && self.players.iter().any(|player| player.load(Ordering::Acquire) == thread)
    }

    /// Notes the client's port, once per trial.
    pub(crate) fn note_port(&self, port: u16) {
        let _ = self.port.compare_exchange(0, port, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Notes the addresses of a connection: the first one's are the trial's.
    pub(crate) fn note_first(&self, ends: Ends) {
        let mut first = lock(&self.first);
        if first.local.is_none() {
            *first = ends;
        }
    }

    /// The addresses of the trial's first connection.
    pub(crate) fn first(&self) -> Ends {
        *lock(&self.first)
    }

    /// The other end's address, where there was a connection.
    pub(crate) fn other_end(&self) -> Option<IpAddr> {
        self.first().remote.map(|remote| remote.ip())
    }

    /// Keeps a socket's addresses beyond its descriptor.
    pub(crate) fn remember(&self, slot: Slot, ends: Ends) {
        *lock(&self.ends[usize::from(slot.0)]) = ends;
    }

    /// A socket's addresses, as far as they were kept.
    pub(crate) fn ends_of(&self, slot: Slot) -> Ends {
        *lock(&self.ends[usize::from(slot.0)])
    }

    /// A child process that ends with the trial at the latest.
    pub(crate) fn enlist_child(&self, pid: i32) {
        lock(&self.children).push(pid);
    }

    /// Ends the children that there still are.
    pub(crate) fn end_children(&self) {
        lock(&self.children).drain(..).for_each(child::end);
    }

    /// The client's port, or 0.
    pub(crate) fn port(&self) -> u16 {
        self.port.load(Ordering::Acquire)
    }

    /// Notes that the verdict call on `fd` returned.
    pub(crate) fn note_verdict(&self, fd: i32, end_ns: u64) {
        self.descriptor.store(fd, Ordering::Relaxed);
        self.verdict_end_ns.store(end_ns, Ordering::Release);
    }

    /// The verdict call's descriptor, or -1.
    pub(crate) fn verdict_descriptor(&self) -> i32 {
        self.descriptor.load(Ordering::Relaxed)
    }

    /// Whether the verdict call has returned.
    pub(crate) fn verdict_has_returned(&self) -> bool {
        self.verdict_end_ns.load(Ordering::Acquire) != 0
    }

    /// Sets a mark and wakes who awaits it: 0.
    pub(crate) fn set_mark(&self, mark: Mark) -> i64 {
        let word = &self.marks[usize::from(mark.0)];
        if word.compare_exchange(UNSET, SET, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            futex::wake_all(word);
        }
        0
    }

    /// Waits for a mark: 0, `-ETIMEDOUT`, or `-ECANCELED` where the trial was abandoned meanwhile.
    pub(crate) fn await_mark(&self, mark: Mark, timeout: Duration) -> i64 {
        let word = &self.marks[usize::from(mark.0)];
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        let deadline_ns = now_ns().saturating_add(timeout_ns);
        loop {
            match word.load(Ordering::Acquire) {
                SET => return 0,
                UNSET if !self.is_abandoned() => {}
                _ => return -i64::from(libc::ECANCELED),
            }
            let left = deadline_ns.saturating_sub(now_ns());
            if left == 0 {
                return -i64::from(libc::ETIMEDOUT);
            }
            futex::wait(word, UNSET, Some(Duration::from_nanos(left)));
        }
    }

    /// Ends the trial for all lanes at their next step, and every wait for a mark at once.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        for word in &self.marks {
            if word.compare_exchange(UNSET, ABANDONED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                futex::wake_all(word);
            }
        }
    }

    /// Abandons the trial because its time is over: calls that are under way from now on are interrupted from outside.
    pub(crate) fn cut(&self) {
        let _ = self.cut_ns.compare_exchange(0, now_ns(), Ordering::AcqRel, Ordering::Relaxed);
        self.abandon();
    }

    /// Whether a step that ended at `end_ns` was under way when the trial was cut, or began after it.
    pub(crate) fn was_cut_before(&self, end_ns: u64) -> bool {
        let cut_ns = self.cut_ns.load(Ordering::Acquire);
        cut_ns != 0 && cut_ns <= end_ns
    }

    /// Whether the trial was abandoned.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}
