//! Opening, connecting, binding and shutting down.
//!
//! Holds connect and its kin; accepting from the peer's own listening socket is the peer worker's, a trial's own listener is in `listen.rs`.
//! Units: none. Errors: none, `-errno` is what was seen.
//! Source: socket(2), connect(2), bind(2), shutdown(2), dup(2), vsock(7). Tests: `tests/loopback`.

use std::net::{Ipv4Addr, SocketAddr};

use rig_protocol::{Callee, Family, Shut, Slot, VsockAddress};

use super::around::{Around, Seen};
use super::listen::{address_of, in_family};
use crate::plan::StepPlan;
use crate::stage::Ends;
use crate::sys::errno::is_failure;
use crate::sys::files;
use crate::sys::socket::{self, KernelAddress};

/// How a socket is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Make {
    pub(super) nonblock: bool,
    /// The number that it shall have.
    pub(super) descriptor: Option<i32>,
}

/// socket(2), and dup3(2) to a number. The slot is filled as soon as there is a descriptor.
fn make(around: &Around<'_>, slot: Slot, like: &KernelAddress, make: Make) -> i64 {
    let opened = socket::open_with(like, if make.nonblock { libc::SOCK_NONBLOCK } else { 0 });
    let placed = match make.descriptor {
        Some(number) if !is_failure(opened) && i64::from(number) != opened => {
            let placed = files::place(opened as i32, number);
            files::close(opened as i32);
            placed
        }
        Some(_) | None => opened,
    };
    if !is_failure(placed) {
        if around.plan.needs.reuse {
            socket::reuse_address(placed as i32);
        }
        around.stage.fill(slot, placed as i32);
    }
    placed
}

/// socket(2).
pub(super) fn open(planned: &StepPlan, around: &Around<'_>, slot: Slot, how: Make) -> Seen {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let like = around.plan.address.unwrap_or_else(|| KernelAddress::of(any));
    around.timed(planned, || match make(around, slot, &like, how) {
        made if is_failure(made) => made,
        _ => 0,
    })
}

/// socket(2) and connect(2).
pub(super) fn connect(
    planned: &StepPlan,
    around: &Around<'_>,
    slot: Slot,
    (to, family): (Callee, Family),
    how: Make,
) -> Seen {
    if family == Family::Vsock {
        return connect_vsock(planned, around, slot, to, how);
    }
    let remote = address_of(around, to);
    let address = remote.map(|remote| in_family(remote, family));
    if around.plan.needs.ends {
        around.stage.remember(slot, Ends { local: None, remote });
    }
    let seen = around.timed(planned, || {
        let Some(address) = &address else { return -i64::from(libc::EDESTADDRREQ) };
        match make(around, slot, address, how) {
            made if is_failure(made) => made,
            fd => socket::connect(fd as i32, address),
        }
    });
    note(around, slot, remote);
    seen
}

/// socket(2) and connect(2) of a vsock stream. There is no port from which another could be computed, and no network with an absent host.
fn connect_vsock(planned: &StepPlan, around: &Around<'_>, slot: Slot, to: Callee, how: Make) -> Seen {
    let server = around.plan.address.and_then(|address| address.vsock());
    let callee = server.and_then(|server| match to {
        Callee::Server => Some(server),
        Callee::ClosedPort => Some(VsockAddress { port: VsockAddress::CLOSED_PORT, ..server }),
        Callee::Listener | Callee::AbsentHost => None,
    });
    let address = callee.map(KernelAddress::of_vsock);
    around.timed(planned, || {
        let Some(address) = &address else { return -i64::from(libc::EDESTADDRREQ) };
        match make(around, slot, address, how) {
            made if is_failure(made) => made,
            fd => socket::connect(fd as i32, address),
        }
    })
}

/// connect(2) on a socket that is there.
pub(super) fn connect_again(planned: &StepPlan, around: &Around<'_>, slot: Slot, to: Callee) -> Seen {
    let fd = around.stage.descriptor_of(slot);
    let remote = address_of(around, to);
    let mapped = socket::is_ipv6(fd);
    let family = if mapped { Family::Mapped } else { Family::Path };
    let address = remote.map(|remote| in_family(remote, family));
    let seen = around.timed(planned, || match &address {
        Some(address) => socket::connect(fd, address),
        None => -i64::from(libc::EDESTADDRREQ),
    });
    note(around, slot, remote);
    seen
}

/// The addresses of a connection, established or under way: one that has failed has no port any more.
fn note(around: &Around<'_>, slot: Slot, remote: Option<SocketAddr>) {
    let stage = around.stage;
    let local = socket::local_address(stage.descriptor_of(slot)).filter(|local| local.port() != 0);
    if let Some(local) = local {
        stage.note_port(local.port());
        let ends = Ends { local: Some(local.plain()), remote };
        stage.note_first(ends);
        if around.plan.needs.ends {
            stage.remember(slot, ends);
        }
    }
}

/// bind(2): to the address that the trial's first connection has at this end, or to every one where there was none.
pub(super) fn bind(planned: &StepPlan, around: &Around<'_>, slot: Slot, port: u16) -> Seen {
    let fd = around.stage.descriptor_of(slot);
    let own = around.stage.first().local.map_or(Ipv4Addr::UNSPECIFIED.into(), |local| local.ip());
    let family = if socket::is_ipv6(fd) { Family::Mapped } else { Family::Path };
    let address = in_family(SocketAddr::new(own, port), family);
    around.timed(planned, || socket::bind(fd, &address))
}

/// shutdown(2).
pub(super) fn shutdown(fd: i32, how: Shut) -> i64 {
    socket::shutdown(
        fd,
        match how {
            Shut::Read => libc::SHUT_RD,
            Shut::Write => libc::SHUT_WR,
            Shut::Both => libc::SHUT_RDWR,
        },
    )
}
