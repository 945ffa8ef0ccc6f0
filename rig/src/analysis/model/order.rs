//! How the trials of a cell lie in the order of its blocks, and what was seen in blocks that do not count.
//!
//! Plain data. Must not judge. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/order.rs`.

use std::collections::BTreeMap;

use rig_protocol::Returned;
use schemars::JsonSchema;
use serde::Serialize;

/// Where in their blocks the trials of one kind lie: evenly, or in clusters.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OrderSummary {
    /// An outcome; or `CLOSE before the call`; or `void`.
    pub what: String,
    /// Trials of this kind.
    pub count: u64,
    /// Trials planned in the blocks that have it, and in which it is not the most frequent outcome.
    pub n: u64,
    /// Variance between windows of the trial index over that of independent trials (Pearson's chi-square over its degrees of freedom): 1 where they lie evenly.
    /// Null where there are too few to say.
    pub dispersion: Option<f64>,
    /// The chance that independent trials lie at least as unevenly; null likewise. Not corrected for the number of questions.
    pub p_value: Option<f64>,
    /// Pairs of neighbouring trials that are both of this kind.
    pub adjacent_pairs: u64,
    /// As many pairs as independent trials would give in the mean.
    pub adjacent_expected: f64,
    /// Index of the first such trial in its block, the smallest over the blocks.
    pub first: u64,
    /// Index of the last such trial in its block, the largest over the blocks.
    pub last: u64,
}

/// What was seen in attempts at blocks that do not count.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NotCounted {
    /// Why they do not count.
    pub because: NotCountedBecause,
    /// Number of attempts.
    pub attempts: u32,
    /// Number of their trials that had an outcome.
    pub trials: u64,
    /// Number of these trials by what the verdict call returned, as in the cell's `returns`.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub returns: BTreeMap<Returned, u64>,
    /// Number of these trials by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

/// Why an attempt at a block does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotCountedBecause {
    /// The testbed failed, or its fault could not be proven.
    Void,
    /// The run was stopped while it was played.
    Aborted,
}
