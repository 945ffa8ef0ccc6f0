//! Reading a run back: everything that a report says comes through here.
//!
//! Holds no state of its own; checks every block against the journal. Must not write.
//! Units: none. Errors: [`RecordError`] where nothing can be read; a damaged block is named in [`Run::cautions`] and left out.
//! Tests: `tests/golden/record.rs`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use rig_protocol::TrialRecord;
use serde_json::Value;

use super::format::{BlockId, BlockRecord, ReadRun, RunRecord, TrialLines, Unreadable, Version, read_run};
use super::journal::Journal;
use super::{Layout, RecordError};

/// Opens recorded runs.
#[derive(Debug)]
pub struct Reader;

/// A run as it lies on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its folder.
    pub dir: PathBuf,
    /// What was known before the first block.
    pub record: RunRecord,
    /// Every attempt at a block that the journal vouches for, in its order.
    pub blocks: Vec<BlockRecord>,
    /// Whether all blocks of the plan were played.
    pub complete: bool,
    /// What is damaged or missing, one sentence each, with file names relative to the folder.
    pub cautions: Vec<String>,
}

impl Reader {
    /// Reads `run.json`, the journal and every block; checks each block's SHA-256, and that its numbers do not contradict each other.
    ///
    /// # Errors
    /// [`RecordError::NotARun`], [`RecordError::Format`], [`RecordError::Damaged`] (`run.json`), or what the disk says.
    pub fn open(run_dir: &Path) -> Result<Run, RecordError> {
        let layout = Layout::new(run_dir);
        let ReadRun { record, version, strange } = read_run_record(&layout)?;
        let mut cautions = about_version(version);
        cautions.extend(strange.into_iter().map(|what| format!("{what}: it is left out")));
        let path = layout.journal();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                cautions.push("journal.jsonl is missing: no block counts".to_owned());
                Vec::new()
            }
            Err(error) => return Err(RecordError::disk("read", &path)(error)),
        };
        let journal = Journal::parse(&bytes);
        if journal.torn {
            cautions.push(
                "the last line of journal.jsonl is torn: the block that it was about does not count"
                    .to_owned(),
            );
        }
        for line in &journal.unreadable {
            cautions.push(format!(
                "line {line} of journal.jsonl is unreadable: the block that it was about does not count"
            ));
        }
        let (blocks, damaged) = journal.load_blocks(&layout, &record);
        cautions.extend(damaged.into_iter().map(|what| format!("{what}: this attempt does not count")));
        for block in &blocks {
            let file = Layout::anomalies(&block.id, block.attempt);
            if block.records > 0 && !layout.at(&file).is_file() {
                cautions.push(format!(
                    "{file} is missing: its {} trials kept whole are lost, the sums are not",
                    block.records
                ));
            }
            let named = block.captures.iter().filter(|file| Layout::is_inside(file));
            for file in named.filter(|file| !layout.at(file).is_file()) {
                cautions.push(format!("{file} is missing: its packets are lost, the sums are not"));
            }
        }
        let complete = journal.complete();
        Ok(Run { dir: run_dir.to_owned(), record, blocks, complete, cautions })
    }
}

/// What a reader must know of a run that another version wrote.
fn about_version(version: Version) -> Vec<String> {
    let known = Version::WRITTEN;
    if version.is_newer() {
        vec![format!(
            "the run was written in format {version}, and this rig knows format {known}: what was added since is not shown; a newer rig shows it"
        )]
    } else if version.is_older_major() {
        vec![format!(
            "the run was written in format {version}, before the present {known}: it does not tell of negotiated features and offloads, of QEMU's own bytes, of the order of \
             trials within a block, and only its blocks have digests"
        )]
    } else {
        Vec::new()
    }
}

impl Run {
    /// The trials of an attempt that were kept whole, read as they are asked for; none where none were kept.
    ///
    /// # Errors
    /// What the disk says; [`RecordError::Damaged`] in the iteration, for a line that is no trial.
    pub fn trials(&self, id: &BlockId, attempt: u32) -> Result<Trials, RecordError> {
        let path = Layout::new(&self.dir).at(&Layout::anomalies(id, attempt));
        let lines = match File::open(&path) {
            Ok(file) => Some(BufReader::new(file).lines()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(RecordError::disk("read", &path)(error)),
        };
        Ok(Trials { path, lines, format: TrialLines::default(), line: 0 })
    }
}

/// Trials kept whole, one line each.
#[derive(Debug)]
pub struct Trials {
    path: PathBuf,
    lines: Option<io::Lines<BufReader<File>>>,
    format: TrialLines,
    line: usize,
}

impl Iterator for Trials {
    type Item = Result<TrialRecord, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.lines.as_mut()?.next()?;
            self.line += 1;
            let read = text.map_err(RecordError::disk("read", &self.path)).and_then(|text| {
                self.format.read(&text).map_err(|unreadable| RecordError::Damaged {
                    path: self.path.clone(),
                    reason: format!("line {}: {unreadable}", self.line),
                })
            });
            if let Some(trial) = read.transpose() {
                return Some(trial);
            }
        }
    }
}

/// Reads `run.json`, its version first: a record of another version need not have our fields.
pub(super) fn read_run_record(layout: &Layout) -> Result<ReadRun, RecordError> {
    let path = layout.run();
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            RecordError::NotARun { dir: layout.dir().to_owned() }
        }
        _ => RecordError::disk("read", &path)(error),
    })?;
    read_run(&bytes).map_err(|unreadable| match unreadable {
        Unreadable::Newer(found) => RecordError::Newer { written_by: written_by(&bytes), path, found },
        Unreadable::Malformed(reason) => RecordError::Damaged { path, reason },
    })
}

/// Which version of rig says that it wrote this.
fn written_by(run: &[u8]) -> String {
    let value: Value = serde_json::from_slice(run).unwrap_or_default();
    let version = value.get("rig_version").and_then(Value::as_str);
    version.map_or("version unknown".to_owned(), |version| format!("version {version}"))
}

/// Ids of the runs in a folder, oldest first. Empty where the folder cannot be read.
pub fn list(results_dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(results_dir) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| Layout::new(entry.path()).run().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    ids.sort();
    ids
}

/// The folder of the run that the user means: `latest`, an id, the unambiguous beginning of one, or a path to a run's folder.
///
/// # Errors
/// [`RecordError::Unknown`] with the runs that there are, [`RecordError::Ambiguous`], [`RecordError::NotARun`].
pub fn find(results_dir: &Path, asked: &str) -> Result<PathBuf, RecordError> {
    let path = Path::new(asked);
    if asked.contains('/') || asked.starts_with('.') || Layout::new(path).run().is_file() {
        let found = Layout::new(path).run().is_file();
        return if found { Ok(path.to_owned()) } else { Err(RecordError::NotARun { dir: path.to_owned() }) };
    }
    let ids = list(results_dir);
    if asked == "latest" {
        return match ids.last() {
            Some(id) => Ok(results_dir.join(id)),
            None => Err(unknown(asked, results_dir, &ids)),
        };
    }
    let begin: Vec<&String> = ids.iter().filter(|id| id.starts_with(asked)).collect();
    match begin.as_slice() {
        _ if ids.iter().any(|id| id == asked) => Ok(results_dir.join(asked)),
        [] => Err(unknown(asked, results_dir, &ids)),
        _ if asked.is_empty() => Err(unknown(asked, results_dir, &ids)),
        [one] => Ok(results_dir.join(one)),
        several => Err(RecordError::Ambiguous {
            asked: asked.to_owned(),
            found: several.iter().map(|&id| id.clone()).collect(),
        }),
    }
}

fn unknown(asked: &str, results_dir: &Path, ids: &[String]) -> RecordError {
    const SHOWN: usize = 10;
    let newest: Vec<&str> = ids.iter().rev().take(SHOWN).map(String::as_str).collect();
    let near = ids
        .iter()
        .map(|id| (strsim::levenshtein(id, asked), id))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, id)| format!("did you mean `{id}`? "))
        .unwrap_or_default();
    let advice = match ids.len() {
        0 => "it holds no run yet: `rig matrix run` makes one; --results names another folder".to_owned(),
        n if n > SHOWN => format!("{near}the newest of its {n} runs: {}", newest.join(", ")),
        _ => format!("{near}its runs, newest first: {}", newest.join(", ")),
    };
    RecordError::Unknown { asked: asked.to_owned(), results: results_dir.to_owned(), advice }
}
