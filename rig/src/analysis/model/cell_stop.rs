//! A cell that stopped before its last block, because the run's rule was met.
//!
//! Plain data. Must not judge. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/stopped.rs`.

use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use super::Rate;

/// When a cell stopped, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CellStop {
    /// The rule in words: what is known.
    pub rule: String,
    /// The errno by which it goes, or `any_error`; null where it goes by all that are compared.
    pub errno: Option<String>,
    /// Number of trials after which it was met.
    pub trials: u64,
    /// Number of blocks after which it was met.
    pub blocks: u32,
    /// The errno's share in all trials of the cell, with an interval that holds at every look (a mixture of beta-binomial likelihoods); null of a rule on
    /// differences, whose intervals the comparisons have.
    pub rate: Option<Rate>,
}

impl Display for CellStop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "stopped: {}, after {} trials in {} blocks", self.rule, self.trials, self.blocks)?;
        if let Some(Rate { count, n, low, high, confidence, .. }) = &self.rate {
            let percent = confidence * 100.0;
            write!(f, " ({count} of {n}; {low:.2e} to {high:.2e} at {percent} % however often one looks)")?;
        }
        Ok(())
    }
}
