//! The listening socket that belongs to one trial, and whom a connect calls.
//!
//! Holds the rule by which both ends know the listener's port without a word: it follows from the port of the trial's first connection, which the
//! client reads from its socket and the peer from its accept. Must not count or judge.
//! Units: ports. Errors: none, `-errno` is what was seen; `EDESTADDRREQ` where a callee has no address, which makes a trial void.
//! Source: RFC 6335 (ranges of ports), socket(7) `SO_REUSEADDR`. Tests: below, and `tests/loopback`.

use std::net::{IpAddr, SocketAddr};

use rig_protocol::{Callee, Family, Slot};

use super::around::{Around, Seen};
use crate::plan::StepPlan;
use crate::stage::Ends;
use crate::sys::errno::{check, is_failure};
use crate::sys::files;
use crate::sys::socket::{self, KernelAddress};

/// The first port that needs no privilege.
const FIRST: u32 = 1024;
/// So many ports there are from there on.
const PORTS: u32 = 65_536 - FIRST;

/// Where the peer's agent listens, and where a load balancer asks for its health.
const TAKEN: [u16; 2] = [8083, 8084];

/// Nobody listens there: tcpmux, which no system has had for decades (RFC 7805 made it historic).
const CLOSED: u16 = 1;

/// The port of a trial's listener, from the port of its first connection.
///
/// Half the circle of all ports away. So two trials never have the same one, and it is outside of Linux's usual range of ephemeral ports
/// (32768 to 60999). Where that range is larger, as in a testbed (1024 to 65535), it can be the port of another trial's connection: then
/// `SO_REUSEADDR` of both lets the bind succeed, and no connect takes the port of a bound socket.
/// Instead of the two ports that are taken, a trial has its own connection's, which it can have in the same way; and a trial whose connection has
/// one of those two has one below 1024.
pub(super) fn listener_port(connection: u16) -> u16 {
    let place = u32::from(connection);
    if place < FIRST {
        return connection;
    }
    if let Some(which) = TAKEN.iter().position(|taken| *taken == connection) {
        return 1023 - which as u16;
    }
    let port = (FIRST + (place - FIRST + PORTS / 2) % PORTS) as u16;
    if TAKEN.contains(&port) { connection } else { port }
}

/// The address that a step calls; none where it cannot be known, or where there is none.
pub(super) fn address_of(around: &Around<'_>, to: Callee) -> Option<SocketAddr> {
    let server = || around.plan.address.as_ref().map(KernelAddress::plain);
    if to == Callee::Server {
        return server();
    }
    let stage = around.stage;
    // The target knows it before there is a connection.
    let other = if around.plan.calls_the_server() { server()?.ip() } else { stage.other_end()? };
    match to {
        Callee::Server => server(),
        Callee::Listener => {
            let port = stage.port();
            (port != 0).then(|| SocketAddr::new(other, listener_port(port)))
        }
        Callee::ClosedPort => Some(SocketAddr::new(other, CLOSED)),
        Callee::AbsentHost => absent(other).map(|ip| SocketAddr::new(ip, TAKEN[0])),
    }
}

/// The last host of the other end's network: rig gives its ends the first ones. On the loopback network every address is the own one.
fn absent(other: IpAddr) -> Option<IpAddr> {
    match other {
        _ if other.is_loopback() => None,
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(IpAddr::from([a, b, c, 254]))
        }
        IpAddr::V6(ip) => {
            let mut segments = ip.segments();
            segments[7] = 0xfffe;
            Some(IpAddr::from(segments))
        }
    }
}

/// As the socket's family needs it.
pub(super) fn in_family(address: SocketAddr, family: Family) -> KernelAddress {
    let ip = match (family, address.ip()) {
        (Family::Mapped, IpAddr::V4(ip)) => IpAddr::V6(ip.to_ipv6_mapped()),
        (Family::Mapped | Family::Path | Family::Vsock, ip) => ip,
    };
    KernelAddress::of(SocketAddr::new(ip, address.port()))
}

/// socket(2), bind(2), listen(2).
pub(super) fn listen(planned: &StepPlan, around: &Around<'_>, slot: Slot, backlog: u32) -> Seen {
    let stage = around.stage;
    let port = stage.port();
    let own = stage.first().local.filter(|_| port != 0);
    let local = own.map(|own| SocketAddr::new(own.ip(), listener_port(port)));
    let address = local.map(KernelAddress::of);
    let seen = around.timed(planned, || {
        let Some(address) = &address else { return -i64::from(libc::EDESTADDRREQ) };
        let opened = socket::open(address);
        if is_failure(opened) {
            return opened;
        }
        let fd = opened as i32;
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let listening = check(socket::reuse_address(fd))
            .and_then(|_| check(socket::bind(fd, address)))
            .and_then(|_| check(socket::listen(fd, backlog)));
        match listening {
            Ok(_) => {
                stage.fill(slot, fd);
                0
            }
            Err(errno) => {
                files::close(fd);
                -i64::from(errno.0)
            }
        }
    });
    stage.remember(slot, Ends { local, remote: None });
    seen
}

/// accept4(2) from such a socket.
pub(super) fn accept_from(
    planned: &StepPlan,
    around: &Around<'_>,
    [slot, listener]: [Slot; 2],
    nonblock: bool,
) -> Seen {
    let stage = around.stage;
    let fd = stage.descriptor_of(listener);
    // A flag of the listening socket; accept4's own is the new socket's.
    let flags = if nonblock { files::status_flags(fd) } else { -1 };
    if flags >= 0 {
        files::set_status_flags(fd, flags | i64::from(libc::O_NONBLOCK));
    }
    let mut from = None;
    let seen = around.timed(planned, || {
        let (accepted, who) = socket::accept(fd);
        if !is_failure(accepted) {
            stage.fill(slot, accepted as i32);
            from = Some(who);
        }
        accepted
    });
    if flags >= 0 {
        files::set_status_flags(fd, flags);
    }
    if let Some(from) = from {
        let local = socket::local_address(seen.returned as i32).map(|local| local.plain());
        stage.remember(slot, Ends { local, remote: Some(from.plain()) });
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_trial_has_a_port_of_its_own_that_nobody_else_has() {
        let all: BTreeSet<u16> = (1024..=u16::MAX).map(listener_port).collect();
        assert_eq!(all.len(), PORTS as usize);
        assert!(TAKEN.iter().all(|taken| !all.contains(taken)) && !all.contains(&CLOSED));
        let usual = 32_768..=60_999;
        let inside: Vec<u16> = usual.clone().filter(|port| usual.contains(&listener_port(*port))).collect();
        // Those that would be led to the two that are taken.
        assert_eq!(inside, [40_339, 40_340]);
        assert_eq!([33_280, 60_999, 8_083].map(listener_port), [1_024, 28_743, 1_023]);
    }

    #[test]
    fn the_absent_host_is_the_last_of_its_network_and_the_loopback_network_has_none() {
        let absent = |text: &str| absent(text.parse().expect(text)).map(|ip| ip.to_string());
        assert_eq!(absent("192.0.2.1").as_deref(), Some("192.0.2.254"));
        assert_eq!(absent("2001:db8::1").as_deref(), Some("2001:db8::fffe"));
        assert_eq!([absent("127.0.0.1"), absent("::1")], [None, None]);
    }

    #[test]
    fn an_address_is_mapped_where_the_socket_is_of_the_other_family() {
        let address: SocketAddr = "192.0.2.1:80".parse().expect("an address");
        assert_eq!(in_family(address, Family::Mapped).address().to_string(), "[::ffff:192.0.2.1]:80");
        assert_eq!(in_family(address, Family::Path).address(), address);
        assert_eq!(in_family(address, Family::Mapped).plain(), address);
    }
}
