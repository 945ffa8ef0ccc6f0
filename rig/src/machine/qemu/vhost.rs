//! What of the host kernel's vhost a guest takes: opened by rig, and handed to QEMU by number.
//!
//! rig opens it, because QEMU 7.2 aborts where it cannot. Must not know command lines. Units: none.
//! Errors: [`GuestError`], which blames the host. Tests: `tests/qemu.rs`, `tests/rehearsal`.

use std::io;
use std::os::fd::OwnedFd;

use fs_err::OpenOptions;

use super::error::GuestError;
use crate::configuration::{QemuSpec, vhost_descriptors};
use crate::testbed::vsock::{self, GuestCid};

/// One open /dev/vhost-net for each queue pair.
pub(super) fn open_vhosts(spec: &QemuSpec) -> Result<Vec<OwnedFd>, GuestError> {
    let open = || OpenOptions::new().read(true).write(true).open("/dev/vhost-net");
    let opened: io::Result<Vec<OwnedFd>> =
        (0..vhost_descriptors(spec)).map(|_| Ok(open()?.into_parts().0.into())).collect();
    opened.map_err(|source| GuestError::NoVhost { source })
}

/// A CID for the guest's vsock device, where it has one.
pub(super) fn reserve_cid(spec: &QemuSpec) -> Result<Option<GuestCid>, GuestError> {
    let asked = spec.tuning.vsock.then(vsock::reserve).transpose();
    asked.map_err(|source| GuestError::NoVsock { source })
}
