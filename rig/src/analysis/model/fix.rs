//! What shows that an errno that was seen is gone: the trials of a run without it.
//!
//! Must not know how many that are. Units: trials, blocks. Errors: none. Tests: `tests/golden/locked.rs`.

use schemars::JsonSchema;
use serde::Serialize;

use super::question::Question;

/// How large a run must be that, without a hit, shows at 95 % that the rate has fallen below the one that was seen (rule of three against the rate itself: at that rate no hit in so many
/// trials has a chance of at most 5 % at the declared `icc`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fix {
    /// Id of the cell (`cells[].id`).
    pub cell: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Which errno was seen.
    pub errno: Question,
    /// How often.
    pub count: u64,
    /// Of how many trials.
    pub n: u64,
    /// Trials without a hit that show it; null where not even 100,000 blocks do.
    pub trials: Option<u64>,
    /// Blocks that they are played in, of the size that this run has; null as `trials`.
    pub blocks: Option<u32>,
}
