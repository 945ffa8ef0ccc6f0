//! `rig scenario list | show | check | run`

mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::output::{columns, print};
use super::{Exit, Failure};
use crate::document::{Problem, Problems};
use crate::script::{Catalogue, Resolved, Scenario, Unresolved, describe_operations};

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
        /// List the operations that a step can name
        #[arg(long, conflicts_with = "scenario")]
        operations: bool,
    },
    /// Play one on this host and count what it sees, without guests and without a record
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
    let mut rows = vec![["scenario", "tests", "title"].map(str::to_owned).to_vec()];
    for scenario in catalogue.iter() {
        let claims = match scenario.claims.as_slice() {
            [] => "-".to_owned(),
            [first, second, rest @ ..] if !rest.is_empty() => format!("{first} {second} +{}", rest.len()),
            some => some.join(" "),
        };
        rows.push(vec![scenario.name.clone(), claims, scenario.title.clone()]);
    }
    print(&columns(&rows, &[]))
}

fn show(word: &str, parameters: &[String]) -> Result<Exit, Failure> {
    let scenario = Catalogue::embedded().find(word, Path::new("")).map_err(Failure::input)?;
    let (given, _) = resolve(&scenario, parameters)?;
    print(&scenario.render(&given).expect("these values were just resolved"))
}

/// The parameters of the command line, and the scenario with them filled in.
fn resolve(scenario: &Scenario, words: &[String]) -> Result<(BTreeMap<String, String>, Resolved), Failure> {
    let given = parse_parameters(scenario, words).map_err(Failure::input)?;
    match scenario.resolve(&given) {
        Ok(resolved) => Ok((given, resolved)),
        Err(wrong) => {
            Err(Failure::input(wrong.into_iter().map(|wrong| place(wrong, words)).collect::<Vec<_>>()))
        }
    }
}

/// `name=value` pairs.
fn parse_parameters(scenario: &Scenario, words: &[String]) -> Result<BTreeMap<String, String>, Problems> {
    let mut given = BTreeMap::new();
    let mut problems = Problems::default();
    for word in words {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                given.insert(name.to_owned(), value.to_owned());
            }
            Some(_) | None => {
                let names: Vec<&str> = scenario.parameters.iter().map(|p| p.name.as_str()).collect();
                let mut problem = Problem::in_text(
                    "command line",
                    word,
                    0..word.len(),
                    "a parameter is given as name=value",
                    "no `=`",
                );
                problem.help(format!("the parameters of `{}`: {}", scenario.name, names.join(", ")));
                problems.append(problem.into());
            }
        }
    }
    if problems.is_empty() { Ok(given) } else { Err(problems) }
}

/// Puts the label under the word that gave the parameter.
fn place(wrong: Unresolved, words: &[String]) -> Problem {
    let word = words
        .iter()
        .find(|word| word.split_once('=').is_some_and(|(name, _)| name == wrong.parameter))
        .cloned()
        .unwrap_or_default();
    let mut problem = Problem::in_text("command line", &word, 0..word.len(), wrong.message, wrong.label);
    problem.maybe_help(wrong.help);
    problem
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
