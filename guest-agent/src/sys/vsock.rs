//! What a kernel says of its own place among those that have vsock.
//!
//! Holds one ioctl; must not connect anywhere. Units: none. Errors: none; what the kernel refuses is `None`.
//! Source: vsock(7), include/uapi/linux/vm_sockets.h. Tests: below.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::raw::syscall;

/// `IOCTL_VM_SOCKETS_GET_LOCAL_CID`, `_IO(7, 0xb9)`.
const GET_LOCAL_CID: usize = 0x7b9;

/// The CID of this kernel's vsock device; `None` where no driver has one.
pub(crate) fn local_cid() -> Option<u32> {
    // Reading suffices for this ioctl; only a device whose driver is loaded has the file.
    cid_of(&File::open("/dev/vsock").ok()?)
}

fn cid_of(device: &File) -> Option<u32> {
    let mut cid = libc::VMADDR_CID_ANY;
    let place = std::ptr::from_mut(&mut cid) as usize;
    // SAFETY: the kernel writes the four bytes of `cid`, or nothing.
    let said =
        unsafe { syscall(libc::SYS_ioctl, [device.as_raw_fd() as usize, GET_LOCAL_CID, place, 0, 0, 0]) };
    // VMADDR_CID_ANY: there is no transport to a host (af_vsock.c, vsock_dev_do_ioctl).
    (said == 0 && cid != libc::VMADDR_CID_ANY).then_some(cid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_vsock_device_has_no_cid() {
        assert_eq!(cid_of(&File::open("/dev/null").expect("everywhere")), None);
    }
}
