//! The spine: what happened, in order. Every consumer (record, progress table, log) is a peer of the others.
//!
//! Plain data only. Must not know any consumer, terminal or platform type. Units: in the names.
//! Errors: none; a failing *record* stops the run, a failing progress bar never does (the runner decides, not the event).
//! Tests: the dispatcher's.

use rig_protocol::{Progress, TrialRecord};

use crate::matrix::{CellId, StopRule};
use crate::record::format::{BlockId, BlockRecord, PlannedBlock, RunRecord};
use crate::stopping::Met;

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// The plan is fixed; `done` blocks lie on disk already (after `--resume`).
    RunStarted {
        /// Everything that is known before the first block.
        run: Box<RunRecord>,
        /// Blocks that were played before.
        done: Vec<BlockRecord>,
    },
    /// A block begins.
    BlockStarted {
        /// Which.
        block: PlannedBlock,
        /// From 1.
        attempt: u32,
    },
    /// A block goes on to its next phase.
    BlockPhase {
        /// Which.
        block: BlockId,
        /// What it does now.
        phase: Phase,
    },
    /// Trials were played.
    BlockProgress {
        /// Which.
        block: BlockId,
        /// So far.
        progress: Progress,
    },
    /// A block's packets are to be kept: said before the block ends, so that they are on disk when its record names them.
    PacketsCaptured {
        /// Which.
        block: BlockId,
        /// File under the run's folder.
        file: String,
        /// Its content (pcapng).
        bytes: Vec<u8>,
    },
    /// A block ended.
    BlockFinished {
        /// The block.
        record: Box<BlockRecord>,
        /// Its trials kept whole.
        trials: Vec<TrialRecord>,
        /// Whether it will be tried again.
        again: bool,
    },
    /// A cell needs no further block: the run's rule is met.
    CellStopped {
        /// Which.
        cell: CellId,
        /// The rule.
        rule: StopRule,
        /// What it took.
        met: Met,
        /// Its blocks that are not played.
        left_out: Vec<PlannedBlock>,
    },
    /// The user asked to stop: the blocks under way are given up.
    Interrupted,
    /// Nothing more will come.
    RunEnded {
        /// Why before all blocks of the plan were played, as the record says it (`deadline`); none where all were.
        stopped: Option<&'static str>,
    },
}

/// What a block is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Namespaces, links, taps.
    Network,
    /// From QEMU's start to the guest's network.
    Boot,
    /// Agent is being pushed and started.
    Agent,
    /// Trials.
    Play,
    /// Tally, teardown.
    Collect,
}

impl Phase {
    /// For the progress table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Boot => "boot",
            Self::Agent => "agent",
            Self::Play => "play",
            Self::Collect => "collect",
        }
    }
}
