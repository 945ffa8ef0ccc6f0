//! The clock of the measurement.
//!
//! Holds CLOCK_MONOTONIC in nanoseconds; must not know wall time or the clock of another machine.
//! Units: nanoseconds since an arbitrary moment of this kernel; 0 never comes up once the machine runs.
//! Errors: none. Tests: `tests/loopback` (steps in order).

use crate::sys::time;

/// Now.
#[inline]
pub(crate) fn now_ns() -> u64 {
    time::monotonic_ns()
}
