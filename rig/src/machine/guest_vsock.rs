//! vsock in a guest: its modules loaded, its transport reset, over the control link.
//!
//! Must not know CIDs: the agent reads the guest's back. Units: none. Errors: [`VsockError`], with the guest's own words; a block becomes void.
//! Source: net/vmw_vsock/virtio_transport.c (`virtio_vsock_remove` resets every connected socket), vsock_loopback.c.
//! Tests: `tests/guest` (within a guest), `tests/rehearsal` (a device).

use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::launch_ssh::{self, Exit, SshError, SshPlan, SshSession};
use super::qemu::Guest;

/// Why a guest's vsock is not as it should be.
#[derive(Debug, Error, Diagnostic)]
pub enum VsockError {
    /// No way into the guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
    /// A module or a device is not there.
    #[error("the guest refuses: {how}: {said}")]
    #[diagnostic(help(
        "the image's recipe needs \"vmw_vsock_virtio_transport\" and \"vsock_loopback\" in `available`"
    ))]
    Refused {
        /// How the shell ended.
        how: String,
        /// What it said.
        said: String,
    },
}

/// The driver of the device, which is also its module's name.
pub const DEVICE: &str = "vmw_vsock_virtio_transport";
/// The module by which a kernel calls itself.
pub const LOOPBACK: &str = "vsock_loopback";

/// Where the driver has its devices.
macro_rules! in_driver {
    ($then:literal) => {
        concat!("cd /sys/bus/virtio/drivers/vmw_vsock_virtio_transport; ", $then)
    };
}

/// Loads the driver of the guest's device, which must take it.
///
/// # Errors
/// [`VsockError`]
pub async fn load_device(guest: &Guest, plan: SshPlan, within: Duration) -> Result<(), VsockError> {
    let load = format!("modprobe {DEVICE}; ");
    run(guest, plan, within, load + in_driver!("ls -d virtio*")).await
}

/// Loads the module for streams within the guest.
///
/// # Errors
/// [`VsockError`]
pub async fn load_loopback(guest: &Guest, plan: SshPlan, within: Duration) -> Result<(), VsockError> {
    run(guest, plan, within, format!("modprobe {LOOPBACK}")).await
}

/// Takes the device from its driver, which resets all of its streams, and gives it back.
///
/// # Errors
/// [`VsockError`]
pub async fn reset_transport(guest: &Guest, plan: SshPlan, within: Duration) -> Result<(), VsockError> {
    const RESET: &str = in_driver!("device=$(ls -d virtio*); echo $device > unbind; echo $device > bind");
    run(guest, plan, within, RESET.to_owned()).await
}

async fn run(guest: &Guest, plan: SshPlan, within: Duration, script: String) -> Result<(), VsockError> {
    let script = format!("set -e; {script}");
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&script, left());
    let finished = launch_ssh::with_session(guest, plan, within, work).await?;
    if finished.exit == Exit::Status(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
    Err(VsockError::Refused { how: finished.exit.to_string(), said })
}
