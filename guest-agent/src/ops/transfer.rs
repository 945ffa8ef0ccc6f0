//! Moving bytes with flags, from a file, into a pipe.
//!
//! Holds what is more than one call; must not label what came.
//! Units: bytes. Errors: none, `-errno` is what was seen.
//! Source: send(2), recv(2), sendfile(2), splice(2). Tests: `tests/loopback`.

use rig_protocol::{ReceiveFlag, SendFlag};

use super::around::{Around, Seen};
use crate::plan::StepPlan;
use crate::sys::{filler, socket, transfer};

/// recv(2).
pub(super) fn receive(
    planned: &StepPlan,
    around: &Around<'_>,
    fd: i32,
    buffer: &mut [u8],
    flags: &[ReceiveFlag],
) -> Seen {
    let bit = |flag: &ReceiveFlag| match flag {
        ReceiveFlag::Peek => libc::MSG_PEEK,
        ReceiveFlag::WaitAll => libc::MSG_WAITALL,
        ReceiveFlag::DontWait => libc::MSG_DONTWAIT,
        ReceiveFlag::Urgent => libc::MSG_OOB,
    };
    let flags = flags.iter().map(bit).fold(0, |all, bit| all | bit);
    around.timed(planned, || socket::receive(fd, buffer, flags))
}

/// send(2): these bytes, or so many of no meaning.
pub(super) fn send(
    planned: &StepPlan,
    around: &Around<'_>,
    fd: i32,
    (data, bytes): (Option<&str>, Option<u32>),
    flags: &[SendFlag],
) -> Seen {
    let payload = match data {
        Some(data) => Ok(data.as_bytes()),
        None => filler::bytes(bytes.unwrap_or_default()),
    };
    let bit = |flag: &SendFlag| match flag {
        SendFlag::DontWait => libc::MSG_DONTWAIT,
        SendFlag::Urgent => libc::MSG_OOB,
        SendFlag::More => libc::MSG_MORE,
        SendFlag::Signal => 0,
    };
    let quiet = if flags.contains(&SendFlag::Signal) { 0 } else { libc::MSG_NOSIGNAL };
    let flags = flags.iter().map(bit).fold(quiet, |all, bit| all | bit);
    around.timed(planned, || match payload {
        Ok(payload) => socket::send_with(fd, payload, flags),
        Err(errno) => -i64::from(errno.0),
    })
}

/// sendfile(2) from a new file in memory: the lane's table has nothing else in it, so that the numbers of a script are those of a program.
pub(super) fn sendfile(planned: &StepPlan, around: &Around<'_>, fd: i32, bytes: u32) -> Seen {
    let file = transfer::file_of(bytes, fd);
    around.timed(planned, || match &file {
        Ok(file) => transfer::sendfile(fd, file, bytes),
        Err(errno) => -i64::from(errno.0),
    })
}

/// splice(2) into a new pipe, which goes away with what is in it.
pub(super) fn splice(planned: &StepPlan, around: &Around<'_>, fd: i32, bytes: u32) -> Seen {
    let pipe = transfer::Pipe::for_bytes(fd);
    around.timed(planned, || match &pipe {
        Ok(pipe) => transfer::splice(fd, pipe, bytes),
        Err(errno) => -i64::from(errno.0),
    })
}
