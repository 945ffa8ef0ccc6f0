//! Descriptors of another process: a socket of a program, looked at from outside.
//!
//! Holds the borrowing of one descriptor and what is asked about a socket; must not change it.
//! Units: none. Errors: none; what cannot be looked at is `None` (a process that was killed, a descriptor that is none).
//! Source: pidfd_open(2) (Linux 5.3), pidfd_getfd(2) (Linux 5.6), socket(7). Tests: `tests/program`.

use super::errno::check;
use super::files;
use super::raw::syscall;
use super::socket::{self, KernelAddress};

/// A descriptor of another process, as long as this value lives.
#[derive(Debug)]
pub(crate) struct Borrowed(i32);

impl Drop for Borrowed {
    fn drop(&mut self) {
        files::close(self.0);
    }
}

/// A descriptor that is readable when the process (not a thread) has ended.
pub(crate) fn open_process(pid: i32) -> Option<Borrowed> {
    // SAFETY: takes no pointer.
    check(unsafe { syscall(libc::SYS_pidfd_open, [pid as usize, 0, 0, 0, 0, 0]) })
        .ok()
        .map(|fd| Borrowed(fd as i32))
}

/// The descriptor `fd` of a process (not of a thread).
pub(crate) fn borrow(pid: i32, fd: i32) -> Option<Borrowed> {
    let process = open_process(pid)?;
    // SAFETY: takes no pointer.
    check(unsafe { syscall(libc::SYS_pidfd_getfd, [process.0 as usize, fd as usize, 0, 0, 0, 0]) })
        .ok()
        .map(|fd| Borrowed(fd as i32))
}

impl Borrowed {
    /// `tcpi_state`, where it is a TCP socket.
    pub(crate) fn tcp_state(&self) -> Option<u8> {
        u8::try_from(socket::tcp_state(self.0)).ok()
    }

    /// Its own address.
    pub(crate) fn local_address(&self) -> Option<KernelAddress> {
        socket::local_address(self.0)
    }

    /// Whether it is a socket that listens.
    pub(crate) fn listens(&self) -> bool {
        socket::accepts(self.0)
    }

    /// Whether it is a TCP socket.
    pub(crate) fn is_tcp(&self) -> bool {
        socket::protocol(self.0) == i64::from(libc::IPPROTO_TCP)
    }
}
