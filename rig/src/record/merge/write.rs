//! The joined run on disk: as a whole or not at all.
//!
//! It is made beside its place, under a name that no run has, and takes the place when it is whole. Must not know what may be joined. Units: bytes. Errors: [`MergeError`]; it blames the disk.
//! Tests: `tests/golden/merged`.

use std::io::{BufReader, Read as _};
use std::path::Path;

use rig_protocol::TrialRecord;
use tempfile::Builder;

use super::super::entry::JournalEntry;
use super::super::format::{TrialLines, write_trials};
use super::super::verify::Files;
use super::super::writer::sync_dir;
use super::super::{Folder, Layout, RecordError, Writer};
use super::error::MergeError;
use super::join::{Attempt, Joined};

/// The word of the journal for a merged run of which something is missing.
pub(super) const PARTS_MISSING: &str = "parts_missing";

/// Trials kept whole of one block are a few MiB.
const MOST_TRIALS_BYTES: u64 = 1 << 30;

pub(super) fn write(joined: &Joined<'_>, is_whole: bool, dir: &Path) -> Result<(), MergeError> {
    if std::fs::symlink_metadata(dir).is_ok() {
        return Err(RecordError::Taken { path: dir.to_owned() }.into());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(RecordError::disk("make", parent))?;
    // A name that begins with a dot is none of a run.
    let beside = Builder::new()
        .prefix(".rig-")
        .suffix(".unfinished")
        .tempdir_in(parent)
        .map_err(RecordError::disk("make", dir))?;
    let folder = Folder::open(beside.path())?;
    let mut writer = Writer::begin(folder, &joined.record, joined.record.started.clone())?;
    for attempt in &joined.attempts {
        put(&mut writer, attempt)?;
    }
    if let Some(end) = end(joined, is_whole) {
        writer.append(&end)?;
    }
    // Only now it has the mode of a run's folder: tempfile's is for its owner alone.
    std::fs::set_permissions(beside.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(RecordError::disk("write", dir))?;
    rename(beside.path(), dir)?;
    // It has another name now.
    let _ = beside.keep();
    Ok(sync_dir(parent)?)
}

/// Renames a folder to a name that must not be there.
fn rename(from: &Path, to: &Path) -> Result<(), MergeError> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

    renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE).map_err(|errno| match errno {
        nix::errno::Errno::EEXIST | nix::errno::Errno::ENOTEMPTY => {
            RecordError::Taken { path: to.to_owned() }.into()
        }
        errno => MergeError::from(RecordError::disk("write", to)(errno.into())),
    })
}

/// How the journal ends; not at all where nothing says that a single run ended.
fn end(joined: &Joined<'_>, is_whole: bool) -> Option<JournalEntry> {
    let last = joined.attempts.iter().map(|attempt| attempt.at).max();
    let at = last.unwrap_or(&joined.record.started).to_owned();
    if !joined.record.parts.is_empty() {
        let stopped = (!is_whole).then(|| PARTS_MISSING.to_owned());
        return Some(JournalEntry::Ended { at, complete: is_whole, stopped });
    }
    let (complete, stopped) = (joined.is_complete(), joined.stopped().map(str::to_owned));
    (complete || stopped.is_some()).then_some(JournalEntry::Ended { at, complete, stopped })
}

/// Writes an attempt: its trials, the files beside it, its sums, its line. Each file from the first folder that has it as it was written.
fn put(writer: &mut Writer, attempt: &Attempt<'_>) -> Result<(), MergeError> {
    let record = &attempt.record;
    let mut files = Files::new();
    for (source, played) in &attempt.copies {
        let (old, number) = (&played.record.id, record.attempt);
        for (from, to) in Layout::companions(old, number).iter().zip(Layout::companions(&record.id, number)) {
            let Some(sha256) = played.files.get(from) else { continue };
            if files.contains_key(&to) || source.folder.sha256(from).ok().as_ref() != Some(sha256) {
                continue;
            }
            if *from == Layout::anomalies(old, number) {
                let trials = trials(&source.folder, from)?;
                writer.folder().write(&to, &write_trials(&record.id, number, &trials))?;
            } else {
                writer.folder().copy(&to, &source.folder, from)?;
            }
            files.insert(to.clone(), writer.folder().sha256(&to)?);
        }
    }
    Ok(writer.sums(record, files, attempt.at.to_owned())?)
}

fn trials(folder: &Folder, name: &str) -> Result<Vec<TrialRecord>, RecordError> {
    let mut bytes = Vec::new();
    let file = folder.file(name)?;
    let read = BufReader::new(file).take(MOST_TRIALS_BYTES).read_to_end(&mut bytes);
    read.map_err(RecordError::disk("read", &folder.path().join(name)))?;
    let mut format = TrialLines::default();
    let mut trials = Vec::new();
    for (place, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let read = format.read(line).map_err(|unreadable| RecordError::Damaged {
            path: folder.path().join(name),
            reason: format!("line {}: {unreadable}", place + 1),
        })?;
        trials.extend(read);
    }
    Ok(trials)
}
