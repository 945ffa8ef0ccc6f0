//! `rig matrix init | plan | check | run`: one file each.

mod check;
mod init;
mod live;
mod plan;
mod power;
mod progress;
mod run;
mod sharding;
mod shards;
mod time;

use super::{Exit, Failure};
pub(super) use run::{Capture, carry_out, usage as usage_of_run};

/// Commands of `rig matrix`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write rig's own matrix file and recipes into a folder, to be changed
    Init(init::Arguments),
    /// Show the cells: ready or skipped, with the reason, and how long they will take
    Plan(plan::Arguments),
    /// Check the matrix file, and show all that is wrong with it
    Check(check::Arguments),
    /// Run the cells and report what was found
    Run(run::Arguments),
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Run(arguments) => run::run(arguments),
    }
}
