//! Reading a run back: everything that a report says comes through here.
//!
//! Holds no state of its own; every file is checked against the journal. Must not write.
//! Units: bytes. Errors: [`RecordError`] where nothing can be read; what is damaged is named in [`Run::cautions`], and a damaged block is left out.
//! Tests: `tests/golden/{record,damage,hostile}.rs`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rig_protocol::TrialRecord;
use tempfile::TempDir;

use super::export::{is_archive, unpack_file};
use super::format::{BlockId, BlockRecord, RunRecord, TrialLines, Unreadable, Version};
use super::journal::Journal;
use super::packed::unpack_page;
use super::run_file::{CHANGED, MOST_WHOLE_BYTES, RunFile, open_folder};
use super::{Folder, Layout, RecordError, parts, verify};

/// A trial kept whole is a few KiB.
const MOST_LINE_BYTES: u64 = 64 << 20;

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
    /// Why it ended before, where the journal says it: the words of [`super::JournalEntry::Ended`].
    pub stopped: Option<String>,
    /// What is damaged or missing, one sentence each, with file names relative to the folder.
    pub cautions: Vec<String>,
}

impl Reader {
    /// Reads `run.json`, the journal and every block; checks each file's SHA-256, and that the numbers of a block do not contradict each other.
    ///
    /// # Errors
    /// [`RecordError::NotARun`], [`RecordError::Newer`], [`RecordError::Damaged`] (`run.json`), [`RecordError::InTheWay`], or what the disk says.
    pub fn open(run_dir: &Path) -> Result<Run, RecordError> {
        let folder = open_folder(run_dir)?;
        let file = RunFile::read(&folder)?;
        let mut cautions = about_version(file.version);
        cautions.extend(file.strange.iter().map(|cell| format!("{}: it is left out", cell.what)));
        let bytes = match folder.read(Layout::JOURNAL, MOST_WHOLE_BYTES) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error),
        };
        let mut journal = Journal::parse(bytes.as_deref().unwrap_or_default(), file.version);
        if journal.vouches_for_run(&file.sha256) == Some(false) {
            cautions
                .push(format!("run.json {CHANGED}: what the run was, and how it is judged, may be another"));
        }
        cautions.append(&mut journal.cautions);
        cautions.extend(match bytes {
            None => Some("journal.jsonl is missing: no block counts".to_owned()),
            Some(_) => journal.missing_end(),
        });
        let verify::Verified { counted, damaged } = verify::blocks(&folder, &journal, &file);
        cautions.extend(damaged);
        for attempt in &counted {
            cautions.extend(verify::companions(&folder, attempt, &journal));
        }
        cautions.extend(parts::cautions(&file.record));
        let mut blocks: Vec<BlockRecord> = counted.into_iter().map(|counted| counted.record).collect();
        let mut record = file.record;
        parts::tell_machines_apart(&mut record, &mut blocks);
        Ok(Run {
            dir: run_dir.to_owned(),
            record,
            blocks,
            complete: journal.complete(),
            stopped: journal.stopped(),
            cautions,
        })
    }

    /// What was known before the first block, of a run that can be gone on with: [`super::Writer::resume`] does it.
    ///
    /// # Errors
    /// Those of [`Reader::open`]; [`RecordError::OldFormat`].
    pub fn open_to_resume(run_dir: &Path) -> Result<RunRecord, RecordError> {
        let folder = open_folder(run_dir)?;
        let file = RunFile::read(&folder)?;
        file.refuse_other(run_dir)?;
        if !file.record.parts.is_empty() {
            let parts = file.record.parts.iter().map(|part| part.id.clone()).collect();
            return Err(RecordError::MergedToResume { dir: run_dir.to_owned(), parts });
        }
        match folder.read(Layout::JOURNAL, MOST_WHOLE_BYTES) {
            Ok(bytes) => file.refuse_changed(&folder, &Journal::parse(&bytes, file.version))?,
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        Ok(file.record)
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
            "the run was written in format {version}, which is older than {known}: it does not have negotiated features and offloads, the digest of QEMU's file, or the order of trials within a block, and only its blocks have digests: a change of run.json, journal.jsonl, or a file in anomalies/, capture/, console/ or qmp/ is not noticed"
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
        let folder = Folder::open(&self.dir)?;
        let name = Layout::anomalies(id, attempt);
        let lines = match folder.file(&name) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(error),
        };
        Ok(Trials { path: folder.at(&name), lines, format: TrialLines::default(), line: 0 })
    }
}

/// Trials kept whole, one line each.
#[derive(Debug)]
pub struct Trials {
    path: PathBuf,
    lines: Option<BufReader<File>>,
    format: TrialLines,
    line: usize,
}

impl Iterator for Trials {
    type Item = Result<TrialRecord, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            match self.lines.as_mut()?.take(MOST_LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.lines = None;
                    return Some(Err(RecordError::disk("read", &self.path)(error)));
                }
            }
            self.line += 1;
            let read = self.format.read(&line).map_err(|unreadable| {
                if matches!(unreadable, Unreadable::Newer(_)) {
                    // What follows has a shape that nobody here knows.
                    self.lines = None;
                }
                RecordError::Damaged {
                    path: self.path.clone(),
                    reason: format!("line {}: {unreadable}", self.line),
                }
            });
            if let Some(trial) = read.transpose() {
                return Some(trial);
            }
        }
    }
}

/// Ids of the runs in a folder, oldest first. Empty where the folder cannot be read.
pub fn list(results_dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(results_dir) else { return Vec::new() };
    let mut ids: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join(Layout::RUN).is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        // What begins with a dot is being removed.
        .filter(|id| !id.starts_with('.'))
        .collect();
    ids.sort();
    ids
}

/// A run that was asked for.
#[derive(Debug)]
pub struct Found {
    dir: PathBuf,
    /// The page or archive that it was taken out of, and the folder that it lies in until this is dropped.
    unpacked: Option<(PathBuf, TempDir)>,
}

impl Found {
    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What a reader knows it by: its folder, or the page or archive that carries it.
    pub fn shown(&self) -> &Path {
        self.unpacked.as_ref().map_or(&self.dir, |(page, _)| page)
    }

    /// Whether it came out of a page.
    pub fn is_page(&self) -> bool {
        self.unpacked.as_ref().is_some_and(|(file, _)| !is_archive(file))
    }

    /// Whether its folder is gone when this is: it came out of a page or an archive.
    pub fn is_unpacked(&self) -> bool {
        self.unpacked.is_some()
    }
}

/// The run that the user means: `latest`, an id, a unique part of one (its beginning first), a path to a run's folder,
/// or a page or an archive that carries one.
///
/// # Errors
/// [`RecordError::Unknown`] with the runs that there are, [`RecordError::Ambiguous`], [`RecordError::NotARun`], [`RecordError::NoRunInside`],
/// [`RecordError::DamagedPage`].
pub fn find(results_dir: &Path, asked: &str) -> Result<Found, RecordError> {
    let path = Path::new(asked);
    if path.is_file() {
        let unpacked = if is_archive(path) { unpack_file(path)? } else { unpack_page(path)? };
        return Ok(Found { dir: unpacked.path().to_owned(), unpacked: Some((path.to_owned(), unpacked)) });
    }
    Ok(Found { dir: find_folder(results_dir, asked)?, unpacked: None })
}

/// As [`find`], of a run that is to go on.
///
/// # Errors
/// Those of [`find`], and [`RecordError::PageToResume`].
pub fn find_to_resume(results_dir: &Path, asked: &str) -> Result<PathBuf, RecordError> {
    let path = Path::new(asked);
    if path.is_file() {
        return Err(RecordError::PageToResume { path: path.to_owned() });
    }
    find_folder(results_dir, asked)
}

fn find_folder(results_dir: &Path, asked: &str) -> Result<PathBuf, RecordError> {
    let path = Path::new(asked);
    // Whatever it is: who reads it says what is wrong with it.
    let found = fs::symlink_metadata(path.join(Layout::RUN)).is_ok();
    if asked.contains('/') || asked.starts_with('.') || found {
        return if found { Ok(path.to_owned()) } else { Err(RecordError::NotARun { dir: path.to_owned() }) };
    }
    let ids = list(results_dir);
    if asked == "latest" {
        return match ids.last() {
            Some(id) => Ok(results_dir.join(id)),
            None => Err(unknown(asked, results_dir, &ids)),
        };
    }
    let mut meant: Vec<&String> = ids.iter().filter(|id| id.starts_with(asked)).collect();
    if meant.is_empty() {
        meant = ids.iter().filter(|id| id.contains(asked)).collect();
    }
    match meant.as_slice() {
        _ if ids.iter().any(|id| id == asked) => Ok(results_dir.join(asked)),
        [] => match ids.iter().find(|name| id_inside(&results_dir.join(name)).as_deref() == Some(asked)) {
            Some(name) => Ok(results_dir.join(name)),
            None => Err(unknown(asked, results_dir, &ids)),
        },
        _ if asked.is_empty() => Err(unknown(asked, results_dir, &ids)),
        [one] => Ok(results_dir.join(one)),
        several => Err(RecordError::Ambiguous {
            asked: asked.to_owned(),
            found: several.iter().map(|&id| id.clone()).collect(),
        }),
    }
}

/// The id of a run whose folder may have another name; nothing where it cannot be read.
fn id_inside(run_dir: &Path) -> Option<String> {
    let folder = open_folder(run_dir).ok()?;
    Some(RunFile::read(&folder).ok()?.record.id)
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
        _ if results_dir.is_file() => "that is a file: --results names the folder of the runs".to_owned(),
        0 => "it has no run yet: `rig matrix run` makes one; --results names another folder".to_owned(),
        n if n > SHOWN => format!("{near}the newest of its {n} runs: {}", newest.join(", ")),
        _ => format!("{near}its runs, newest first: {}", newest.join(", ")),
    };
    RecordError::Unknown { asked: asked.to_owned(), results: results_dir.to_owned(), advice }
}
