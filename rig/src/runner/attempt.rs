//! One try at one block, and the record that it begins with.
//!
//! Plain data. Must not know how a block is played. Units: as in `record`. Errors: none. Tests: the dispatcher's.

use crate::matrix::Cell;
use crate::record::format::{BlockRecord, PlannedBlock};

/// One try at one block.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its cell, complete.
    pub cell: Cell,
    /// The block.
    pub block: PlannedBlock,
    /// From 1.
    pub attempt: u32,
}

impl Attempt {
    /// A record of this try in which nothing has happened yet. `started` is RFC 3339, UTC.
    pub(super) fn blank_record(&self, started: &str) -> BlockRecord {
        BlockRecord {
            started: started.to_owned(),
            ..BlockRecord::new(self.block.id.clone(), self.cell.id.clone(), self.attempt)
        }
    }
}
