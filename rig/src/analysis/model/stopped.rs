//! Why a run ended before all its blocks were played: the words of the record as something to decide by, with their rendering.
//!
//! Must not know exit codes. Units: none. Errors: none: a word that this rig does not know stays a word. Tests: the golden reports.

use std::fmt;

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped<'w> {
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// The time of `--deadline` was over.
    Deadline,
    /// `--fail-fast`, and a block that stayed void.
    FailFast,
    /// The record could not be written.
    RecordFailed,
    /// It was merged, and a part is missing or did not come to its end.
    PartsMissing,
    /// Of a newer rig.
    Other(&'w str),
}

impl<'w> Stopped<'w> {
    /// What a word of the record means.
    pub fn of(word: &'w str) -> Self {
        match word {
            "interrupted" => Self::Interrupted,
            "deadline" => Self::Deadline,
            "fail_fast" => Self::FailFast,
            "record_failed" => Self::RecordFailed,
            "parts_missing" => Self::PartsMissing,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Stopped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted before all blocks were played"),
            Self::Deadline => f.write_str("--deadline was reached before all blocks were played"),
            Self::FailFast => {
                f.write_str("--fail-fast ended it at a block that was still void after its retries")
            }
            Self::RecordFailed => f.write_str("its record could not be written any more"),
            Self::PartsMissing => f.write_str("a part of it is missing, or did not come to its end"),
            Self::Other(word) => write!(f, "ended before all blocks were played ({word})"),
        }
    }
}
