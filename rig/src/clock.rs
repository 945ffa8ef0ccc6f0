//! Wall-clock times as they stand in records (UTC, RFC 3339), and how patient this machine asks us to be.
//!
//! Must not be used for durations (those are `Instant`). Errors: none.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Now, to the millisecond: `2026-11-21T20:19:50.123Z`.
pub fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// The id of a run that starts now: `20261121-201950-1f3a`, where the last part comes from its seed.
pub fn run_id(seed: u64) -> String {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    format!("{}-{:04x}", now.strftime("%Y%m%d-%H%M%S"), seed & 0xffff)
}

/// Set by `rig rehearse` for what runs inside the emulated host.
pub const REHEARSED: &str = "RIG_REHEARSED";

/// Whether this machine is the emulated KVM host of a rehearsal: behaviour counts there, timings mean nothing.
pub fn is_rehearsed() -> bool {
    std::env::var_os(REHEARSED).is_some_and(|value| value == "1")
}

/// How many times longer than on an ordinary machine everything may take here: 1, or 8 in an emulated KVM host (`rig rehearse`),
/// where every instruction of a guest is emulated twice.
pub fn patience() -> u32 {
    if is_rehearsed() { 8 } else { 1 }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_run_id_sorts_by_time_and_ends_in_its_seed() {
        let id = super::run_id(0xdead_1f3a);
        assert_eq!(id.len(), "20261121-201950-1f3a".len());
        assert!(id.ends_with("-1f3a"), "{id}");
        let now = super::now();
        assert!(now.ends_with('Z') && now.contains('T'), "{now}");
    }
}
