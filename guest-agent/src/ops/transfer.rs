//! Bytes in and out.
//!
//! Holds read, send and the count of what is pending; a short read is data like any other.
//! Units: bytes. Errors: none, `-errno` is what was seen.
//! Source: read(2), send(2), tcp(7) SIOCINQ. Tests: `tests/loopback.rs`.

use crate::sys::{files, socket};

/// read(2), once.
pub(super) fn read(fd: i32, buffer: &mut [u8]) -> i64 {
    socket::read(fd, buffer)
}

/// send(2) with `MSG_NOSIGNAL`, once.
pub(super) fn write(fd: i32, data: &str) -> i64 {
    socket::send(fd, data.as_bytes())
}

/// Bytes that could still be read.
pub(super) fn pending(fd: i32) -> i64 {
    files::pending_bytes(fd)
}
