//! What a report says of the counter-measures of the production report: which failure each detects, and after how long.
//!
//! Plain data, and the words of a variant. Must not judge: `analysis/counter_measures.rs` does. Units: counts, nanoseconds. Errors: none.
//! Tests: `tests/golden/countered.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Quantiles;

/// One counter-measure in one of its variants.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CounterMeasure {
    /// Its number in the production report.
    pub number: u32,
    /// What the program does.
    pub measure: String,
    /// Whether that is what the production report prints.
    pub variant: CounterMeasureVariant,
    /// Id of the claim that it is about.
    pub claim: String,
    /// Name of the scenario that plays it.
    pub scenario: String,
    /// What it detected, failure by failure and place by place, in the order of the plan; empty where it was not played.
    pub findings: Vec<CounterMeasureFinding>,
}

/// Which program a counter-measure's row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CounterMeasureVariant {
    /// As the production report prints it.
    AsPrinted,
    /// The same with shorter times.
    Scaled,
    /// As it has to be for what it is to do.
    Mended,
}

/// A counter-measure against one failure in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CounterMeasureFinding {
    /// What happens to the connection, in words; over a path that has none of its own the path's name.
    pub failure: String,
    /// Id of the cell.
    pub cell: String,
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of the path.
    pub path: String,
    /// The scenario's parameters with their values.
    pub parameters: BTreeMap<String, String>,
    /// Number of trials in which the program was told of it.
    pub detected: u64,
    /// Number of trials that have an outcome.
    pub n: u64,
    /// Number of those trials by what told it: an errno, or which check, wait or word of several.
    pub by: BTreeMap<String, u64>,
    /// How long that took, where the verdict call's time is that and every trial detected it; otherwise null.
    pub took_ns: Option<Quantiles>,
}

impl CounterMeasureVariant {
    /// As a table says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::AsPrinted => "as printed",
            Self::Scaled => "in less time",
            Self::Mended => "mended",
        }
    }
}
