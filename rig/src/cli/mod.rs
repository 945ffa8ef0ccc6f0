//! The command line: one file per command.
//!
//! Holds arguments, exit codes and what is printed; the only room that may use every other one.
//! Must not hold anything that another room could need. Units: as users type them (`2h`, `1%`).
//! Errors: [`Failure`], which carries the exit code of the contract.
//! Tests: `tests/cli_input.rs` (trycmd).

mod bench;
mod bug;
mod called;
mod claims;
mod clean;
mod compare;
mod complete;
mod completions;
mod diagnostic;
mod docs;
mod doctor;
mod examples;
mod exit;
mod exit_codes;
mod explain;
mod failed_json;
mod fresh;
mod guest;
mod history;
mod image;
mod look;
mod man;
mod matrix;
mod nightly;
mod number;
mod output;
mod program;
mod rehearse;
mod replay;
mod report;
mod results;
mod scenario;
mod screen;
mod setup;
mod signals;
mod skips;
mod streams;
mod whole;
mod width;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::process;

pub use examples::{EXAMPLES, Example, Runs};
pub use exit::{Exit, Failure};
pub use exit_codes::CODES;

/// Boots real kernels in a matrix of virtual machines, calls select() around TCP resets in them, and compares them with bare metal.
#[derive(Debug, Parser)]
#[command(name = "rig", version, max_term_width = 110, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    look: look::Look,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what this host lacks, or print the commands
    Setup(setup::Arguments),
    /// Say what this machine can and cannot do, and why
    Doctor(doctor::Arguments),
    /// Write, plan, check or run the matrix
    #[command(subcommand)]
    Matrix(matrix::Command),
    /// Play a night: a run, the history, removal of old runs, and a notice if it did not end well
    #[command(after_help = nightly::AFTER)]
    Nightly(nightly::Arguments),
    /// Run a command of rig in an emulated KVM host with vhost-net
    Rehearse(rehearse::Arguments),
    /// List, show, write, check or run scenarios
    #[command(subcommand)]
    Scenario(scenario::Command),
    /// List the claims that scenarios test, or explain some of them
    Claims(claims::Arguments),
    /// Run a program of your own as the client, or trace one run of it
    #[command(subcommand)]
    Program(program::Command),
    /// List, build or clean guest images
    #[command(subcommand)]
    Image(image::Command),
    /// Boot a cell's guest and open a shell in it
    #[command(subcommand)]
    Guest(guest::Command),
    /// Render a recorded run
    Report(report::Arguments),
    /// Play a block of a recorded run again, and say whether it happened again
    Replay(replay::Arguments),
    /// Compare two recorded runs, or two configurations of one
    #[command(after_help = compare::AFTER)]
    Compare(compare::Arguments),
    /// Say what changed from night to night, over all runs of a folder
    #[command(after_help = history::AFTER)]
    History(history::Arguments),
    /// List, check, export or remove recorded runs
    #[command(subcommand)]
    Results(results::Command),
    /// Say who can set an errno, how to tell, and what was measured here
    Explain(explain::Arguments),
    /// Read the documentation that this program carries
    Docs(docs::Arguments),
    /// Print the manual page of a command, or install all pages
    Man(man::Arguments),
    /// Measure rig itself, compared with another program or a known limit
    Bench(bench::Arguments),
    /// Remove files that a killed rig left in the cache
    Clean(clean::Arguments),
    /// Print a script that makes a shell complete commands, scenarios, cells, runs
    Completions(completions::Arguments),
}

/// The whole program, with what every command's help says: for the manual pages and for tests of the documentation.
pub fn program() -> clap::Command {
    explained(Arguments::command(), &[])
}

/// The command of these words with its examples and exit codes in its help, and so those below it.
fn explained(command: clap::Command, words: &[&str]) -> clap::Command {
    let own = command.get_after_help().map(|help| help.to_string()).unwrap_or_default();
    let sections = [own, examples::section(words), exit_codes::section(words)];
    let sections: Vec<String> = sections.into_iter().filter(|section| !section.is_empty()).collect();
    let command = if sections.is_empty() { command } else { command.after_help(sections.join("\n\n")) };
    command.mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        explained(below, &[words, &[name.as_str()]].concat())
    })
}

/// What a command line says. Usage lines name the program as its reader calls it.
fn read(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    // There it is right: behind `--` stand the arguments of the user's own program.
    let takes_any = words.iter().any(|word| word == "program");
    let mut command = program().bin_name(called::name()).color(look::color_asked(std::env::args_os()));
    let tip = |error| if takes_any { error } else { without_misleading_tip(error) };
    let matches = command.try_get_matches_from_mut(words).map_err(tip)?;
    called::remember(&matches);
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// clap proposes to write an unknown option after `--`, where mostly only words without a dash are ever right.
fn without_misleading_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument && error.to_string().contains(" as a value, use '-- ") {
        error.remove(ContextKind::Suggested);
    }
    error
}

/// Help and version are not failures; everything else is wrong input (exit code 2, as clap itself has it).
fn refuse(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() { Exit::Input } else { Exit::Done };
    if code == Exit::Input && failed_json::is_asked(std::env::args_os()) {
        let text = error.render().to_string();
        let (what, help) = text.trim_end().split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let what = what.strip_prefix("error: ").unwrap_or(what);
        failed_json::print(
            code as u8,
            &[failed_json::Said { error: what.to_owned(), help: help.to_owned() }],
        );
    }
    // Nothing can be done for a user whose terminal is gone.
    let _ = error.print();
    code.into()
}

/// Runs the program. A panic in it is told as the bug that it is.
pub fn main() -> ExitCode {
    bug::guarded(command)
}

fn command() -> ExitCode {
    whole::is_made_by(Arguments::command);
    if let Some(answered) = complete::answered() {
        return answered;
    }
    diagnostic::draw_for_this_reader();
    let arguments = match read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    arguments.look.apply();
    process::leave_plain_chroot();
    let result = match arguments.command {
        Command::Setup(arguments) if arguments.wants_manual_pages() => man::install(None),
        Command::Setup(arguments) => setup::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Matrix(command) => matrix::run(command),
        Command::Nightly(arguments) => nightly::run(&arguments, Arguments::command()),
        // Its exit code is the rehearsed command's.
        Command::Rehearse(arguments) => {
            return rehearse::run(arguments, Arguments::command()).unwrap_or_else(Failure::print);
        }
        Command::Scenario(command) => scenario::run(command),
        Command::Claims(arguments) => claims::run(arguments),
        Command::Program(command) => program::run(command),
        Command::Image(command) => image::run(command),
        // The exit status of what ran in the guest is passed on.
        Command::Guest(command) => return guest::run(command).unwrap_or_else(Failure::print),
        Command::Report(arguments) => report::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::History(arguments) => history::run(arguments),
        Command::Results(command) => results::run(command),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Docs(arguments) => docs::run(arguments),
        Command::Man(arguments) => man::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Clean(arguments) => clean::run(arguments),
        Command::Completions(arguments) => completions::run(arguments),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => failure.print(),
    }
}
