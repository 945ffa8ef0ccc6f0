//! A log-linear histogram: 16 equal steps in each power of two, so a quantile is right to 1 part in 16.
//!
//! Holds counts by bucket and the exact largest value; no unit of its own (callers name it).
//! The shape is that of HdrHistogram (Gil Tene) with fixed precision, small enough to travel in every tally.
//! Errors: none; [`Histogram::inconsistency`] says what cannot be true of one that came from elsewhere. Tests: below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const STEPS: u64 = 16;

/// The bucket of [`u64::MAX`]: the scale ends there.
const LAST: u16 = 975;

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
    if index >= LAST {
        return u64::MAX;
    }
    let index = u64::from(index);
    if index < STEPS {
        return index;
    }
    let octave = index / STEPS - 1;
    let step = u128::from(index % STEPS + STEPS + 1);
    u64::try_from((step << octave) - 1).unwrap_or(u64::MAX)
}

impl Histogram {
    /// The bucket that a value is counted in.
    pub fn bucket_of(value: u64) -> u16 {
        bucket(value)
    }

    /// The largest value that is counted in this bucket.
    pub fn largest_in(bucket: u16) -> u64 {
        upper(bucket)
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.count += 1;
        self.max = self.max.max(value);
        *self.buckets.entry(bucket(value)).or_default() += 1;
    }

    /// Adds another histogram. What is too large stays at the largest number, see [`crate::Tally::absorb`].
    pub fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
        for (index, count) in &other.buckets {
            let sum = self.buckets.entry(*index).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// What cannot be true of these counts, if something cannot: the guest that sent them is not trusted.
    pub fn inconsistency(&self) -> Option<String> {
        let sum = self.buckets.values().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        if sum != Some(self.count) {
            let sum = sum.map_or("too many".to_owned(), |sum| sum.to_string());
            return Some(format!("{} values but {sum} in the buckets", self.count));
        }
        match self.buckets.last_key_value() {
            None if self.max == 0 => None,
            None => Some(format!("no values but {} is the largest", self.max)),
            Some((last, _)) if *last > LAST => {
                Some(format!("bucket {last} is beyond the scale, which ends at {LAST}"))
            }
            Some((last, _)) if bucket(self.max) != *last => {
                Some(format!("{} is the largest value but does not lie in the last bucket, {last}", self.max))
            }
            Some(_) => None,
        }
    }

    /// The smallest bucket bound at or below which at least a share `q` (0..=1) of the values lie; 0 where there are none.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64) * q).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        for (index, count) in &self.buckets {
            seen = seen.saturating_add(*count);
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
            prop_assert_eq!(sum.inconsistency(), None);
            prop_assert_eq!(sum, of(&[a, b].concat()));
        }

        #[test]
        fn any_histogram_that_was_recorded_is_sound(values: Vec<u64>) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            prop_assert_eq!(histogram.inconsistency(), None);
        }

        #[test]
        fn no_numbers_from_elsewhere_make_it_fail(count: u64, max: u64, buckets: BTreeMap<u16, u64>, q in 0.0..=1.0_f64) {
            let histogram = Histogram { count, max, buckets };
            let mut sum = histogram.clone();
            sum.absorb(&histogram);
            prop_assert!(sum.quantile(q) <= max);
        }
    }

    #[test]
    fn the_scale_ends_at_the_largest_number() {
        assert_eq!(bucket(u64::MAX), LAST);
        assert_eq!((upper(LAST), upper(u16::MAX)), (u64::MAX, u64::MAX));
        assert!(upper(LAST - 1) < u64::MAX);
    }

    #[test]
    fn counts_that_contradict_each_other_are_named() {
        let of = |count, max, buckets: &[(u16, u64)]| {
            Histogram { count, max, buckets: buckets.iter().copied().collect() }.inconsistency()
        };
        assert_eq!(of(0, 0, &[]), None);
        assert_eq!(of(5, 3, &[(1, 2), (3, 3)]), None);
        assert_eq!(of(5, 3, &[(3, 4)]).as_deref(), Some("5 values but 4 in the buckets"));
        assert_eq!(
            of(5, 3, &[(1, u64::MAX), (3, 6)]).as_deref(),
            Some("5 values but too many in the buckets")
        );
        assert_eq!(of(0, 3, &[]).as_deref(), Some("no values but 3 is the largest"));
        assert_eq!(
            of(5, 7, &[(65_535, 5)]).as_deref(),
            Some("bucket 65535 is beyond the scale, which ends at 975")
        );
        for max in [2, 4] {
            assert!(of(5, max, &[(3, 5)]).expect("outside").contains("does not lie in the last bucket, 3"));
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
