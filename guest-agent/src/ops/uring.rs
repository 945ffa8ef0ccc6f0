//! io_uring(7): a lane's rings, and what their requests came to.
//!
//! Holds the way from words to requests, and the reading of completions; must not label what it saw.
//! Units: a duration. Errors: none, `-errno` is what was seen; a ring that could not be made is no descriptor.
//! Source: io_uring_enter(2). Tests: `tests/loopback/uring.rs`.

use std::time::Duration;

use rig_protocol::{Event, Slot};

use super::around::{Around, Scratch, Seen};
use super::poll::bits;
use crate::plan::StepPlan;
use crate::sys::uring::{Completed, Ring};

/// io_uring_setup(2), and its memory.
pub(super) fn set_up(slot: Slot, scratch: &mut Scratch, around: &Around<'_>) -> i64 {
    let made = match Ring::set_up() {
        Ok(ring) => {
            let fd = i64::from(ring.descriptor());
            scratch.rings.add(slot, ring);
            fd
        }
        Err(errno) => errno,
    };
    around.stage.fill_made(slot, made)
}

/// Submits a poll.
pub(super) fn poll(
    (ring, fd): (Slot, i32),
    id: u32,
    events: &[Event],
    multishot: bool,
    scratch: &mut Scratch,
) -> i64 {
    scratch.rings.with(ring, |ring| ring.poll(id, fd, bits(events), multishot))
}

/// Submits a receive.
pub(super) fn receive((ring, fd): (Slot, i32), id: u32, bytes: u32, scratch: &mut Scratch) -> i64 {
    scratch.rings.with(ring, |ring| ring.receive(id, fd, bytes))
}

/// Changes what a poll waits for.
pub(super) fn update(ring: Slot, id: u32, events: &[Event], scratch: &mut Scratch) -> i64 {
    scratch.rings.with(ring, |ring| ring.update(id, bits(events)))
}

/// Removes a poll.
pub(super) fn remove(ring: Slot, id: u32, scratch: &mut Scratch) -> i64 {
    scratch.rings.with(ring, |ring| ring.remove(id))
}

/// Cancels a request.
pub(super) fn cancel(ring: Slot, id: u32, scratch: &mut Scratch) -> i64 {
    scratch.rings.with(ring, |ring| ring.cancel(id))
}

/// Waits for a completion, and reads its bits.
pub(super) fn wait(
    planned: &StepPlan,
    (ring, id): (Slot, u32),
    timeout: Duration,
    scratch: &mut Scratch,
    around: &Around<'_>,
) -> Seen {
    let mut polled = false;
    let mut seen = around.timed(planned, || {
        scratch.rings.with(ring, |ring| {
            let completed: Completed = ring.wait(id, timeout);
            polled = completed.polled;
            completed.returned
        })
    });
    seen.events = polled.then_some(seen.returned as u32);
    seen
}
