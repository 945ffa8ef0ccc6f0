//! Whether the middle of a list of numbers moved at some place, and where.
//!
//! Holds the rank test of A. N. Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28 (1979), with its p-value by permutation. Why this one: it asks
//! of a night's latency nothing but that nights without a change could have come in any order; no mean, no variance, no window and no penalty is chosen, and the p-value is
//! exact for ties and for few nights. (Otava's E-divisive with a t-test is quicker to see a change of spread, and its p-value assumes much more.) Must not know what is
//! measured. Units: those of the numbers. Errors: none; what cannot be tested gives nothing. Tests: below.

use crate::labellings::SplitMix64;

/// A place at which the numbers most likely moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Index of the first number after it.
    pub at: usize,
    /// How likely numbers in random order show as much at any place.
    pub p_value: f64,
}

/// The place with the largest `|U(t)|`, where `U(t)` counts the pairs of a number before `t` and one from `t` on by which of them is larger; and the share of `draws` random orders, this
/// one among them, in which the largest `|U|` is at least as large. Exact to the number of draws, with ties too. `None` of fewer than four numbers, if one is not finite, or if
/// all are the same.
pub fn change_point(numbers: &[f64], seed: u64, draws: u32) -> Option<Change> {
    if numbers.len() < 4 || numbers.iter().any(|number| !number.is_finite()) {
        return None;
    }
    let mut scores = scores(numbers);
    let (at, most) = furthest(&scores);
    if most == 0 {
        return None;
    }
    let mut random = SplitMix64(seed);
    let mut as_far = 1_u64;
    for _ in 0..draws {
        for place in (1..scores.len()).rev() {
            scores.swap(place, random.below(place + 1));
        }
        as_far += u64::from(furthest(&scores).1 >= most);
    }
    Some(Change { at, p_value: as_far as f64 / (f64::from(draws) + 1.0) })
}

/// For each number how many are smaller less how many are larger. Of the numbers before a place the sum of these is `U`: pairs within cancel.
fn scores(numbers: &[f64]) -> Vec<i64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let of = |number: &f64| {
        let smaller = sorted.partition_point(|other| other < number);
        let not_larger = sorted.partition_point(|other| other <= number);
        smaller as i64 - (sorted.len() - not_larger) as i64
    };
    numbers.iter().map(of).collect()
}

/// The place, and how far.
fn furthest(scores: &[i64]) -> (usize, i64) {
    let (mut sum, mut best) = (0, (0, 0));
    for (at, score) in scores.iter().enumerate() {
        sum += score;
        if sum.abs() > best.1 {
            best = (at + 1, sum.abs());
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_where_it_is() {
        let numbers: Vec<f64> = (0..30).map(|i| f64::from(i % 2) + if i < 18 { 0.0 } else { 7.0 }).collect();
        let change = change_point(&numbers, 5, 1_999).expect("a place");
        assert_eq!(change.at, 18);
        assert!(change.p_value <= 0.001, "{change:?}");
        // The first of ranks by hand: 3 and 4 lie above 1, 1 and 2, so that U = 6 after three numbers.
        assert_eq!(furthest(&scores(&[1.0, 2.0, 1.0, 4.0, 3.0])), (3, 6));
        assert_eq!(scores(&[1.0, 2.0, 1.0, 4.0, 3.0]), [-3, 0, -3, 4, 2]);
    }

    #[test]
    fn the_p_value_is_the_share_of_all_orders() {
        // Of the 24 orders of four different numbers those with |U| = 4 somewhere: the two halves apart (2 * 2 * 2 = 8).
        let change = change_point(&[1.0, 2.0, 3.0, 4.0], 1, 40_000).expect("a place");
        assert_eq!(change.at, 2);
        assert!((change.p_value - 8.0 / 24.0).abs() < 0.01, "{change:?}");
    }

    #[test]
    fn at_no_change_the_level_is_kept() {
        let mut draws = SplitMix64(77);
        let rejected = (0..1_000)
            .filter(|seed| {
                let numbers: Vec<f64> = (0..20).map(|_| draws.below(6) as f64).collect();
                change_point(&numbers, *seed, 99).is_some_and(|change| change.p_value <= 0.05)
            })
            .count();
        // 5 % of 1,000 and four standard deviations.
        assert!(rejected <= 78, "{rejected}");
    }

    #[test]
    fn what_says_nothing_is_refused() {
        assert_eq!(change_point(&[1.0, 2.0, 3.0], 1, 99), None);
        assert_eq!(change_point(&[5.0; 9], 1, 99), None);
        assert_eq!(change_point(&[1.0, f64::NAN, 2.0, 3.0], 1, 99), None);
    }
}
