//! A night as the database has it: what a history keeps of a run, and where the run lies.
//!
//! Plain data. Must not know SQL. Units: as in [`Night`]. Errors: none. Tests: `tests/golden/history.rs`.

use crate::analysis::Night;

/// A run of the folder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNight {
    /// The name of its folder or archive, below the folder of the runs.
    pub place: String,
    /// SHA-256 of its journal, or of the archive.
    pub digest: String,
    /// The run's id.
    pub id: String,
    /// Which machine it ran on; empty where its record does not say it.
    pub machine: String,
    /// Whether it was a rehearsal.
    pub rehearsed: bool,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// Its profile.
    pub profile: String,
    /// The filters of its command line, joined by spaces.
    pub filters: String,
    /// Which part of its matrix it is: `2/3`; empty for all of it.
    pub shard: String,
    /// Whether all blocks of its plan were played.
    pub complete: bool,
    /// The text of its matrix.
    pub matrix: String,
    /// What is kept of it.
    pub night: Night,
}

impl StoredNight {
    /// Whether it lies in an archive.
    pub fn is_packed(&self) -> bool {
        self.place != self.id && self.place.ends_with(".gz")
    }

    /// How nights are ordered: by the time at which they began, then by id.
    pub fn moment(&self) -> (&str, &str, &str) {
        (&self.started, &self.id, &self.place)
    }
}
