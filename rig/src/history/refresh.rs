//! From a folder of runs to its database: what is new is read, what is gone is forgotten, the rest is left as it is.
//!
//! Must not judge. Units: runs. Errors: [`HistoryError`]; a run that cannot be read is named, and is in no figure. Tests: `tests/golden/history.rs`.

use std::fs;
use std::path::Path;

use super::stored::StoredNight;
use super::{Database, HistoryError};
use crate::analysis::{Night, nights};
use crate::record::{Folder, Layout, Reader, RecordError, find, is_being_written, list};

/// How the names of archives end.
const PACKED: &str = ".tar.gz";

/// What a refresh did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Places of the runs that were read.
    pub read: Vec<String>,
    /// Places of those that were forgotten: they are gone.
    pub forgotten: Vec<String>,
    /// What could not be read, or not yet, one sentence each.
    pub troubles: Vec<String>,
}

/// Brings the database up to what lies in the folder. A run is known by its place and the digest of its journal (of an archive: of the file), so nothing is read twice.
///
/// # Errors
/// Those of the database, or the folder cannot be listed.
pub fn refresh(database: &mut Database, results: &Path) -> Result<Refreshed, HistoryError> {
    let known = database.known()?;
    let there = places(results)?;
    let mut refreshed = Refreshed::default();
    let mut new = Vec::new();
    for place in &there {
        let is_packed = place.ends_with(PACKED);
        if !is_packed && is_being_written(&results.join(place)) {
            refreshed
                .troubles
                .push(format!("{place} is still being written: it is taken in when it has ended"));
            continue;
        }
        let read = digest(results, place, is_packed).and_then(|digest| {
            let is_known = known.get(place) == Some(&digest);
            if is_known { Ok(Vec::new()) } else { read(results, place, &digest) }
        });
        match read {
            Ok(nights) => {
                refreshed.read.extend((!nights.is_empty()).then(|| place.clone()));
                new.extend(nights);
            }
            Err(error) => {
                let what = format!("{place} cannot be read, and is in no figure: {error}");
                refreshed.troubles.push(what);
                refreshed.forgotten.extend(known.contains_key(place).then(|| place.clone()));
            }
        }
    }
    refreshed.forgotten.extend(known.into_keys().filter(|place| !there.contains(place)));
    if !refreshed.read.is_empty() || !refreshed.forgotten.is_empty() {
        database.take(&refreshed.forgotten, &new)?;
    }
    Ok(refreshed)
}

/// Folders that hold a run, and archives.
fn places(results: &Path) -> Result<Vec<String>, HistoryError> {
    let disk =
        |error: std::io::Error| HistoryError::Disk { path: results.to_owned(), reason: error.to_string() };
    let entries = fs::read_dir(results).map_err(disk)?;
    let files = entries.flatten().filter(|entry| entry.path().is_file());
    let names = files.filter_map(|entry| entry.file_name().into_string().ok());
    let mut places: Vec<String> =
        names.filter(|name| name.ends_with(PACKED) && !name.starts_with('.')).collect();
    places.extend(list(results));
    places.sort();
    Ok(places)
}

fn digest(results: &Path, place: &str, is_packed: bool) -> Result<String, RecordError> {
    if is_packed {
        return Folder::open(results)?.sha256(place);
    }
    let folder = Folder::open(&results.join(place))?;
    let has_journal = fs::symlink_metadata(results.join(place).join(Layout::JOURNAL)).is_ok();
    let journal = if has_journal { folder.sha256(Layout::JOURNAL)? } else { String::new() };
    // What the run was belongs to it as much as what was played.
    Ok(format!("{}{journal}", folder.sha256(Layout::RUN)?))
}

/// A night; of a run that was merged from several machines one for each of them.
fn read(results: &Path, place: &str, digest: &str) -> Result<Vec<StoredNight>, RecordError> {
    let found = find(results, &results.join(place).to_string_lossy())?;
    let run = Reader::open(found.dir())?;
    let record = &run.record;
    let stored = |night: Night| StoredNight {
        place: place.to_owned(),
        digest: digest.to_owned(),
        id: record.id.clone(),
        machine: night.machine.clone(),
        rehearsed: record.environment.rehearsed,
        started: night.started.clone(),
        profile: record.profile.clone(),
        filters: filters(&record.command_line),
        shard: record.shard.map(|shard| shard.to_string()).unwrap_or_default(),
        complete: run.complete,
        matrix: record.matrix.clone(),
        night,
    };
    Ok(nights(&run).into_iter().map(stored).collect())
}

/// What a command line asks to be played of a matrix.
fn filters(command_line: &[String]) -> String {
    let is_filter = |word: &&String| word.contains('=') && !word.starts_with('-');
    command_line.iter().filter(is_filter).map(String::as_str).collect::<Vec<_>>().join(" ")
}
