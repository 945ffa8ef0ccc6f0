//! How long a block waits, by the name of what it waits for, and how a time goes into its record.
//!
//! Must not wait. Units: `Duration` in code, nanoseconds in the record. Errors: none.
//! Tests: `tests/qemu.rs` reaches these bounds.

use std::time::Duration;

use crate::clock;

/// After a block's deadline: to find out why, and to tear down.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// For the reason of an end that has shown already.
pub(super) const EXPLANATION: Duration = Duration::from_secs(1);

/// For a guest's answer about its NIC; a guest that is too busy to give it leaves the reason as it is.
pub(super) const NIC_DEADLINE: Duration = Duration::from_secs(10);

/// An agent that says nothing for this long is given up; it speaks five times a second while it plays.
pub(super) fn silence() -> Duration {
    Duration::from_secs(20) * clock::patience()
}

/// For a hello, a "ready", a peer's last words.
pub(super) fn exchange() -> Duration {
    Duration::from_secs(30) * clock::patience()
}

/// As it stands in the record.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
