//! The exact interval of one share.
//!
//! Holds Clopper and Pearson's interval and the plain pair of bounds that every interval of this crate is.
//! Must not know what is counted. Units: shares of 1. Errors: none.
//! Tests: here (published values) and `tests/exact.rs` (coverage by enumeration, 30-digit values, properties).

use crate::binomial::{ln_at_least_pair, ln_at_most_pair};
use crate::special::bracketed_root;
use crate::{Confidence, Count};

/// Two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies between the bounds, or on one.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// Whether both bounds lie within plus or minus `margin`.
    pub fn within(self, margin: f64) -> bool {
        -margin <= self.low && self.high <= margin
    }
}

/// The two-sided interval of C. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of
/// the binomial", Biometrika 26 (1934): each tail misses the true share with at most half of alpha, whatever that share is.
/// No trials say nothing: 0 to 1.
///
/// Each bound is the root of a binomial tail, looked for on the scale of `ln p`, where the tail is nearly straight and a
/// bound of 1e-11 is as far from 0 as one of 0.1.
pub fn clopper_pearson(count: Count, confidence: Confidence) -> Interval {
    let (hits, trials) = (count.hits(), count.trials());
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let ln_tail = (confidence.alpha() / 2.0).ln();
    let all = ln_tail / trials as f64;
    let share_ln = if hits * 2 < trials {
        count.share().ln()
    } else {
        (-(count.misses() as f64) / trials as f64).ln_1p()
    };
    let low = if hits == 0 {
        0.0
    } else if hits == trials {
        all.exp()
    } else {
        let miss = |ln_p: f64| ln_at_least_pair(count, ln_p.exp(), -ln_p.exp_m1()) - ln_tail;
        let mut outer = 2.0 * share_ln;
        while miss(outer) > 0.0 {
            outer *= 2.0;
        }
        bracketed_root(miss, outer, share_ln).exp()
    };
    let high = if hits == trials {
        1.0
    } else if hits == 0 {
        -all.exp_m1()
    } else {
        let miss = |ln_p: f64| ln_at_most_pair(count, ln_p.exp(), -ln_p.exp_m1()) - ln_tail;
        let mut outer = 0.5 * share_ln;
        while miss(outer) > 0.0 {
            outer *= 0.5;
        }
        bracketed_root(miss, outer, share_ln).exp()
    };
    Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hits: u64, trials: u64, confidence: f64) -> Interval {
        clopper_pearson(
            Count::new(hits, trials).expect("hits are at most trials"),
            Confidence::new(confidence).expect("between 0 and 1"),
        )
    }

    #[test]
    fn agrees_with_published_tables() {
        // Documenta Geigy, Scientific Tables, 7th ed. (1970), exact 95 % limits of a percentage.
        for (hits, trials, low, high) in [
            (0, 10, 0.0, 0.3085),
            (1, 10, 0.0025, 0.4450),
            (5, 10, 0.1871, 0.8129),
            (10, 10, 0.6915, 1.0),
            (3, 20, 0.0321, 0.3789),
            (1, 100, 0.0003, 0.0545),
        ] {
            let found = at(hits, trials, 0.95);
            assert!(
                (found.low - low).abs() < 5.1e-5 && (found.high - high).abs() < 5.1e-5,
                "{hits}/{trials}: {found:?}"
            );
        }
    }

    #[test]
    fn the_rule_of_three_and_no_trials() {
        let high = at(0, 2000, 0.95).high;
        assert!((high - (-f64::ln(0.025) / 2000.0)).abs() < 4e-6, "{high}");
        assert_eq!(at(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
    }
}
