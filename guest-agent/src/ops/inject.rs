//! The positive control: which trials' next select(2) the seccomp filter answers.
//!
//! Holds the decision; the filter is `sys/seccomp.rs`, put on the lane's thread before the first trial.
//! Units: parts per million. Errors: none.
//! Source: seccomp(2) `SECCOMP_RET_ERRNO`. Tests: `draw.rs`, `tests/loopback.rs`.

use rig_protocol::Errno;

use crate::draw::Place;
use crate::sys::seccomp;

/// The cookie for the next select of this lane, where this trial is drawn.
pub(super) fn draw(place: Place, errno: Errno, rate_ppm: u32) -> Option<u64> {
    place.drawn(rate_ppm).then(|| seccomp::cookie(errno))
}
