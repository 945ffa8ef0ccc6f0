//! The kernel's list of TCP sockets, through netlink.
//!
//! Holds one request and its answer; must not know slots.
//! Units: bytes, or connections of a listening socket. Errors: an errno; a socket that the kernel does not list is `None`.
//! Source: sock_diag(7), netlink(7), include/uapi/linux/inet_diag.h, net/ipv4/inet_diag.c. Tests: below, and `tests/loopback`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use rig_protocol::{Errno, Queue};

use super::errno::check;
use super::files;
use super::raw::syscall;
use super::socket::{self, KernelAddress};

/// What is listed of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// As in `TCP_INFO`.
    pub(crate) state: u8,
    /// 0 off, 1 retransmit, 2 keepalive, 3 time-wait, 4 persist.
    pub(crate) timer: u8,
    /// How often that timer has fired.
    pub(crate) retries: u8,
    /// Bytes to be read, or connections to be accepted.
    pub(crate) receive: u32,
    /// Bytes that are not acknowledged, or the backlog.
    pub(crate) send: u32,
}

impl Listed {
    /// One of the two queues.
    pub(crate) fn queue(&self, which: Queue) -> u32 {
        match which {
            Queue::Receive => self.receive,
            Queue::Send => self.send,
        }
    }
}

/// Addresses of a socket: its own, and the other end's, which a listening one has not.
pub(crate) type Pair = (SocketAddr, Option<SocketAddr>);

const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req_v2`.
const REQUEST: usize = HEADER + 56;

/// What is listed of the socket with these addresses.
pub(crate) fn find(pair: Pair) -> Result<Option<Listed>, Errno> {
    match ask(BY_FAMILY, 0, pair) {
        Ok(listed) => Ok(listed),
        // The same errno where the kernel has no such list at all.
        Err(Errno::ENOENT) if works()? => Ok(None),
        Err(Errno::ENOENT) => Err(Errno(libc::EPROTONOSUPPORT)),
        Err(errno) => Err(errno),
    }
}

/// `SOCK_DESTROY`: 0 or `-errno`.
pub(crate) fn destroy(pair: Pair) -> i64 {
    match ask(DESTROY, libc::NLM_F_ACK as u16, pair) {
        Ok(_) => 0,
        Err(errno) => -i64::from(errno.0),
    }
}

/// Whether the list has a socket that is surely there.
fn works() -> Result<bool, Errno> {
    static WORKS: OnceLock<Result<bool, Errno>> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let any = KernelAddress::of(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        let fd = check(socket::open(&any))? as i32;
        let listed = check(socket::listen(fd, 1)).and_then(|_| {
            let local = socket::local_address(fd).ok_or(Errno(libc::EBADF))?;
            match ask(BY_FAMILY, 0, (local.address(), None)) {
                Err(Errno::ENOENT) => Ok(false),
                answer => answer.map(|listed| listed.is_some()),
            }
        });
        files::close(fd);
        listed
    })
}

/// One request and its answer.
fn ask(kind: u16, flags: u16, pair: Pair) -> Result<Option<Listed>, Errno> {
    let request = request(kind, flags, pair);
    let kinds = (libc::SOCK_RAW | libc::SOCK_CLOEXEC) as usize;
    let protocol = libc::NETLINK_SOCK_DIAG as usize;
    // SAFETY: takes no pointer.
    let made = unsafe { syscall(libc::SYS_socket, [libc::AF_NETLINK as usize, kinds, protocol, 0, 0, 0]) };
    let fd = check(made)? as i32;
    let mut answer = [0; 1024];
    let told = check(socket::send_with(fd, &request, 0)).and_then(|_| check(socket::read(fd, &mut answer)));
    files::close(fd);
    read(&answer[..told? as usize], pair)
}

fn request(kind: u16, flags: u16, (local, remote): Pair) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &(REQUEST as u32).to_ne_bytes());
    put(4, &kind.to_ne_bytes());
    put(6, &(libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
    let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    put(HEADER, &[family as u8, libc::IPPROTO_TCP as u8]);
    // Every state.
    put(HEADER + 4, &u32::MAX.to_ne_bytes());
    let id = HEADER + 8;
    let mut end = |at_port: usize, at: usize, address: SocketAddr| {
        put(at_port, &address.port().to_be_bytes());
        match address.ip() {
            IpAddr::V4(ip) => put(at, &ip.octets()),
            IpAddr::V6(ip) => put(at, &ip.octets()),
        }
    };
    end(id, id + 4, local);
    if let Some(remote) = remote {
        end(id + 2, id + 20, remote);
    }
    // No interface; INET_DIAG_NOCOOKIE.
    put(id + 40, &[0xff; 8]);
    bytes
}

/// The kernel looks for a listening socket where there is no connection with these addresses: what it answers must have both ports.
fn read(answer: &[u8], (local, remote): Pair) -> Result<Option<Listed>, Errno> {
    let short = Errno(libc::EPROTO);
    let word = |at: usize| {
        answer.get(at..at + 4).and_then(|part| part.first_chunk()).map(|part| u32::from_ne_bytes(*part))
    };
    let port = |at: usize| {
        answer.get(at..at + 2).and_then(|part| part.first_chunk()).map(|part| u16::from_be_bytes(*part))
    };
    let kind = answer.get(4..6).and_then(|part| part.first_chunk()).map(|part| u16::from_ne_bytes(*part));
    if kind.ok_or(short)? == ERROR {
        return match word(HEADER).ok_or(short)? as i32 {
            0 => Ok(None),
            errno => Err(Errno(-errno)),
        };
    }
    let id = HEADER + 4;
    let ports = (port(id).ok_or(short)?, port(id + 2).ok_or(short)?);
    if ports != (local.port(), remote.map_or(0, |remote| remote.port())) {
        return Ok(None);
    }
    let queues = id + 52;
    Ok(Some(Listed {
        state: answer[HEADER + 1],
        timer: answer[HEADER + 2],
        retries: answer[HEADER + 3],
        receive: word(queues).ok_or(short)?,
        send: word(queues + 4).ok_or(short)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_listed_with_its_backlog_and_another_port_is_not() {
        let any = KernelAddress::of(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let fd = check(socket::open(&any)).expect("a socket") as i32;
        assert_eq!([socket::bind(fd, &any), socket::listen(fd, 7)], [0, 0]);
        let local = socket::local_address(fd).expect("bound").address();
        let listed = find((local, None)).expect("the kernel has inet_diag");
        let empty = Listed { state: 10, timer: 0, retries: 0, receive: 0, send: 7 };
        assert_eq!(listed, Some(empty));
        // With a remote end it is a connection, which the listening socket is not.
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        assert_eq!(find((local, Some(remote))), Ok(None));
        assert_eq!(find((remote, None)), Ok(None));
        files::close(fd);
        assert_eq!(find((local, None)), Ok(None));
    }
}
