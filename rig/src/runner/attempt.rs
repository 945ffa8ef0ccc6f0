//! One try at one block, and the record that it begins with.
//!
//! Plain data. Must not know how a block is played. Units: as in `record`. Errors: none. Tests: the dispatcher's.

use rig_protocol::Tally;

use crate::matrix::Cell;
use crate::record::format::{BlockRecord, BlockStatus, PathRecord, PlannedBlock, TargetRecord, Witness};

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
            id: self.block.id.clone(),
            cell: self.cell.id.clone(),
            attempt: self.attempt,
            status: BlockStatus::Complete,
            started: started.to_owned(),
            elapsed_ns: 0,
            target: TargetRecord::default(),
            peer: None,
            target_hello: None,
            peer_hello: None,
            tally: Tally::default(),
            peer_tally: Tally::default(),
            witness: Witness::default(),
            path: PathRecord::default(),
            captures: vec![],
            records: 0,
        }
    }
}
