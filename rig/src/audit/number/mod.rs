//! The arithmetic of an audit: counts in, intervals and p-values out.
//!
//! Written for the audit alone, from the published definitions and by other algorithms than `rig-stats` has: log-gamma and bisection in place of saddle points and
//! root finders, sums over whole distributions in place of tails. Slower, and easier to check by hand. Must not use `rig-stats`, nor know files or cells.
//! Units: counts, shares of 1; a difference is second minus first. Errors: none. Tests: in each file, against published values.

mod boots;
mod relabel;
mod score;
mod several;
mod share;
mod shift;
mod special;
mod table;
mod unseen;
mod waits;

pub(super) use boots::{Compared, Family, compare, effect, estimate, judged, trials_alone};
pub(super) use relabel::{Labelled, Unit, rows_relabelled, units_relabelled};
pub(super) use score::{Side, enough_trials, score_interval};
pub(super) use several::{holm, tarone_family, tarone_holm};
pub(super) use share::share_interval;
pub(super) use shift::{Shift, shift};
pub(super) use special::chi_square_beyond;
pub(super) use table::strata_alike;
pub(super) use waits::{Waits, log_rank, median};

/// So many hits of so many trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tries {
    pub(super) hits: u64,
    pub(super) of: u64,
}

impl Tries {
    /// More hits than trials are no count: nothing was tried then.
    pub(super) fn new(hits: u64, of: u64) -> Self {
        if hits <= of { Self { hits, of } } else { Self::default() }
    }

    pub(super) fn misses(self) -> u64 {
        self.of - self.hits
    }

    /// `hits / of`, and 0 of no trials.
    pub(super) fn share(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }

    pub(super) fn sum(all: &[Self]) -> Self {
        let add = |sum: Self, one: &Self| Self { hits: sum.hits + one.hits, of: sum.of + one.of };
        all.iter().fold(Self::default(), add)
    }
}

/// Two bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Bounds {
    /// Of a difference of which nothing is known.
    pub(super) const ANY_DIFFERENCE: Self = Self { low: -1.0, high: 1.0 };

    pub(super) fn has(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// What both allow.
    pub(super) fn or(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// How sure one wants to be: the chance of an error, and the standard deviations that leave it outside on both sides together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) alpha: f64,
    pub(super) z: f64,
}

impl Level {
    pub(super) fn new(alpha: f64) -> Self {
        Self { alpha, z: special::normal_two_sided(alpha) }
    }
}
