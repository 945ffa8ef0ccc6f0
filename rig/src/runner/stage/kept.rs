//! A guest that has played a block and waits for the next one of its boot, with nothing around it but its tap.
//!
//! Holds the owners; dropping one kills the guest. Must not know trials. Units: as in `record`. Errors: none; a guest that cannot be passed on is ended.
//! Tests: `tests/qemu.rs`.

use super::seat::Seat;
use crate::machine::qemu::Guest;
use crate::matrix::{BootKey, shares_boot};
use crate::record::format::{BootRecord, TargetRecord};
use crate::runner::attempt::Attempt;
use crate::testbed::Namespace;

/// A guest between two blocks.
#[derive(Debug)]
pub(in crate::runner) struct Kept {
    pub(super) guest: Box<Guest>,
    pub(super) waiting: Waiting,
}

/// What is known of it besides.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where QEMU runs, and where the tap is now.
    pub(super) home: Namespace,
    /// The planned boot, and with what it was booted.
    pub(super) planned: String,
    pub(super) key: BootKey,
    /// What the record of the last block in it says.
    pub(super) boot: BootRecord,
    pub(super) target: TargetRecord,
}

impl Kept {
    /// Whether this block is to be played in it: it is the same planned boot, booted with what this block's guest would be, and alive.
    pub(in crate::runner) fn is_for(&self, attempt: &Attempt) -> bool {
        let Waiting { planned, key, .. } = &self.waiting;
        attempt.boot.planned.as_ref() == Some(planned)
            && shares_boot(&attempt.cell).as_ref() == Ok(key)
            && self.guest.death().borrow().is_none()
    }

    /// Ends it: no block follows.
    pub(in crate::runner) async fn end(self) {
        self.guest.stop().await;
    }

    /// Its namespace, for its tap.
    pub(super) fn home(&self) -> &Namespace {
        &self.waiting.home
    }

    /// The seat in which it goes on, and what is known of it.
    pub(super) fn sit(self) -> (Seat, Waiting) {
        (Seat::Guest { guest: self.guest, agent: None }, self.waiting)
    }
}
