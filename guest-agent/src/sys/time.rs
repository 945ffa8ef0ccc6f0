//! Clocks, sleeping, and the libc call that disturbs errno.
//!
//! Holds CLOCK_MONOTONIC only; must not know of trials. Wall time is never read for a measurement.
//! Units: nanoseconds. Errors: none, `-errno` is returned.
//! Source: clock_gettime(2), clock_nanosleep(2), localtime(3) and glibc's time/tzset.c.
//! Tests: `tests/loopback`.

use std::time::Duration;

use super::raw::syscall;

/// CLOCK_MONOTONIC, through the vDSO.
#[inline]
pub(crate) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is ours; CLOCK_MONOTONIC exists on every Linux, so the call cannot fail and leaves errno alone.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Sleeps; 0, or `-EINTR`.
pub(crate) fn sleep(length: Duration) -> i64 {
    let length = timespec(length);
    let length = std::ptr::from_ref(&length) as usize;
    // SAFETY: the request is a timespec that outlives the call; no remainder is asked for.
    unsafe { syscall(libc::SYS_clock_nanosleep, [libc::CLOCK_MONOTONIC as usize, 0, length, 0, 0, 0]) }
}

/// The C library's localtime() on the present wall time, for its effect on errno: it looks for /etc/localtime on every
/// call while TZ is unset (`tzset_internal`), and leaves `ENOENT` where there is none. No mutex is needed around it: glibc holds
/// its own lock while it writes the shared `struct tm`, and nobody here reads that.
#[inline(never)]
pub(crate) fn localtime() {
    // SAFETY: a null pointer makes time(2) return the value only; localtime gets a pointer to our own; its result, which
    // another thread may overwrite, is not looked at. No thread changes the environment after `main` began.
    unsafe {
        let now = libc::time(std::ptr::null_mut());
        libc::localtime(&raw const now);
    }
}

/// As the kernel takes it.
pub(crate) fn timespec(length: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(length.subsec_nanos()),
    }
}

/// As select(2) takes it: rounded up to a whole microsecond, so that it never waits shorter than asked.
pub(crate) fn timeval(length: Duration) -> libc::timeval {
    let up = length.saturating_add(Duration::from_nanos(999));
    libc::timeval {
        tv_sec: i64::try_from(up.as_secs()).unwrap_or(i64::MAX),
        tv_usec: i64::from(up.subsec_micros()),
    }
}

/// As poll(2) and epoll_wait(2) take it: rounded up to a whole millisecond.
pub(crate) fn milliseconds(length: Duration) -> i32 {
    i32::try_from(length.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeval_never_shortens_a_wait() {
        let parts = |ns| {
            let value = timeval(Duration::from_nanos(ns));
            (value.tv_sec, value.tv_usec)
        };
        assert_eq!(parts(0), (0, 0));
        assert_eq!(parts(1), (0, 1));
        assert_eq!(parts(1_000), (0, 1));
        assert_eq!(parts(999_999_001), (1, 0));
        assert_eq!(parts(3_000_000_000), (3, 0));
    }

    #[test]
    fn milliseconds_never_shorten_a_wait() {
        let of = |ns| milliseconds(Duration::from_nanos(ns));
        assert_eq!([of(0), of(1), of(1_000_000), of(1_000_001)], [0, 1, 1, 2]);
    }
}
