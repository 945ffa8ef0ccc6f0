//! A word that threads of this process wait on.
//!
//! Holds futex(2) wait and wake without touching errno, which std's primitives do not promise.
//! Units: nanoseconds on CLOCK_MONOTONIC (FUTEX_WAIT's time-out is relative). Errors: none, `-errno` is returned.
//! Must not know what the word means.
//! Tests: `tests/loopback` (marks, watcher lanes).

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::raw::syscall;
use super::time::timespec;

/// Sleeps while `word` holds `value`; spurious returns are possible. `-ETIMEDOUT`, `-EINTR`, `-EAGAIN` as futex(2) says.
pub(crate) fn wait(word: &AtomicU32, value: u32, timeout: Option<Duration>) -> i64 {
    let limit = timeout.map(timespec);
    let limit = limit.as_ref().map_or(0, |limit| std::ptr::from_ref(limit) as usize);
    let operation = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the word is a live 4-byte atomic, the time-out null or a timespec that lives until after the call.
    unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, operation, value as usize, limit, 0, 0]) }
}

/// Wakes all that sleep on `word`.
pub(crate) fn wake_all(word: &AtomicU32) {
    let operation = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: as in `wait`; waking reads nothing else.
    unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, operation, i32::MAX as usize, 0, 0, 0]) };
}
