//! What a run says of one errno, over all cells of its base program.
//!
//! Plain data. Must not judge. Units: shares of 1; a difference is guests minus host. Errors: none. Tests: `tests/golden/headline.rs`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ComparisonVerdict, Question, Rate};

/// One errno in the base program: on the host, and in the guests of one kind. Cells that are blind for it are left out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Headline {
    /// Which errno.
    pub errno: Question,
    /// Names of the scenarios that were taken together.
    pub scenarios: Vec<String>,
    /// How often it was returned on the host; null where the host has no cell that sees it.
    pub host: Option<Rate>,
    /// How often it was returned in the guests; null where no guest has a cell that sees it.
    pub guests: Option<GuestRate>,
    /// Number of strata (scenario, parameters and path) with trials on both sides; only these are compared.
    pub strata: u32,
    /// Rate in the guests minus rate on the host, weighted over the strata (Mantel and Haenszel).
    #[schemars(range(min = -1, max = 1))]
    pub difference: f64,
    /// Lower bound of the difference, at the confidence of the run: stratified score interval of Miettinen and Nurminen on effective counts (`method`).
    #[schemars(range(min = -1, max = 1))]
    pub low: f64,
    /// Upper bound of the difference.
    #[schemars(range(min = -1, max = 1))]
    pub high: f64,
    /// How the bounds take it into account that trials of one boot may depend on each other; as in `comparisons[].method`.
    pub method: &'static str,
    /// Variance between blocks over that of independent trials, of all cells of the strata; null where they do not tell it.
    pub dispersion: Option<f64>,
    /// Degrees of freedom of `dispersion` (Satterthwaite); null where there is none.
    pub freedom: Option<f64>,
    /// Lower bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_low: f64,
    /// Upper bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_high: f64,
    /// Exact conditional test of no difference in any stratum, two-sided, as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub p_trials: f64,
    /// What came of calling the boots "host" or "guest" anew, all ways or many drawn ones; null where there is nothing to call.
    pub randomisation: Option<Randomisation>,
    /// The p-value of `randomisation`, or `p_trials` if it is larger, times the number of questions (EBADF, ENOENT, any errno); 1 where there is none.
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// The margin by which it is judged, a share of 1 (`run.margins`).
    pub margin: f64,
    /// What can be said. `blind` where one side has trials and none of its cells sees it, or the A/A pair differs; `not_run` where one side has no trials.
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the two are the same; otherwise null, and where no number would.
    pub trials_needed: Option<u64>,
}

impl Headline {
    /// Whether single trials show a difference that boots do not: more trials of the same boots would decide nothing.
    pub fn is_of_trials_alone(&self) -> bool {
        let of_trials = self.trial_low > 0.0 || self.trial_high < 0.0;
        self.verdict == ComparisonVerdict::NotEnoughTrials && self.trials_needed.is_none() && of_trials
    }
}

/// An exact test that takes whole boots, as rig's own random order of them allows: valid however much trials of one boot depend on each other.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Randomisation {
    /// Number of the host's units: boots, or blocks where each had a boot (or a namespace) of its own.
    pub host: u64,
    /// Number of the guests'.
    pub guests: u64,
    /// Share of the labellings whose weighted difference is at least as far from 0.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// No p-value of so many units can be smaller, whatever their trials end as.
    #[schemars(range(min = 0, max = 1))]
    pub smallest_p: f64,
    /// Number of labellings that were looked at.
    pub labellings: u64,
    /// The seed of those that were drawn; null where all were looked at.
    pub seed: Option<u64>,
}

/// How often guests of one kind returned it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GuestRate {
    /// What executed them: `kvm`, `tcg`.
    pub accelerators: Vec<String>,
    /// Whether a proxy ends TCP on the way.
    pub proxied: bool,
    /// How often.
    pub rate: Rate,
}
