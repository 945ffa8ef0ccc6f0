//! Counting: sums that do not overflow, and what words under which something is counted are made of.
//!
//! Must not know what is counted. Units: counts. Errors: none. Tests: those of the tallies.

use std::collections::BTreeMap;

/// For serde's `skip_serializing_if`.
pub(crate) fn is_zero<N: PartialEq + Default>(count: &N) -> bool {
    *count == N::default()
}

/// What labels, reasons and names of counters are made of.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The sum of counts, unless it is too large.
pub(crate) fn total<'a>(counts: impl IntoIterator<Item = &'a u64>) -> Option<u64> {
    counts.into_iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))
}

/// The same, or the largest number.
pub(crate) fn sum<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    total(counts).unwrap_or(u64::MAX)
}

/// Adds counts to sums; one that is too large stays at the largest number.
pub(crate) fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        let sum = sums.entry(key.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}
