//! `rig matrix plan | check | run`: one file each.

mod check;
mod plan;
mod progress;
mod run;

use super::{Exit, Failure};
pub(super) use run::usage as usage_of_run;

/// Commands of `rig matrix`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show the cells: ready, or skipped and why, and what they will cost
    Plan(plan::Arguments),
    /// Only validate the file
    Check(check::Arguments),
    /// Run the cells and report
    Run(run::Arguments),
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Plan(arguments) => plan::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Run(arguments) => run::run(arguments),
    }
}
