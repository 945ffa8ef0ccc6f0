//! What can go wrong with a run on disk.
//!
//! Holds one enum and the advice for its ways to fail. Must not know who asked.
//! Units: none. Errors: this is them; they blame the disk, a file, or the name that the user gave.
//! Tests: `tests/golden/record.rs`, `tests/golden/hostile.rs`.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::format::Version;

/// Why a run cannot be written, continued, found or read.
#[derive(Debug, Error, Diagnostic)]
pub enum RecordError {
    /// The disk refused.
    #[error("cannot {doing} {}", .path.display())]
    Disk {
        /// `write`, `read`, ...
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
        /// What to try.
        #[help]
        advice: String,
    },
    /// There is a run of this id already.
    #[error("{} exists already", .dir.display())]
    #[diagnostic(help(
        "it belongs to another run, and was not changed: start again, or give another folder with --results"
    ))]
    Exists {
        /// The run's folder.
        dir: PathBuf,
    },
    /// Something else lies in a run's folder, which is to be removed.
    #[error("{} has {what:?}, which is not of a run", .dir.display())]
    #[diagnostic(help("it was not removed: move {what:?} away, or remove the folder by hand"))]
    Foreign {
        /// The run's folder.
        dir: PathBuf,
        /// What is in it.
        what: String,
    },
    /// A file is there already, where one was to be written.
    #[error("{} is there already; nothing was written", .path.display())]
    #[diagnostic(help("move it away, or name another file: nothing of yours is overwritten"))]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes it.
    #[error("another rig is writing {}", .dir.display())]
    #[diagnostic(help("wait for it, or end it; the lock ends with the process that holds {}", .journal.display()))]
    Locked {
        /// The run's folder.
        dir: PathBuf,
        /// The locked file.
        journal: PathBuf,
    },
    /// It was written by a newer rig.
    #[error("{} has format {found}; this rig reads format {} and older", .path.display(), Version::WRITTEN)]
    #[diagnostic(help("read it with the rig that wrote it ({written_by}), or a newer one"))]
    Newer {
        /// `run.json`
        path: PathBuf,
        /// What the file says.
        found: Version,
        /// `rig_version` in the file, where there is one.
        written_by: String,
    },
    /// It was written in an older format: it can be read, and not be gone on with.
    #[error("{} has format {found}; this rig resumes runs of format {} only", .dir.display(), Version::WRITTEN)]
    #[diagnostic(help(
        "render it with `rig report {}`; start a new run with the same seed: `rig matrix run --seed {seed}`", .dir.display()
    ))]
    OldFormat {
        /// The run's folder.
        dir: PathBuf,
        /// What its `run.json` says.
        found: Version,
        /// The run's seed.
        seed: u64,
    },
    /// It was begun by a newer rig: going on with it could leave out what this one does not know.
    #[error("{} has format {found}; this rig resumes runs of format {} only", .dir.display(), Version::WRITTEN)]
    #[diagnostic(help("continue it with the rig that began it, or with a newer one; `rig report {}` renders it here as far as it is understood", .dir.display()))]
    NewerToResume {
        /// The run's folder.
        dir: PathBuf,
        /// What its `run.json` says.
        found: Version,
    },
    /// A name leads to something that is not what a run has there.
    #[error("{} is {found}, not {wanted}", .path.display())]
    #[diagnostic(help(
        "nothing is read or written through it: remove it, or take the run from a copy; results may be kept elsewhere by a link to the \
         folder of all runs"
    ))]
    InTheWay {
        /// Which name.
        path: PathBuf,
        /// `a symbolic link`, `a pipe`, ...
        found: &'static str,
        /// `a file` or `a folder`.
        wanted: &'static str,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {reason}", .path.display())]
    #[diagnostic(help("restore it from a copy of the run; the rest of the run cannot be read without it"))]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder holds no run.
    #[error("{} is not a run: it has no run.json", .dir.display())]
    #[diagnostic(help("give the folder that holds run.json and journal.jsonl"))]
    NotARun {
        /// The folder.
        dir: PathBuf,
    },
    /// A file that was to carry a run carries none.
    #[error("{} carries no run", .path.display())]
    #[diagnostic(help(
        "give a run's folder, a page that `rig report RUN --format html` wrote, or a file that `rig results export RUN` wrote"
    ))]
    NoRunInside {
        /// The file.
        path: PathBuf,
    },
    /// A file was named where a run is to go on.
    #[error("{} is a file: a run goes on in its own folder", .path.display())]
    #[diagnostic(help(
        "give the run's id or folder; a page or an archive is read by `rig report` and `rig results verify`, and `tar xzf` unpacks an archive"
    ))]
    PageToResume {
        /// The file.
        path: PathBuf,
    },
    /// A merged run is to go on.
    #[error("{} was merged from {} runs, and does not go on itself", .dir.display(), .parts.len())]
    #[diagnostic(help("go on with one of them where its folder is (`rig matrix run --resume RUN`), and merge again: {}", .parts.join(", ")))]
    MergedToResume {
        /// The run's folder.
        dir: PathBuf,
        /// Ids of its parts.
        parts: Vec<String>,
    },
    /// The run that a page or an archive carries cannot be taken out.
    #[error("{} is damaged: {reason}", .path.display())]
    #[diagnostic(help("take the file from where it came from once more, or use the run's own folder"))]
    DamagedPage {
        /// The page or archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No run has this name.
    #[error("there is no run `{asked}` in {}", .results.display())]
    Unknown {
        /// What was asked for.
        asked: String,
        /// Where it was looked for.
        results: PathBuf,
        /// Which runs there are.
        #[help]
        advice: String,
    },
    /// Several runs begin with it, or have it in their ids.
    #[error("`{asked}` matches {} runs", .found.len())]
    #[diagnostic(help("say which: {}", .found.join(", ")))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// Their ids.
        found: Vec<String>,
    },
}

impl RecordError {
    /// What the disk said while `doing` something with `path`.
    pub(super) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| {
            let advice = advise(&source, &path);
            Self::Disk { doing, path, source, advice }
        }
    }

    /// Whether there is nothing of that name on the disk.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Disk { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The system's error, or the sentence as one.
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Disk { source, .. } => source,
            error => io::Error::other(error.to_string()),
        }
    }

    /// Whether the user's input is to blame (a wrong run, a wrong folder), and not the disk.
    pub fn blames_the_input(&self) -> bool {
        match self {
            Self::Unknown { .. }
            | Self::Ambiguous { .. }
            | Self::NotARun { .. }
            | Self::NoRunInside { .. }
            | Self::DamagedPage { .. }
            | Self::PageToResume { .. }
            | Self::MergedToResume { .. }
            | Self::Newer { .. }
            | Self::OldFormat { .. }
            | Self::NewerToResume { .. }
            | Self::InTheWay { .. }
            | Self::Exists { .. }
            | Self::Taken { .. }
            | Self::Foreign { .. }
            | Self::Locked { .. }
            | Self::Damaged { .. } => true,
            // A file where a folder must be made was named by the user; all else is the disk's.
            Self::Disk { doing, path, source, .. } => {
                let kinds = [io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists];
                *doing == "make" && kinds.contains(&source.kind()) && path.ancestors().any(Path::is_file)
            }
        }
    }
}

/// The id of the run that a file belongs to, where that run has begun.
fn run_of(path: &Path) -> Option<String> {
    let folder = path.ancestors().skip(1).find(|above| above.join("run.json").is_file())?;
    Some(folder.file_name()?.to_str()?.to_owned())
}

fn advise(error: &io::Error, path: &Path) -> String {
    let folder = match path.parent() {
        None => path,
        Some(here) if here.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    let exists = folder.is_dir();
    let folder = folder.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
            "the disk under {folder} is full: free some space (old runs, `rig image clean`), then {}",
            match run_of(path) {
                Some(run) => format!(
                    "go on with `rig matrix run --resume {run}`; every block named in the journal is safe"
                ),
                None => "begin again".to_owned(),
            }
        ),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("{folder} must be writable for this user; choose another folder with --results")
        }
        // As proc(5) and sysfs answer.
        io::ErrorKind::NotFound if exists => {
            format!("nothing can be made in {folder}, or it is gone; choose another folder with --results")
        }
        io::ErrorKind::NotFound => format!("there is no {folder}; choose another folder with --results"),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            let file = path.ancestors().find(|above| above.exists() && !above.is_dir()).unwrap_or(path);
            format!("{} is not a folder; choose another one with --results", file.display())
        }
        io::ErrorKind::Unsupported => {
            "the kernel is too old: the record needs openat2, which Linux has since 5.6".to_owned()
        }
        _ => format!("look at the disk under {folder} (`df`, `dmesg`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_where_a_folder_must_be_made_is_the_users_and_a_full_disk_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("afile");
        fs_err::write(&file, "").expect("written");
        for results in [file.clone(), file.join("below")] {
            let error = std::fs::create_dir_all(&results).map_err(RecordError::disk("make", &results));
            let error = error.expect_err("a file is in the way");
            assert!(error.blames_the_input(), "{error}");
        }
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(!RecordError::disk("make", &file)(full).blames_the_input());
        let there = io::Error::from(io::ErrorKind::AlreadyExists);
        assert!(!RecordError::disk("write", &file)(there).blames_the_input());
    }

    #[test]
    fn a_full_disk_names_the_run_that_can_go_on() {
        let results = tempfile::tempdir().expect("a folder");
        let run = results.path().join("20261121-201950-1f3a");
        fs_err::create_dir_all(run.join("blocks")).expect("made");
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let block = run.join("blocks/b554d1764d07-0.1.json");
        assert!(advise(&full(), &block).ends_with("then begin again"), "the run has not begun");
        fs_err::write(run.join("run.json"), "{}").expect("written");
        for file in [block, run.join("journal.jsonl")] {
            let advice = advise(&full(), &file);
            assert!(advice.contains("`rig matrix run --resume 20261121-201950-1f3a`"), "{advice}");
        }
    }
}
