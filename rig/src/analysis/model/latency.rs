//! How long the verdict call lasted in virtual cells, beside bare metal.
//!
//! Plain data, and its words. Must not judge: `analysis/latencies.rs` does. Units: nanoseconds, in the keys; a difference is virtual minus bare metal.
//! Errors: none. Tests: `tests/golden/latencies.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// How long the verdict call lasted in one virtual cell, beside its bare-metal cell. Blocks are the unit. A difference is no news: machines differ in speed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencyComparison {
    /// Name of the scenario, the same in both cells.
    pub scenario: String,
    /// Name of the path, the same in both cells.
    pub path: String,
    /// The scenario's parameters with their values, the same in both cells.
    pub parameters: BTreeMap<String, String>,
    /// Value of the kernel axis of the virtual cell.
    pub kernel: String,
    /// Id of the bare-metal cell.
    pub baseline: String,
    /// Name of the virtual cell's configuration.
    pub configuration: String,
    /// Id of the virtual cell.
    pub cell: String,
    /// Number of calls on bare metal.
    pub n1: u64,
    /// Number of calls in the virtual cell.
    pub n2: u64,
    /// Number of blocks on bare metal that have such calls.
    pub blocks1: u64,
    /// Number of blocks of the virtual cell that have such calls.
    pub blocks2: u64,
    /// The median, and what nine in ten and 99 in 100 do not exceed, of whole calls, also of those that their timeout ended.
    pub quantiles: Vec<QuantileDifference>,
    /// What the calls waited for, where a timeout ended some of them: then how long the others would have waited is known only in part. Absent where none was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutWaits>,
    /// Do the calls last equally long? Mann and Whitney's exact test of the blocks' medians; where a timeout ended some, the log-rank test by permutation of blocks.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// So many blocks cannot have a smaller p-value, whatever their calls last.
    #[schemars(range(min = 0, max = 1))]
    pub smallest_p: f64,
    /// `p_value`, corrected over `family` (Tarone and Holm).
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// Number of comparisons of times that the correction counts: those whose blocks could have shown a difference.
    pub family: u64,
    /// Seed with which the labellings of the blocks were drawn, below 2^53; absent where none was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What this test takes as independent: `block`.
    pub level: &'static str,
    /// How it was made: `hodges-lehmann, mann-whitney, tarone-holm` or `kaplan-meier, log-rank-permutation, tarone-holm`.
    pub method: &'static str,
    /// Whether a difference is shown: `p_adjusted` is at most what the run's confidence leaves.
    pub differs: bool,
    /// Whether there are too few blocks to show any: `smallest_p` is above what the run's confidence leaves.
    pub too_few: bool,
}

/// How far a quantile of the second cell's blocks is from that of the first's: of a report the first is the bare-metal cell, and the second the virtual one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QuantileDifference {
    /// Share of calls that last no longer.
    #[schemars(range(min = 0, max = 1))]
    pub quantile: f64,
    /// That time in the first cell (of a report: bare metal), of all blocks together, as exact as the classes of the recorded histogram (1 part in 16).
    pub first_ns: u64,
    /// That time in the second cell (of a report: the virtual one).
    pub second_ns: u64,
    /// The median of the differences of every block of the second cell from every block of the first (Hodges and Lehmann); within a class of the histogram, times
    /// are taken as evenly spread.
    pub difference_ns: f64,
    /// Lower bound of the shift of the blocks, at the confidence of the run; null where there are too few blocks for one.
    pub low_ns: Option<f64>,
    /// Upper bound.
    pub high_ns: Option<f64>,
}

/// Calls of which some were cut by their timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CutWaits {
    /// Number of calls of the first cell that their timeout ended.
    pub cut1: u64,
    /// Number of calls of the second cell that their timeout ended.
    pub cut2: u64,
    /// By when half of the calls of the first cell have what they wait for, in nanoseconds (Kaplan and Meier); null where more than half waited on.
    pub median1_ns: Option<u64>,
    /// The same of the second cell.
    pub median2_ns: Option<u64>,
}

impl LatencyComparison {
    /// The difference of the medians.
    pub fn median(&self) -> Option<&QuantileDifference> {
        self.quantiles.iter().find(|one| one.quantile == 0.5)
    }
}
