//! Several recorded runs as one: shards of a plan, copies of a run of which each has a part, nights.
//!
//! The order in which they are given does not matter, and what is given twice counts once: the same runs give the same bytes. What must be alike is checked before anything is written; a
//! run is written as a whole or not at all. Holds the steps; must not know statistics. Units: none. Errors: [`MergeError`]; it blames the runs.
//! Tests: `tests/golden/merged`.

mod agree;
mod error;
mod join;
mod source;
mod write;

use std::path::{Path, PathBuf};

pub use agree::Together;
pub use error::MergeError;

use super::format::PartRecord;
use super::parts::{self, MissingShard};
use source::Source;

/// A run that was made of others.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Its folder.
    pub dir: PathBuf,
    /// Its id.
    pub id: String,
    /// What it was made of; empty where copies of one run were joined.
    pub parts: Vec<PartRecord>,
    /// Shards of which no run was given.
    pub missing: Vec<MissingShard>,
    /// What was damaged or missing in the runs, and runs that did not come to their end: one sentence each.
    pub cautions: Vec<String>,
    /// Blocks that have a complete attempt.
    pub blocks: usize,
}

impl Merged {
    /// Whether something of the plan is missing that another folder may have.
    pub fn is_short(&self) -> bool {
        !self.missing.is_empty() || !self.cautions.is_empty()
    }
}

/// Writes the run that these are together into `output`, or into a folder of its id below `results`.
///
/// # Errors
/// [`MergeError`]
pub fn merge(
    runs: &[PathBuf],
    together: Together,
    output: Option<&Path>,
    results: &Path,
) -> Result<Merged, MergeError> {
    let mut sources = runs.iter().map(|run| Source::read(run)).collect::<Result<Vec<_>, _>>()?;
    // By what they are and not by where they lie.
    sources.sort_by(|a, b| a.order().cmp(&b.order()));
    agree::check(&sources, together)?;
    let joined = join::join(&sources)?;
    let missing = parts::missing(&joined.record);
    let dir = match output {
        Some(output) => output.to_owned(),
        None => results.join(&joined.record.id),
    };
    let cautions = joined.cautions();
    let is_whole = missing.is_empty() && joined.is_complete();
    let blocks = joined.attempts.iter().filter(|attempt| attempt.is_complete()).count();
    write::write(&joined, is_whole, &dir)?;
    let record = joined.record;
    Ok(Merged { dir, id: record.id, parts: record.parts, missing, cautions, blocks })
}
