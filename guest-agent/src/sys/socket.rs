//! Stream sockets, TCP's and vsock's: making, connecting, accepting, options, bytes.
//!
//! Holds thin wrappers, one system call each; must not know slots, lanes or what a failure means.
//! Units: bytes, seconds where the kernel says so. Errors: none, `-errno` is returned.
//! Source: socket(2), connect(2), accept4(2), socket(7), tcp(7), vsock(7).
//! Tests: below, and `tests/loopback`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use rig_protocol::VsockAddress;

use super::raw::syscall;
use super::time::timeval;

/// A socket address as the kernel takes it: `sockaddr_in` or `sockaddr_in6`, in network byte order, or `sockaddr_vm`, in the machine's.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(crate) struct KernelAddress {
    bytes: [u8; 28],
    length: u32,
}

impl KernelAddress {
    /// The kernel's form of `address`.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let mut bytes = [0; 28];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, length) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, 16)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, 28)
            }
        };
        bytes[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        Self { bytes, length }
    }

    /// The kernel's form of a vsock address.
    pub(crate) fn of_vsock(address: VsockAddress) -> Self {
        let mut bytes = [0; 28];
        bytes[..2].copy_from_slice(&(libc::AF_VSOCK as u16).to_ne_bytes());
        bytes[4..8].copy_from_slice(&address.port.to_ne_bytes());
        bytes[8..12].copy_from_slice(&address.cid.to_ne_bytes());
        Self { bytes, length: 16 }
    }

    /// The vsock address that it is, if it is one.
    pub(crate) fn vsock(&self) -> Option<VsockAddress> {
        let word = |at: usize| u32::from_ne_bytes([0, 1, 2, 3].map(|next| self.bytes[at + next]));
        (self.family() == libc::AF_VSOCK).then(|| VsockAddress { cid: word(8), port: word(4) })
    }

    /// From what a program passes to connect(2); `None` where it is of another family, or too short.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let family = i32::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let length = match family {
            libc::AF_INET => 16,
            libc::AF_INET6 => 28,
            _ => return None,
        };
        let mut kept = [0; 28];
        kept[..length].copy_from_slice(bytes.get(..length)?);
        Some(Self { bytes: kept, length: length as u32 })
    }

    /// As the kernel takes it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length as usize]
    }

    /// Room for the kernel to write an address into.
    fn room() -> Self {
        Self { bytes: [0; 28], length: 28 }
    }

    fn family(&self) -> i32 {
        i32::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]))
    }

    /// TCP's port; 0 of a vsock address.
    pub(crate) fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    /// The address as people know it: an IPv4 one that is mapped into IPv6 is that IPv4 one.
    pub(crate) fn plain(&self) -> SocketAddr {
        let address = self.address();
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    /// The whole address; anything but IPv6 reads as IPv4, the only other family that is ever asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        let quad = |at: usize| [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]];
        if self.family() == libc::AF_INET6 {
            let mut octets = [0; 16];
            octets.copy_from_slice(&self.bytes[8..24]);
            let flow = u32::from_be_bytes(quad(4));
            let scope = u32::from_ne_bytes(quad(24));
            return SocketAddrV6::new(Ipv6Addr::from(octets), self.port(), flow, scope).into();
        }
        SocketAddr::new(IpAddr::V4(Ipv4Addr::from(quad(4))), self.port())
    }
}

impl fmt::Display for KernelAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vsock() {
            Some(address) => address.fmt(f),
            None => self.address().fmt(f),
        }
    }
}

/// socket(2): a close-on-exec stream socket of the family of `like`.
pub(crate) fn open(like: &KernelAddress) -> i64 {
    open_with(like, 0)
}

/// [`open`], with more flags: `SOCK_NONBLOCK`.
pub(crate) fn open_with(like: &KernelAddress, flags: i32) -> i64 {
    let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC | flags) as usize;
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_socket, [like.family() as usize, kind, 0, 0, 0, 0]) }
}

/// connect(2).
pub(crate) fn connect(fd: i32, to: &KernelAddress) -> i64 {
    let address = to.bytes.as_ptr() as usize;
    // SAFETY: the address is `length` bytes long and only read.
    unsafe { syscall(libc::SYS_connect, [fd as usize, address, to.length as usize, 0, 0, 0]) }
}

/// bind(2).
pub(crate) fn bind(fd: i32, to: &KernelAddress) -> i64 {
    let address = to.bytes.as_ptr() as usize;
    // SAFETY: as in `connect`.
    unsafe { syscall(libc::SYS_bind, [fd as usize, address, to.length as usize, 0, 0, 0]) }
}

/// listen(2).
pub(crate) fn listen(fd: i32, backlog: i32) -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_listen, [fd as usize, backlog as usize, 0, 0, 0, 0]) }
}

/// accept4(2), blocking, close-on-exec; and who connected.
pub(crate) fn accept(listener: i32) -> (i64, KernelAddress) {
    let mut from = KernelAddress::room();
    let address = from.bytes.as_mut_ptr() as usize;
    let length = &raw mut from.length as usize;
    let flags = libc::SOCK_CLOEXEC as usize;
    // SAFETY: the kernel writes at most `length` bytes of address and the length itself, both ours.
    let returned = unsafe { syscall(libc::SYS_accept4, [listener as usize, address, length, flags, 0, 0]) };
    (returned, from)
}

/// getsockname(2).
pub(crate) fn local_address(fd: i32) -> Option<KernelAddress> {
    let mut room = KernelAddress::room();
    let address = room.bytes.as_mut_ptr() as usize;
    let length = &raw mut room.length as usize;
    // SAFETY: as in `accept`.
    let returned = unsafe { syscall(libc::SYS_getsockname, [fd as usize, address, length, 0, 0, 0]) };
    (returned == 0).then_some(room)
}

/// shutdown(2); `how` is `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
pub(crate) fn shutdown(fd: i32, how: i32) -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_shutdown, [fd as usize, how as usize, 0, 0, 0, 0]) }
}

/// setsockopt(2).
pub(super) fn set_option<T>(fd: i32, level: i32, name: i32, value: &[T]) -> i64 {
    let place = value.as_ptr() as usize;
    let bytes = size_of_val(value);
    // SAFETY: the value is `bytes` long and only read.
    unsafe { syscall(libc::SYS_setsockopt, [fd as usize, level as usize, name as usize, place, bytes, 0]) }
}

/// getsockopt(2).
pub(super) fn read_option<T>(fd: i32, level: i32, name: i32, value: &mut T) -> i64 {
    let mut bytes = size_of::<T>() as libc::socklen_t;
    let place = std::ptr::from_mut(value) as usize;
    let length = &raw mut bytes as usize;
    // SAFETY: the kernel writes at most `bytes` bytes to `value`; callers use plain integers, valid for every bit pattern.
    unsafe { syscall(libc::SYS_getsockopt, [fd as usize, level as usize, name as usize, place, length, 0]) }
}

/// `SO_REUSEADDR`.
pub(crate) fn reuse_address(fd: i32) -> i64 {
    set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &[1])
}

/// `SO_LINGER {1, seconds}`.
pub(crate) fn linger(fd: i32, seconds: u16) -> i64 {
    set_option(fd, libc::SOL_SOCKET, libc::SO_LINGER, &[1, i32::from(seconds)])
}

/// `TCP_CORK`.
pub(crate) fn cork(fd: i32) -> i64 {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_CORK, &[1])
}

/// `TCP_NODELAY`.
pub(crate) fn nodelay(fd: i32) -> i64 {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, &[1])
}

/// `SO_RCVTIMEO`; 0 is for ever.
pub(crate) fn receive_timeout(fd: i32, length: Duration) -> i64 {
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &[timeval(length)])
}

/// `SO_ERROR`: the pending errno, which this clears, or `-errno` of the call.
pub(crate) fn take_error(fd: i32) -> i64 {
    let mut pending: i32 = 0;
    let returned = read_option(fd, libc::SOL_SOCKET, libc::SO_ERROR, &mut pending);
    if returned == 0 { i64::from(pending) } else { returned }
}

/// `tcpi_state`, the first byte of `TCP_INFO` (include/uapi/linux/tcp.h), or `-errno`.
#[inline]
pub(crate) fn tcp_state(fd: i32) -> i64 {
    let mut head: u64 = 0;
    let returned = read_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut head);
    if returned == 0 { i64::from(head.to_ne_bytes()[0]) } else { returned }
}

/// `SO_ACCEPTCONN`: whether it listens.
pub(crate) fn accepts(fd: i32) -> bool {
    let mut listens: i32 = 0;
    read_option(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, &mut listens) == 0 && listens != 0
}

/// `SO_DOMAIN`: whether it is an IPv6 socket.
pub(crate) fn is_ipv6(fd: i32) -> bool {
    let mut domain: i32 = 0;
    read_option(fd, libc::SOL_SOCKET, libc::SO_DOMAIN, &mut domain) == 0 && domain == libc::AF_INET6
}

/// `SO_PROTOCOL`, or `-errno`.
pub(crate) fn protocol(fd: i32) -> i64 {
    let mut protocol: i32 = 0;
    let returned = read_option(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, &mut protocol);
    if returned == 0 { i64::from(protocol) } else { returned }
}

/// read(2).
pub(crate) fn read(fd: i32, buffer: &mut [u8]) -> i64 {
    let place = buffer.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most the buffer's length.
    unsafe { syscall(libc::SYS_read, [fd as usize, place, buffer.len(), 0, 0, 0]) }
}

/// send(2) with `MSG_NOSIGNAL`.
pub(crate) fn send(fd: i32, data: &[u8]) -> i64 {
    send_with(fd, data, libc::MSG_NOSIGNAL)
}

/// send(2).
pub(crate) fn send_with(fd: i32, data: &[u8], flags: i32) -> i64 {
    let place = data.as_ptr() as usize;
    // SAFETY: the data is only read; no address is given.
    unsafe { syscall(libc::SYS_sendto, [fd as usize, place, data.len(), flags as usize, 0, 0]) }
}

/// recv(2).
pub(crate) fn receive(fd: i32, buffer: &mut [u8], flags: i32) -> i64 {
    let place = buffer.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most the buffer's length; no address is asked for.
    unsafe { syscall(libc::SYS_recvfrom, [fd as usize, place, buffer.len(), flags as usize, 0, 0]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["192.0.2.7:65535", "[2001:db8::7]:80", "[fe80::1%3]:1"] {
            let address: SocketAddr = text.parse().expect(text);
            assert_eq!(KernelAddress::of(address).address(), address);
            assert_eq!(KernelAddress::of(address).to_string(), text);
            assert_eq!(KernelAddress::of(address).vsock(), None);
        }
    }

    #[test]
    fn a_vsock_address_comes_back_and_has_no_port_of_tcp() {
        let address = VsockAddress { cid: 2, port: 0x1_0001 };
        let kernels = KernelAddress::of_vsock(address);
        assert_eq!((kernels.vsock(), kernels.port()), (Some(address), 0));
        assert_eq!(
            (kernels.to_string().as_str(), kernels.bytes().len()),
            ("vsock:2:65537", size_of::<libc::sockaddr_vm>())
        );
    }
}
