//! `--shard` and what goes with it: how a plan is divided among machines.
//!
//! Must not know how cells are dealt out. Units: none. Errors: [`Failure`]: the run that shows costs cannot be read. Tests: `tests/cli_input.rs`.

use std::path::Path;

use clap::ValueEnum as _;

use super::super::Failure;
use crate::campaign::{Costs, DividedBy, Division, Shard};
use crate::record::{self, Reader};

/// Arguments of `rig matrix run` and `rig matrix plan`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sharding {
    /// Take only the I-th of N parts of the cells, with the bare-metal cells and controls that they need
    #[arg(long, value_name = "I/N", group = "division")]
    pub(super) shard: Option<Shard>,
    /// With --shard: what stays in one part [default: compared]
    #[arg(long, value_enum, value_name = "WHAT", requires = "division")]
    shard_by: Option<ShardBy>,
    /// With --shard: balance the parts by the times of this recorded run instead of by estimates. All parts must be given the same one
    #[arg(long, value_name = "RUN", requires = "division")]
    shard_cost: Option<String>,
}

/// What stays in one part.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ShardBy {
    /// The cells that are compared with one another.
    Compared,
    /// All cells of a configuration, for machines of which only some can play it.
    Configuration,
}

impl Sharding {
    /// The words by which every shard divides the plan alike.
    pub(super) fn words(&self) -> Vec<String> {
        let by = self.shard_by.and_then(|by| by.to_possible_value());
        let by = by.map(|by| format!("--shard-by={}", by.get_name()));
        let cost = self.shard_cost.as_ref().map(|run| format!("--shard-cost={run}"));
        by.into_iter().chain(cost).collect()
    }

    /// How the plan is divided; the run that shows costs is looked for in `results`.
    pub(super) fn division(&self, results: &Path) -> Result<Division, Failure> {
        let by = match self.shard_by {
            Some(ShardBy::Configuration) => DividedBy::Configuration,
            Some(ShardBy::Compared) | None => DividedBy::Compared,
        };
        let Some(run) = &self.shard_cost else { return Ok(Division { by, ..Division::default() }) };
        let found = record::find(results, run)?;
        Ok(Division { by, costs: Costs::of(&Reader::open(found.dir())?), ..Division::default() })
    }
}
