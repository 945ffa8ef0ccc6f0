//! The system calls that a witness watches: one row each.
//!
//! Everything that makes, names, waits for, moves data over or ends a socket, starts or replaces a process, and what commonly leaves an errno
//! behind (opening and asking for files, sleeping). Numbers are those of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
//! Must not know registers or memory of a program. Units: none. Errors: none. Tests: below.

use crate::{Labels, Observed};

/// Which way data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    In,
    /// From it.
    Out,
}

/// What a call is to a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// Makes a socket, or names one: socket(2), bind(2), listen(2), options and names.
    Socket,
    /// connect(2).
    Connects,
    /// accept(2), accept4(2).
    Accepts,
    /// Waits for readiness: select(2) and its neighbours.
    Waits,
    /// Sets up what is waited for: epoll_create(2), epoll_ctl(2).
    Interest,
    /// Moves data over a descriptor.
    Moves(Direction),
    /// Ends or copies a descriptor.
    Descriptor,
    /// Asks for a file: of interest only where it fails.
    File,
    /// Starts or replaces a process.
    Process,
    /// Sleeps.
    Sleeps,
    /// What happens behind it cannot be seen by its witness.
    Hides,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct WatchedCall {
    /// As the kernel and strace call it.
    pub name: &'static str,
    /// On x86-64.
    pub number: u32,
    /// What it is.
    pub kind: CallKind,
    /// The words for its success.
    pub labels: Labels,
    /// Which argument is the descriptor that it is about, from 0.
    pub descriptor: Option<u8>,
}

impl WatchedCall {
    /// Writes the label of what it returned, in the words of a scenario's steps; `payload` is how many bytes it was asked to send.
    pub fn write_label(&self, out: &mut String, seen: &Observed, payload: Option<u64>) {
        self.labels.write(out, seen, payload, false);
    }
}

const fn row(name: &'static str, number: u32, kind: CallKind, labels: Labels, descriptor: i8) -> WatchedCall {
    let descriptor = if descriptor < 0 { None } else { Some(descriptor as u8) };
    WatchedCall { name, number, kind, labels, descriptor }
}

const OK: Labels = Labels::OK;
const IN: CallKind = CallKind::Moves(Direction::In);
const OUT: CallKind = CallKind::Moves(Direction::Out);

/// In the order of the numbers.
const CALLS: &[WatchedCall] = &[
    row("read", 0, IN, Labels::BYTES, 0),
    row("write", 1, OUT, Labels::SENT, 0),
    row("open", 2, CallKind::File, OK, -1),
    row("close", 3, CallKind::Descriptor, OK, 0),
    row("stat", 4, CallKind::File, OK, -1),
    row("poll", 7, CallKind::Waits, Labels::POLL, -1),
    row("ioctl", 16, CallKind::Socket, OK, 0),
    row("readv", 19, IN, Labels::BYTES, 0),
    row("writev", 20, OUT, Labels::SENT, 0),
    row("access", 21, CallKind::File, OK, -1),
    row("select", 23, CallKind::Waits, Labels::READINESS, -1),
    row("dup", 32, CallKind::Descriptor, OK, 0),
    row("dup2", 33, CallKind::Descriptor, OK, 0),
    row("nanosleep", 35, CallKind::Sleeps, OK, -1),
    row("sendfile", 40, OUT, Labels::SENT, 0),
    row("socket", 41, CallKind::Socket, OK, -1),
    row("connect", 42, CallKind::Connects, OK, 0),
    row("accept", 43, CallKind::Accepts, OK, 0),
    row("sendto", 44, OUT, Labels::SENT, 0),
    row("recvfrom", 45, IN, Labels::BYTES, 0),
    row("sendmsg", 46, OUT, Labels::SENT, 0),
    row("recvmsg", 47, IN, Labels::BYTES, 0),
    row("shutdown", 48, CallKind::Descriptor, OK, 0),
    row("bind", 49, CallKind::Socket, OK, 0),
    row("listen", 50, CallKind::Socket, OK, 0),
    row("getsockname", 51, CallKind::Socket, OK, 0),
    row("getpeername", 52, CallKind::Socket, OK, 0),
    row("socketpair", 53, CallKind::Socket, OK, -1),
    row("setsockopt", 54, CallKind::Socket, OK, 0),
    row("getsockopt", 55, CallKind::Socket, OK, 0),
    row("clone", 56, CallKind::Process, OK, -1),
    row("fork", 57, CallKind::Process, OK, -1),
    row("vfork", 58, CallKind::Process, OK, -1),
    row("execve", 59, CallKind::Process, OK, -1),
    row("fcntl", 72, CallKind::Descriptor, OK, 0),
    row("epoll_create", 213, CallKind::Interest, OK, -1),
    row("clock_nanosleep", 230, CallKind::Sleeps, OK, -1),
    row("epoll_wait", 232, CallKind::Waits, Labels::POLL, 0),
    row("epoll_ctl", 233, CallKind::Interest, OK, 0),
    row("openat", 257, CallKind::File, OK, -1),
    row("newfstatat", 262, CallKind::File, OK, -1),
    row("pselect6", 270, CallKind::Waits, Labels::READINESS, -1),
    row("ppoll", 271, CallKind::Waits, Labels::POLL, -1),
    row("splice", 275, OUT, Labels::SENT, 0),
    row("epoll_pwait", 281, CallKind::Waits, Labels::POLL, 0),
    row("accept4", 288, CallKind::Accepts, OK, 0),
    row("epoll_create1", 291, CallKind::Interest, OK, -1),
    row("dup3", 292, CallKind::Descriptor, OK, 0),
    row("recvmmsg", 299, IN, Labels::BYTES, 0),
    row("sendmmsg", 307, OUT, Labels::SENT, 0),
    row("io_uring_setup", 425, CallKind::Hides, OK, -1),
    row("clone3", 435, CallKind::Process, OK, -1),
    row("close_range", 436, CallKind::Descriptor, OK, -1),
    row("epoll_pwait2", 441, CallKind::Waits, Labels::POLL, 0),
];

/// All of them, by number.
pub fn watched_calls() -> &'static [WatchedCall] {
    CALLS
}

/// The row of a name.
pub fn watched_call(name: &str) -> Option<&'static WatchedCall> {
    CALLS.iter().find(|call| call.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_their_numbers_and_no_name_is_twice_there() {
        assert!(CALLS.is_sorted_by(|a, b| a.number < b.number));
        for call in CALLS {
            assert_eq!(watched_call(call.name).map(|row| row.number), Some(call.number));
        }
    }
}
