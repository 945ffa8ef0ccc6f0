//! select(2) through its three doors, as a careful program calls it and as a careless one.
//!
//! Holds the building of the sets from slots, what the lane's last call left of them and of its timeout, and their reading afterwards; must
//! not label what it saw.
//! Units: a duration; seconds and microseconds where a program gives them as they are. Errors: none.
//! Source: select(2). Tests: `sys/readiness.rs`, `tests/loopback` (the doors agree, closed descriptor, injection, `raw.rs`).

use rig_protocol::{Call, Keep, Readiness, Slot};

use super::around::{Around, Left, Scratch, Seen};
use crate::plan::StepPlan;
use crate::sys::errno::is_failure;
use crate::sys::readiness::{FdSets, Timeout, arm};

/// What a step hands to the kernel.
#[derive(Clone, Copy)]
struct Handed {
    call: Call,
    nfds: i32,
    timeout: Timeout,
    /// For the filter, where an injection is armed.
    cookie: u64,
}

/// Builds the sets anew, calls, reads them.
pub(super) fn select(
    planned: &StepPlan,
    named: [&[Slot]; 3],
    timeout: Timeout,
    call: Call,
    scratch: &mut Scratch,
    around: &Around<'_>,
) -> Seen {
    let cookie = std::mem::take(&mut scratch.cookie);
    let nfds = build(&mut scratch.sets, named, around);
    hand_over(planned, Handed { call, nfds, timeout, cookie }, scratch, around)
}

/// What a [`select_raw`] step says.
pub(super) struct Raw<'a> {
    /// Watched for reading, writing, exceptional conditions.
    pub(super) named: [&'a [Slot]; 3],
    /// As the step gives it.
    pub(super) nfds: Option<i32>,
    /// As the step gives it.
    pub(super) timeout: Timeout,
    /// What stays as the last call left it.
    pub(super) keep: Keep,
    /// The door.
    pub(super) call: Call,
}

/// Calls with what the step says and what the last select of this lane left. Where there was none yet, the step's own values count. An
/// armed injection waits for the next plain select.
pub(super) fn select_raw(
    planned: &StepPlan,
    raw: &Raw<'_>,
    scratch: &mut Scratch,
    around: &Around<'_>,
) -> Seen {
    let left = scratch.left;
    let kept_sets = left.filter(|_| matches!(raw.keep, Keep::Sets | Keep::Both));
    let kept_timeout = left.filter(|_| matches!(raw.keep, Keep::Timeout | Keep::Both));
    let highest = match kept_sets {
        Some(left) if raw.named.iter().all(|slots| slots.is_empty()) => left.nfds,
        Some(_) => above_all(raw.named, around),
        None => build(&mut scratch.sets, raw.named, around),
    };
    let nfds = raw.nfds.unwrap_or(highest);
    let timeout = kept_timeout.map_or(raw.timeout, |left| left.timeout);
    hand_over(planned, Handed { call: raw.call, nfds, timeout, cookie: 0 }, scratch, around)
}

/// What the lane's last select left in its timeout, in microseconds; `-ENODATA` where there was none, or a negative timeout.
pub(super) fn remaining(scratch: &Scratch) -> i64 {
    let left = scratch.left.and_then(|left| left.timeout.microseconds());
    left.unwrap_or(-i64::from(libc::ENODATA))
}

/// Fills the sets; gives the highest descriptor + 1.
fn build(sets: &mut FdSets, named: [&[Slot]; 3], around: &Around<'_>) -> i32 {
    for (set, slots) in [&mut sets.read, &mut sets.write, &mut sets.except].into_iter().zip(named) {
        set.clear();
        slots.iter().for_each(|slot| set.insert(around.stage.descriptor_of(*slot)));
    }
    above_all(named, around)
}

fn above_all(named: [&[Slot]; 3], around: &Around<'_>) -> i32 {
    let descriptors = named.into_iter().flatten().map(|slot| around.stage.descriptor_of(*slot));
    descriptors.max().unwrap_or(-1).max(-1) + 1
}

fn hand_over(planned: &StepPlan, handed: Handed, scratch: &mut Scratch, around: &Around<'_>) -> Seen {
    let sets = &mut scratch.sets;
    let mut armed = arm(sets, handed.nfds, handed.timeout);
    let (mut seen, timeout) = match handed.call {
        Call::Select => (around.timed(planned, || armed.select(handed.cookie)), armed.left_in_timeval()),
        Call::Pselect6 => (around.timed(planned, || armed.pselect6()), armed.left_in_timespec()),
        Call::Libc => (around.timed(planned, || armed.libc_select()), armed.left_in_timeval()),
    };
    scratch.left = Some(Left { nfds: handed.nfds, timeout });
    // After a failure the sets are undefined (select(2)).
    seen.ready = (!is_failure(seen.returned)).then(|| Readiness {
        readable: sets.read.any(),
        writable: sets.write.any(),
        exceptional: sets.except.any(),
    });
    seen
}
