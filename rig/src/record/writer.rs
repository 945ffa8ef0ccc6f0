//! Writing a run: every block is durable before the journal names it.
//!
//! Holds the open journal and its lock; must not know what a block means.
//! Units: none. Errors: [`RecordError`]; it blames the disk, and the run stops: what cannot be recorded is not measured.
//! Tests: `tests/golden/record.rs` (torn journal, damaged block, two writers, full disk).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno as SystemErrno;
use nix::fcntl::{Flock, FlockArg};
use rig_protocol::TrialRecord;
use serde::Serialize;

use super::format::{BlockRecord, JournalEntry, RunRecord, write_trials};
use super::journal::{Journal, sha256_hex};
use super::reader::read_run_record;
use super::{Layout, RecordError};
use crate::clock;

/// The one writer of a run. The lock on its journal goes with it, and with the process.
#[derive(Debug)]
pub struct Writer {
    layout: Layout,
    journal: Flock<File>,
    /// Length of the whole lines: what the journal is cut back to where a line could not be written.
    journal_bytes: u64,
}

impl Writer {
    /// Makes `results_dir/<run.id>/` with `run.json`, empty folders, and a journal that says that the run began.
    ///
    /// # Errors
    /// [`RecordError::Exists`] for an id that is taken; otherwise what the disk says.
    pub fn create(results_dir: &Path, run: &RunRecord) -> Result<Self, RecordError> {
        fs::create_dir_all(results_dir).map_err(RecordError::disk("make", results_dir))?;
        let layout = Layout::new(results_dir.join(&run.id));
        let dir = layout.dir();
        match DirBuilder::new().mode(0o755).create(dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RecordError::Exists { dir: dir.to_owned() });
            }
            Err(error) => return Err(RecordError::disk("make", dir)(error)),
        }
        let journal = lock_journal(&layout)?;
        make_folders(&layout)?;
        // A folder is a run once it has a run.json: last, so that a half-made one is none.
        write_atomically(&layout.run(), &to_json(run))?;
        sync_dir(results_dir)?;
        let mut writer = Self { layout, journal, journal_bytes: 0 };
        writer.append(&JournalEntry::Started { at: clock::now() })?;
        Ok(writer)
    }

    /// Opens a run to go on with it. What the journal vouches for counts as played and comes back in the journal's order, void
    /// attempts included; a block whose file is missing, not the one that was written, or contradicts itself counts as not played. A last line that
    /// was cut by a power loss or a kill is cut away.
    ///
    /// # Errors
    /// [`RecordError::Locked`] while another rig writes it, [`RecordError::Format`] for a run of another version,
    /// [`RecordError::NotARun`], [`RecordError::Damaged`], or what the disk says.
    pub fn resume(run_dir: &Path) -> Result<(Self, RunRecord, Vec<BlockRecord>), RecordError> {
        let layout = Layout::new(run_dir);
        let record = read_run_record(&layout)?.record;
        let mut journal = lock_journal(&layout)?;
        make_folders(&layout)?;
        remove_unfinished(&layout)?;
        let path = layout.journal();
        let mut bytes = Vec::new();
        journal.read_to_end(&mut bytes).map_err(RecordError::disk("read", &path))?;
        let found = Journal::parse(&bytes);
        if found.torn {
            journal.set_len(found.whole_bytes).map_err(RecordError::disk("repair", &path))?;
            journal.sync_all().map_err(RecordError::disk("repair", &path))?;
        }
        let (blocks, _) = found.load_blocks(&layout, &record);
        let mut writer = Self { layout, journal, journal_bytes: found.whole_bytes };
        writer.append(&JournalEntry::Started { at: clock::now() })?;
        Ok((writer, record, blocks))
    }

    /// Records a block's packets, before the block itself, which names the file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn capture(&mut self, file: &str, bytes: &[u8]) -> Result<(), RecordError> {
        write_atomically(&self.layout.at(file), bytes)
    }

    /// Records one attempt at a block: its trials kept whole, its sums, then the journal's line. When this returns, the block
    /// survives a power loss.
    ///
    /// # Errors
    /// What the disk says.
    pub fn block(&mut self, record: &BlockRecord, trials: &[TrialRecord]) -> Result<(), RecordError> {
        let anomalies = self.layout.at(&Layout::anomalies(&record.id, record.attempt));
        if trials.is_empty() {
            remove_stale(&anomalies)?;
        } else {
            write_atomically(&anomalies, &write_trials(&record.id, record.attempt, trials))?;
        }
        if record.captures.is_empty() {
            remove_stale(&self.layout.at(&Layout::capture(&record.id, record.attempt)))?;
        }
        let file = Layout::block(&record.id, record.attempt);
        let bytes = to_json(record);
        write_atomically(&self.layout.at(&file), &bytes)?;
        self.append(&JournalEntry::Block {
            at: clock::now(),
            id: record.id.clone(),
            attempt: record.attempt,
            status: record.status.clone(),
            file,
            sha256: sha256_hex(&bytes),
        })
    }

    /// Records the end of the run. `complete`: whether all blocks of the plan were played.
    ///
    /// # Errors
    /// What the disk says.
    pub fn end(&mut self, complete: bool) -> Result<(), RecordError> {
        self.append(&JournalEntry::Ended { at: clock::now(), complete })
    }

    /// `results/<run-id>`
    pub fn dir(&self) -> &Path {
        self.layout.dir()
    }

    fn append(&mut self, entry: &JournalEntry) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(entry).expect("an entry is plain data");
        line.push(b'\n');
        let written = self.journal.write_all(&line).and_then(|()| self.journal.sync_data());
        if let Err(error) = written {
            // Half a line must not become the head of the next one. Should this fail too, the next reader cuts it away.
            let _ = self.journal.set_len(self.journal_bytes);
            return Err(RecordError::disk("write", &self.layout.journal())(error));
        }
        self.journal_bytes += line.len() as u64;
        Ok(())
    }
}

/// Two spaces: a person reads these files too.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a record is plain data with string keys");
    bytes.push(b'\n');
    bytes
}

fn lock_journal(layout: &Layout) -> Result<Flock<File>, RecordError> {
    let path = layout.journal();
    let file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(&path)
        .map_err(RecordError::disk("open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        SystemErrno::EWOULDBLOCK => RecordError::Locked { dir: layout.dir().to_owned(), journal: path },
        other => RecordError::disk("lock", &path)(other.into()),
    })
}

fn make_folders(layout: &Layout) -> Result<(), RecordError> {
    for folder in Layout::FOLDERS {
        let folder = layout.at(folder);
        fs::create_dir_all(&folder).map_err(RecordError::disk("make", &folder))?;
    }
    Ok(())
}

/// Removes what was left by an attempt that the journal never named.
fn remove_stale(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(RecordError::disk("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes what an interrupted [`write_atomically`] left.
fn remove_unfinished(layout: &Layout) -> Result<(), RecordError> {
    for folder in [Layout::BLOCKS, Layout::ANOMALIES, Layout::CAPTURE] {
        let folder = layout.at(folder);
        let files = fs::read_dir(&folder).map_err(RecordError::disk("read", &folder))?;
        for file in files.flatten() {
            if file.file_name().to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(file.path()).map_err(RecordError::disk("remove", &file.path()))?;
            }
        }
    }
    Ok(())
}

const UNFINISHED: &str = ".unfinished";

/// Either the whole file is there under its name, or nothing is, whenever the power goes: written beside, synced, renamed, and
/// the folder synced (rename(2), fsync(2)).
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
        // On a full disk the half file is the first thing that can go.
        let _ = fs::remove_file(&beside);
        return Err(RecordError::disk("write", path)(error));
    }
    sync_dir(path.parent().unwrap_or(path))
}

fn sync_dir(dir: &Path) -> Result<(), RecordError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(RecordError::disk("sync", dir))
}
