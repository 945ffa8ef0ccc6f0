//! The shape of a run on disk: own structs, versioned by [`FORMAT`] and [`FORMAT_MINOR`]. Add, don't rename.
//!
//! Holds the doors: what is read goes through here, older versions are brought up to date, newer ones are read as far as they are understood.
//! Must not touch the disk. Units: in the keys. Errors: [`Unreadable`]. Tests: `tests/golden/recorded.rs`, and beside the modules.

mod agent;
mod block;
mod cell;
mod environment;
mod lock;
mod part;
mod placement;
mod program;
mod run;
mod sums;
mod trial;
mod upgrade;
mod version;
mod words;

use std::collections::HashSet;

use rig_protocol::TrialRecord;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::id::BlockId;
pub use agent::{AgentRecord, InterfaceRecord};
pub use block::{
    BlockRecord, BlockStatus, BootRecord, Origin, PathRecord, RunningQemu, SysctlRecord, SystemRecord,
    TargetRecord, Witness,
};
pub use cell::CellRecord;
pub use environment::{Environment, Host};
pub use lock::{LOCK_FORMAT, Lock, LockError, LockedCell, RunLock};
pub use part::{BlockSource, CellElsewhere, PartRecord, Shard, SkippedCell, mark_of};
pub use placement::{Order, Places};
pub use program::{
    AccountCount, CallSite, KeptCall, KeptProgram, KeptWords, PlannedPart, PlannedProgram, ProgramSums,
};
pub use run::{CaptureWhen, Conduct, ImageRecord, Judgement, PlannedBlock, RunRecord};
pub use sums::{Bucket, ReturnCount, Sums, Times};
pub use trial::{KeptStep, KeptTrial, Ready};
pub use version::{FORMAT, FORMAT_MINOR, Unreadable, Version};
pub use words::errno_word;

/// `run.json` as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRun {
    /// In the present shape. Without the cells of `strange`, and their blocks.
    pub record: RunRecord,
    /// Which version it was written as.
    pub version: Version,
    /// Cells of a newer minor version that this rig does not understand.
    pub strange: Vec<StrangeCell>,
}

/// A cell that this rig does not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangeCell {
    /// Its id.
    pub id: String,
    /// What of it is not known, in words that begin with it.
    pub what: String,
}

/// Reads `run.json`.
///
/// # Errors
/// [`Unreadable`]
pub fn read_run(bytes: &[u8]) -> Result<ReadRun, Unreadable> {
    let file: Value = serde_json::from_slice(bytes)?;
    let version = Version::of(&file)?;
    let mut file = in_present_shape(file, version, upgrade::run)?;
    let strange = if version.is_newer() { take_strange_cells(&mut file) } else { Vec::new() };
    Ok(ReadRun { record: serde_json::from_value(file)?, version, strange })
}

/// What was written as `version`, in the shape of the present major version.
fn in_present_shape(
    tree: Value,
    version: Version,
    upgrade: fn(Value) -> Result<Value, String>,
) -> Result<Value, Unreadable> {
    if version.is_older_major() { upgrade(tree).map_err(Unreadable::Malformed) } else { Ok(tree) }
}

/// Takes out the cells that this rig does not understand, and their blocks.
fn take_strange_cells(file: &mut Value) -> Vec<StrangeCell> {
    let mut strange: Vec<StrangeCell> = Vec::new();
    let text = |tree: &Value, key: &str| tree.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(cells) = file.get_mut("cells").and_then(Value::as_array_mut) {
        cells.retain(|cell| match CellRecord::deserialize(cell) {
            Ok(_) => true,
            Err(error) => {
                let (id, error) = (text(cell, "id"), error.to_string());
                let what = if error.starts_with("cell ") { error } else { format!("cell {id:?}: {error}") };
                strange.push(StrangeCell { id, what });
                false
            }
        });
    }
    if let Some(blocks) = file.get_mut("blocks").and_then(Value::as_array_mut) {
        let ids: HashSet<&str> = strange.iter().map(|cell| cell.id.as_str()).collect();
        blocks.retain(|block| {
            !block.get("cell").and_then(Value::as_str).is_some_and(|cell| ids.contains(cell))
        });
    }
    strange
}

/// Reads a block's file, and which version it was written as.
///
/// # Errors
/// [`Unreadable`]
pub fn read_block(bytes: &[u8]) -> Result<(BlockRecord, Version), Unreadable> {
    let mut file: Value = serde_json::from_slice(bytes)?;
    if file.get("format").is_none() && file.is_object() {
        // Only run.json said it in format 1.
        file["format"] = 1.into();
    }
    let version = Version::of(&file)?;
    let file = in_present_shape(file, version, upgrade::block)?;
    Ok((serde_json::from_value(file)?, version))
}

/// The first line of `anomalies/<block>.<attempt>.jsonl`; the others are [`KeptTrial`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TrialsHead {
    /// Major version of the stored format.
    pub format: u32,
    /// Minor version of the stored format.
    #[serde(default)]
    pub format_minor: u32,
    /// Whose trials follow, one a line.
    pub block: BlockId,
    /// Of which attempt.
    pub attempt: u32,
}

/// A line of `anomalies/<block>.<attempt>.jsonl`: first whose trials they are, then one trial a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum TrialsLine {
    /// The first line.
    Head(TrialsHead),
    /// Every other one.
    Trial(KeptTrial),
}

/// The lines of an anomalies file.
pub fn write_trials(id: &BlockId, attempt: u32, trials: &[TrialRecord]) -> Vec<u8> {
    let head = TrialsHead { format: FORMAT, format_minor: FORMAT_MINOR, block: id.clone(), attempt };
    let mut lines = to_line(&head);
    trials.iter().for_each(|trial| lines.append(&mut to_line(&KeptTrial::from(trial))));
    lines
}

fn to_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data with string keys");
    line.push(b'\n');
    line
}

/// Reads the lines of an anomalies file, one after the other.
#[derive(Debug, Default)]
pub struct TrialLines {
    version: Option<Version>,
}

impl TrialLines {
    /// Reads the next line; none where it is the head, which is no trial.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(&mut self, line: &[u8]) -> Result<Option<TrialRecord>, Unreadable> {
        let value: Value = serde_json::from_slice(line)?;
        let version = match self.version {
            Some(version) => version,
            None => {
                // Format 1 had no head.
                let head = value.get("format").is_some();
                let version = if head { Version::of(&value)? } else { Version { major: 1, minor: 0 } };
                self.version = Some(version);
                if head {
                    return Ok(None);
                }
                version
            }
        };
        let kept: KeptTrial = serde_json::from_value(in_present_shape(value, version, upgrade::trial)?)?;
        TrialRecord::try_from(kept).map(Some).map_err(Unreadable::Malformed)
    }
}

#[cfg(test)]
mod tests;
