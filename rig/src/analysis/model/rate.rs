//! A share with its bounds, and the bounds of what was never seen.
//!
//! Plain data. Must not judge. Units: shares of 1. Errors: none. Tests: the golden reports.

use schemars::JsonSchema;
use serde::Serialize;

/// A share with its interval.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// Number of trials in which it was so.
    pub count: u64,
    /// Number of trials whose verdict call returned.
    pub n: u64,
    /// Lower bound of the rate, a share of 1; 0 where `n` is 0.
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound of the rate, a share of 1, divided by `sensitivity`; 1 where `n` is 0.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
    /// Two-sided confidence of the interval, a share of 1.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
    /// How the interval takes it into account that trials of one boot may depend on each other: `quasi-binomial` (effective counts by the dispersion of the cell's
    /// family: Korn and Graubard), `beta-binomial` (all trials ended alike: at the declared correlation within blocks), `whole-blocks` (each block as one trial, where
    /// nothing tells how much blocks differ), `clopper-pearson` (trials taken as independent: of a scenario run alone), `none` where `n` is 0.
    pub method: String,
    /// Lower bound as if trials were independent (Clopper and Pearson).
    #[schemars(range(min = 0, max = 1))]
    pub trial_low: f64,
    /// Upper bound as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub trial_high: f64,
    /// Variance between blocks over that of independent trials, of the cells of this scenario and path; null where they do not tell it.
    pub dispersion: Option<f64>,
    /// Degrees of freedom of `dispersion` (Satterthwaite); null where there is none.
    pub freedom: Option<f64>,
    /// Of what was never seen: three upper bounds, from the boldest to the most careful. Null where it was seen.
    pub unseen: Option<UnseenBounds>,
    /// The share of what happened that the machine's positive control proves to be seen: the lower bound of found of injected, at the confidence of the run; of several machines
    /// the least, 1 where no control proves it.
    #[schemars(range(min = 0, max = 1))]
    pub sensitivity: f64,
    /// The rate if it had been so in every trial that does not count: `count`, what was seen in void and stopped blocks, and all their void trials, over all of these trials.
    #[schemars(range(min = 0, max = 1))]
    pub worst: f64,
}

/// How often at most what was never seen may happen: two-sided bounds at the confidence of the run, a share of 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct UnseenBounds {
    /// Of trials, if trials were independent.
    pub independent: f64,
    /// Of trials, at the correlation `icc` of two trials of one block (beta-binomial).
    pub at_icc: f64,
    /// That correlation: the declared one, or the measured one of the family where it is larger.
    pub icc: f64,
    /// Of blocks, whatever the correlation: at most this share of boots shows it at all.
    pub share_of_blocks: f64,
}
