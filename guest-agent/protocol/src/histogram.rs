//! A log-linear histogram: 16 equal steps in each power of two, so a quantile is right to 1 part in 16.
//!
//! Holds counts by bucket, the exact largest value and the exact sum; no unit of its own (callers name it).
//! The shape is that of HdrHistogram (Gil Tene) with fixed precision, small enough to travel in every tally.
//! Errors: none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const STEPS: u64 = 16;

/// Counts of values on a log-linear scale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Values recorded.
    pub count: u64,
    /// The largest, exactly.
    pub max: u64,
    /// Bucket index -> count; empty buckets are left out.
    pub buckets: BTreeMap<u16, u64>,
}

fn bucket(value: u64) -> u16 {
    if value < STEPS {
        return value as u16;
    }
    let octave = value.ilog2() - STEPS.ilog2();
    ((u64::from(octave) + 1) * STEPS + ((value >> octave) - STEPS)) as u16
}

/// The largest value that falls into bucket `index`.
fn upper(index: u16) -> u64 {
    let index = u64::from(index);
    if index < STEPS {
        return index;
    }
    let octave = index / STEPS - 1;
    let step = u128::from(index % STEPS + STEPS + 1);
    u64::try_from((step << octave) - 1).unwrap_or(u64::MAX)
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.count += 1;
        self.max = self.max.max(value);
        *self.buckets.entry(bucket(value)).or_default() += 1;
    }

    /// Adds another histogram.
    pub fn absorb(&mut self, other: &Self) {
        self.count += other.count;
        self.max = self.max.max(other.max);
        for (index, count) in &other.buckets {
            *self.buckets.entry(*index).or_default() += count;
        }
    }

    /// The smallest bucket bound at or below which at least a share `q` (0..=1) of the values lie; 0 where there are none.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64) * q).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return upper(*index).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_lies_within_a_sixteenth_of_its_bucket_bound(value: u64) {
            let bound = upper(bucket(value));
            prop_assert!(bound >= value);
            prop_assert!((bound - value) as f64 <= value as f64 / 16.0 + 1.0);
        }

        #[test]
        fn absorbing_is_recording_both(a in proptest::collection::vec(0u64..1_000_000, 0..50),
                                       b in proptest::collection::vec(0u64..1_000_000, 0..50)) {
            let of = |values: &[u64]| { let mut h = Histogram::default(); values.iter().for_each(|v| h.record(*v)); h };
            let mut sum = of(&a);
            sum.absorb(&of(&b));
            prop_assert_eq!(sum, of(&[a, b].concat()));
        }
    }

    #[test]
    fn quantiles_of_a_known_ramp() {
        let mut h = Histogram::default();
        (1..=1000).for_each(|v| h.record(v));
        assert!((500..=532).contains(&h.quantile(0.5)), "{}", h.quantile(0.5));
        assert_eq!(h.quantile(1.0), 1000);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }
}
