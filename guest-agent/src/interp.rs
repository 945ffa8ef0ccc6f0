//! The trial engine: one lane's steps in order, and what ends a lane early.
//!
//! Holds the rule of what makes a trial void; must not count, label or start threads.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none; a [`Void`] blames the testbed, an errno is a value.
//! Nothing in here allocates while a trial is played (logs and buffers are kept from trial to trial).
//! Tests: `tests/loopback.rs`.

use rig_protocol::{Errno, Op, Script, Slot};

use crate::draw::Place;
use crate::ops::{Around, Hands, Seen, perform};
use crate::plan::{LanePlan, Plan, opens, sockets_of};
use crate::stage::Stage;
use crate::sys::errno;
use crate::sys::socket::local_address;

/// Why a lane could not bring the trial to its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Void {
    /// A step failed that must not.
    Failed {
        /// Which, by index.
        step: u16,
        /// How.
        errno: Errno,
    },
    /// A step names a socket that nothing has opened.
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
        let op = |step: u16| &planned.lane.steps[usize::from(step)].op;
        match self {
            Self::Failed { step, errno } => match op(step) {
                Op::Await { mark, .. } if errno.0 == libc::ETIMEDOUT => {
                    format!("await {}: timeout", script.marks[usize::from(mark.0)])
                }
                op => format!("{}: {errno}", op.name()),
            },
            Self::Unopened { step, slot } => {
                format!(
                    "{}: socket {} was never opened",
                    op(step).name(),
                    script.sockets[usize::from(slot.0)]
                )
            }
        }
    }
}

/// What a lane saw in the present trial.
#[derive(Debug)]
pub(crate) struct LaneLog {
    /// Steps that were played, in order.
    pub(crate) seen: Vec<Seen>,
    /// What made the trial void in this lane.
    pub(crate) void: Option<Void>,
    /// Sets and buffers.
    pub(crate) hands: Hands,
}

impl LaneLog {
    /// An empty log for a lane.
    pub(crate) fn new(planned: &LanePlan) -> Self {
        let steps = &planned.lane.steps;
        Self { seen: Vec::with_capacity(steps.len()), void: None, hands: Hands::new(steps) }
    }

    /// Forgets the last trial.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.void = None;
        self.hands.empty();
    }
}

/// Plays the steps of a lane from index `first` on, into a log that was cleared (and holds what came before `first`).
///
/// The lane ends at its last step, at a failure that makes the trial void, or when the trial was abandoned.
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
    for (index, step) in planned.lane.steps.iter().enumerate().skip(first) {
        if stage.is_abandoned() {
            return;
        }
        if let Some(slot) = unopened(&step.op, stage)
            && stage.precedes_verdict(u64::MAX)
        {
            log.void = Some(Void::Unopened { step: index as u16, slot });
            return stage.abandon();
        }
        let place = Place { seed: plan.seed, trial, lane: planned.index, step: index as u16 };
        let seen = perform(step, &mut log.hands, &Around { stage, place, address: plan.address.as_ref() });
        log.seen.push(seen);
        if step.verdict {
            let fd = sockets_of(&step.op).next().map_or(-1, |slot| stage.descriptor_of(slot));
            stage.note_verdict(fd, seen.end_ns);
        }
        if errno::is_failure(seen.returned) {
            let void = !step.may_fail && !step.verdict && stage.precedes_verdict(seen.begin_ns);
            if void && !stage.is_abandoned() {
                log.void = Some(Void::Failed { step: index as u16, errno: Errno(-seen.returned as i32) });
                return stage.abandon();
            }
        } else if let Op::Connect { socket } = step.op
            && let Some(local) = local_address(stage.descriptor_of(socket))
        {
            stage.note_port(local.port());
        }
    }
}

/// The first socket of a step that nothing has opened yet.
fn unopened(op: &Op, stage: &Stage) -> Option<Slot> {
    if opens(op) {
        return None;
    }
    sockets_of(op).find(|slot| stage.descriptor_of(*slot) < 0)
}
