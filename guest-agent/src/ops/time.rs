//! Sleeping, waiting for marks, and the log line's localtime().
//!
//! Holds steps that take time or order; must not touch a socket.
//! Units: nanoseconds. Errors: none, `-errno` is what was seen.
//! Source: clock_nanosleep(2), localtime(3). Tests: `tests/loopback.rs` (random delays, marks, localtime).

use std::time::Duration;

use rig_protocol::Mark;

use crate::stage::Stage;
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

/// Sets a mark.
pub(super) fn mark(stage: &Stage, mark: Mark) -> i64 {
    stage.set_mark(mark);
    0
}

/// Waits for a mark.
pub(super) fn await_mark(stage: &Stage, mark: Mark, timeout: Duration) -> i64 {
    stage.await_mark(mark, timeout)
}
