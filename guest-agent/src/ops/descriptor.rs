//! Further descriptors of what is open, and numbers that nothing has opened.
//!
//! Holds the filling of slots; must not judge what a number is good for.
//! Units: a duration. Errors: none, `-errno` is what was seen.
//! Source: fcntl(2), dup(2), unix(7), open(2), fork(2). Tests: `tests/loopback`.

use std::time::Duration;

use rig_protocol::Slot;

use super::around::{Around, Seen};
use crate::plan::StepPlan;
use crate::sys::errno::is_failure;
use crate::sys::{child, files, pass as rights};

/// Fills a slot with what a call made; a success is 0, whatever the number is.
fn fill(around: &Around<'_>, slot: Slot, made: i64) -> i64 {
    if is_failure(made) {
        return made;
    }
    around.stage.fill(slot, made as i32);
    0
}

/// The same socket has the same addresses.
fn same_ends(around: &Around<'_>, [slot, of]: [Slot; 2]) {
    if around.plan.needs.ends {
        around.stage.remember(slot, around.stage.ends_of(of));
    }
}

/// fcntl(2) `F_DUPFD_CLOEXEC`, or dup3(2) to a number.
pub(super) fn dup(
    planned: &StepPlan,
    around: &Around<'_>,
    [slot, of]: [Slot; 2],
    number: Option<i32>,
) -> Seen {
    let fd = around.stage.descriptor_of(of);
    let seen = around.timed(planned, || {
        let made = number.map_or_else(|| files::duplicate(fd), |number| files::place(fd, number));
        fill(around, slot, made)
    });
    same_ends(around, [slot, of]);
    seen
}

/// open(2) `O_PATH`.
pub(super) fn open_path(planned: &StepPlan, around: &Around<'_>, slot: Slot) -> Seen {
    around.timed(planned, || fill(around, slot, files::open_path()))
}

/// `SCM_RIGHTS` over a pair of sockets.
pub(super) fn pass(planned: &StepPlan, around: &Around<'_>, [slot, of]: [Slot; 2]) -> Seen {
    let fd = around.stage.descriptor_of(of);
    let seen = around.timed(planned, || fill(around, slot, rights::to_self(fd)));
    same_ends(around, [slot, of]);
    seen
}

/// fork(2). The child is the trial's, and ends with it at the latest.
pub(super) fn fork(planned: &StepPlan, around: &Around<'_>, length: Duration, exec: bool) -> Seen {
    let mut child = None;
    let seen = around.timed(planned, || {
        let forked = child::start(length, exec);
        if is_failure(forked) {
            return forked;
        }
        child = Some(forked as i32);
        0
    });
    if let Some(pid) = child {
        around.stage.enlist_child(pid);
    }
    seen
}
