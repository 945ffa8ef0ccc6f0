//! The files of a run, held against what the journal says of them.
//!
//! Holds which attempts at blocks count, and what is said where a file beside them is not what was written. Must not write.
//! Units: bytes. Errors: none; what is damaged is named in words, because the rest still counts.
//! Tests: `tests/golden/record.rs`, `tests/golden/damage.rs`, `tests/golden/contradictions.rs`.

use std::collections::{BTreeMap, HashMap, HashSet};

use rig_protocol::{Script, Tally};

use super::contradiction::contradiction;
use super::entry::JournalEntry;
use super::folder::sha256_hex;
use super::format::BlockRecord;
use super::id::BlockId;
use super::journal::Journal;
use super::names::{Planned, files_named, planned, wrong_file};
use super::run_file::{CHANGED, RunFile};
use super::{Folder, Layout, RecordError, decode};
use crate::matrix::CellId;

/// The sums of a block are read as a whole: they are a few hundred KiB.
const MOST_BLOCK_BYTES: u64 = 256 << 20;

/// Digests by file name.
pub(super) type Files = BTreeMap<String, String>;

/// An attempt that counts, and the digests of all its files.
pub(super) struct Counted<'a> {
    pub(super) record: BlockRecord,
    files: &'a Files,
}

impl Counted<'_> {
    /// SHA-256 of each file of the attempt, by its name.
    pub(super) fn files(&self) -> &Files {
        self.files
    }
}

/// The attempts that count, in the journal's order, and in words those that do not.
pub(super) struct Verified<'a> {
    pub(super) counted: Vec<Counted<'a>>,
    pub(super) damaged: Vec<String>,
}

/// What blocks are checked against.
struct Check<'a> {
    folder: &'a Folder,
    scripts: HashMap<&'a CellId, &'a Script>,
    planned: Planned<'a>,
    /// A newer version may have files, words and times of kinds that nobody here knows: they are passed over.
    newer: bool,
}

/// The blocks whose files are what the journal vouches for and that do not contradict themselves. An attempt that was played again after
/// damage has two entries; the last good one counts.
pub(super) fn blocks<'a>(folder: &Folder, journal: &'a Journal, file: &RunFile) -> Verified<'a> {
    let run = &file.record;
    let scripts = run.cells.iter().map(|record| (&record.cell.id, record.cell.subject.script.as_ref()));
    let check =
        Check { folder, scripts: scripts.collect(), planned: planned(run), newer: file.version.is_newer() };
    let strange: HashSet<&str> = file.strange.iter().map(|cell| cell.id.as_str()).collect();
    let mut good: BTreeMap<(&BlockId, u32), (usize, Counted<'_>)> = BTreeMap::new();
    let mut damaged: BTreeMap<(&BlockId, u32), String> = BTreeMap::new();
    for (place, entry) in journal.entries.iter().enumerate() {
        let JournalEntry::Block { id, attempt, files, .. } = entry else { continue };
        // Said once, of the cell.
        if id.0.rsplit_once('-').is_some_and(|(cell, _)| strange.contains(cell)) {
            continue;
        }
        let key = (id, *attempt);
        match check.load(id, *attempt, files) {
            Ok(record) => _ = good.insert(key, (place, Counted { record, files })),
            Err(reason) => _ = damaged.insert(key, format!("{reason}: this attempt does not count")),
        }
    }
    damaged.retain(|key, _| !good.contains_key(key));
    let mut counted: Vec<_> = good.into_values().collect();
    counted.sort_by_key(|(place, _)| *place);
    Verified {
        counted: counted.into_iter().map(|(_, counted)| counted).collect(),
        damaged: damaged.into_values().collect(),
    }
}

impl Check<'_> {
    /// The record of an attempt, or in words why it does not count.
    fn load(&self, id: &BlockId, attempt: u32, files: &Files) -> Result<BlockRecord, String> {
        if !self.planned.contains_key(id) {
            return Err(format!("journal.jsonl names block {:?}, which run.json does not plan", id.0));
        }
        let file = Layout::block(id, attempt);
        let companions = Layout::companions(id, attempt);
        let mut strange = files.keys().filter(|&name| *name != file && !companions.contains(name));
        if let Some(strange) = strange.next().filter(|_| !self.newer) {
            return Err(format!(
                "journal.jsonl names {strange:?}, which is not a file of {id} attempt {attempt}"
            ));
        }
        let Some(sha256) = files.get(&file) else {
            return Err(format!("journal.jsonl does not name {file}"));
        };
        let record = self.load_file(&file, sha256).map_err(|reason| format!("{file} {reason}"))?;
        if (&record.id, record.attempt) != (id, attempt) {
            let found = format!("{:?} attempt {}", record.id.0, record.attempt);
            return Err(format!("{file} is not {id} attempt {attempt} but {found}"));
        }
        self.check(&record).map_err(|reason| format!("{file} {reason}"))?;
        Ok(record)
    }

    fn load_file(&self, file: &str, sha256: &str) -> Result<BlockRecord, String> {
        let bytes = self.folder.read(file, MOST_BLOCK_BYTES).map_err(|error| what(&error))?;
        if sha256_hex(&bytes) != sha256 {
            return Err(CHANGED.into());
        }
        let mut block = decode::block(&bytes)?;
        if self.newer {
            forget_unknown(&mut block);
        }
        Ok(block)
    }

    /// A digest says that a block is what was written, not that what was written can be.
    fn check(&self, block: &BlockRecord) -> Result<(), String> {
        let Some(script) = self.scripts.get(&block.cell) else {
            return Err(format!(
                "is about cell {}, which run.json does not have",
                block.cell.0.escape_debug()
            ));
        };
        if let Some(planned) = self.planned.get(&block.id).filter(|planned| planned.cell != block.cell) {
            return Err(format!(
                "is about cell {}, but its block is one of cell {}",
                block.cell, planned.cell
            ));
        }
        if let Some(what) = contradiction(block, script) {
            return Err(format!("contradicts itself ({what})"));
        }
        match wrong_file(block) {
            None => Ok(()),
            Some(what) => Err(format!("names a file that is not its own ({what})")),
        }
    }
}

/// Takes out what a newer version may have added to lists and maps that are checked against what is known.
fn forget_unknown(block: &mut BlockRecord) {
    let captures = Layout::CAPTURES.map(|name| name(&block.id, block.attempt));
    block.captures.retain(|file| captures.contains(file));
    for tally in [&mut block.tally, &mut block.peer_tally] {
        tally.latency.retain(|name, _| Tally::LATENCIES.contains(&name.as_str()));
    }
}

/// What is missing or changed of the files beside the sums of an attempt that counts, one sentence each.
pub(super) fn companions(folder: &Folder, counted: &Counted<'_>, journal: &Journal) -> Vec<String> {
    let Counted { record, files } = counted;
    let anomalies = Layout::anomalies(&record.id, record.attempt);
    let expected = |name: &str| match name == anomalies {
        true => record.records > 0,
        false => record.captures.iter().any(|file| file == name),
    };
    let mut found = Vec::new();
    for name in Layout::companions(&record.id, record.attempt) {
        let wrong = match files.get(&name) {
            Some(sha256) => match folder.sha256(&name) {
                Ok(now) => (now != *sha256).then(|| CHANGED.to_owned()),
                Err(error) => Some(what(&error)),
            },
            None if !expected(&name) => None,
            None => match folder.file(&name) {
                Err(error) => Some(what(&error)),
                Ok(_) if journal.chained => Some("is not named by journal.jsonl".to_owned()),
                Ok(_) => None,
            },
        };
        found.extend(wrong.map(|wrong| {
            let consequence = match wrong == MISSING {
                true => "lost; the counts remain",
                false => "unreliable; the counts remain",
            };
            format!("{name} {wrong}: its {} are {consequence}", contents(&name, record))
        }));
    }
    found
}

/// What a file beside the sums holds.
fn contents(name: &str, record: &BlockRecord) -> String {
    match name.split('/').next() {
        Some(Layout::ANOMALIES) => format!("{} trials kept whole", record.records),
        Some(Layout::CAPTURE) => "packets".to_owned(),
        _ => "lines".to_owned(),
    }
}

/// The files beside the sums that a record names and the disk has, with their digests.
pub(super) fn digests_of_named(folder: &Folder, record: &BlockRecord) -> Result<Files, RecordError> {
    let mut files = Files::new();
    for (_, name) in files_named(record) {
        match folder.sync(name).and_then(|()| folder.sha256(name)) {
            Ok(sha256) => _ = files.insert(name.to_owned(), sha256),
            // A guest that never came to life has no log.
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
}

const MISSING: &str = "is missing";

/// An error about one file, without its name.
fn what(error: &RecordError) -> String {
    match error {
        error if error.is_missing() => MISSING.to_owned(),
        RecordError::Disk { source, .. } => format!("cannot be read ({source})"),
        RecordError::InTheWay { path, found, wanted: wanted @ "a folder" } => {
            let folder = path.file_name().unwrap_or_default().display();
            format!("cannot be reached ({folder} is {found}, not {wanted})")
        }
        RecordError::InTheWay { found, wanted, .. } => format!("is {found}, not {wanted}"),
        RecordError::Damaged { reason, .. } => format!("cannot be what was written ({reason})"),
        other => format!("cannot be read ({other})"),
    }
}
