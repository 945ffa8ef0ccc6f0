//! Whether a run was played as its lock said, and what deviates: typed, with its sentences.
//!
//! Must not know how a lock is read. Units: trials, shares of 1. Errors: none. Tests: `tests/golden/locked.rs`.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::stopped::Stopped;
use super::written::as_sentences;

/// A run held against the plan that was written down before it (`--lock`).
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Locked {
    /// SHA-256 of the lock, as its file says it.
    pub sha256: String,
    /// When the lock was written: RFC 3339, UTC; empty where it cannot be read.
    pub written: String,
    /// Whether nothing deviates.
    pub as_locked: bool,
    /// What deviates, a sentence each.
    #[serde(serialize_with = "as_sentences")]
    #[schemars(with = "Vec<String>")]
    pub deviations: Vec<Deviation>,
}

/// In what a run is not what its lock says.
#[derive(Debug, Clone, PartialEq)]
pub enum Deviation {
    /// The record's copy of the lock cannot be read, or was changed.
    Unreadable(String),
    /// The rig that ran it is not the one that planned it.
    Version {
        /// Of the lock.
        locked: String,
        /// Of the run.
        run: String,
    },
    /// Blocks were in another order, and drew other numbers.
    Seed {
        /// Of the lock.
        locked: u64,
        /// Of the run.
        run: u64,
    },
    /// It is judged by another number.
    Judged {
        /// `margin of ENOENT`
        what: String,
        /// Of the lock.
        locked: f64,
        /// Of the run.
        run: f64,
    },
    /// Its cells are compared with those on another kernel, or on none; `kernel:6.1`.
    Baseline {
        /// Of the lock.
        locked: Option<String>,
        /// Of the run.
        run: Option<String>,
    },
    /// It is a part of the plan; the cells of the others are not missed.
    Shard {
        /// Which part, from 1.
        index: u32,
        /// How many parts there are.
        of: u32,
    },
    /// A locked cell is not in the run, or was skipped.
    Missing {
        /// Id and description.
        cell: String,
        /// Why it was skipped, where it was.
        why: Option<String>,
    },
    /// A cell of the run is not in the lock.
    Added {
        /// Id and description.
        cell: String,
    },
    /// A cell has other blocks than locked.
    Blocks {
        /// Id and description.
        cell: String,
        /// Of the lock.
        locked: u32,
        /// Of the run.
        run: u32,
    },
    /// A cell has fewer trials that count than locked, or was to have more.
    Trials {
        /// Id and description.
        cell: String,
        /// Of the lock.
        locked: u64,
        /// Of the run.
        run: u64,
    },
    /// It ended before all blocks were played: the word of the record, where it has one.
    Ended(Option<String>),
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "the lock in the record cannot be used: {why}"),
            Self::Version { locked, run } => write!(f, "rig {run} ran it, and rig {locked} wrote the lock"),
            Self::Seed { locked, run } => write!(f, "the seed is {run}, not {locked}"),
            Self::Judged { what, locked, run } => write!(f, "the {what} is {run}, not {locked}"),
            Self::Baseline { locked, run } => {
                let [locked, run] = [locked, run].map(|of| of.as_deref().unwrap_or("none"));
                write!(f, "the baseline is {run}, not {locked}")
            }
            Self::Shard { index, of } => {
                write!(f, "it is shard {index} of {of}: the other cells are in the other shards")
            }
            Self::Missing { cell, why: None } => write!(f, "{cell} is missing"),
            Self::Missing { cell, why: Some(why) } => write!(f, "{cell} was skipped: {why}"),
            Self::Added { cell } => write!(f, "{cell} is not in the lock"),
            Self::Blocks { cell, locked, run } => write!(f, "{cell} has {run} blocks, not {locked}"),
            Self::Trials { cell, locked, run } => write!(f, "{cell} has {run} trials, not {locked}"),
            Self::Ended(None) => f.write_str("it ended before all blocks were played"),
            Self::Ended(Some(word)) => write!(f, "it was {}", Stopped::of(word)),
        }
    }
}
