//! What is wrong with a command line of `rig program`, before anything is started.
//!
//! Holds the look at the program, at `--set` and at the scenario that the line stands for. Must not know how it is played. Units: none.
//! Errors: [`Failure`], exit 2, each problem under the word that it is about. Tests: `tests/cli_input.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files;
use super::options::{Client, Network};
use crate::cli::streams::tell;
use crate::cli::{Exit, Failure};
use crate::document::{Problem, Problems, hint};
use crate::program::{About, Asked, ProgramError, inspect};
use crate::script::Scenario;

/// From where the paths of the command line are seen.
pub(super) fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        let what = format!("the working directory cannot be told: {error}");
        Failure::say(Exit::Input, what, "go to a folder that is there, and call rig again")
    })
}

/// Whether the program and what goes with it can be a client.
pub(super) fn check_program(client: &Client, folder: &Path) -> Result<(), Failure> {
    let asked = Asked {
        name: client.program().to_owned(),
        directory: folder.to_owned(),
        with: client.with.clone(),
        input: client.stdin.clone(),
        before: client.before.clone(),
    };
    match inspect(&asked) {
        Ok(packed) => {
            packed.notes.iter().for_each(tell);
            Ok(())
        }
        Err(error) => Err(Failure::input(Problems::from(place(client, &error)))),
    }
}

/// Puts the label under the word that the problem is about.
fn place(client: &Client, error: &ProgramError) -> Problem {
    let word = match error.about {
        About::Program => None,
        About::With(at) => client.with.get(at),
        About::Input => client.stdin.as_ref(),
        About::Before(at) => client.before.get(at),
    };
    let word = word.map_or(client.program(), String::as_str);
    let mut problem = Problem::in_text("command line", word, 0..word.len(), error.to_string(), error.label());
    problem.help(error.help());
    problem
}

/// What is said of a peer where there is none.
pub(super) fn check_network(client: &Client) -> Result<(), Failure> {
    if client.network == Network::Target || client.peer.is_none() {
        return Ok(());
    }
    Err(Failure::say(
        Exit::Input,
        "--network own has no peer: the program brings both ends, and --peer names one",
        "leave out --peer, or --network own",
    ))
}

/// Whether every `--set` names a parameter that the peer's lane uses.
pub(super) fn check_parameters(client: &Client, folder: &Path) -> Result<(), Failure> {
    if client.parameters.is_empty() {
        return Ok(());
    }
    let bare = Client { parameters: Vec::new(), ..client.clone() };
    let text = files::scenario(&bare, folder, &["**".to_owned()], "ptrace");
    let scenario = read_scenario("program", folder, &text)?;
    let names =
        || scenario.parameters.iter().map(|one| one.name.as_str()).filter(|name| *name != files::WITNESS);
    let mut problems = Problems::default();
    for word in &client.parameters {
        let wrong = match word.split_once('=') {
            None => Some(("a parameter is given as NAME=VALUE".to_owned(), "no `=`")),
            Some((name, _)) if !names().any(|known| known == name) => Some((
                format!("the peer of scenario `{}` has no parameter `{name}`", client.peer()),
                "not a parameter of the peer",
            )),
            Some(_) => None,
        };
        if let Some((message, label)) = wrong {
            let name = word.split('=').next().unwrap_or_default();
            let mut problem = Problem::in_text("command line", word, 0..word.len(), message, label);
            problem.help(hint(name, names(), "its parameters"));
            problems.append(problem.into());
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::input(problems)) }
}

/// The scenario that the command line stands for.
pub(super) fn read_scenario(stem: &str, folder: &Path, text: &str) -> Result<Scenario, Failure> {
    let scenario = Scenario::parse_in(folder, stem, "the scenario of this command line", text)
        .map_err(Failure::input)?;
    match scenario.resolve(&BTreeMap::new()) {
        Ok(_) => Ok(scenario),
        Err(wrong) => {
            let problems = wrong.into_iter().map(|wrong| {
                let mut problem = Problem::new(format!("{}: {}", wrong.message, wrong.label));
                problem.maybe_help(wrong.help);
                problem
            });
            Err(Failure::input(problems.collect::<Vec<_>>()))
        }
    }
}
