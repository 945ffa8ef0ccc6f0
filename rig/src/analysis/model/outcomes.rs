//! What a report says of how trials ended in a virtual cell and in its bare-metal cell.
//!
//! Plain data. Must not judge: `analysis/outcomes.rs` does. Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/outcomes.rs`, the golden reports.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::ComparisonVerdict;
use super::reason::ComparisonReason;
use super::written::as_words;

/// The outcomes of one virtual cell against those of its bare-metal cell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutcomeComparison {
    /// Name of the scenario, the same in both cells.
    pub scenario: String,
    /// Name of the path, the same in both cells.
    pub path: String,
    /// The scenario's parameters with their values, the same in both cells.
    pub parameters: BTreeMap<String, String>,
    /// Value of the kernel axis of the virtual cell.
    pub kernel: String,
    /// Id of the bare-metal cell; empty where the plan has none.
    pub baseline: String,
    /// Name of the virtual cell's configuration.
    pub configuration: String,
    /// Id of the virtual cell.
    pub cell: String,
    /// Number of trials of the bare-metal cell that have an outcome.
    pub n1: u64,
    /// Number of trials of the virtual cell that have an outcome.
    pub n2: u64,
    /// Every outcome that was seen in one of the two, the largest difference first; empty where it was not run. Beyond the 64 most frequent of both
    /// they are taken together as `others`.
    pub outcomes: Vec<OutcomeDifference>,
    /// What the verdicts on `outcomes` take as independent: `block`.
    pub level: &'static str,
    /// How these were made: `miettinen-nurminen` (the intervals of the difference), `fisher` (the p-values of trials), `tarone-holm` (the correction).
    pub method: &'static str,
    /// Number of tests that the correction counts: all outcomes of all comparisons of the report that were run and that their totals allow to be shown; races of the
    /// application's own threads are a family of their own.
    pub family: u64,
    /// Whether the blocks of the two cells end alike as a whole; null where it was not run.
    pub blocks: Option<BlockTest>,
    /// The outcome that decides the verdict; null where there is none.
    pub leading: Option<String>,
    /// The margin by which it is judged, a share of 1 (`run.margin`).
    pub margin: f64,
    /// Whether a difference here is news: not in a race of the application's own threads, whose rate follows the machine's timing, and not where
    /// `known` says why.
    pub alert: bool,
    /// Why it is known that trials of one of the two cells end otherwise, as the matrix says it; null where it says nothing.
    pub known: Option<String>,
    /// What can be said: the verdict on the leading outcome. A difference of single trials is not enough where boots do not bear it out (`not_enough_trials`, with a reason).
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the leading outcome is as frequent in both; otherwise null, and where no
    /// number would, or more blocks are needed (`reason`).
    pub trials_needed: Option<u64>,
    /// Why there is no result, in words: it was not run, is blind, or whole blocks do not confirm what single trials show; otherwise empty.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "String")]
    pub reason: Option<ComparisonReason>,
}

/// How often an outcome was seen in two cells: of a report the first is the bare-metal cell, and the second the virtual one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutcomeDifference {
    /// Its labels, joined by commas.
    pub outcome: String,
    /// Number of trials of the first cell (of a report: bare metal) that ended so, of `n1`.
    pub x1: u64,
    /// Number of trials of the second cell (of a report: the virtual one) that ended so, of `n2`.
    pub x2: u64,
    /// Share in the second cell minus share in the first, in shares of 1.
    #[schemars(range(min = -1, max = 1))]
    pub difference: f64,
    /// Lower bound of the difference, at the confidence of the run: what is judged by (score interval of Miettinen and Nurminen on effective counts).
    #[schemars(range(min = -1, max = 1))]
    pub low: f64,
    /// Upper bound of the difference.
    #[schemars(range(min = -1, max = 1))]
    pub high: f64,
    /// How blocks are taken into account: as in `comparisons[].method`.
    pub method: &'static str,
    /// Variance between blocks over that of independent trials, of the cells of this scenario and path; null where they do not tell it.
    pub dispersion: Option<f64>,
    /// Degrees of freedom of `dispersion` (Satterthwaite); null where there is none.
    pub freedom: Option<f64>,
    /// Lower bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_low: f64,
    /// Upper bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_high: f64,
    /// Fisher's exact test of equal shares, two-sided, as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// Test of equal shares in which the block is the unit; never smaller than `p_value`.
    #[schemars(range(min = 0, max = 1))]
    pub p_blocks: f64,
    /// `p_blocks`, corrected over `family` (Tarone and Holm).
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// What can be said of this outcome.
    pub verdict: ComparisonVerdict,
}

/// A permutation test of whole blocks: valid however trials of one block depend on each other. It is not corrected for the number of comparisons.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BlockTest {
    /// Number of blocks of the first cell that count.
    pub blocks1: u64,
    /// Number of blocks of the second cell that count.
    pub blocks2: u64,
    /// Likelihood-ratio statistic of the table of cells by outcomes; beyond the 64 most frequent of both, outcomes are taken together.
    #[schemars(range(min = 0))]
    pub statistic: f64,
    /// The chance of a statistic at least as large, if the place of a block made no difference.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// So many blocks cannot have a smaller p-value, whatever their trials end as.
    #[schemars(range(min = 0, max = 1))]
    pub smallest_p: f64,
    /// Whether there are too few blocks for this test: `smallest_p` is above what the run's confidence leaves.
    pub too_few: bool,
    /// Number of labellings of the blocks that were looked at.
    pub labellings: u64,
    /// Seed with which they were drawn, below 2^53; absent where all of them were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What this test takes as independent: `block`.
    pub level: &'static str,
    /// How it was made: `likelihood-ratio-permutation`.
    pub method: &'static str,
}

impl OutcomeComparison {
    /// Whether a difference is shown that is news.
    pub fn is_news(&self) -> bool {
        self.alert && self.verdict.is_difference()
    }

    /// The outcome that decides the verdict.
    pub fn leader(&self) -> Option<&OutcomeDifference> {
        let leading = self.leading.as_ref()?;
        self.outcomes.iter().find(|one| one.outcome == *leading)
    }
}
