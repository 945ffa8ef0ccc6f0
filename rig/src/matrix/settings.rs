//! How a run is carried out and judged, complete.
//!
//! Plain data; the defaults are those of the table of keys. Must not know files. Units: in the names. Errors: none.
//! Tests: `tests.rs` of this room.

use std::collections::BTreeMap;
use std::time::Duration;

use super::baseline::Baseline;
use super::keys::file as keys;
use super::stop::StopRule;

/// How a run is carried out and judged: `[run]` under a profile, every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Trials of a cell over all its blocks.
    pub trials: u64,
    /// Blocks of a cell.
    pub blocks: u32,
    /// Trials under way at once; `None`: as many as the scenario's own waits call for ([`super::plan::own_pace`]).
    pub in_flight: Option<u32>,
    /// Trials of a control.
    pub control_trials: u64,
    /// Blocks of a control.
    pub control_blocks: u32,
    /// Of every interval.
    pub confidence: f64,
    /// Two rates that differ by less are the same, a share of 1.
    pub margin: f64,
    /// The same for single errnos, by name or `any_error`; `margin` holds for what is not named.
    pub margins: BTreeMap<String, f64>,
    /// The intraclass correlation of the trials of a block that is assumed where the data cannot say it, a share of 1.
    pub icc: f64,
    /// When a cell needs no further block; `None`: it plays all.
    pub stop: Option<StopRule>,
    /// The share of a cell's trials (of 1) that may end as its scenario does not expect.
    pub tolerance: f64,
    /// How often a void block is tried again.
    pub retries: u32,
    /// A block that lasts longer is void.
    pub block_deadline: Duration,
    /// Whether the run has an A/A pair: one cell that is played twice under two names.
    pub aa_pair: bool,
    /// The kernel that cells on the others are compared with, besides bare metal.
    pub baseline: Option<Baseline>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            trials: keys::TRIALS.default_count(),
            blocks: keys::BLOCKS.default_small(),
            in_flight: None,
            control_trials: keys::CONTROL_TRIALS.default_count(),
            control_blocks: keys::CONTROL_BLOCKS.default_small(),
            confidence: keys::CONFIDENCE.default_fraction(),
            margin: keys::MARGIN.default_fraction(),
            margins: BTreeMap::new(),
            icc: keys::ICC.default_fraction(),
            stop: None,
            tolerance: keys::TOLERANCE.default_fraction(),
            retries: keys::RETRIES.default_small(),
            block_deadline: Duration::from_secs(keys::BLOCK_DEADLINE.default_seconds()),
            aa_pair: keys::AA_PAIR.default_flag(),
            baseline: None,
        }
    }
}
