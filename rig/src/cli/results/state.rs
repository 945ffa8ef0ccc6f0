//! How far a recorded run is, and what it came to: for `rig results list` and `rig results gc`.
//!
//! Must not print. Units: trials, blocks. Errors: none: what cannot be read is a state. Tests: `tests/golden/kept.rs`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::Exit;
use super::super::report::exit_of;
use crate::analysis;
use crate::record::format::{BlockId, BlockStatus, RunRecord};
use crate::record::{self, NOT_ENDED, Reader};

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// All its blocks were played: the exit code of its report.
    Ended(Exit),
    /// It was stopped before, and said why; the exit code of its report.
    Stopped(String, Exit),
    /// A rig writes it now.
    Running,
    /// Nobody writes it, and it did not come to an end.
    Killed,
    /// Nothing of it can be read, and why.
    Unreadable(String),
}

/// What is known of a run.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) state: State,
    /// What was known before its first block; none of a run that cannot be read.
    pub(super) record: Option<RunRecord>,
    /// Blocks that are complete.
    pub(super) blocks: usize,
    /// Their trials.
    pub(super) trials: u64,
    /// What is damaged or missing, one sentence each.
    pub(super) damage: Vec<String>,
}

impl Known {
    /// Reads a run and, where it came to an end, judges it.
    pub(super) fn of(dir: &Path) -> Self {
        // First: what ends while it is read is told as running, and not as killed.
        let is_running = record::is_being_written(dir);
        let run = match Reader::open(dir) {
            Ok(run) => run,
            Err(error) => {
                let state = State::Unreadable(error.to_string());
                return Self { state, record: None, blocks: 0, trials: 0, damage: Vec::new() };
            }
        };
        let complete = run.blocks.iter().filter(|block| block.status == BlockStatus::Complete);
        let complete: BTreeMap<&BlockId, u64> =
            complete.map(|block| (&block.id, block.tally.trials)).collect();
        let trials = complete.values().fold(0, |all: u64, trials| all.saturating_add(*trials));
        let exit = || exit_of(&analysis::analyse(&run), None);
        let state = match &run.stopped {
            _ if is_running => State::Running,
            Some(why) => State::Stopped(why.clone(), exit()),
            None if run.complete => State::Ended(exit()),
            None => State::Killed,
        };
        let blocks = complete.len();
        let damage = run.cautions.into_iter().filter(|caution| caution != NOT_ENDED).collect();
        Self { state, record: Some(run.record), blocks, trials, damage }
    }
}

impl State {
    /// One word.
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Ended(Exit::Done) => "done",
            Self::Ended(Exit::Short) => "short",
            Self::Ended(Exit::Alert) => "finding",
            Self::Ended(Exit::Bug | Exit::Input | Exit::Testbed | Exit::Interrupted) => "ended",
            Self::Stopped(why, _) => why,
            Self::Running => "running",
            Self::Killed => "killed",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The exit code that `rig report --exit-code` gives for it; none of a run that did not end.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self {
            Self::Ended(exit) | Self::Stopped(_, exit) => Some(*exit),
            Self::Running | Self::Killed | Self::Unreadable(_) => None,
        }
    }
}
