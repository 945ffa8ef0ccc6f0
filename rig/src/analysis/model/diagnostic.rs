//! What a report says of the diagnostics of the production report: what each shows of a RST, and what it disturbs.
//!
//! Plain data. Must not judge: `analysis/diagnostics.rs` does. Units: counts, nanoseconds. Errors: none.
//! Tests: `tests/golden/diagnosed.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// One diagnostic tool, and what it saw in the trials of its scenario.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// The tool, as an operator calls it.
    pub tool: String,
    /// Ids of the claims that it is about.
    pub claims: Vec<String>,
    /// Name of the scenario that plays it; empty where no scenario does.
    pub scenario: String,
    /// What it looks for: `the call` or `the RST`.
    pub looks_for: String,
    /// What it saw, place by place, in the order of the plan; empty where it was not played.
    pub places: Vec<DiagnosticPlace>,
}

/// A diagnostic in one configuration, on one kernel, over one path.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DiagnosticPlace {
    /// Ids of the cells.
    pub cells: Vec<String>,
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of the path.
    pub path: String,
    /// Number of trials in which the look showed what it looks for; of captured packets, number of RST segments that were seen.
    pub sees: u64,
    /// Number of trials in which the look could tell; of captured packets, number of RST segments that the kernels of both ends say they sent. `n - sees` were
    /// missed.
    pub n: u64,
    /// Number of trials in which it could not: the tool failed, another program's call hid the trial's, or the trial ended before. They are not in `n`.
    pub unclear: u64,
    /// Number of trials by what the look showed: its labels, joined by commas.
    pub showed: BTreeMap<String, u64>,
    /// Whether the calls behind the look end otherwise than without it; null where none follows, and where there is no reference.
    pub disturbs: Option<Disturbance>,
    /// Median of the verdict call with the tool, divided by that of the reference; null where one of them was not timed, or there is no reference.
    pub call_ratio: Option<f64>,
}

/// Calls behind a look, held against the same calls of `rst` in the same configuration and kernel, over the same path, with the RST there before the call in
/// every trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Disturbance {
    /// Number of trials whose labels behind the look are others than the reference's.
    pub count: u64,
    /// Number of trials that have an outcome.
    pub n: u64,
    /// The labels of the reference behind the verdict call that are the most frequent.
    pub reference: String,
}
