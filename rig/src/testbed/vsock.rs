//! The host's half of vsock: a CID for a guest, and whether the own kernel can be called.
//!
//! CIDs are the whole kernel's, not a namespace's: one is taken by asking for it until one is free, and stays taken as long as the descriptor lives.
//! Must not connect to anybody: CID 2 of a machine that is itself a guest is its host.
//! Units: none. Errors: `io::Error`, which blames the host. Source: vsock(7), drivers/vhost/vsock.c, include/uapi/linux/vhost.h. Tests: below.

#![expect(unsafe_code, reason = "an ioctl and a socket family that nix does not have")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rig_protocol::VsockAddress;

/// `VHOST_VSOCK_SET_GUEST_CID`, `_IOW(0xAF, 0x60, __u64)`.
const SET_GUEST_CID: libc::c_ulong = 0x4008_af60;

/// So many are asked for: more than guests that one machine runs.
const MOST: u32 = 4_096;

/// A guest's CID, and what holds it.
#[derive(Debug)]
pub struct GuestCid {
    /// Nobody else's on this kernel.
    pub cid: u32,
    /// /dev/vhost-vsock, for QEMU.
    pub device: OwnedFd,
}

/// Takes a CID that is free.
///
/// # Errors
/// There is no /dev/vhost-vsock, it cannot be opened, or it gives none.
pub fn reserve() -> io::Result<GuestCid> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/vhost-vsock")?;
    let cid = first_free(|cid| {
        let cid = u64::from(cid);
        // SAFETY: the kernel reads eight bytes of `cid`.
        match unsafe { libc::ioctl(device.as_raw_fd(), SET_GUEST_CID, &raw const cid) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    })?;
    Ok(GuestCid { cid, device: device.into() })
}

/// The first that is granted; a refusal that is not "taken" ends it.
fn first_free(mut ask: impl FnMut(u32) -> io::Result<()>) -> io::Result<u32> {
    let mut refused = None;
    for cid in (VsockAddress::FIRST_GUEST..).take(MOST as usize) {
        match ask(cid) {
            Ok(()) => return Ok(cid),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

/// Binds a socket to the own kernel, and closes it.
///
/// # Errors
/// The kernel has no vsock, or none within itself (`EADDRNOTAVAIL`).
pub(super) fn bind_within_kernel() -> io::Result<()> {
    // SAFETY: takes no pointer; the descriptor is owned by nobody else.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: an all-zero address is a valid value of this plain struct.
    let mut address: libc::sockaddr_vm = unsafe { std::mem::zeroed() };
    address.svm_family = libc::AF_VSOCK as libc::sa_family_t;
    (address.svm_cid, address.svm_port) = (VsockAddress::OWN_KERNEL, VsockAddress::ANY_PORT);
    let bytes = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the kernel reads `bytes` bytes of the address.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), bytes) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_free_is_taken_and_a_real_refusal_is_told() {
        let taken = |cid| if cid < 7 { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(()) };
        assert_eq!(first_free(taken).expect("the seventh is free"), 7);
        let refused = first_free(|_| Err(io::ErrorKind::PermissionDenied.into())).expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let mut asked = 0;
        let full = first_free(|_| {
            asked += 1;
            Err(io::ErrorKind::AddrInUse.into())
        });
        assert_eq!((full.expect_err("full").kind(), asked), (io::ErrorKind::AddrInUse, MOST));
    }
}
