//! What came of a block that was played again: the shape of `rig replay --format json`.
//!
//! Plain data. Add, don't rename: scripts rely on it. Must not judge. Units: counts. Errors: none. Tests: `tests/trouble/replay.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::REPORT_FORMAT;

/// A block of a recorded run that was played again: the same script, seed and number of trials. It is in no record.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "A block of a run of rig, played again")]
pub struct Replay {
    /// Major version of this shape, the same as a report's.
    #[schemars(extend("const" = REPORT_FORMAT))]
    pub format: u32,
    /// Minor version of this shape, the same as a report's.
    #[schemars(range(min = 1))]
    pub format_minor: u32,
    /// Id of the run.
    pub run: String,
    /// Id of the cell.
    pub cell: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// The kernel's name, or `host`.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// Name of the block.
    pub block: String,
    /// Seed of every draw, then and now.
    pub seed: u64,
    /// Number of trials that were asked for, then and now.
    pub trials: u64,
    /// Number of trials by outcome, as they are recorded.
    pub then: BTreeMap<String, u64>,
    /// Number of trials by outcome, of now; empty where the block is void.
    pub now: BTreeMap<String, u64>,
    /// The outcomes that were to happen again: those of `then` that the scenario does not expect, or that of the trial that was asked for.
    pub looked_for: Vec<String>,
    /// Number of trials of now that ended so.
    pub seen_again: u64,
    /// The trial that was asked for; null where none was.
    pub trial: Option<ReplayedTrial>,
    /// Why nothing of now counts, in words; empty where it does.
    pub void: String,
    /// What is otherwise than at the time of the run: the kernel's release, the agent, the host's kernel.
    pub changed: Vec<String>,
}

/// One trial of a block that was played again.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReplayedTrial {
    /// Its index within the block, from 0.
    pub trial: u64,
    /// How it ended then.
    pub then: String,
    /// How the trial of this index ended now; null where it was not kept whole.
    pub now: Option<String>,
}

impl Replay {
    /// Whether what was looked for happened again.
    pub fn happened_again(&self) -> bool {
        self.seen_again > 0
    }
}
