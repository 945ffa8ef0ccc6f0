//! What a report says of trials that end differently on two kernels.
//!
//! Plain data, and its words. Must not judge: `analysis/kernels.rs` does. Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/kernels.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::words::count;

/// What identifies a kernel of a guest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct KernelFile {
    /// SHA-256 (hex) of its file.
    pub sha256: String,
    /// SHA-256 (hex) of its configuration; empty where it is not known.
    pub config_sha256: String,
    /// Whether it is one's own, out of no package.
    pub own: bool,
    /// `git describe --always --dirty` of the tree that it was built in; empty where that is no work tree of git.
    pub git: String,
}

/// Every two kernels on which the same scenario was played, with the same parameters, over the same path, in the same configuration.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KernelComparisons {
    /// Number of pairs of cells that were compared: both have a trial.
    pub compared: u64,
    /// Those whose trials end differently, in the order of the plan.
    pub differences: Vec<KernelDifference>,
    /// What is asked: the intervals, by boots, of an outcome's share on both kernels are further apart than this, a share of 1 (`run.margin`).
    pub margin: f64,
}

/// Two cells that differ in nothing but their kernel, and end differently.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KernelDifference {
    /// Name of the scenario.
    pub scenario: String,
    /// The scenario's parameters with their values.
    pub parameters: BTreeMap<String, String>,
    /// Name of the path.
    pub path: String,
    /// Name of the configuration.
    pub configuration: String,
    /// Whether the scenario is a race, whose rate follows the machine's timing: then the kernel need not be the cause.
    pub race: bool,
    /// The kernel that the plan names first, and the outcome of which it has most more than the other.
    pub first: KernelEnd,
    /// The other kernel, and the outcome of which it has most more than the first.
    pub second: KernelEnd,
}

/// How often an outcome was seen on a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KernelEnd {
    /// Value of the kernel axis.
    pub kernel: String,
    /// `uname -r` as the agents reported it; empty where none spoke.
    pub kernel_release: String,
    /// Id of the cell.
    pub cell: String,
    /// The labels of the outcome, joined by commas.
    pub outcome: String,
    /// Number of trials that ended so.
    pub count: u64,
    /// Number of trials that have an outcome.
    pub n: u64,
    /// Lower bound of `count / n`, a share of 1, at the confidence of the run.
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound of `count / n`.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
}

impl KernelEnd {
    /// `readable,data on 6.1 (60 of 60)`
    fn words(&self) -> String {
        format!("{} on {} ({} of {})", self.outcome, self.kernel, count(self.count), count(self.n))
    }
}

impl KernelDifference {
    /// `readable,data on 6.1 (60 of 60), timeout on 6.12 (60 of 60)`
    pub fn words(&self) -> String {
        let race = if self.race { "; a race, whose rate follows the machine's timing" } else { "" };
        format!("{}, {}{race}", self.first.words(), self.second.words())
    }
}
