//! Exact statistics for rare counts: intervals, two-sample comparison, blocks, multiplicity, equivalence, power, sequential rules.
//!
//! Holds pure functions over counts; must not know files, cells, errnos or anything else of `rig`.
//! Units: shares of 1. Counts up to 2^53, which a double holds exactly.
//! Errors: none; what cannot be a count, a probability or a confidence is refused by its constructor with `None`.
//! Tests: beside each module, and `tests/exact.rs` (coverage by enumeration, exact rationals, published tables).

#![forbid(unsafe_code)]

mod beta_binomial;
pub mod binomial;
pub mod boschloo;
pub mod change;
pub mod clustering;
pub mod contingency;
pub mod cusum;
pub mod detector;
pub mod dispersion;
pub mod effective;
pub mod equivalence;
pub mod hits;
pub mod interval;
mod labellings;
pub mod latency;
pub mod multiple;
pub mod power;
pub mod randomised;
pub mod relabel;
#[cfg(test)]
#[path = "../../tests/support/scale.rs"]
mod scale;
pub mod sequential;
#[cfg(test)]
mod simulated;
pub mod special;
pub mod stratified;
pub mod survival;
pub mod tables;
pub mod unseen;

pub use boschloo::{boschloo, boschloo_near};
pub use change::{Change, change_point};
pub use clustering::Clustering;
pub use contingency::{difference, difference_effective, fisher};
pub use cusum::BernoulliCusum;
pub use detector::{Detector, Direction};
pub use dispersion::Dispersion;
pub use effective::Effective;
pub use equivalence::{Judgement, enough_trials, judge};
pub use hits::Design;
pub use interval::{Interval, clopper_pearson};
pub use latency::{Shift, hodges_lehmann, quantile_difference};
pub use multiple::{holm, smallest_p, tarone_family, tarone_holm};
pub use power::{
    Criteria, Verdicts, detectable, enough_blocks, fewest, least_shown, power_of, shows_same, unseen_blocks,
};
pub use randomised::{Randomised, Unit, randomised};
pub use relabel::{Relabelled, relabel, relabel_by};
pub use sequential::{HalfAtom, anytime_difference, anytime_interval, anytime_p, zero_trials};
pub use stratified::{
    Stratum, stratified_difference, stratified_difference_effective, stratified_fisher, weighted_difference,
};
pub use survival::{Curve, Waits, kaplan_meier, log_rank};
pub use unseen::{Unseen, effective_trials, unseen};

/// So many hits in so many trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Count {
    hits: u64,
    trials: u64,
}

impl Count {
    /// The largest number of trials: above it a double no longer tells neighbours apart.
    pub const MAX_TRIALS: u64 = 1 << 53;
    /// Nothing was tried.
    pub const NONE: Self = Self { hits: 0, trials: 0 };

    /// `None` where there are more hits than trials, or more trials than [`Self::MAX_TRIALS`].
    pub fn new(hits: u64, trials: u64) -> Option<Self> {
        (hits <= trials && trials <= Self::MAX_TRIALS).then_some(Self { hits, trials })
    }

    /// How often it happened.
    pub fn hits(self) -> u64 {
        self.hits
    }

    /// Of how many.
    pub fn trials(self) -> u64 {
        self.trials
    }

    /// How often it did not.
    pub fn misses(self) -> u64 {
        self.trials - self.hits
    }

    /// `hits / trials`, and 0 of no trials.
    pub fn share(self) -> f64 {
        if self.trials == 0 { 0.0 } else { self.hits as f64 / self.trials as f64 }
    }

    /// Both samples as one; `None` where the sum is over [`Self::MAX_TRIALS`].
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::new(self.hits + other.hits, self.trials + other.trials)
    }
}

/// A share of 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// `None` outside 0..=1, and for NaN.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// The confidence of a two-sided interval, strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f64);

impl Confidence {
    /// `None` outside the open interval 0..1, and for NaN.
    pub fn new(value: f64) -> Option<Self> {
        (value > 0.0 && value < 1.0).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// What both tails together may miss.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// That of each of `n` intervals, so that all of them hold together at this one, whatever their dependence (Bonferroni's inequality).
    pub fn for_each_of(self, n: usize) -> Self {
        Self(1.0 - self.alpha() / n.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(Count::new(2, 1), None);
        assert_eq!(Count::new(0, Count::MAX_TRIALS + 1), None);
        assert_eq!(Count::new(0, 0).map(Count::share), Some(0.0));
        let each = Confidence::new(0.95).map(|confidence| [0, 1, 5].map(|n| confidence.for_each_of(n).get()));
        assert_eq!(each, Some([0.95, 0.95, 0.99]));
        assert_eq!(Probability::new(f64::NAN), None);
        assert_eq!(Probability::new(-0.1), None);
        assert_eq!(Confidence::new(1.0), None);
        assert_eq!(Confidence::new(f64::NAN), None);
    }
}
