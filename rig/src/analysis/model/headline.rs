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
    /// Lower bound of the difference, at the confidence of the run (stratified score interval of Miettinen and Nurminen).
    #[schemars(range(min = -1, max = 1))]
    pub low: f64,
    /// Upper bound of the difference.
    #[schemars(range(min = -1, max = 1))]
    pub high: f64,
    /// Exact conditional test of no difference in any stratum, two-sided, times the number of errnos that are compared.
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// The margin by which it is judged, a share of 1 (`run.margins`).
    pub margin: f64,
    /// What can be said. `blind` where one side has trials and none of its cells sees it, or the A/A pair differs; `not_run` where one side has no trials.
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the two are the same; otherwise null, and where no number would.
    pub trials_needed: Option<u64>,
}

/// How often guests of one kind returned it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GuestRate {
    /// What executed them: `kvm`, `tcg`.
    pub accelerators: Vec<String>,
    /// Whether libslirp terminates TCP on the way.
    pub proxied: bool,
    /// How often.
    pub rate: Rate,
}
