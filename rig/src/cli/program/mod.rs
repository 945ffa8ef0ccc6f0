//! `rig program run | trace`: a program of the user's as the client, without a file of their own.
//!
//! Holds the commands; what they say of the program is `options`, the files that they stand for are made by `files`. Must not know how a program is
//! packed or played. Units: as users type them. Errors: [`Failure`], exit 2 before anything is started. Tests: `tests/cli_input.rs`.

mod check;
mod files;
mod ladder;
mod options;
mod run;
mod trace;

use super::{Exit, Failure};
pub(super) use options::{usage_of_run, usage_of_trace};

/// Commands of `rig program`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Run your program as the client many times, on this host and in guests, and report how its calls returned
    Run(Box<run::Arguments>),
    /// Run your program once on this host, and print its calls and packets in one time line
    Trace(Box<trace::Arguments>),
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Trace(arguments) => trace::run(&arguments),
    }
}
