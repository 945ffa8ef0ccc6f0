//! The trial engine: one lane's steps in order, and what ends a lane early.
//!
//! Holds the rule of what makes a trial void: the testbed's own failure, and nothing that a call under test returns. Must not count, label or start threads.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none; a [`Void`] blames the testbed, an errno is a value.
//! Nothing in here allocates while a trial is played (logs and buffers are kept from trial to trial).
//! Tests: `tests/loopback`.

use rig_protocol::{Errno, Op, Script, Slot};

use crate::draw::Place;
use crate::ops::{Around, Scratch, Seen, perform};
use crate::plan::{LanePlan, Plan, StepPlan};
use crate::stage::Stage;
use crate::sys::errno;

/// Why a lane could not bring the trial to its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Void {
    /// A step failed for want of what the testbed should have had.
    Failed {
        /// Which, by index.
        step: u16,
        /// How.
        errno: Errno,
    },
    /// A step names a socket that no step before it was to open.
    Unopened {
        /// Which step.
        step: u16,
        /// Which socket.
        slot: Slot,
    },
}

impl Void {
    /// The reason as it is counted: `connect: ECONNREFUSED`, `await m: timeout`.
    pub(crate) fn reason(self, planned: &LanePlan, script: &Script) -> String {
        match self {
            Self::Failed { step, errno } => {
                let op = planned.op(step);
                match op.mark() {
                    Some(mark) if errno.0 == libc::ETIMEDOUT => {
                        format!("{} {}: timeout", op.name(), shown(&script.marks[usize::from(mark.0)]))
                    }
                    Some(_) | None => format!("{}: {errno}", op.name()),
                }
            }
            Self::Unopened { step, slot } => {
                let socket = shown(&script.sockets[usize::from(slot.0)]);
                format!("{}: socket {socket} was never opened", planned.op(step).name())
            }
        }
    }
}

/// The beginning of a name from a scenario, in printable ASCII: a reason is a line of a report.
fn shown(name: &str) -> String {
    const MOST_BYTES: usize = 100;
    let mut shown: String = name.escape_default().collect();
    shown.truncate(MOST_BYTES);
    shown
}

/// What a lane saw in the present trial.
#[derive(Debug)]
pub(crate) struct LaneLog {
    /// Steps that were played, in order.
    pub(crate) seen: Vec<Seen>,
    /// What made the trial void in this lane.
    pub(crate) void: Option<Void>,
    /// Whether the last of `seen` was cut: it was under way when the trial's time was over.
    pub(crate) cut: bool,
    /// Sets and buffers.
    pub(crate) scratch: Scratch,
}

impl LaneLog {
    /// An empty log for a lane.
    pub(crate) fn new(planned: &LanePlan) -> Self {
        let steps = &planned.steps;
        Self { seen: Vec::with_capacity(steps.len()), void: None, cut: false, scratch: Scratch::new(steps) }
    }

    /// Its steps, each with whether it was cut.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&Seen, bool)> {
        let cut_at = if self.cut { self.seen.len() } else { 0 };
        (1..).zip(&self.seen).map(move |(number, seen): (usize, _)| (seen, number == cut_at))
    }

    /// Forgets the last trial.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.void = None;
        self.cut = false;
        self.scratch.empty();
    }
}

/// Plays the steps of a lane from index `first` on, into a log that was cleared (and holds what came before `first`).
///
/// The lane ends at its last step, at a failure that makes the trial void, or when the trial was abandoned. A call under test that fails
/// ends nothing: the lane plays on, as a program does that does not look.
pub(crate) fn play_lane(
    plan: &Plan,
    planned: &LanePlan,
    stage: &Stage,
    trial: u64,
    first: usize,
    log: &mut LaneLog,
) {
    // A program starts with errno 0; what the last trial left in this thread is not part of this one.
    errno::set(0);
    for (index, planned_step) in planned.steps.iter().enumerate().skip(first) {
        if stage.is_abandoned() {
            return;
        }
        if let Some(slot) = unopened(planned_step, stage)
            && !stage.verdict_has_returned()
        {
            log.void = Some(Void::Unopened { step: index as u16, slot });
            return stage.abandon();
        }
        let place = Place { seed: plan.seed, trial, lane: planned.index, step: index as u16 };
        let around = Around { stage, place, plan };
        let seen = perform(planned_step, &mut log.scratch, &around);
        log.seen.push(seen);
        let step = &planned_step.step;
        let descriptor = || planned_step.sockets.first().map_or(-1, |slot| stage.descriptor_of(*slot));
        if step.verdict {
            stage.note_verdict(descriptor(), seen.end_ns);
        }
        let failed = errno::is_failure(seen.returned);
        log.cut = stage.is_abandoned() && was_cut(&step.op, &seen, stage);
        // A step that fills its slot with a refusal has observed it.
        let filled = planned_step.made().is_none_or(|slot| !stage.is_unopened(slot));
        if let Some(made) = planned_step.made()
            && failed
        {
            stage.fail(made);
        }
        if log.cut {
            return;
        }
        // Once the verdict call has returned there is an outcome, also where the step had begun before.
        let void = failed
            && (step.verdict || !stage.verdict_has_returned())
            && is_testbeds(planned_step, -seen.returned as i32, filled);
        if void && !stage.is_abandoned() {
            log.void = Some(Void::Failed { step: index as u16, errno: Errno(-seen.returned as i32) });
            return stage.abandon();
        }
    }
}

/// Whether a step ended because the trial's time was over, and not by itself.
///
/// A call that returned something of its own just then has returned. One that is interrupted in a transfer says how far it came, and a close that
/// waits (`SO_LINGER`) says nothing of it, so there the moment decides.
fn was_cut(op: &Op, seen: &Seen, stage: &Stage) -> bool {
    let told = [-i64::from(libc::EINTR), -i64::from(libc::ECANCELED)].contains(&seen.returned);
    let partly = op.payload_bytes().is_some() || matches!(op, Op::Receive { .. } | Op::Close { .. });
    (told || partly) && stage.was_cut_before(seen.end_ns)
}

/// Whether a failure with this errno is the testbed's: it lacked a descriptor, memory, a port, or an address to connect to, or it waited for a
/// mark in vain. What the verdict call returns is an observation even then, except where it was to open the socket that is measured.
/// `filled` says that the step has filled the slot that it makes.
fn is_testbeds(planned: &StepPlan, errno: i32, filled: bool) -> bool {
    let step = &planned.step;
    // To set a mark cannot fail.
    let waits = step.op.mark().is_some();
    let calls = planned.opens || step.op.connects();
    if step.verdict && !calls && !waits {
        return false;
    }
    match errno {
        libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS => true,
        libc::EADDRNOTAVAIL | libc::EDESTADDRREQ => calls,
        // What is made of a descriptor that is under test (`accept_from`, `dup`) fails as that does.
        _ => waits || (planned.opens && !filled && planned.named().is_empty()),
    }
}

/// The first socket of a step that nothing has tried to open yet. Where a call under test was to open it and failed, it is -1, as in a program.
fn unopened(planned: &StepPlan, stage: &Stage) -> Option<Slot> {
    planned.named().iter().copied().find(|slot| stage.is_unopened(*slot))
}
