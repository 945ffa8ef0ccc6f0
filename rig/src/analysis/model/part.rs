//! A run that the run of the report was merged from.
//!
//! Plain data. Must not judge. Units: none. Errors: none. Tests: `tests/golden/merged`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::format::{Environment, Shard};

/// A part of a merged run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PartSummary {
    /// Its id.
    pub id: String,
    /// Which part of the matrix it was; null for all of it.
    pub shard: Option<Shard>,
    /// Its seed.
    pub seed: u64,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// Whether all its blocks were played.
    pub complete: bool,
    /// 8 hex digits that tell its machine, in the state in which it was, from others. Where the parts have several, names of configurations end in `@` and these, and a
    /// guest is compared only with the host of its own.
    pub machine: String,
    /// That machine, as it was recorded when the part began.
    pub environment: Environment,
}
