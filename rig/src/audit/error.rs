//! Why a run cannot be audited.
//!
//! Blames the files. Units: none. Tests: `tests/golden/audited.rs`.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::record::RecordError;

/// Why a run cannot be audited.
#[derive(Debug, Error, Diagnostic)]
pub enum AuditError {
    /// Its files cannot be read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Record(#[from] RecordError),
    /// It has another shape than the one that is audited.
    #[error("{} was written in format {found}, and only runs of {known} are audited", path.display())]
    #[diagnostic(help("`rig report` renders it; its figures can be held against the files by hand only"))]
    OtherFormat {
        /// `run.json`.
        path: PathBuf,
        /// Its `format` and `format_minor`; `nothing` where it has none.
        found: String,
        /// Those that are.
        known: String,
    },
    /// A file that must be one object of JSON is something else.
    #[error("{} is not JSON: {what}", path.display())]
    #[diagnostic(help(
        "a run's files are written by rig and changed by nobody: take the folder from where it was recorded once more"
    ))]
    NotJson {
        /// Which file.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

impl AuditError {
    /// Whether the asked run is wrong, and not the disk.
    pub fn blames_the_input(&self) -> bool {
        match self {
            Self::Record(error) => error.blames_the_input(),
            Self::OtherFormat { .. } | Self::NotJson { .. } => true,
        }
    }
}
