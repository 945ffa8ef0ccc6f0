//! Trials kept whole that a reader should look at.
//!
//! Plain data. Must not judge. Units: counts, nanoseconds. Errors: none. Tests: `tests/golden/anomalies.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::scenario_run::LaneText;
use crate::record::format::KeptTrial;

/// Trials that ended as their scenario does not expect, or whose verdict call returned a -1 that it does not name: the first of each outcome of each cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Anomalies {
    /// The trials, in the order of the plan.
    pub trials: Vec<Anomaly>,
    /// Of each cell that they are of, what `lane` and `step` of their steps name, both counted from 0.
    pub lanes: BTreeMap<String, Vec<LaneText>>,
    /// Number of outcomes of cells that have anomalies and no trial here: beyond the first 100.
    pub left_out: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Anomaly {
    /// Id of the cell.
    pub cell: String,
    /// Name of the block, the trials of one boot or part of them.
    pub block: String,
    /// Which attempt at that block, from 1.
    pub attempt: u32,
    /// Seed of every draw of that block.
    pub seed: u64,
    /// Number of trials of the cell that ended in the same way.
    pub alike: u64,
    /// The trial, step by step.
    pub kept: KeptTrial,
    /// Its packets at both ends of the path, in the order in which they passed; absent where none were captured (`--capture`), or none bear its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packets: Vec<AnomalyPacket>,
}

/// A TCP segment of an unexpected trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnomalyPacket {
    /// On the clock of the trial's steps, by which the first SYN next to the target passed when connect() began: it follows that by microseconds.
    pub at_ns: i64,
    /// Which end it was seen at: `target` or `peer`.
    pub at: String,
    /// Whether the client sent it.
    pub from_client: bool,
    /// Flags and bytes: `PSH ACK, 4 bytes`.
    pub words: String,
    /// Whether it resets the connection.
    pub resets: bool,
}

impl Anomalies {
    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }
}
