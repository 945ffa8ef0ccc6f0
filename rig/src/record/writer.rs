//! Writing a run: every block is durable before the journal names it.
//!
//! Holds the open journal and its lock; must not know what a block means.
//! Units: bytes. Errors: [`RecordError`]; it blames the disk, or what is in the way, and the run stops: what cannot be recorded is not measured.
//! Tests: `tests/golden/record.rs` (torn journal, damaged block, two writers, full disk),
//! `tests/golden/hostile.rs`.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use nix::errno::Errno as SystemErrno;
use nix::fcntl::{Flock, FlockArg};
use rig_protocol::TrialRecord;
use serde::Serialize;

use super::entry::{JournalEntry, seal};
use super::folder::sha256_hex;
use super::format::{BlockRecord, FORMAT, FORMAT_MINOR, RunRecord, write_trials};
use super::journal::Journal;
use super::run_file::{MOST_WHOLE_BYTES, RunFile, open_folder};
use super::{Folder, Layout, RecordError, verify};
use crate::clock;

/// The one writer of a run. The lock on its journal goes with it, and with the process.
#[derive(Debug)]
pub struct Writer {
    folder: Folder,
    journal: Flock<File>,
    /// Length of the whole lines: what the journal is cut back to where a line could not be written.
    journal_bytes: u64,
    /// What the next line continues.
    last_sha256: String,
}

impl Writer {
    /// Makes `results_dir/<run.id>/` with `run.json`, empty folders, and a journal that says that the run began.
    ///
    /// # Errors
    /// [`RecordError::Exists`] for an id that is taken; otherwise what the disk says.
    pub fn create(results_dir: &Path, run: &RunRecord) -> Result<Self, RecordError> {
        fs::create_dir_all(results_dir).map_err(RecordError::disk("make", results_dir))?;
        let dir = results_dir.join(&run.id);
        match DirBuilder::new().mode(0o755).create(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(RecordError::Exists { dir });
            }
            Err(error) => return Err(RecordError::disk("make", &dir)(error)),
        }
        let writer = Self::begin(Folder::open(&dir)?, run, clock::now())?;
        sync_dir(results_dir)?;
        Ok(writer)
    }

    /// Makes a run of an empty folder; `at` is when it began (RFC 3339, UTC).
    pub(super) fn begin(folder: Folder, run: &RunRecord, at: String) -> Result<Self, RecordError> {
        let journal = lock_journal(&folder)?;
        make_folders(&folder)?;
        let bytes = to_json(run);
        let mut writer = Self { folder, journal, journal_bytes: 0, last_sha256: String::new() };
        writer.started(at, sha256_hex(&bytes))?;
        // A folder is a run once it has a run.json: last, so that a half-made one is none, and that the journal vouches for every one.
        writer.folder.write(Layout::RUN, &bytes)?;
        Ok(writer)
    }

    /// Opens a run to go on with it. What the journal vouches for counts as played and comes back in the journal's order, void
    /// attempts included; a block whose file is missing, not the one that was written, or contradicts itself counts as not played. A last line that
    /// was cut by a power loss or a kill is cut away. Nothing is changed before all is checked.
    ///
    /// # Errors
    /// [`RecordError::Locked`] while another rig writes it, [`RecordError::Newer`] and [`RecordError::OldFormat`] for a run of another version,
    /// [`RecordError::NotARun`], [`RecordError::Damaged`], [`RecordError::InTheWay`], or what the disk says.
    pub fn resume(run_dir: &Path) -> Result<(Self, RunRecord, Vec<BlockRecord>), RecordError> {
        let folder = open_folder(run_dir)?;
        // Before the lock, which makes a journal where there is none.
        RunFile::read(&folder)?.refuse_other(run_dir)?;
        let mut journal = lock_journal(&folder)?;
        // Again: another rig may have been at work until now.
        let run = RunFile::read(&folder)?;
        let bytes = folder.read_all(Layout::JOURNAL, &mut *journal, MOST_WHOLE_BYTES)?;
        let found = Journal::parse(&bytes, run.version);
        run.refuse_changed(&folder, &found)?;
        make_folders(&folder)?;
        for name in Layout::FOLDERS {
            // Nothing but files, or a guest's log could be written through what lies there.
            folder.list(name)?;
        }
        // Reports are written beside run.json.
        for name in [".", Layout::BLOCKS, Layout::ANOMALIES, Layout::CAPTURE] {
            folder.remove_unfinished(name)?;
        }
        if found.torn {
            let cut = journal.set_len(found.whole_bytes).and_then(|()| journal.sync_all());
            cut.map_err(RecordError::disk("repair", &folder.at(Layout::JOURNAL)))?;
        }
        let counted = verify::blocks(&folder, &found, &run).counted;
        let blocks = counted.into_iter().map(|counted| counted.record).collect();
        let (journal_bytes, last_sha256) = (found.whole_bytes, found.last_sha256);
        let mut writer = Self { folder, journal, journal_bytes, last_sha256 };
        writer.started(clock::now(), run.sha256)?;
        Ok((writer, run.record, blocks))
    }

    /// Records a block's packets, before the block itself, which names the file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn capture(&mut self, file: &str, bytes: &[u8]) -> Result<(), RecordError> {
        self.folder.write(file, bytes)
    }

    /// Records one attempt at a block: its trials kept whole, its sums, then the journal's line. When this returns, the block
    /// survives a power loss.
    ///
    /// # Errors
    /// What the disk says.
    pub fn block(&mut self, record: &BlockRecord, trials: &[TrialRecord]) -> Result<(), RecordError> {
        let anomalies = Layout::anomalies(&record.id, record.attempt);
        let mut files = BTreeMap::new();
        if trials.is_empty() {
            self.folder.remove(&anomalies)?;
        } else {
            let lines = write_trials(&record.id, record.attempt, trials);
            self.folder.write(&anomalies, &lines)?;
            files.insert(anomalies, sha256_hex(&lines));
        }
        if record.captures.is_empty() {
            for name in Layout::CAPTURES {
                self.folder.remove(&name(&record.id, record.attempt))?;
            }
        }
        self.sums(record, files, clock::now())
    }

    /// Records the sums of an attempt, and what lies beside them already: `files` with their digests, and those that the record names.
    pub(super) fn sums(
        &mut self,
        record: &BlockRecord,
        mut files: BTreeMap<String, String>,
        at: String,
    ) -> Result<(), RecordError> {
        let file = Layout::block(&record.id, record.attempt);
        let bytes = to_json(record);
        self.folder.write(&file, &bytes)?;
        files.insert(file, sha256_hex(&bytes));
        files.extend(verify::digests_of_named(&self.folder, record)?);
        self.append(&JournalEntry::Block {
            at,
            id: record.id.clone(),
            attempt: record.attempt,
            status: record.status.clone(),
            files,
        })
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Records the end of the run: `stopped` says in a word why its plan is not done; none where all blocks were played.
    ///
    /// # Errors
    /// What the disk says.
    pub fn end(&mut self, stopped: Option<&str>) -> Result<(), RecordError> {
        let complete = stopped.is_none();
        self.append(&JournalEntry::Ended { at: clock::now(), complete, stopped: stopped.map(str::to_owned) })
    }

    /// `results/<run-id>`
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn started(&mut self, at: String, run_sha256: String) -> Result<(), RecordError> {
        self.append(&JournalEntry::Started {
            at,
            format: FORMAT,
            format_minor: FORMAT_MINOR,
            run_sha256: Some(run_sha256),
        })
    }

    pub(super) fn append(&mut self, entry: &JournalEntry) -> Result<(), RecordError> {
        let sealed = seal(entry, &self.last_sha256);
        let written = self.journal.write_all(&sealed.line).and_then(|()| self.journal.sync_data());
        if let Err(error) = written {
            // Half a line must not become the head of the next one. Should this fail too, the next reader cuts it away.
            let _ = self.journal.set_len(self.journal_bytes);
            return Err(RecordError::disk("write", &self.folder.at(Layout::JOURNAL))(error));
        }
        self.journal_bytes += sealed.line.len() as u64;
        self.last_sha256 = sealed.sha256;
        Ok(())
    }
}

/// Two spaces: a person reads these files too.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a record is plain data with string keys");
    bytes.push(b'\n');
    bytes
}

fn lock_journal(folder: &Folder) -> Result<Flock<File>, RecordError> {
    lock(folder, folder.log(Layout::JOURNAL)?, FlockArg::LockExclusiveNonblock)
}

pub(super) fn lock(folder: &Folder, journal: File, how: FlockArg) -> Result<Flock<File>, RecordError> {
    let path = folder.at(Layout::JOURNAL);
    Flock::lock(journal, how).map_err(|(_, errno)| match errno {
        SystemErrno::EWOULDBLOCK => RecordError::Locked { dir: folder.path().to_owned(), journal: path },
        other => RecordError::disk("lock", &path)(other.into()),
    })
}

/// Keeps writers away from a run that is read as a whole, for as long as what is returned lives; nothing where it has no journal yet.
///
/// # Errors
/// [`RecordError::Locked`] while a rig writes it.
pub(super) fn hold(folder: &Folder) -> Result<Option<Flock<File>>, RecordError> {
    match folder.file(Layout::JOURNAL) {
        Ok(journal) => lock(folder, journal, FlockArg::LockSharedNonblock).map(Some),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

fn make_folders(folder: &Folder) -> Result<(), RecordError> {
    Layout::FOLDERS.into_iter().try_for_each(|name| folder.make_folder(name))
}

/// Makes the names in a folder survive a power loss.
pub(super) fn sync_dir(dir: &Path) -> Result<(), RecordError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(RecordError::disk("sync", dir))
}
