//! vsock between the two ends of a block: the guest's part of it set up, read back and reset, and which kernel the peer listens in.
//!
//! Must not know scripts beyond whether they are over vsock. Units: CIDs. Errors: [`StageError`]: the block becomes void.
//! Tests: `tests/guest` (within a guest), `tests/rehearsal` (a device).

use rig_protocol::{Script, VsockAddress};

use super::{Placement, Stage, StageError};
use crate::machine::guest_vsock;
use crate::record::{Part, VoidReason};
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::exchange;
use crate::runner::session::Session;

impl Stage {
    /// Loads what the target's guest needs: the driver of its device, and for a script within it the kernel's own transport.
    pub(super) async fn set_up_vsock(
        &mut self,
        laboratory: &Laboratory,
        script: &Script,
    ) -> Result<(), StageError> {
        let Some(guest) = self.target.guest() else { return Ok(()) };
        let plan = laboratory.ssh_plan(guest);
        if guest.vsock_cid().is_some() {
            guest_vsock::load_device(guest, plan.clone(), exchange()).await?;
        }
        if script.is_over_vsock() && matches!(self.placement, Placement::GuestLoopback(_)) {
            guest_vsock::load_loopback(guest, plan.clone(), exchange()).await?;
        }
        self.into_guest = Some(plan);
        Ok(())
    }

    /// Whether the guest's kernel has the CID that QEMU was given.
    pub(super) fn verify_vsock(&self, session: &Session) -> Result<(), VoidReason> {
        let asked = self.target.guest().and_then(|guest| guest.vsock_cid());
        let found = session.hello().vsock_cid;
        if asked.is_none() || asked == found {
            return Ok(());
        }
        let word = |cid: Option<u32>| cid.map_or("none".to_owned(), |cid| cid.to_string());
        let why = format!("its kernel has CID {}, and QEMU gave it {}", word(found), word(asked));
        Err(VoidReason::Failed { part: Part::Vsock, why })
    }

    /// Resets every stream of the guest's device.
    pub(in crate::runner) async fn reset_vsock(&self) -> Result<(), StageError> {
        match (self.target.guest(), &self.into_guest) {
            (Some(guest), Some(plan)) if guest.vsock_cid().is_some() => {
                Ok(guest_vsock::reset_transport(guest, plan.clone(), exchange()).await?)
            }
            _ => Err(no_stream("there is no vsock device to reset")),
        }
    }

    /// Where the peer of a script over vsock listens: in which kernel, at whatever port is free.
    ///
    /// Never the host of a target that is on this host itself: that would be whatever this machine is a guest of.
    pub(in crate::runner) fn vsock_listen(&self) -> Result<VsockAddress, StageError> {
        let cid = match &self.placement {
            Placement::GuestAndHost(_) => VsockAddress::HOST,
            Placement::HostLoopback | Placement::GuestLoopback(_) => VsockAddress::OWN_KERNEL,
            Placement::HostBoth | Placement::Pair(_) => {
                return Err(no_stream("no vsock stream joins the two ends"));
            }
        };
        Ok(VsockAddress { cid, port: VsockAddress::ANY_PORT })
    }
}

fn no_stream(why: &str) -> StageError {
    VoidReason::Failed { part: Part::Vsock, why: why.to_owned() }.into()
}
