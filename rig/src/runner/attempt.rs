//! One try at one block, and the record that it begins with.
//!
//! Plain data. Must not know how a block is played. Units: as in `record`. Errors: none. Tests: the dispatcher's.

use crate::matrix::Cell;
use crate::record::format::{BlockId, BlockRecord, PlannedBlock};

/// One try at one block.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its cell, complete.
    pub cell: Cell,
    /// The block.
    pub block: PlannedBlock,
    /// From 1.
    pub attempt: u32,
    /// The boot of its guest, where it has one.
    pub boot: Boot,
}

/// In which boot of a guest a block is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The planned boot that it shares with other blocks; none where its guest is its own.
    pub planned: Option<String>,
    /// What the boot is called if one is made for this block: no other boot of the run has this name.
    pub name: String,
    /// How many blocks of the same planned boot come right after this one.
    pub following: u32,
}

impl Attempt {
    /// The first try at a block of a cell that is played for itself, without a plan.
    pub fn alone(id: BlockId, cell: Cell, seed: u64, trials: u64) -> Self {
        let (block, attempt) = (PlannedBlock::alone(id, cell.id.clone(), seed, trials), 1);
        Self { boot: Boot::alone(&block.id, attempt), cell, block, attempt }
    }

    /// A record of this try in which nothing has happened yet. `started` is RFC 3339, UTC.
    pub(super) fn blank_record(&self, started: &str) -> BlockRecord {
        BlockRecord {
            started: started.to_owned(),
            ..BlockRecord::new(self.block.id.clone(), self.cell.id.clone(), self.attempt)
        }
    }
}

impl Boot {
    /// A guest for this try alone.
    pub(super) fn alone(block: &BlockId, attempt: u32) -> Self {
        Self { planned: None, name: format!("{block}.{attempt}"), following: 0 }
    }
}
