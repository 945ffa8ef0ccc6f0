//! The names in a record: whether they are those that a writer would have given.
//!
//! A record that comes from elsewhere must not choose which files of this machine are touched. Holds the checks at the reader's door; must not
//! touch the disk. Units: none. Errors: none; what is wrong is said in words that name the field. Tests: `tests/golden/hostile.rs`.

use std::collections::{HashMap, HashSet};

use super::Layout;
use super::format::{BlockRecord, PlannedBlock, RunRecord, mark_of};
use super::id::{BlockId, is_name};
use crate::matrix::CellId;

/// The first name in `run.json` that cannot be one, in words.
pub(super) fn wrong_name(run: &RunRecord) -> Option<String> {
    if !is_name(&run.id) {
        return Some(format!("its id is {:?}, which names no run", run.id));
    }
    let mut cells: HashSet<&CellId> = HashSet::new();
    for (place, record) in run.cells.iter().enumerate() {
        let id = &record.cell.id;
        if !is_name(&id.0) {
            return Some(format!("cells[{place}].id is {:?}, which names no cell", id.0));
        }
        if !cells.insert(id) {
            return Some(format!("cells[{place}].id is {:?}, as that of a cell before it", id.0));
        }
    }
    let parts: HashSet<&str> = run.parts.iter().map(|part| part.id.as_str()).collect();
    if let Some((place, part)) = run.parts.iter().enumerate().find(|(_, part)| !is_name(&part.id)) {
        return Some(format!("parts[{place}].id is {:?}, which names no run", part.id));
    }
    let shard = run.shard.map(|shard| shard.index);
    let mut blocks: HashSet<&BlockId> = HashSet::new();
    for (place, block) in run.blocks.iter().enumerate() {
        if !cells.contains(&block.cell) {
            return Some(format!("blocks[{place}].cell is {:?}, which is none of its cells", block.cell.0));
        }
        let right = match &block.source {
            None => BlockId::of(&block.cell, shard, block.index),
            Some(source) if !parts.contains(source.run.as_str()) => {
                return Some(format!(
                    "blocks[{place}].source.run is {:?}, which is none of its parts",
                    source.run
                ));
            }
            Some(source) => BlockId::of_part(&block.cell, mark_of(&source.run), block.index),
        };
        if block.id != right {
            return Some(format!("blocks[{place}].id is {:?} and not {:?}", block.id.0, right.0));
        }
        if !blocks.insert(&block.id) {
            return Some(format!("blocks[{place}].id is {:?}, as that of a block before it", block.id.0));
        }
    }
    None
}

/// The blocks of a plan, by name.
pub(super) type Planned<'a> = HashMap<&'a BlockId, &'a PlannedBlock>;

pub(super) fn planned(run: &RunRecord) -> Planned<'_> {
    run.blocks.iter().map(|block| (&block.id, block)).collect()
}

/// What the record of a block says of the files beside it, each with its field; empty names are of files that it does not have.
pub(super) fn files_named(block: &BlockRecord) -> Vec<(String, &str)> {
    let ends = [("target", Some(&block.target)), ("peer", block.peer.as_ref())];
    let ends = ends.into_iter().filter_map(|(end, record)| Some((end, record?)));
    let logs = ends.flat_map(|(end, record)| {
        [(format!("{end}.console"), record.console.as_str()), (format!("{end}.qmp"), record.qmp.as_str())]
    });
    let captures = block.captures.iter().enumerate();
    let captures = captures.map(|(place, file)| (format!("captures[{place}]"), file.as_str()));
    logs.chain(captures).filter(|(_, file)| !file.is_empty()).collect()
}

/// The first file in the record of a block that is not what a writer would have named so, in words.
pub(super) fn wrong_file(block: &BlockRecord) -> Option<String> {
    let (id, attempt) = (&block.id, block.attempt);
    let captures = Layout::CAPTURES.map(|name| name(id, attempt));
    files_named(block).into_iter().find_map(|(field, file)| {
        let right = match field.as_str() {
            "target.console" => Layout::console(id, attempt),
            "target.qmp" => Layout::qmp(id, attempt),
            "peer.console" => Layout::peer_console(id, attempt),
            "peer.qmp" => Layout::peer_qmp(id, attempt),
            _ => captures.iter().find(|name| *name == file).unwrap_or(&captures[0]).clone(),
        };
        (file != right).then(|| format!("{field} is {file:?} and not {right:?}"))
    })
}
