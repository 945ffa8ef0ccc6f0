//! Opening, connecting and shutting down.
//!
//! Holds connect and shutdown; accepting is the peer worker's, which has the listening socket.
//! Units: none. Errors: none, `-errno` is what was seen.
//! Source: socket(2), connect(2), shutdown(2). Tests: `tests/loopback`.

use rig_protocol::{Shut, Slot};

use crate::stage::Stage;
use crate::sys::errno::is_failure;
use crate::sys::socket::{self, KernelAddress};

/// socket(2) and a blocking connect(2). The slot is filled as soon as there is a descriptor, connected or not.
pub(super) fn connect(stage: &Stage, slot: Slot, to: Option<&KernelAddress>) -> i64 {
    let Some(to) = to else { return -i64::from(libc::EDESTADDRREQ) };
    let opened = socket::open(to);
    if is_failure(opened) {
        return opened;
    }
    let fd = opened as i32;
    stage.fill(slot, fd);
    socket::connect(fd, to)
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
