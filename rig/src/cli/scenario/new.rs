//! `rig scenario new`: a scenario file to begin with.
//!
//! Must not know the language: the template is a file that a test checks, a shipped scenario is copied as it is. Units: none.
//! Errors: [`Failure`]: exit 2 for a name that is none, an unknown scenario, or a file that is there already. Tests: below; `tests/cli_input.rs`, `tests/trouble/examples.rs`.

use std::path::{Path, PathBuf};

use super::source::source_text;
use crate::cli::fresh;
use crate::cli::streams::say;
use crate::cli::{Exit, Failure};
use crate::docs;

/// Explains itself; `rig scenario check` and `run` take it as it is.
const TEMPLATE: &str = include_str!("template.toml");

/// The same for a scenario whose client is a program.
const OF_PROGRAM: &str = include_str!("program.toml");

/// The program that it names.
const ITS_PROGRAM: &str = "\"./client3\"";

/// The page about scenario files.
const PAGE: &str = "scenarios";

/// Arguments of `rig scenario new`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its name: NAME.toml is written into this folder
    name: String,
    /// Begin with this scenario instead of the template: a shipped one's name, or the path of a file
    #[arg(long, value_name = "SCENARIO")]
    from: Option<String>,
    /// Begin with a template whose client is this program
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    program: Option<String>,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let path = path_of(&arguments.name)?;
    let text = match &arguments.from {
        Some(word) => source_text(word)?,
        None => template(arguments.program.as_deref()),
    };
    fresh::write(&[(path.clone(), text)])?;
    let file = path.display();
    say(&format!("wrote {file}"));
    let reference = match docs::find(PAGE) {
        Some(_) => format!("`rig docs {PAGE}`"),
        None => "`rig scenario show --operations`".to_owned(),
    };
    say(&format!(
        "next: `rig scenario check {file}`, `rig scenario run {file} --trials 200`; all keys: {reference}"
    ));
    Ok(Exit::Done)
}

/// With this program as the client, where one is given.
fn template(program: Option<&str>) -> String {
    match program {
        Some(program) => OF_PROGRAM.replacen(ITS_PROGRAM, &toml::Value::from(program).to_string(), 1),
        None => TEMPLATE.to_owned(),
    }
}

/// A name as a matrix file and a report can show it.
fn path_of(name: &str) -> Result<PathBuf, Failure> {
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if stem.is_empty() || stem.starts_with(['.', '-']) || !stem.chars().all(plain) {
        return Err(Failure::say(
            Exit::Input,
            format!("`{name}` is not a name for a scenario"),
            "use letters, digits, `-`, `_` and `.`; the file is written into the folder where rig is started",
        ));
    }
    Ok(Path::new(&format!("{stem}.toml")).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Scenario;

    #[test]
    fn the_template_is_valid_has_two_lanes_and_explains_itself() {
        let scenario = Scenario::parse("first", "first.toml", TEMPLATE).expect("it is valid");
        let shown = scenario.render(&Default::default()).expect("its defaults are admitted");
        assert!(shown.contains("client") && shown.contains("peer"), "{shown}");
        assert!(scenario.parameters.iter().all(|parameter| !parameter.about.is_empty()));
        let comments = TEMPLATE.lines().filter(|line| line.trim_start().starts_with('#')).count();
        assert!(comments > 12, "{comments} lines of comments");
    }

    #[test]
    fn the_template_of_a_program_is_valid_and_has_the_program_in_it() {
        for program in ["./client3", "nc", "my \"own\" 'prog'"] {
            let text = template(Some(program));
            let scenario = Scenario::parse("p", "p.toml", &text).unwrap_or_else(|wrong| panic!("{wrong}"));
            let script = scenario.resolve(&Default::default()).expect("its defaults are admitted").script;
            assert_eq!(script.program.expect("a program").name, program);
            assert!(scenario.parameters.iter().all(|parameter| !parameter.about.is_empty()));
        }
    }

    #[test]
    fn only_plain_names_are_taken() {
        assert_eq!(path_of("first").ok(), Some("first.toml".into()));
        assert_eq!(path_of("my-2.toml").ok(), Some("my-2.toml".into()));
        for wrong in ["", ".toml", "a/b", "../a", "-x", "a b", "é"] {
            assert!(path_of(wrong).is_err(), "{wrong}");
        }
    }
}
