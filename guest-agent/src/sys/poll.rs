//! The three doors of poll(2).
//!
//! Holds the calls and their list of descriptors; must not know slots, labels or what a bit means.
//! Units: a duration. Errors: none, the return value is the kernel's `-errno`; through libc it is rebuilt from errno.
//! Source: poll(2), fs/select.c. Tests: `tests/loopback/poll.rs`.

use std::time::Duration;

use super::errno;
use super::raw::syscall;
use super::time::{milliseconds, timespec};

/// The descriptors of one call, and afterwards what was found of each.
#[derive(Debug, Default)]
pub(crate) struct Polled(Vec<libc::pollfd>);

impl Polled {
    /// Takes these descriptors, all with the same bits asked for; a negative one is skipped by the kernel, as poll(2) says.
    pub(crate) fn fill(&mut self, fds: impl Iterator<Item = i32>, events: i16) {
        self.0.clear();
        self.0.extend(fds.map(|fd| libc::pollfd { fd, events, revents: 0 }));
    }

    /// The bits that were found, of all descriptors together.
    pub(crate) fn found(&self) -> u32 {
        self.0.iter().fold(0, |all, polled| all | u32::from(polled.revents as u16))
    }

    /// The system call `poll`, number 7: whole milliseconds, rounded up.
    #[inline(always)]
    pub(crate) fn poll(&mut self, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr() as usize, self.0.len());
        let timeout = milliseconds(timeout) as usize;
        // SAFETY: the kernel reads and writes `count` structures of ours.
        unsafe { syscall(libc::SYS_poll, [place, count, timeout, 0, 0, 0]) }
    }

    /// The system call `ppoll`, number 271, with no signal mask.
    #[inline(always)]
    pub(crate) fn ppoll(&mut self, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr() as usize, self.0.len());
        let mut timeout = timespec(timeout);
        let timeout = &raw mut timeout as usize;
        // SAFETY: as in `poll`; the kernel updates the time-out, which is ours.
        unsafe { syscall(libc::SYS_ppoll, [place, count, timeout, 0, 8, 0]) }
    }

    /// The C library's poll(); errno is read in the next instruction.
    #[inline(always)]
    pub(crate) fn libc_poll(&mut self, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr(), self.0.len() as libc::nfds_t);
        // SAFETY: as in `poll`.
        let returned = unsafe { libc::poll(place, count, milliseconds(timeout)) };
        let after = errno::get();
        if returned == -1 { -i64::from(after) } else { i64::from(returned) }
    }
}
