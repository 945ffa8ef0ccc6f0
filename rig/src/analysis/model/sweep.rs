//! How often trials end in a certain way as one delay of a scenario grows.
//!
//! Plain data. Must not judge. Units: counts, shares of 1, nanoseconds. Errors: none. Tests: `tests/golden/sweeps.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// The cells of a scenario that differ in one delay only, and the outcome whose share changes most along it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Sweep {
    /// Name of the scenario, the same in all cells.
    pub scenario: String,
    /// Name of the path, the same in all cells.
    pub path: String,
    /// Name of the parameter that is swept.
    pub parameter: String,
    /// The other parameters with their values, the same in all cells.
    pub parameters: BTreeMap<String, String>,
    /// The outcome that is counted.
    pub outcome: String,
    /// One for each configuration and kernel, in the order of the plan.
    pub series: Vec<SweepSeries>,
}

/// The cells of one configuration and kernel.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SweepSeries {
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// In the order of the delay; at least three.
    pub points: Vec<SweepPoint>,
}

/// One cell of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SweepPoint {
    /// Id of the cell.
    pub cell: String,
    /// The value of the swept parameter, in nanoseconds.
    pub delay_ns: u64,
    /// Number of trials that ended so.
    pub count: u64,
    /// Number of trials that have an outcome.
    pub n: u64,
    /// Lower bound of `count / n`, a share of 1, at the confidence of the run.
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
    /// How the interval takes it into account that trials of one boot may depend on each other: as in `cells[].rates`.
    pub method: String,
}
