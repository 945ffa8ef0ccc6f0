//! The journal: one line per finished block, never rewritten.
//!
//! Holds how its bytes are read, whole or torn, and which attempts at blocks they vouch for. Must not write.
//! Units: bytes, lines from 1. Errors: none; what is damaged is named in words, because the rest still counts.
//! Tests: `tests/golden/record.rs`.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use rig_protocol::Script;
use sha2::{Digest, Sha256};

use super::Layout;
use super::contradiction::contradiction;
use super::format::{BlockId, BlockRecord, JournalEntry, RunRecord, read_block};
use crate::matrix::CellId;

/// What the journal's bytes say.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The entries of the whole lines, in order.
    pub(super) entries: Vec<JournalEntry>,
    /// Length of the whole lines: what a writer truncates to before it appends.
    pub(super) whole_bytes: u64,
    /// Whether bytes follow the last whole line: the power went, or the process was killed, in the middle of a write.
    pub(super) torn: bool,
    /// Whole lines that are no entry.
    pub(super) unreadable: Vec<usize>,
}

impl Journal {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let mut journal = Self::default();
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        if lines.last().is_some_and(|last| !last.ends_with(b"\n")) {
            lines.pop();
            journal.torn = true;
        }
        // Blocks of a file that were never written read as zeros after a power loss: a last line that is no entry is torn too.
        if lines.last().is_some_and(|last| serde_json::from_slice::<JournalEntry>(last).is_err()) {
            lines.pop();
            journal.torn = true;
        }
        for (index, line) in lines.into_iter().enumerate() {
            journal.whole_bytes += line.len() as u64;
            match serde_json::from_slice(line) {
                Ok(entry) => journal.entries.push(entry),
                Err(_) => journal.unreadable.push(index + 1),
            }
        }
        journal
    }

    /// Whether the last word is that the run ended with all its blocks.
    pub(super) fn complete(&self) -> bool {
        matches!(self.entries.last(), Some(JournalEntry::Ended { complete: true, .. }))
    }

    /// The blocks whose files are what the journal vouches for and that do not contradict themselves, in its order, and in words the
    /// attempts of which none is.
    /// An attempt that was played again after damage has two entries; the last good one counts.
    pub(super) fn load_blocks(&self, layout: &Layout, run: &RunRecord) -> (Vec<BlockRecord>, Vec<String>) {
        let scripts: HashMap<&CellId, &Script> =
            run.cells.iter().map(|record| (&record.cell.id, record.cell.subject.script.as_ref())).collect();
        let mut good: BTreeMap<(BlockId, u32), (usize, BlockRecord)> = BTreeMap::new();
        let mut damaged: BTreeMap<(BlockId, u32), String> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let JournalEntry::Block { id, attempt, file, sha256, .. } = entry else { continue };
            let key = (id.clone(), *attempt);
            let loaded = load_block(layout, file, sha256).and_then(|record| check(record, &scripts));
            match loaded {
                Ok(record) if record.id == *id && record.attempt == *attempt => {
                    good.insert(key, (place, record));
                }
                Ok(record) => {
                    let found = format!(
                        "{file} is not {id} attempt {attempt} but {} attempt {}",
                        record.id, record.attempt
                    );
                    damaged.insert(key, found);
                }
                Err(reason) => {
                    damaged.insert(key, format!("{file} {reason}"));
                }
            }
        }
        damaged.retain(|key, _| !good.contains_key(key));
        let mut blocks: Vec<_> = good.into_values().collect();
        blocks.sort_by_key(|(place, _)| *place);
        (blocks.into_iter().map(|(_, record)| record).collect(), damaged.into_values().collect())
    }
}

fn load_block(layout: &Layout, file: &str, sha256: &str) -> Result<BlockRecord, String> {
    if !Layout::is_inside(file) {
        return Err("lies outside of the run's folder".into());
    }
    let bytes = fs::read(layout.at(file)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "is missing".to_owned(),
        _ => format!("cannot be read ({error})"),
    })?;
    if sha256_hex(&bytes) != sha256 {
        return Err("is not the file that was written (SHA-256 differs)".into());
    }
    read_block(&bytes).map(|(block, _)| block).map_err(|error| format!("is no block record ({error})"))
}

/// A digest says that a block is what was written, not that what was written can be.
fn check(block: BlockRecord, scripts: &HashMap<&CellId, &Script>) -> Result<BlockRecord, String> {
    let Some(script) = scripts.get(&block.cell) else {
        return Err(format!("is about cell {}, which run.json does not have", block.cell));
    };
    match contradiction(&block, script) {
        None => Ok(block),
        Some(what) => Err(format!("contradicts itself ({what})")),
    }
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
