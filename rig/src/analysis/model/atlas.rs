//! What a report says of the atlas: every situation of a connection under every probe.
//!
//! Plain data, and its sentence. Must not judge: `analysis/atlas.rs` does. Units: counts. Errors: none.
//! Tests: `tests/golden/atlas.rs`.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::words::{count, several};
use super::ExpectationStatus;

/// So many pairs are named in the sentence.
const NAMED: usize = 6;

/// The pairs of the run: scenarios named `SITUATION:PROBE`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Atlas {
    /// The situations, in the order of the plan: the rows.
    pub situations: Vec<String>,
    /// The probes, in the order of the plan: the columns.
    pub probes: Vec<String>,
    /// Every pair of the plan, by situation and then by probe.
    pub cells: Vec<AtlasCell>,
    /// Number of pairs that have a trial.
    pub played: u64,
    /// Number of those of which every trial ended as it should, wherever it was played.
    pub right: u64,
    /// The pairs that end differently on two kernels, as `kernels.differences` has them.
    pub kernels_differ: Vec<String>,
}

/// One situation under one probe.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AtlasCell {
    /// Name of the situation.
    pub situation: String,
    /// Name of the probe.
    pub probe: String,
    /// The outcomes that are right, as the pair's scenario spells them.
    pub expected: Vec<String>,
    /// The most frequent outcome over all places; null where there is no trial.
    pub outcome: Option<String>,
    /// Number of trials that ended so.
    pub count: u64,
    /// Number of trials that have an outcome, over all places.
    pub n: u64,
    /// Number of trials that ended as they should.
    pub as_expected: u64,
    /// Whether that is the right value: the gravest of what is said of the places' expectation.
    pub status: ExpectationStatus,
    /// Where it was played: configurations, kernels and paths, in the order of the plan.
    pub places: Vec<AtlasPlace>,
}

/// A pair in one configuration, on one kernel, over one path.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AtlasPlace {
    /// Id of the cell.
    pub cell: String,
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of the path.
    pub path: String,
    /// The most frequent outcome here; null where there is no trial.
    pub outcome: Option<String>,
    /// Number of trials that ended so.
    pub count: u64,
    /// Number of trials that have an outcome.
    pub n: u64,
    /// What comes of the cell's expectation.
    pub status: ExpectationStatus,
    /// Whether the most frequent outcome here is another than that of the pair.
    pub differs: bool,
}

impl Atlas {
    /// `214 of 216 pairs ended as they should in all trials; 1 differs between kernels: after-rst:poll.`
    pub fn sentence(&self) -> String {
        let played = usize::try_from(self.played).unwrap_or(usize::MAX);
        let end = if self.right == 1 && self.played == 1 { "ended as it" } else { "ended as they" };
        let mut text = format!(
            "Atlas: {} of {} of a situation and a probe {end} should in all trials",
            count(self.right),
            several(played, "pair")
        );
        let wrong: Vec<String> = self
            .cells
            .iter()
            .filter(|cell| cell.n > 0 && cell.as_expected < cell.n)
            .map(|cell| format!("{}:{}", cell.situation, cell.probe))
            .collect();
        if !wrong.is_empty() {
            text.push_str(&format!(", not {}", named(&wrong)));
        }
        text.push_str("; ");
        match &self.kernels_differ[..] {
            [] => text.push_str("none differs between kernels"),
            [one] => text.push_str(&format!("1 differs between kernels: {one}")),
            more => {
                text.push_str(&format!(
                    "{} differ between kernels: {}",
                    count(more.len() as u64),
                    named(more)
                ));
            }
        }
        let missing = self.cells.len().saturating_sub(played);
        if missing > 0 {
            text.push_str(&format!("; {} not played", several(missing, "pair")));
        }
        text + "."
    }
}

/// The first of many.
fn named(pairs: &[String]) -> String {
    let mut first: Vec<String> = pairs.iter().take(NAMED).cloned().collect();
    if let Some(more @ 1..) = pairs.len().checked_sub(NAMED) {
        first.push(format!("{} more", count(more as u64)));
    }
    first.join(", ")
}
