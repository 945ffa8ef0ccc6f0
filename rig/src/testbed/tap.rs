//! A tap device: one descriptor per queue.
//!
//! Holds the two ioctls, and the words for a tap that is there already. Must not know who will read it. Units: none.
//! Offloads are left off, as a new tap has them: QEMU switches them on with `TUNSETOFFLOAD` once the guest's driver asks for them.
//! Errors: `io::Error` of the call. Tests: `tests/netns.rs` (root).

#![expect(unsafe_code, reason = "ioctls and socket options that nix does not have")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::namespace::Namespace;

/// Where the tap of a network comes from.
#[derive(Debug, Clone, Copy)]
pub enum TapFrom<'a> {
    /// It is made.
    Nowhere,
    /// It is in this namespace, under the name that it will have; somebody holds its descriptors.
    Home(&'a Namespace),
}

/// Makes the tap `name` in the calling thread's namespace, with virtio-net headers and `queues` queues
/// (Documentation/networking/tuntap.rst). It lives as long as one of the descriptors.
pub(super) fn open(name: &str, queues: u32) -> io::Result<Vec<OwnedFd>> {
    let mut flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    if queues > 1 {
        flags |= libc::IFF_MULTI_QUEUE;
    }
    (0..queues).map(|_| attach(name, flags)).collect()
}

fn attach(name: &str, flags: libc::c_int) -> io::Result<OwnedFd> {
    let queue = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // IFF_VNET_HDR and IFF_MULTI_QUEUE do not clash with the sign bit of a short (include/uapi/linux/if_tun.h).
    request.ifr_ifru.ifru_flags = flags as libc::c_short;
    // SAFETY: the kernel reads and writes one ifreq, which outlives the call.
    let result = unsafe { libc::ioctl(queue.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(queue.into()) }
}
