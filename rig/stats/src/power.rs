//! What a run of this size could have seen.
//!
//! Holds the smallest detectable difference of two shares. Must not know what is counted.
//! Units: shares of 1. Errors: none.
//! Tests: here, by enumerating the power at the answer.

use crate::binomial::{ln_at_least, ln_pmf};
use crate::special::normal_quantile;
use crate::{Count, Probability, fisher};

/// Above this many expected hits in the first sample the normal approximation takes over from enumeration.
const MANY: f64 = 60.0;

/// The smallest rise of the second share over `baseline` that Fisher's two-sided test at level `alpha` would have found with
/// probability `power`, for samples of `first` and `second` trials. 1 where no rise would have been found, as over a baseline of 1 none can be.
///
/// With few expected hits the power is exact: for each number of hits in the first sample the smallest number in the second that
/// the test rejects, then the sum of the products of both probabilities. With many, the usual normal approximation with pooled
/// variance under "same" (J. L. Fleiss, Statistical Methods for Rates and Proportions, ch. 4), which is then within a few percent.
pub fn detectable(first: u64, second: u64, baseline: Probability, alpha: f64, power: f64) -> f64 {
    if first == 0 || second == 0 || alpha <= 0.0 {
        return 1.0;
    }
    let room = 1.0 - baseline.get();
    if room <= 0.0 {
        return 1.0;
    }
    let expected = first as f64 * baseline.get();
    let enough: Box<dyn Fn(f64) -> bool> = if expected <= MANY {
        let limits = rejection_limits(first, second, baseline, alpha);
        Box::new(move |rise| exact_power(&limits, second, baseline.get() + rise) >= power)
    } else {
        Box::new(move |rise| normal_power_reached(first, second, baseline.get(), rise, alpha, power))
    };
    if !enough(room) {
        return 1.0;
    }
    let (mut short, mut long) = (0.0, room);
    while long - short > 1e-4 * long && long > 1e-15 {
        let middle = short + (long - short) / 2.0;
        if enough(middle) { long = middle } else { short = middle }
    }
    long
}

/// For each likely number of hits in the first sample: its probability, and the smallest number of hits in the second sample that
/// the test rejects (`None` where it never does).
fn rejection_limits(first: u64, second: u64, baseline: Probability, alpha: f64) -> Vec<(f64, Option<u64>)> {
    let expected = first as f64 * baseline.get();
    let reach = 6.0 * expected.sqrt() + 6.0;
    let low = (expected - reach).max(0.0) as u64;
    let high = if baseline.get() == 0.0 { 0 } else { ((expected + reach) as u64).min(first) };
    (low..=high)
        .filter_map(|hits| {
            let seen = Count::new(hits, first)?;
            let rejected =
                |other: u64| Count::new(other, second).is_some_and(|other| fisher(seen, other) <= alpha);
            let level = (seen.share() * second as f64) as u64;
            let limit = (second > level && rejected(second)).then(|| {
                let (mut kept, mut out) = (level, second);
                while out - kept > 1 {
                    let middle = kept + (out - kept) / 2;
                    if rejected(middle) { out = middle } else { kept = middle }
                }
                out
            });
            Some((ln_pmf(seen, baseline).exp(), limit))
        })
        .collect()
}

fn exact_power(limits: &[(f64, Option<u64>)], second: u64, share: f64) -> f64 {
    let Some(share) = Probability::new(share.min(1.0)) else { return 0.0 };
    limits
        .iter()
        .filter_map(|(probability, limit)| {
            let count = Count::new((*limit)?, second)?;
            Some(probability * ln_at_least(count, share).exp())
        })
        .sum()
}

fn normal_power_reached(first: u64, second: u64, baseline: f64, rise: f64, alpha: f64, power: f64) -> bool {
    let (n1, n2) = (first as f64, second as f64);
    let (p1, p2) = (baseline, baseline + rise);
    let pooled = (n1 * p1 + n2 * p2) / (n1 + n2);
    let same = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    let apart = (p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2).max(0.0) / n2).sqrt();
    rise >= -normal_quantile(alpha / 2.0) * same + normal_quantile(power) * apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    #[test]
    fn against_zeros_it_is_the_share_that_reaches_the_rejection_limit() {
        // 2000 against 2000, nothing in the first: Fisher rejects at 5 % from 6 hits on. P(X >= 6) = 0.8 at lambda = 7.906.
        let found = detectable(2000, 2000, share(0.0), 0.05, 0.8);
        assert!((found * 2000.0 - 7.9).abs() < 0.05, "{found}");
        let six = fisher(
            Count::new(0, 2000).expect("hits are at most trials"),
            Count::new(6, 2000).expect("hits are at most trials"),
        );
        let five = fisher(
            Count::new(0, 2000).expect("hits are at most trials"),
            Count::new(5, 2000).expect("hits are at most trials"),
        );
        assert!(six <= 0.05 && five > 0.05);
    }

    #[test]
    fn enumeration_and_approximation_meet() {
        let (n, p) = (10_000, 0.0059);
        let exact = detectable(n, n, share(p), 0.05, 0.8);
        let mut rise = 0.0;
        while !normal_power_reached(n, n, p, rise, 0.05, 0.8) {
            rise += 1e-6;
        }
        assert!((exact / rise - 1.0).abs() < 0.1, "{exact} {rise}");
    }

    #[test]
    fn more_trials_see_less_and_too_few_see_nothing() {
        let mut last = 1.0;
        for n in [50, 500, 5_000, 50_000, 500_000] {
            let found = detectable(n, n, share(0.001), 0.01, 0.8);
            assert!(found < last, "{n}: {found}");
            last = found;
        }
        assert_eq!(detectable(2, 2, share(0.0), 0.05, 0.8), 1.0);
        assert_eq!(detectable(0, 9, share(0.0), 0.05, 0.8), 1.0);
        assert_eq!(detectable(2_000, 2_000, share(1.0), 0.05, 0.8), 1.0, "nothing can rise over all");
    }
}
