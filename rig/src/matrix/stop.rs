//! When a cell needs no further block: the rule that a run declares.
//!
//! Plain data, in the file and in the record. Must not know whether it is met. Units: shares of 1. Errors: none. Tests: `tests.rs` of this room.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a cell plays no further block: its trials and blocks are then the most that it plays, and no longer the number that it must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "when", rename_all = "snake_case")]
pub enum StopRule {
    /// Once it is shown that the verdict call returns this errno in fewer than this share of trials.
    Below {
        /// Its name, or `any_error`.
        errno: String,
        /// A share of 1, strictly between 0 and 1.
        below: f64,
    },
    /// Once the interval of the share of this errno is no wider than this.
    Width {
        /// Its name, or `any_error`.
        errno: String,
        /// A share of 1, strictly between 0 and 1.
        width: f64,
    },
    /// Once the cell is shown to differ from its bare-metal cell, or to be the same within the margin. A bare-metal cell stops when all cells that are
    /// compared with it have.
    Decided {
        /// By this errno; null: by each of `EBADF`, `ENOENT` and `any_error`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        errno: Option<String>,
    },
}

impl fmt::Display for StopRule {
    /// What is known then: `ENOENT is shown in fewer than 1e-6 of trials`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below { errno, below } => write!(f, "{errno} is shown in fewer than {below:e} of trials"),
            Self::Width { errno, width } => write!(f, "the share of {errno} is known to within {width:e}"),
            Self::Decided { errno: None } => f.write_str("it differs from bare metal or is the same"),
            Self::Decided { errno: Some(errno) } => {
                write!(f, "{errno} differs from bare metal or is the same")
            }
        }
    }
}
