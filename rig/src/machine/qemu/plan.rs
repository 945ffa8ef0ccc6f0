//! What a guest is made of, as plain data with the descriptors that it gets.
//!
//! Must not start anything. Units: `Duration`. Errors: none. Tests: `tests/qemu.rs` (real guests).

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use super::aftermath::Aftermath;
use super::argv::GuestNet;
use super::medium::Medium;
use crate::configuration::{Engine, QemuSpec};

/// Everything that a guest is made of.
#[derive(Debug)]
pub struct GuestPlan {
    /// Its hardware.
    pub spec: QemuSpec,
    /// Its accelerator, resolved.
    pub engine: Engine,
    /// `qemu-system-x86_64`, looked for if it is no path ([`crate::process::find_program`]).
    pub qemu: PathBuf,
    /// What it boots.
    pub medium: Medium,
    /// Words to add to the kernel's command line, where QEMU loads the kernel.
    pub extra_cmdline: Vec<String>,
    /// Addresses.
    pub net: GuestNet,
    /// Open tap queues, as many as `configuration::tap_queues` says. rig's copies are closed when QEMU has them.
    pub taps: Vec<OwnedFd>,
    /// The end of a pair of sockets that is its measured link, where the backend is one: datagrams to a second guest, a stream to passt. rig's copy is closed as a tap's is.
    pub socket: Option<OwnedFd>,
    /// A listening stream socket at which a debugger finds QEMU's stub (`-gdb`); none: there is no stub.
    pub gdb: Option<OwnedFd>,
    /// The network namespace in which QEMU runs; none: rig's own.
    pub namespace: Option<OwnedFd>,
    /// How long it lives at most, its boot included; none: as long as somebody looks at it.
    pub life: Option<Duration>,
    /// Where the console goes.
    pub console_log: PathBuf,
    /// Where everything said on QMP goes.
    pub qmp_log: PathBuf,
    /// What is done when its kernel panics; none: nothing but to tell it.
    pub aftermath: Option<Aftermath>,
}
