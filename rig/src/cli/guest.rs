//! `rig guest`

use super::{Exit, Failure};

/// Commands of `rig guest`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Being built
    List,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List => Err(Failure::say(Exit::Bug, "rig guest is being built", "come back later")),
    }
}
