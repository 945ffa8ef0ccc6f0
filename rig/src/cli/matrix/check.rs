//! `rig matrix check`

use crate::cli::{Exit, Failure};

/// Arguments of `rig matrix check`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {}

pub(in crate::cli) fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    Err(Failure::say(Exit::Bug, "rig matrix check is being built", "come back later"))
}
