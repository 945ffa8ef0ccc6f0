//! Sleeping, and the log line's localtime().
//!
//! Holds steps that take time; must not touch a socket or a mark.
//! Units: nanoseconds. Errors: none, `-errno` is what was seen.
//! Source: clock_nanosleep(2), localtime(3). Tests: `tests/loopback` (random delays, localtime).

use std::time::Duration;

use crate::sys::errno::is_failure;
use crate::sys::time;

/// Sleeps and returns the length in nanoseconds. A sleep of nothing makes no call: a script with the delay 0 is the script
/// without the delay.
pub(super) fn sleep(length: Duration) -> i64 {
    if length.is_zero() {
        return 0;
    }
    let returned = time::sleep(length);
    if is_failure(returned) { returned } else { i64::try_from(length.as_nanos()).unwrap_or(i64::MAX) }
}

/// localtime(3); its observation is libc's errno afterwards.
pub(super) fn localtime() -> i64 {
    time::localtime();
    0
}
