//! Wall-clock times as they stand in records (UTC, RFC 3339), and how patient this machine asks us to be.
//!
//! Must not be used for durations (those are `Instant`). Errors: none.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Now, to the millisecond: `2026-11-21T20:19:50.123Z`.
pub fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

/// Now, to the second: `2026-11-21T20:19:50Z`.
pub fn now_in_seconds() -> String {
    format!("{:.0}", Timestamp::now())
}

/// An id for a run that starts now: `20261121-201950-1f3a09c4`. The last part is drawn from the system's randomness and from nothing else: runs that
/// start in one second on several machines, with one seed, have ids of their own.
pub fn run_id() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    format!("{}-{:08x}", now.strftime("%Y%m%d-%H%M%S"), ChaCha8Rng::from_os_rng().next_u32())
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
    fn ids_of_one_second_differ_and_sort_by_time() {
        // By chance alone two of them are alike in one of two million such tests.
        let ids: Vec<String> = (0..64).map(|_| super::run_id()).collect();
        let different: std::collections::BTreeSet<&String> = ids.iter().collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == "20261121-201950-1f3a09c4".len()), "{ids:?}");
        let seconds = |id: &String| id["20261121-".len().."20261121-201950".len()].to_owned();
        assert!(ids.iter().all(|id| seconds(id).bytes().all(|byte| byte.is_ascii_digit())), "{ids:?}");
        let now = super::now();
        assert!(now.ends_with('Z') && now.contains('T'), "{now}");
        let seconds = super::now_in_seconds();
        assert_eq!(seconds.len(), "2026-11-21T20:19:50Z".len(), "{seconds}");
        assert!(seconds.ends_with('Z') && !seconds.contains('.'), "{seconds}");
    }
}
