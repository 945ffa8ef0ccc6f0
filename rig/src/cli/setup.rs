//! `rig setup`

use super::{Exit, Failure};

/// Arguments of `rig setup`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: Arguments) -> Result<Exit, Failure> {
    Err(Failure::say(Exit::Bug, "rig setup is being built", "come back later"))
}

pub(super) fn install() -> Result<(), Failure> {
    Ok(())
}
