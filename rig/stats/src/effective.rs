//! Counts that are worth fewer trials than were played, because trials of one block are alike.
//!
//! Holds a sample of real-valued size and its interval. Must not know where a design effect comes from.
//! Units: trials, shares of 1. Errors: none.
//! Tests: here, against the interval of whole counts and values of 30 digits.

use crate::special::beta_quantile_pair;
use crate::{Confidence, Count, Interval};

/// So many hits in so many trials, where neither is a whole number: counts divided by a design effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effective {
    hits: f64,
    misses: f64,
}

impl Effective {
    /// Trials that are worth what they are: independent ones.
    pub fn of(count: Count) -> Self {
        Self { hits: count.hits() as f64, misses: count.misses() as f64 }
    }

    /// The count divided by the design effect `d`: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number of
    /// positive counts estimated from survey data", Survey Methodology 24 (1998). A `d` below 1 is taken as 1, as they do: trials are never worth
    /// more than independent ones.
    pub fn over(count: Count, d: f64) -> Self {
        debug_assert!(!d.is_nan(), "a design effect");
        let d = d.max(1.0);
        Self { hits: count.hits() as f64 / d, misses: count.misses() as f64 / d }
    }

    /// How often it happened, in effective trials.
    pub fn hits(self) -> f64 {
        self.hits
    }

    /// How often it did not.
    pub fn misses(self) -> f64 {
        self.misses
    }

    /// Of how many effective trials.
    pub fn trials(self) -> f64 {
        self.hits + self.misses
    }

    /// `hits / trials`, and 0 of no trials.
    pub fn share(self) -> f64 {
        if self.trials() > 0.0 { self.hits / self.trials() } else { 0.0 }
    }

    /// With hits and misses changing places.
    pub(crate) fn mirrored(self) -> Self {
        Self { hits: self.misses, misses: self.hits }
    }

    /// Clopper and Pearson's interval by the quantiles of the beta distribution, which need no whole numbers: from Beta(x, n - x + 1) at half of alpha to
    /// Beta(x + 1, n - x) at 1 less half of alpha (Korn and Graubard 1998). Of whole counts it is [`crate::clopper_pearson`]. No trials say nothing: 0 to 1.
    ///
    /// It covers as often as it says where the design effect is right; [`crate::Clustering`] states where that is not so.
    pub fn interval(self, confidence: Confidence) -> Interval {
        let trials = self.trials();
        if trials <= 0.0 {
            return Interval { low: 0.0, high: 1.0 };
        }
        let half = confidence.alpha() / 2.0;
        let low = if self.hits == 0.0 {
            0.0
        } else if self.misses == 0.0 {
            (half.ln() / trials).exp()
        } else {
            beta_quantile_pair(self.hits, self.misses + 1.0, half, 1.0 - half).0
        };
        let high = if self.misses == 0.0 {
            1.0
        } else if self.hits == 0.0 {
            -(half.ln() / trials).exp_m1()
        } else {
            beta_quantile_pair(self.hits + 1.0, self.misses, 1.0 - half, half).0
        };
        Interval { low, high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clopper_pearson;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    fn confidence(value: f64) -> Confidence {
        Confidence::new(value).expect("between 0 and 1")
    }

    #[test]
    fn of_whole_counts_it_is_the_interval_of_clopper_and_pearson() {
        for (hits, trials) in [
            (0, 0),
            (0, 7),
            (7, 7),
            (1, 10),
            (5, 10),
            (3, 2_000),
            (1_999, 2_000),
            (40, 10_000_000),
            (4_000_000, 10_000_000),
        ] {
            for level in [0.5, 0.95, 0.998_5, 0.999_999] {
                let (found, wanted) = (
                    Effective::of(count(hits, trials)).interval(confidence(level)),
                    clopper_pearson(count(hits, trials), confidence(level)),
                );
                for (found, wanted) in [(found.low, wanted.low), (found.high, wanted.high)] {
                    assert!(
                        (found - wanted).abs() <= 1e-11 * wanted,
                        "{hits}/{trials} at {level}: {found:e} {wanted:e}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_design_effect_makes_fewer_trials_and_never_more() {
        let half = Effective::over(count(3, 11), 2.0);
        assert_eq!((half.hits(), half.misses(), half.trials()), (1.5, 4.0, 5.5));
        assert_eq!(half.share(), count(3, 11).share());
        assert_eq!(Effective::over(count(3, 11), 0.5), Effective::of(count(3, 11)));
        assert_eq!(
            Effective::over(Count::NONE, 3.0).interval(confidence(0.95)),
            Interval { low: 0.0, high: 1.0 }
        );
        let [narrow, wide] =
            [1.0, 4.0].map(|d| Effective::over(count(20, 2_000), d).interval(confidence(0.95)));
        assert!(wide.low < narrow.low && narrow.high < wide.high, "{narrow:?} {wide:?}");
    }
}
