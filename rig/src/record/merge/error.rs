//! Why runs cannot be one.
//!
//! Must not know who asked. Units: none. Errors: this is them; they blame the runs, or the disk. Tests: `tests/golden/merged`.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::super::RecordError;
use super::super::format::Version;

/// Why runs are not merged. Nothing was written.
#[derive(Debug, Error, Diagnostic)]
pub enum MergeError {
    /// Two of them are not of one kind.
    #[error("{} and {} are not parts of one plan: {what}", .first.display(), .second.display())]
    Mixed {
        /// A run.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
        /// What differs, with both values.
        what: String,
        /// What to do.
        #[help]
        advice: String,
    },
    /// Two runs played the same shard.
    #[error("{} and {} both played shard {shard}: {first_id} and {second_id} are two runs", .first.display(), .second.display())]
    #[diagnostic(help(
        "give one of them; with one seed the two have the same draws, and together they would count them twice"
    ))]
    ShardTwice {
        /// Which, as `2/3`.
        shard: String,
        /// A run.
        first: PathBuf,
        /// Its id.
        first_id: String,
        /// Another one.
        second: PathBuf,
        /// Its id.
        second_id: String,
    },
    /// Runs of several seeds, and nobody asked for nights.
    #[error("{} has seed {first_seed} and {} has seed {second_seed}: they are not shards of one run", .first.display(), .second.display())]
    #[diagnostic(help(
        "shards are begun with one seed (`rig matrix run --shard I/N --seed S`); to join whole runs of one plan, such as nights, add --nights"
    ))]
    Seeds {
        /// A run.
        first: PathBuf,
        /// Its seed.
        first_seed: u64,
        /// Another one.
        second: PathBuf,
        /// Its seed.
        second_seed: u64,
    },
    /// Two copies of a block are not alike.
    #[error("block {block} attempt {attempt} is another one in {} than in {}: {what}", .first.display(), .second.display())]
    #[diagnostic(help("`rig results verify RUN` tells which folder was changed; give the other one"))]
    Twice {
        /// Its name in the run that played it.
        block: String,
        /// From 1.
        attempt: u32,
        /// Which file differs.
        what: String,
        /// A run.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Written in another format.
    #[error("{} has format {found}; this rig merges runs of format {}.0 to {}", .dir.display(), Version::WRITTEN.major, Version::WRITTEN)]
    #[diagnostic(help("merge runs with the rig that wrote them, or with a newer one"))]
    OtherFormat {
        /// The run.
        dir: PathBuf,
        /// What its `run.json` says.
        found: Version,
    },
    /// A folder without its journal.
    #[error("{} has no journal.jsonl: nothing vouches for its blocks", .dir.display())]
    #[diagnostic(help("copy the folder once more; a run has run.json and journal.jsonl"))]
    NoJournal {
        /// The run.
        dir: PathBuf,
    },
    /// A run of the record.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Record(#[from] RecordError),
}

impl MergeError {
    /// Whether the user's input is to blame, and not the disk.
    pub fn blames_the_input(&self) -> bool {
        match self {
            Self::Record(error) => error.blames_the_input(),
            Self::Mixed { .. }
            | Self::ShardTwice { .. }
            | Self::Seeds { .. }
            | Self::Twice { .. }
            | Self::OtherFormat { .. }
            | Self::NoJournal { .. } => true,
        }
    }
}
