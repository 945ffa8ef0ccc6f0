//! `run.json` as it lies in an opened folder: read, with what is known of it besides, and whether one may go on with it.
//!
//! Must not write, nor know blocks. Units: bytes. Errors: [`RecordError`]. Tests: `tests/golden/{record,damage,hostile}.rs`.

use std::io;
use std::path::Path;

use super::folder::sha256_hex;
use super::format::{ReadRun, RunRecord, StrangeCell, Version};
use super::journal::Journal;
use super::names::wrong_name;
use super::{Folder, Layout, RecordError, decode};

/// `run.json` of a matrix of 40,000 cells is a tenth of this, and the journal of as many blocks less.
pub(super) const MOST_WHOLE_BYTES: u64 = 1 << 30;

/// What is said of a file whose digest is another.
pub(super) const CHANGED: &str = "is not the file that was written (SHA-256 differs)";

/// `run.json`, with what else is known of it.
pub(super) struct RunFile {
    pub(super) record: RunRecord,
    /// Which version it was written as.
    pub(super) version: Version,
    /// Cells of a newer version that this rig does not understand: neither they nor their blocks are in `record`.
    pub(super) strange: Vec<StrangeCell>,
    pub(super) sha256: String,
}

impl RunFile {
    pub(super) fn read(folder: &Folder) -> Result<Self, RecordError> {
        let bytes = folder.read(Layout::RUN, MOST_WHOLE_BYTES).map_err(|error| match error {
            error if error.is_missing() => RecordError::NotARun { dir: folder.path().to_owned() },
            error => error,
        })?;
        let path = folder.at(Layout::RUN);
        let ReadRun { record, version, strange } = decode::run(&bytes, &path)?;
        match wrong_name(&record) {
            None => Ok(Self { record, version, strange, sha256: sha256_hex(&bytes) }),
            Some(reason) => Err(RecordError::Damaged { path, reason }),
        }
    }

    pub(super) fn refuse_other(&self, dir: &Path) -> Result<(), RecordError> {
        let (dir, found, seed) = (dir.to_owned(), self.version, self.record.seed);
        if found.is_newer() {
            Err(RecordError::NewerToResume { dir, found })
        } else if found.is_older_major() {
            Err(RecordError::OldFormat { dir, found, seed })
        } else {
            Ok(())
        }
    }

    pub(super) fn refuse_changed(&self, folder: &Folder, journal: &Journal) -> Result<(), RecordError> {
        match journal.vouches_for_run(&self.sha256) {
            Some(false) => {
                Err(RecordError::Damaged { path: folder.at(Layout::RUN), reason: format!("it {CHANGED}") })
            }
            Some(true) | None => Ok(()),
        }
    }
}

pub(super) fn open_folder(run_dir: &Path) -> Result<Folder, RecordError> {
    Folder::open(run_dir).map_err(|error| match error {
        RecordError::Disk { source, .. }
            if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            RecordError::NotARun { dir: run_dir.to_owned() }
        }
        error => error,
    })
}
