//! The files of a run as they lie on disk, and whether they are what the journal vouches for.
//!
//! Reads JSON as trees: the structs of the record, and its reader, are what is audited. Must not know what a count means. Units: bytes. Errors: [`AuditError`] where
//! nothing can be read; a file that is not what was written is a finding.
//! Tests: `tests/golden/audited.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::AuditError;
use super::held::Difference;
use super::sums::{Counts, add, more, total, whole};
use crate::record::Folder;

/// The newest version of the record that is audited, and all minor ones before it: what a newer one adds could change which cells and blocks count.
pub const KNOWN_FORMAT: (u64, u64) = (2, 7);
/// `run.json` and the journal of 40,000 cells are a tenth of this.
const MOST_BYTES: u64 = 1 << 30;
/// No block has more trials.
const MOST_TRIALS: u64 = 1 << 44;
/// A line of the journal ends with its digest: `,"sha256":"` (11 bytes), 64 digits, `"}` and a line feed.
const SEALED_BYTES: usize = 78;

/// The files of a run.
pub(super) struct Files {
    pub(super) run: Value,
    /// The attempts at blocks that the journal vouches for, in its order.
    pub(super) attempts: Vec<Played>,
    /// How many digests were computed anew.
    pub(super) digests: u64,
    /// Those that differ.
    pub(super) changed: Vec<Difference>,
    /// Whether the last line says that all blocks were played.
    pub(super) complete: bool,
}

/// One attempt at a block.
pub(super) struct Played {
    pub(super) file: String,
    pub(super) block: Value,
}

/// What is known of each attempt: its place in the journal, its block's name and its number.
type Attempts = BTreeMap<(String, u64), (usize, Played)>;

impl Files {
    pub(super) fn read(folder: &Folder) -> Result<Self, AuditError> {
        let bytes = folder.read("run.json", MOST_BYTES)?;
        let run = tree(folder, "run.json", &bytes)?;
        let number = |key: &str| run.get(key).and_then(Value::as_u64);
        let (major, minor) = (number("format"), number("format_minor").unwrap_or(0));
        if major != Some(KNOWN_FORMAT.0) || minor > KNOWN_FORMAT.1 {
            let path = folder.path().join("run.json");
            let found = major.map_or_else(|| "nothing".to_owned(), |major| format!("{major}.{minor}"));
            let (major, minor) = KNOWN_FORMAT;
            return Err(AuditError::OtherFormat {
                path,
                found,
                known: format!("{major}.0 to {major}.{minor}"),
            });
        }
        let mut files = Self { run, attempts: Vec::new(), digests: 0, changed: Vec::new(), complete: false };
        let journal = folder.read("journal.jsonl", MOST_BYTES)?;
        let lines = files.chain(&journal);
        let run_sha256 = sha256(&bytes);
        let planned = files.planned();
        let mut attempts = Attempts::new();
        for (place, line) in lines.iter().enumerate() {
            match line["entry"].as_str() {
                Some("started") => {
                    if let Some(vouched) = line["run_sha256"].as_str() {
                        files.digest("run.json", vouched, &run_sha256);
                    }
                }
                Some("block") => files.attempt(folder, place, line, &planned, &mut attempts)?,
                _ => {}
            }
        }
        files.complete = lines.last().is_some_and(|line| line["complete"] == true);
        let mut attempts: Vec<(usize, Played)> = attempts.into_values().collect();
        attempts.sort_by_key(|(place, _)| *place);
        files.attempts = attempts.into_iter().map(|(_, played)| played).collect();
        Ok(files)
    }

    /// Names of the planned blocks.
    fn planned(&self) -> BTreeSet<String> {
        let blocks = self.run["blocks"].as_array().into_iter().flatten();
        blocks.filter_map(|block| block["id"].as_str().map(str::to_owned)).collect()
    }

    /// The lines of the journal that follow each other. A last line that is torn is none.
    fn chain(&mut self, journal: &[u8]) -> Vec<Value> {
        let (mut before, mut lines) = (String::new(), Vec::new());
        let all: Vec<&[u8]> = journal.split_inclusive(|byte| *byte == b'\n').collect();
        for (place, line) in all.iter().enumerate() {
            let Some(end) = line.len().checked_sub(SEALED_BYTES).filter(|_| line.ends_with(b"\"}\n")) else {
                if place + 1 < all.len() {
                    self.digest(&format!("journal.jsonl line {}", place + 1), "", "the line has no digest");
                }
                continue;
            };
            let own = [&line[..end], b"}"].concat();
            let vouched = String::from_utf8_lossy(&line[line.len() - 67..line.len() - 3]).into_owned();
            let found = sha256(&[before.as_bytes(), &own].concat());
            self.digest(&format!("journal.jsonl line {}", place + 1), &vouched, &found);
            if let (true, Ok(entry)) = (vouched == found, serde_json::from_slice(&own)) {
                lines.push(entry);
            }
            before = vouched;
        }
        lines
    }

    fn digest(&mut self, file: &str, vouched: &str, found: &str) -> bool {
        self.digests += 1;
        if vouched != found {
            self.changed.push(Difference {
                path: file.to_owned(),
                what: "SHA-256".to_owned(),
                reported: vouched.to_owned(),
                recomputed: found.to_owned(),
                files: vec![file.split(' ').next().unwrap_or(file).to_owned(), "journal.jsonl".to_owned()],
            });
        }
        vouched == found
    }

    /// Whether each trial of a block has one outcome, and one return or none; one of which that is not so does not count.
    fn adds_up(&mut self, file: &str, tally: &Value) -> bool {
        let trials = whole(&tally["trials"]);
        let wrong = parts(tally).into_iter().find(|sum| *sum != trials || trials > MOST_TRIALS);
        self.changed.extend(wrong.map(|sum| Difference {
            path: file.to_owned(),
            what: "sums".to_owned(),
            reported: format!("{trials} trials"),
            recomputed: sum.to_string(),
            files: vec![file.to_owned()],
        }));
        wrong.is_none()
    }

    /// Takes an attempt in if its file is what was written; looks at the files beside it.
    fn attempt(
        &mut self,
        folder: &Folder,
        place: usize,
        line: &Value,
        planned: &BTreeSet<String>,
        attempts: &mut Attempts,
    ) -> Result<(), AuditError> {
        let (Some(id), Some(number)) = (line["id"].as_str(), line["attempt"].as_u64()) else { return Ok(()) };
        let own = format!("blocks/{id}.{number}.json");
        for (name, vouched) in line["files"].as_object().into_iter().flatten() {
            let is_own = *name == own;
            if !is_own && !name.contains(&format!("/{id}.{number}.")) {
                continue;
            }
            let vouched = vouched.as_str().unwrap_or_default();
            // What cannot be read is not what was written.
            let found = sha256_of(folder, name).unwrap_or_else(|why| why);
            if self.digest(name, vouched, &found) && is_own && planned.contains(id) {
                let block = tree(folder, name, &folder.read(name, MOST_BYTES)?)?;
                if !self.adds_up(name, &block["tally"]) {
                    continue;
                }
                attempts.insert((id.to_owned(), number), (place, Played { file: own.clone(), block }));
            }
        }
        Ok(())
    }
}

/// Sums that must be the same: of outcomes, and of returns with the trials that have none.
fn parts(tally: &Value) -> [u64; 2] {
    let mut outcomes = Counts::new();
    add(&mut outcomes, &tally["outcomes"]);
    let mut returned = whole(&tally["unreturned"]);
    let returns = tally["returns"].as_array().into_iter().flatten();
    returns.for_each(|entry| more(&mut returned, whole(&entry["count"])));
    [total(&outcomes), returned]
}

fn tree(folder: &Folder, name: &str, bytes: &[u8]) -> Result<Value, AuditError> {
    serde_json::from_slice(bytes)
        .map_err(|error| AuditError::NotJson { path: folder.path().join(name), what: error.to_string() })
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Of a file that need not fit into memory; or why it cannot be read.
fn sha256_of(folder: &Folder, name: &str) -> Result<String, String> {
    let mut file = folder.file(name).map_err(|error| error.to_string())?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher).map_err(|error| error.to_string())?;
    Ok(hex(&hasher.finalize()))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `report.json` of the folder, if it has one.
pub(super) fn report(folder: &Folder) -> Result<Option<Value>, AuditError> {
    const REPORT: &str = "report.json";
    if std::fs::symlink_metadata(folder.path().join(REPORT)).is_err() {
        return Ok(None);
    }
    tree(folder, REPORT, &folder.read(REPORT, MOST_BYTES)?).map(Some)
}
