//! The rings of io_uring(7) that a lane has.
//!
//! Holds them from their making to the end of the trial; must not know what is asked of them.
//! Units: none. Errors: none, `-EBADF` where there is no ring.
//! A ring belongs to the lane that made it: to other lanes its name is a descriptor like others, and a step on it `EBADF`.
//! Tests: `tests/loopback/uring.rs`.

use rig_protocol::Slot;

use crate::sys::uring::Ring;

/// The rings of a lane's present trial.
#[derive(Debug, Default)]
pub(super) struct Rings(Vec<(Slot, Ring)>);

impl Rings {
    /// One more.
    pub(super) fn add(&mut self, slot: Slot, ring: Ring) {
        self.0.push((slot, ring));
    }

    /// Gives up their memory, and with that what their requests hold: before the trial's descriptors are closed, or those of the requests
    /// would stay open.
    pub(super) fn release(&mut self) {
        self.0.clear();
    }

    /// Does something with the ring of a slot, `-EBADF` where the lane has none there.
    pub(super) fn with(&mut self, slot: Slot, action: impl FnOnce(&mut Ring) -> i64) -> i64 {
        let ring = self.0.iter_mut().rev().find(|(made, _)| *made == slot);
        ring.map_or(-i64::from(libc::EBADF), |(_, ring)| action(ring))
    }
}
