//! Two samples in several strata: pairs that were measured alike within a stratum and not across strata.
//!
//! Holds the score interval of a common difference and the exact test of no difference, so that unequal shares of strata cannot look like one.
//! Must not know what a stratum is. Units: shares of 1; a difference is second minus first. Errors: none.
//! Tests: here, against the tests of single tables, published values and enumeration.

use crate::contingency::{Hypergeometric, TIE, difference_effective, fisher, restricted_shares};
use crate::special::normal_quantile;
use crate::{Confidence, Count, Effective, Interval};

/// What was counted in one stratum: the first and the second sample.
pub type Stratum = (Count, Count);

/// Above this standard deviation of the sum of hits the exact distribution is the normal one to more digits than are printed.
const NORMAL_FROM: f64 = 200.0;

/// Terms smaller than this share of the largest are left out of a distribution: their sum is far below what a double holds of it.
const FELT: f64 = 1e-30;

/// The score interval of a difference that is common to all strata, weighted by Mantel and Haenszel's `n1 n2 / (n1 + n2)`: O. Miettinen and M. Nurminen,
/// "Comparative analysis of two rates", Statistics in Medicine 4 (1985), section on stratified data. Of one stratum it is [`difference`](crate::difference);
/// -1 to 1 where no stratum has trials on both sides.
pub fn stratified_difference(strata: &[Stratum], confidence: Confidence) -> Interval {
    let strata: Vec<_> =
        strata.iter().map(|(first, second)| (Effective::of(*first), Effective::of(*second))).collect();
    stratified_difference_effective(&strata, confidence)
}

/// [`stratified_difference`] of counts that are worth fewer trials than were played, each over its design effect (J. N. K. Rao and A. J. Scott, Biometrics 48, 1992).
pub fn stratified_difference_effective(
    strata: &[(Effective, Effective)],
    confidence: Confidence,
) -> Interval {
    let played = |(first, second): &&(Effective, Effective)| first.trials() > 0.0 && second.trials() > 0.0;
    let strata: Vec<(Effective, Effective)> = strata.iter().filter(played).copied().collect();
    match strata.as_slice() {
        [] => Interval { low: -1.0, high: 1.0 },
        [(first, second)] => difference_effective(*first, *second, confidence),
        strata => {
            let z = -normal_quantile(confidence.alpha() / 2.0);
            let strata = rarer(strata);
            let turned: Vec<_> = strata.iter().map(|(first, second)| (*second, *first)).collect();
            Interval { low: -upper(&turned, z), high: upper(&strata, z) }
        }
    }
}

/// The strata with what is rarer as the hits: a share near 1 has no room for its digits. Misses fall where hits rise, so the samples change places.
fn rarer(strata: &[(Effective, Effective)]) -> Vec<(Effective, Effective)> {
    let sum = |of: fn(Effective) -> f64| -> f64 {
        strata.iter().map(|(first, second)| of(*first) + of(*second)).sum()
    };
    if sum(Effective::hits) <= sum(Effective::misses) {
        return strata.to_vec();
    }
    strata.iter().map(|(first, second)| (second.mirrored(), first.mirrored())).collect()
}

/// The weighted difference itself, second minus first; 0 where no stratum has trials on both sides.
pub fn weighted_difference(strata: &[Stratum]) -> f64 {
    let (sum, weights) = both_sided(strata).fold((0.0, 0.0), |(sum, weights), (first, second)| {
        let weight = weight(Effective::of(first), Effective::of(second));
        (sum + weight * (second.share() - first.share()), weights + weight)
    });
    if weights > 0.0 { sum / weights } else { 0.0 }
}

/// The exact two-sided p-value of "in every stratum both shares are the same", given the total of each: of the sum of the second samples' hits, all values
/// that are not more probable than the one that was seen (N. Mantel and W. Haenszel 1959; exact: J. J. Gart, Biometrika 57, 1970). Of one stratum it is
/// [`fisher`]; 1 where no stratum can tell anything.
pub fn stratified_fisher(strata: &[Stratum]) -> f64 {
    let telling: Vec<Stratum> = both_sided(strata)
        .filter(|(first, second)| first.hits() + second.hits() > 0 && first.misses() + second.misses() > 0)
        .collect();
    if let [(first, second)] = telling.as_slice() {
        return fisher(*first, *second);
    }
    let seen: u64 = telling.iter().map(|(_, second)| second.hits()).sum();
    let (mean, variance) = telling.iter().fold((0.0, 0.0), |(mean, variance), (first, second)| {
        let (m, v) = moments(*first, *second);
        (mean + m, variance + v)
    });
    if telling.is_empty() || variance == 0.0 {
        return 1.0;
    }
    if variance.sqrt() > NORMAL_FROM {
        // With the correction for steps of one hit.
        let z = (((seen as f64 - mean).abs() - 0.5).max(0.0) / variance.sqrt()).max(0.0);
        return two_tails(z);
    }
    let mut sum = Distribution::ONE_POINT;
    for (first, second) in telling {
        sum = sum.plus(&Distribution::of(first, second));
    }
    sum.not_more_probable_than(seen)
}

fn both_sided(strata: &[Stratum]) -> impl Iterator<Item = Stratum> + '_ {
    strata.iter().copied().filter(|(first, second)| first.trials() > 0 && second.trials() > 0)
}

fn weight(first: Effective, second: Effective) -> f64 {
    let (n1, n2) = (first.trials(), second.trials());
    n1 * n2 / (n1 + n2)
}

/// The largest common difference that the score test at `z` does not reject.
fn upper(strata: &[(Effective, Effective)], z: f64) -> f64 {
    let weights: f64 = strata.iter().map(|(first, second)| weight(*first, *second)).sum();
    let differences = strata.iter().map(|(a, b)| weight(*a, *b) * (b.share() - a.share()));
    let observed = differences.sum::<f64>() / weights;
    let rejected = |d: f64| {
        let variance: f64 = strata
            .iter()
            .map(|(first, second)| {
                let (n1, n2) = (first.trials(), second.trials());
                let (p1, q1, p2, q2) = restricted_shares(*first, *second, d);
                // Of a stratum that is worth one trial nothing can be told: its variance is the largest that there is.
                let correction = if n1 + n2 > 1.0 { (n1 + n2) / (n1 + n2 - 1.0) } else { f64::INFINITY };
                (weight(*first, *second) / weights).powi(2) * (p1 * q1 / n1 + p2 * q2 / n2) * correction
            })
            .sum();
        d - observed > z * variance.sqrt()
    };
    let (mut kept, mut out) = (observed, 1.0);
    if !rejected(out) {
        return out;
    }
    while out - kept >= 1e-17 {
        let middle = kept + (out - kept) / 2.0;
        if middle <= kept || middle >= out {
            break;
        }
        if rejected(middle) { out = middle } else { kept = middle }
    }
    out
}

/// Mean and variance of the second sample's hits, given the total.
fn moments(first: Count, second: Count) -> (f64, f64) {
    let (n1, n2) = (first.trials() as f64, second.trials() as f64);
    let (all, hits) = (n1 + n2, (first.hits() + second.hits()) as f64);
    let mean = hits * n2 / all;
    (mean, mean * (n1 / all) * ((all - hits) / (all - 1.0)))
}

/// Both tails of the normal distribution beyond `z`.
fn two_tails(z: f64) -> f64 {
    // The quantile function is what this crate has; its inverse by bisection on ln p, where it is smooth.
    let (mut low, mut high) = (-745.0_f64, 0.5_f64.ln());
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if -normal_quantile(middle.exp()) > z { low = middle } else { high = middle }
    }
    (2.0 * low.exp()).min(1.0)
}

/// Probabilities of a number of hits from `least` on.
struct Distribution {
    least: u64,
    of: Vec<f64>,
}

impl Distribution {
    /// Certainly none.
    const ONE_POINT: Self = Self { least: 0, of: Vec::new() };

    /// Of the second sample's hits, given the total, as far as it is felt.
    fn of(first: Count, second: Count) -> Self {
        let table = Hypergeometric::of(second, first);
        let mode = table.mode();
        let most = table.ln_pmf(mode);
        let felt = |x: &u64| table.ln_pmf(*x) - most > FELT.ln();
        let least = (table.low..mode).rev().take_while(felt).last().unwrap_or(mode);
        let largest = (mode + 1..=table.high).take_while(felt).last().unwrap_or(mode);
        Self { least, of: (least..=largest).map(|x| table.ln_pmf(x).exp()).collect() }
    }

    /// The distribution of the sum of two independent numbers.
    fn plus(&self, other: &Self) -> Self {
        if self.of.is_empty() {
            return Self { least: other.least, of: other.of.clone() };
        }
        let mut of = vec![0.0; self.of.len() + other.of.len() - 1];
        for (at, p) in self.of.iter().enumerate() {
            for (sum, q) in of[at..].iter_mut().zip(&other.of) {
                *sum += p * q;
            }
        }
        let most = of.iter().copied().fold(0.0, f64::max);
        let felt = |p: &&f64| **p < most * FELT;
        let before = of.iter().take_while(felt).count();
        let after = of.iter().rev().take_while(felt).count();
        let least = self.least + other.least + before as u64;
        Self { least, of: of[before..of.len() - after].to_vec() }
    }

    /// The sum of all that are not more probable than `seen`.
    fn not_more_probable_than(&self, seen: u64) -> f64 {
        let at = seen.checked_sub(self.least).and_then(|at| self.of.get(usize::try_from(at).ok()?));
        // Beyond what is felt.
        let Some(limit) = at.map(|p| p * TIE) else { return 0.0 };
        self.of.iter().filter(|p| **p <= limit).sum::<f64>().min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::difference;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    fn at_95() -> Confidence {
        Confidence::new(0.95).expect("between 0 and 1")
    }

    /// Equal shares in both strata (0 and 20 %), and fewer of the guest's trials in the second: their sums differ, and nothing else does.
    #[test]
    fn unequal_strata_do_not_look_like_an_effect() {
        let strata = [(count(0, 1_000), count(0, 1_000)), (count(200, 1_000), count(20, 100))];
        let sums = (count(200, 2_000), count(20, 1_100));
        assert!(difference(sums.0, sums.1, at_95()).high < -0.05, "the sums differ");
        assert!(fisher(sums.0, sums.1) < 1e-9);
        assert_eq!(weighted_difference(&strata), 0.0);
        let interval = stratified_difference(&strata, at_95());
        assert!(interval.contains(0.0), "{interval:?}");
        assert_eq!(stratified_fisher(&strata), 1.0);
    }

    #[test]
    fn nothing_seen_in_many_strata_is_as_narrow_as_their_sum() {
        let zeros = [(count(0, 2_000), count(0, 2_000)); 4];
        let interval = stratified_difference(&zeros, at_95());
        let sum = difference(count(0, 8_000), count(0, 8_000), at_95());
        assert!((interval.high - sum.high).abs() < 0.02 * sum.high, "{interval:?} {sum:?}");
        assert_eq!((interval.low, stratified_fisher(&zeros)), (-interval.high, 1.0));
    }

    /// A. Agresti, Categorical Data Analysis (3rd edition), table 6.9: promotion of government employees by race, three months. Exact conditional
    /// distribution of the sum: 0 of 74 of the first group; P(T = 0) = 0.026 and two-sided P = 0.056.
    #[test]
    fn the_exact_test_of_a_published_table() {
        let strata = [(count(4, 20), count(0, 7)), (count(4, 17), count(0, 7)), (count(2, 15), count(0, 8))];
        let p = stratified_fisher(&strata);
        assert!((p - 0.056).abs() < 5e-4, "{p}");
    }

    #[test]
    fn a_certain_effect_in_every_stratum_is_shown() {
        let strata = [(count(0, 10_000), count(10, 10_000)); 10];
        assert!(stratified_fisher(&strata) < 1e-25);
        let interval = stratified_difference(&strata, at_95());
        assert!(interval.low > 0.0 && interval.high < 0.002, "{interval:?}");
        assert!((weighted_difference(&strata) - 0.001).abs() < 1e-15);
    }

    #[test]
    fn strata_with_one_empty_side_say_nothing() {
        let strata = [(count(5, 10), Count::NONE), (Count::NONE, count(5, 10))];
        assert_eq!(stratified_difference(&strata, at_95()), Interval { low: -1.0, high: 1.0 });
        assert_eq!((stratified_fisher(&strata), weighted_difference(&strata)), (1.0, 0.0));
        let one = [(count(3, 40), count(9, 50))];
        let with = [strata[0], one[0], strata[1]];
        assert_eq!(stratified_difference(&with, at_95()), difference(one[0].0, one[0].1, at_95()));
        assert_eq!(stratified_fisher(&with), fisher(one[0].0, one[0].1));
    }

    /// On both sides of the change from the exact sum to the normal distribution the answer is the same to what is printed.
    #[test]
    fn large_sums_go_over_into_the_normal_distribution() {
        let near = |n: u64| {
            let strata = [(count(n / 2, n), count(n / 2 + n / 40, n)); 2];
            let (mean, variance) = strata.iter().fold((0.0, 0.0), |(mean, variance), (first, second)| {
                let (m, v) = moments(*first, *second);
                (mean + m, variance + v)
            });
            let seen: u64 = strata.iter().map(|(_, second)| second.hits()).sum();
            let z = (seen as f64 - mean - 0.5) / f64::sqrt(variance);
            (stratified_fisher(&strata), two_tails(z), f64::sqrt(variance))
        };
        let (exact, normal, deviation) = near(2_000);
        assert!(deviation < NORMAL_FROM && (exact / normal - 1.0).abs() < 0.01, "{exact} {normal}");
        let (large, normal, deviation) = near(400_000);
        assert!(deviation > NORMAL_FROM && large == normal, "{large} {normal}");
        assert!((two_tails(1.959_963_984_540_054) - 0.05).abs() < 1e-12);
        assert!((two_tails(0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn hits_and_misses_give_mirror_images_to_the_last_digit() {
        let near_0 = [(count(3, 10_000_000), count(40, 9_000_000)), (count(0, 2_000), count(1, 700))];
        let mirrored = |one: Count| count(one.misses(), one.trials());
        let near_1 = near_0.map(|(first, second)| (mirrored(first), mirrored(second)));
        let (near_0, near_1) =
            (stratified_difference(&near_0, at_95()), stratified_difference(&near_1, at_95()));
        assert_eq!((near_1.low, near_1.high), (-near_0.high, -near_0.low));
    }

    proptest! {
        /// The exact test against the enumeration of every pair of tables.
        #[test]
        fn two_small_strata_by_enumeration(
            (n1, n2, m1, m2) in (1_u64..9, 1_u64..9, 1_u64..9, 1_u64..9),
            (a, b, c, d) in (0_u64..9, 0_u64..9, 0_u64..9, 0_u64..9),
        ) {
            let strata = [(count(a.min(n1), n1), count(b.min(n2), n2)), (count(c.min(m1), m1), count(d.min(m2), m2))];
            let choose = |n: u64, k: u64| (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64);
            let table = |(first, second): Stratum| {
                let hits = first.hits() + second.hits();
                let low = hits.saturating_sub(first.trials());
                let all = choose(first.trials() + second.trials(), hits);
                (low..=hits.min(second.trials()))
                    .map(|x| (x, choose(second.trials(), x) * choose(first.trials(), hits - x) / all))
                    .collect::<Vec<_>>()
            };
            let mut sums = std::collections::BTreeMap::<u64, f64>::new();
            for (x, p) in table(strata[0]) {
                for (y, q) in table(strata[1]) {
                    *sums.entry(x + y).or_default() += p * q;
                }
            }
            let seen = sums[&(strata[0].1.hits() + strata[1].1.hits())];
            let wanted: f64 = sums.values().filter(|p| **p <= seen * TIE).sum();
            prop_assert!((stratified_fisher(&strata) - wanted).abs() < 1e-9, "{} {wanted}", stratified_fisher(&strata));
        }

        #[test]
        fn swapping_the_samples_mirrors_the_interval(hits in proptest::collection::vec((0_u64..50, 0_u64..50), 1..5)) {
            let strata: Vec<Stratum> = hits.iter().map(|(a, b)| (count(*a, 60), count(*b, 80))).collect();
            let swapped: Vec<Stratum> = strata.iter().map(|(a, b)| (*b, *a)).collect();
            let (one, other) = (stratified_difference(&strata, at_95()), stratified_difference(&swapped, at_95()));
            prop_assert!((one.low + other.high).abs() < 1e-12 && (one.high + other.low).abs() < 1e-12);
            prop_assert!(one.contains(weighted_difference(&strata)));
            let apart = (stratified_fisher(&strata) - stratified_fisher(&swapped)).abs();
            prop_assert!(apart < 1e-9, "{apart}");
        }
    }
}
