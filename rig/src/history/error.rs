//! What can go wrong with a history.
//!
//! Holds one enum and the advice for its ways to fail. Must not know who asked. Units: none. Errors: this is them. Tests: `tests/golden/history.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use rusqlite::ErrorCode;
use thiserror::Error;

/// How long another process may hold the database: a refresh writes for a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Why a history cannot be read or kept.
#[derive(Debug, Error, Diagnostic)]
pub enum HistoryError {
    /// A newer rig wrote the database.
    #[error("{} has version {found} of the history, and this rig knows version {known}", .path.display())]
    #[diagnostic(help(
        "read it with the rig that wrote it; or `rig history --rebuild` makes it anew from the runs, for this rig: nothing but what was noticed is lost by that"
    ))]
    Newer {
        /// The database.
        path: PathBuf,
        /// What it says.
        found: i64,
        /// What this rig writes.
        known: i64,
    },
    /// The file is no database, or not whole.
    #[error("{} is damaged: {reason}", .path.display())]
    #[diagnostic(help(
        "`rig history --rebuild` makes it anew: everything in it comes from the runs beside it"
    ))]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds it for longer than anybody should.
    #[error("{} is in use by another rig, for more than {seconds} s", .path.display())]
    #[diagnostic(help("wait for it, or end it: the file is free again when that process is gone"))]
    Busy {
        /// The database.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The disk, or the database's own code, refuses.
    #[error("cannot use {}: {reason}", .path.display())]
    #[diagnostic(help("is the folder yours, and the disk not full?"))]
    Disk {
        /// The database.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
    /// There is no such folder.
    #[error("there is no folder {}", .path.display())]
    #[diagnostic(help("--results names the folder of the runs; without it, that is `results`"))]
    NoFolder {
        /// As it was named.
        path: PathBuf,
    },
    /// What was asked for is in no night.
    #[error("no night has {asked:?}")]
    #[diagnostic(help("{advice}"))]
    Unknown {
        /// As it was written.
        asked: String,
        /// What there is.
        advice: String,
    },
}

impl HistoryError {
    /// Whether what was asked is to blame, or a file that the reader can replace; otherwise the machine is.
    pub fn blames_the_input(&self) -> bool {
        match self {
            Self::Newer { .. } | Self::Damaged { .. } | Self::NoFolder { .. } | Self::Unknown { .. } => true,
            Self::Busy { .. } | Self::Disk { .. } => false,
        }
    }

    /// What the database's code said of this file.
    pub(super) fn of(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |error| {
            let (path, reason) = (path.clone(), error.to_string());
            match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged { path, reason },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    Self::Busy { path, seconds: PATIENCE.as_secs() }
                }
                Some(_) => Self::Disk { path, reason },
                // A column that is missing or of another kind: somebody else wrote it.
                None => Self::Damaged { path, reason },
            }
        }
    }
}
