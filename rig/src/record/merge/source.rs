//! A run that is to be a part of another: what it plans and what it played, verified.
//!
//! A merged run comes apart into the runs that it was made of. Must not know the others. Units: none. Errors: [`MergeError`]. Tests: `tests/golden/merged`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::fcntl::Flock;

use super::super::entry::JournalEntry;
use super::super::format::{BlockRecord, PartRecord, PlannedBlock, RunRecord, SkippedCell};
use super::super::journal::{Journal, NOT_ENDED};
use super::super::run_file::{CHANGED, MOST_WHOLE_BYTES, RunFile, open_folder};
use super::super::writer::hold;
use super::super::{Folder, Layout, RecordError, verify};
use super::error::MergeError;
use crate::matrix::CellId;

/// A run that was read to be merged.
pub(super) struct Source {
    pub(super) dir: PathBuf,
    pub(super) folder: Folder,
    pub(super) record: RunRecord,
    /// The runs that it is made of: itself, or those that it was merged from.
    pub(super) parts: Vec<PartRecord>,
    /// The attempts that count, in the journal's order.
    pub(super) played: Vec<Played>,
    /// Keeps a rig from writing it meanwhile.
    _held: Option<Flock<std::fs::File>>,
}

/// One attempt at a block.
pub(super) struct Played {
    pub(super) record: BlockRecord,
    /// When it was written down.
    pub(super) at: String,
    /// SHA-256 of each of its files.
    pub(super) files: BTreeMap<String, String>,
}

impl Source {
    pub(super) fn read(dir: &Path) -> Result<Self, MergeError> {
        let folder = open_folder(dir)?;
        let held = hold(&folder)?;
        let file = RunFile::read(&folder)?;
        if file.version.is_newer() || file.version.is_older_major() {
            return Err(MergeError::OtherFormat { dir: dir.to_owned(), found: file.version });
        }
        let bytes = match folder.read(Layout::JOURNAL, MOST_WHOLE_BYTES) {
            Err(error) if error.is_missing() => return Err(MergeError::NoJournal { dir: dir.to_owned() }),
            bytes => bytes?,
        };
        let journal = Journal::parse(&bytes, file.version);
        if journal.vouches_for_run(&file.sha256) == Some(false) {
            let reason = format!("it {CHANGED}");
            return Err(RecordError::Damaged { path: folder.at(Layout::RUN), reason }.into());
        }
        let written: BTreeMap<_, _> = journal
            .entries
            .iter()
            .filter_map(|entry| match entry {
                JournalEntry::Block { at, id, attempt, .. } => Some(((id.clone(), *attempt), at.clone())),
                JournalEntry::Started { .. } | JournalEntry::Ended { .. } => None,
            })
            .collect();
        let verify::Verified { counted, damaged } = verify::blocks(&folder, &journal, &file);
        let mut cautions = journal.cautions.clone();
        cautions.extend(journal.missing_end().filter(|end| end != NOT_ENDED));
        cautions.extend(damaged);
        for attempt in &counted {
            cautions.extend(verify::companions(&folder, attempt, &journal));
        }
        let played = counted.into_iter().map(|counted| {
            let files = counted.files().clone();
            let record = counted.record;
            let at = written.get(&(record.id.clone(), record.attempt)).cloned().unwrap_or_default();
            Played { record, at, files }
        });
        let played = played.collect();
        let parts = match file.record.parts.is_empty() {
            true => vec![part(&file.record, &journal, cautions)],
            false => with_cautions(&file.record, cautions),
        };
        Ok(Self { dir: dir.to_owned(), folder, record: file.record, parts, played, _held: held })
    }

    /// What it is, whichever folder it lies in.
    pub(super) fn order(&self) -> (&str, &str, usize) {
        let first = self.parts.first().map_or("", |part| &part.id);
        (first, &self.record.id, self.played.len())
    }

    /// The id of the run that plays a block of it.
    pub(super) fn run_of<'a>(&'a self, block: &'a PlannedBlock) -> &'a str {
        self.record.source_of(block)
    }
}

/// The run itself as a part.
fn part(record: &RunRecord, journal: &Journal, cautions: Vec<String>) -> PartRecord {
    let skipped = record.cells.iter().filter_map(|cell| {
        let skip = SkippedCell { reason: cell.skipped.clone()?, lack: cell.lack.clone() };
        Some((cell.cell.id.clone(), skip))
    });
    PartRecord {
        id: record.id.clone(),
        shard: record.shard,
        seed: record.seed,
        started: record.started.clone(),
        command_line: record.command_line.clone(),
        environment: record.environment.clone(),
        complete: journal.complete(),
        stopped: journal.stopped(),
        skipped: skipped.collect::<BTreeMap<CellId, SkippedCell>>(),
        cautions,
    }
}

/// The parts of a merged run; what its own files have lost is said of those that played them, as far as a sentence names their blocks.
fn with_cautions(record: &RunRecord, cautions: Vec<String>) -> Vec<PartRecord> {
    let mut parts = record.parts.clone();
    for caution in cautions {
        let named = parts.iter().position(|part| caution.contains(&format!("-{}.", part.mark())));
        if let Some(part) = parts.get_mut(named.unwrap_or(0)) {
            part.cautions.push(caution);
        }
    }
    parts
}
