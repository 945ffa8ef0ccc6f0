//! Runs that go: as a whole, and never one that is being written.
//!
//! A run is renamed before anything of it is removed, to a name that no run has: whoever is killed in between leaves no half run that looks whole, and the next removal ends what was
//! begun. Nothing that is not of a run is removed. Must not know which runs should go. Units: bytes. Errors: [`RecordError`]. Tests: `tests/golden/kept.rs`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::SFlag;

use super::folder::UNFINISHED;
use super::id::is_name;
use super::writer::{hold, lock, sync_dir};
use super::{Folder, Layout, RecordError};

/// How the name of a run ends that is being removed; it begins with a dot, as that of no run.
const REMOVED: &str = ".removed";

/// Whether a rig writes this run now.
pub fn is_being_written(run_dir: &Path) -> bool {
    let held = Folder::open(run_dir).and_then(|folder| hold(&folder));
    matches!(held, Err(RecordError::Locked { .. }))
}

/// The bytes of all files in a run's folder.
///
/// # Errors
/// What the disk says.
pub fn size(run_dir: &Path) -> Result<u64, RecordError> {
    let folder = Folder::open(run_dir)?;
    let mut bytes = 0;
    for below in ["."].into_iter().chain(Layout::FOLDERS).chain([Layout::CORE]) {
        let entries = match folder.entries(below) {
            Err(error) if error.is_missing() => continue,
            entries => entries?,
        };
        for (name, _) in entries.iter().filter(|(_, kind)| *kind == SFlag::S_IFREG) {
            // One that is gone since has no bytes.
            bytes += fs::symlink_metadata(folder.at(name)).map_or(0, |data| data.len());
        }
    }
    Ok(bytes)
}

/// Holds a run against writers, to remove it.
///
/// # Errors
/// [`RecordError::NotARun`], [`RecordError::InTheWay`] for a link, [`RecordError::Locked`], [`RecordError::Foreign`], or what the disk says.
pub fn removable(results: &Path, id: &str) -> Result<Removable, RecordError> {
    let folder = Folder::open(results)?.below(id)?;
    if let Err(error) = folder.file(Layout::RUN) {
        let dir = results.join(id);
        return Err(if error.is_missing() { RecordError::NotARun { dir } } else { error });
    }
    let lock = match folder.file(Layout::JOURNAL) {
        Ok(journal) => Some(lock(&folder, journal, FlockArg::LockExclusiveNonblock)?),
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error),
    };
    refuse_foreign(&folder)?;
    Ok(Removable { id: id.to_owned(), _lock: lock })
}

/// A run that is held, to be removed.
#[derive(Debug)]
pub struct Removable {
    id: String,
    _lock: Option<Flock<File>>,
}

impl Removable {
    /// Removes it.
    ///
    /// # Errors
    /// What the disk says: then it may be gone from the runs, and [`sweep`] removes the rest.
    pub fn remove(self, results: &Path) -> Result<(), RecordError> {
        let (dir, gone) = (results.join(&self.id), results.join(format!(".{}{REMOVED}", self.id)));
        fs::rename(&dir, &gone).map_err(RecordError::disk("remove", &dir))?;
        sync_dir(results)?;
        fs::remove_dir_all(&gone).map_err(RecordError::disk("remove", &gone))
    }
}

/// Ends the removals that were cut off. Returns the ids of their runs, sorted.
///
/// # Errors
/// [`RecordError::Foreign`], or what the disk says.
pub fn sweep(results: &Path) -> Result<Vec<String>, RecordError> {
    let mut swept = Vec::new();
    let above = Folder::open(results)?;
    for (name, kind) in above.entries(".")? {
        let name = name.strip_prefix("./").unwrap_or(&name);
        let id = name.strip_prefix('.').and_then(|name| name.strip_suffix(REMOVED));
        let Some(id) = id.filter(|id| is_name(id) && kind == SFlag::S_IFDIR) else { continue };
        refuse_foreign(&above.below(name)?)?;
        match fs::remove_dir_all(results.join(name)) {
            Ok(()) => swept.push(id.to_owned()),
            // Two at once: the other one was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(RecordError::disk("remove", &results.join(name))(error)),
        }
    }
    swept.sort();
    Ok(swept)
}

/// A folder may hold what its owner put there: it is not ours to remove.
fn refuse_foreign(folder: &Folder) -> Result<(), RecordError> {
    let foreign = |what: &str| {
        let what = what.strip_prefix("./").unwrap_or(what).to_owned();
        RecordError::Foreign { dir: folder.path().to_owned(), what }
    };
    for (path, kind) in folder.entries(".")? {
        let name = path.strip_prefix("./").unwrap_or(&path);
        match kind {
            SFlag::S_IFREG if is_own(name) => {}
            SFlag::S_IFDIR if name == Layout::CORE || Layout::FOLDERS.contains(&name) => {
                let inner = folder.entries(name)?;
                if let Some((inner, _)) = inner.iter().find(|(_, kind)| *kind != SFlag::S_IFREG) {
                    return Err(foreign(inner));
                }
            }
            _ => return Err(foreign(name)),
        }
    }
    Ok(())
}

/// Whether a file beside the folders is the record's, or was rendered from it.
fn is_own(name: &str) -> bool {
    let rendered = ["report.", "comparison."].iter().any(|begins| name.starts_with(begins));
    rendered || matches!(name, Layout::RUN | Layout::JOURNAL) || name.ends_with(UNFINISHED)
}
