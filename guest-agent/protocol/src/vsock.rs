//! The address of a vsock stream's end, as it is written in an assignment: `vsock:CID:PORT`.
//!
//! Holds the address and its one text form. Must not know sockets or guests. Units: none.
//! Errors: none; a text of another form is `None`. Source: vsock(7), include/uapi/linux/vm_sockets.h. Tests: below.

use std::fmt;

/// A context (a kernel that has vsock) and a port in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VsockAddress {
    /// Which kernel.
    pub cid: u32,
    /// 32 bits wide, unlike TCP's.
    pub port: u32,
}

impl VsockAddress {
    /// `VMADDR_CID_LOCAL`: the own kernel, by `vsock_loopback`.
    pub const OWN_KERNEL: u32 = 1;
    /// `VMADDR_CID_HOST`: of a guest, the kernel that it is a guest of.
    pub const HOST: u32 = 2;
    /// The first that a guest can have.
    pub const FIRST_GUEST: u32 = 3;
    /// `VMADDR_PORT_ANY`: the kernel chooses.
    pub const ANY_PORT: u32 = u32::MAX;
    /// Nobody listens there: the highest that is a port, far from those that the kernel chooses.
    pub const CLOSED_PORT: u32 = u32::MAX - 1;

    /// From its text form.
    pub fn parse(text: &str) -> Option<Self> {
        let (cid, port) = text.strip_prefix("vsock:")?.split_once(':')?;
        Some(Self { cid: cid.parse().ok()?, port: port.parse().ok()? })
    }
}

impl fmt::Display for VsockAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vsock:{}:{}", self.cid, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_went_and_nothing_else_is_one() {
        for address in [
            VsockAddress { cid: VsockAddress::HOST, port: 8083 },
            VsockAddress { cid: u32::MAX, port: VsockAddress::ANY_PORT },
        ] {
            assert_eq!(VsockAddress::parse(&address.to_string()), Some(address));
        }
        for wrong in ["", "vsock:", "vsock:2", "vsock:2:", "vsock:-1:1", "2:8083", "vsock:2:4294967296"] {
            assert_eq!(VsockAddress::parse(wrong), None, "{wrong}");
        }
    }
}
