//! `rig report`

use super::{Exit, Failure};

/// Arguments of `rig report`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    Err(Failure::say(Exit::Bug, "rig report is being built", "come back later"))
}
