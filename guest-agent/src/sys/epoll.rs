//! epoll(7): instances, their lists, and the three doors of waiting.
//!
//! Holds thin wrappers, one call each; must not know slots, labels or what a bit means.
//! Units: a duration. Errors: none, the return value is the kernel's `-errno`; through libc it is rebuilt from errno.
//! Source: epoll_create(2), epoll_ctl(2), epoll_wait(2), fs/eventpoll.c. Tests: `tests/loopback/epoll.rs`.

use std::time::Duration;

use super::errno;
use super::raw::syscall;
use super::time::{milliseconds, timespec};

/// As many descriptors can be told by one call; the others stay for the next one.
const MOST_EVENTS: usize = 64;

/// epoll_create1(2), close-on-exec.
pub(crate) fn create() -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_epoll_create1, [libc::EPOLL_CLOEXEC as usize, 0, 0, 0, 0, 0]) }
}

/// epoll_ctl(2); `operation` is one of `EPOLL_CTL_ADD`, `EPOLL_CTL_MOD`, `EPOLL_CTL_DEL`.
pub(crate) fn control(epoll: i32, operation: i32, fd: i32, events: u32) -> i64 {
    let event = libc::epoll_event { events, u64: fd as u64 };
    let place = &raw const event as usize;
    // SAFETY: the kernel reads one structure of ours.
    unsafe { syscall(libc::SYS_epoll_ctl, [epoll as usize, operation as usize, fd as usize, place, 0, 0]) }
}

/// Room for what one call tells.
#[derive(Debug)]
pub(crate) struct Told([libc::epoll_event; MOST_EVENTS]);

impl Told {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self([libc::epoll_event { events: 0, u64: 0 }; MOST_EVENTS])
    }

    /// The bits of the first `count`, together.
    pub(crate) fn found(&self, count: i64) -> u32 {
        let count = usize::try_from(count).unwrap_or(0);
        self.0.iter().take(count).fold(0, |all, event| all | event.events)
    }

    /// The system call `epoll_wait`, number 232: whole milliseconds, rounded up.
    #[inline(always)]
    pub(crate) fn wait(&mut self, epoll: i32, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr() as usize, self.0.len());
        let timeout = milliseconds(timeout) as usize;
        // SAFETY: the kernel writes at most `count` structures of ours.
        unsafe { syscall(libc::SYS_epoll_wait, [epoll as usize, place, count, timeout, 0, 0]) }
    }

    /// The system call `epoll_pwait2`, number 441, with no signal mask; kernels before 5.11 have none.
    #[inline(always)]
    pub(crate) fn pwait2(&mut self, epoll: i32, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr() as usize, self.0.len());
        let timeout = timespec(timeout);
        let timeout = &raw const timeout as usize;
        // SAFETY: as in `wait`; the time-out is only read.
        unsafe { syscall(libc::SYS_epoll_pwait2, [epoll as usize, place, count, timeout, 0, 8]) }
    }

    /// The C library's epoll_wait(); errno is read in the next instruction.
    #[inline(always)]
    pub(crate) fn libc_wait(&mut self, epoll: i32, timeout: Duration) -> i64 {
        let (place, count) = (self.0.as_mut_ptr(), self.0.len() as libc::c_int);
        // SAFETY: as in `wait`.
        let returned = unsafe { libc::epoll_wait(epoll, place, count, milliseconds(timeout)) };
        let after = errno::get();
        if returned == -1 { -i64::from(after) } else { i64::from(returned) }
    }
}
