//! `name=value` on the command line, and the scenario with it filled in.
//!
//! Must not print. Units: as users type them. Errors: [`Failure`], exit 2, each problem under the word that it is about.
//! Tests: `tests/cli_input.rs`.

use std::collections::BTreeMap;

use crate::cli::Failure;
use crate::document::{Problem, Problems};
use crate::script::{Resolved, Scenario, Unresolved};

/// The parameters of the command line, and the scenario with them filled in.
pub(super) fn resolve(
    scenario: &Scenario,
    words: &[String],
) -> Result<(BTreeMap<String, String>, Resolved), Failure> {
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
