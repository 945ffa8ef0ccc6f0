//! `rig scenario list | show | check | run`

mod parameters;
mod run;

use std::path::{Path, PathBuf};

use super::output::print;
use super::{Exit, Failure, called, width};
use crate::document::Problems;
use crate::report::{Align, Page, Table};
use crate::script::{Catalogue, Scenario, describe_operations};
use parameters::resolve;

/// Commands of `rig scenario`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the scenarios that are part of rig
    List,
    /// Show one as one line per step, with its parameters and what it expects
    Show {
        /// Its name, or the path of a file of your own
        #[arg(required_unless_present = "operations")]
        scenario: Option<String>,
        /// Values of parameters instead of their defaults
        #[arg(value_name = "PARAMETER=VALUE")]
        parameters: Vec<String>,
        /// List the operations that a step can name, and the keys of a scenario file
        #[arg(long, conflicts_with = "scenario")]
        operations: bool,
    },
    /// Play one on this host or in one guest and count what it sees, without a record
    Run(run::Arguments),
    /// Verify scenario files of your own
    Check {
        /// Paths of scenario files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List => list(),
        Command::Show { operations: true, .. } => print(&describe_operations()),
        Command::Show { scenario, parameters, operations: false } => {
            show(&scenario.expect("clap asks for it where --operations is not given"), &parameters)
        }
        Command::Check { files } => check(&files),
        Command::Run(arguments) => run::run(arguments),
    }
}

fn list() -> Result<Exit, Failure> {
    let catalogue = Catalogue::embedded();
    let mut table = Table::new([("scenario", Align::Left), ("tests", Align::Left), ("title", Align::Left)]);
    for scenario in catalogue.iter() {
        let claims = match scenario.claims.as_slice() {
            [] => "-".to_owned(),
            [first, second, rest @ ..] if !rest.is_empty() => format!("{first} {second} +{}", rest.len()),
            some => some.join(" "),
        };
        table.row([scenario.name.clone(), claims, scenario.title.clone()]);
    }
    let mut page = Page::new(width::for_table(), called::worded);
    table.write(&mut page, 2);
    print(&page.into_text())
}

fn show(word: &str, parameters: &[String]) -> Result<Exit, Failure> {
    let scenario = Catalogue::embedded().find(word, Path::new("")).map_err(Failure::input)?;
    let (given, _) = resolve(&scenario, parameters)?;
    print(&scenario.render(&given).expect("these values were just resolved"))
}

fn check(files: &[PathBuf]) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let mut out = String::new();
    for file in files {
        match Scenario::read(file) {
            Ok(scenario) => out.push_str(&format!("{}: valid: {}\n", file.display(), scenario.title)),
            Err(wrong) => problems.append(wrong),
        }
    }
    print(&out)?;
    if problems.is_empty() { Ok(Exit::Done) } else { Err(Failure::input(problems)) }
}
