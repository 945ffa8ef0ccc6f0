//! What a target's guest shows of the hardware that was asked for: its kernel before the agent comes, its agent's hello then.
//!
//! Must not know QEMU. Units: none. Errors: [`StageError`] and [`VoidReason`]: the block becomes void. Tests: `tests/qemu/hardware.rs`,
//! `tests/guest/hardware.rs`.

use super::{Stage, StageError, launch};
use crate::machine::guest_hardware;
use crate::record::VoidReason;
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::exchange;
use crate::runner::session::Session;

impl Stage {
    /// Whether the guest's kernel shows the nodes, queues and words that were asked for.
    pub(super) async fn verify_hardware(&self, laboratory: &Laboratory) -> Result<(), StageError> {
        match self.target.guest() {
            Some(guest) => Ok(guest_hardware::verify(guest, laboratory.ssh_plan(guest), exchange()).await?),
            None => Ok(()),
        }
    }

    /// Whether the guest's agent finds the processors, the driver and the features that were asked for.
    pub(super) fn verify_guest(&self, session: &Session) -> Result<(), VoidReason> {
        match self.placement.guest() {
            Some(spec) => launch::verify_guest(session, spec, self.placement.interface().0),
            None => Ok(()),
        }
    }
}
