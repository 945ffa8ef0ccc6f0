//! A run as one file that travels: written out, and opened again wherever a run is asked for.
//!
//! Must not know what is in a run; how its files lie in an archive is `archive.rs`'s. Units: bytes.
//! Errors: [`RecordError`]; it blames the disk, or the file that was to carry a run. Tests: `tests/golden/travel.rs`.

use std::fs::{File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::{Builder, TempDir};

use super::RecordError;
use super::archive::{self, Limits, Unpackable};
use super::run_file::{RunFile, open_folder};
use super::writer::{hold, sync_dir};

/// A run with all its packets is smaller; an archive that becomes more was made to fill a disk.
const LIMITS: Limits = Limits { bytes: 64 << 30, files: 1_000_000 };

/// An archive of a run becomes at most so many times as large, and
const MOST_TIMES: u64 = 300;

/// a small one may become this large.
const SMALL_BYTES: u64 = 64 << 20;

/// How a gzip file begins (RFC 1952, 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Writes a run into one file: a tar file under gzip, its names below the run's id. The same run gives the same bytes; what was rendered from it is left out. The file is there as a whole
/// or not at all.
///
/// # Errors
/// [`RecordError::Taken`] where there is something of that name, [`RecordError::Locked`] for a run that is being written, [`RecordError::NotARun`],
/// [`RecordError::Damaged`] (`run.json`), or what the disk says.
pub fn export(run_dir: &Path, file: &Path) -> Result<(), RecordError> {
    let folder = open_folder(run_dir)?;
    let run = RunFile::read(&folder)?;
    let _held = hold(&folder)?;
    let names = archive::contents(&folder, None)?.names;
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let taken = || RecordError::Taken { path: file.to_owned() };
    if std::fs::symlink_metadata(file).is_ok() {
        return Err(taken());
    }
    let beside = Builder::new()
        .prefix(".rig-")
        .suffix(".unfinished")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent)
        .map_err(RecordError::disk("write", file))?;
    let written = archive::write(&folder, &names, Some(&run.record.id), beside)?;
    written.as_file().sync_all().map_err(RecordError::disk("write", file))?;
    match written.persist_noclobber(file) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Err(taken()),
        Err(error) => return Err(RecordError::disk("write", file)(error.error)),
    }
    sync_dir(parent)
}

/// Whether a file begins as one that [`export`] wrote.
pub(super) fn is_archive(file: &Path) -> bool {
    let mut begins = [0; 2];
    File::open(file).and_then(|mut file| file.read_exact(&mut begins)).is_ok() && begins == MAGIC
}

/// Unpacks the run that a file is, into a folder that is removed with what is returned.
///
/// # Errors
/// [`RecordError::DamagedPage`], or what the disk says.
pub(super) fn unpack_file(file: &Path) -> Result<TempDir, RecordError> {
    let opened = File::open(file).map_err(RecordError::disk("read", file))?;
    let size = opened.metadata().map_err(RecordError::disk("read", file))?.len();
    let bytes = size.saturating_mul(MOST_TIMES).clamp(SMALL_BYTES, LIMITS.bytes);
    let into = tempfile::tempdir().map_err(RecordError::disk("make", &std::env::temp_dir()))?;
    archive::unpack(BufReader::new(opened), Limits { bytes, ..LIMITS }, into.path()).map_err(|refused| {
        match refused {
            Unpackable::Disk(error) => error,
            Unpackable::Archive(what) => {
                RecordError::DamagedPage { path: file.to_owned(), reason: format!("it {what}") }
            }
        }
    })?;
    Ok(into)
}
