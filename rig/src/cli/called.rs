//! How rig was called, so that a command which rig tells a reader works when it is pasted.
//!
//! Every room writes such commands as if rig were in PATH and runs lay in `results/`: `` `rig report ID` ``. Where they are printed they become
//! what this reader can type: `` `cargo rig report ID --results DIR` ``. Must not know what is said around them. Units: none. Errors: none.
//! Tests: below; `tests/cli_input.rs`.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use clap::ArgMatches;
use clap::parser::ValueSource;

pub(super) use crate::engine::shell as quoted;
use crate::process::find_program;

/// The variable in which the cargo alias says what it is called (`.cargo/config.toml`).
const VARIABLE: &str = "RIG_CALLED_AS";

/// How commands are written everywhere but on a reader's screen.
const PLAIN: &str = "rig";

/// The option that names the folder of runs; the id that clap has for it, too.
const RESULTS: &str = "results";

/// The commands that have it.
const WITH_RESULTS: [&str; 4] = ["report", "matrix run", "explain", "program run"];

static CALLED: OnceLock<Called> = OnceLock::new();

/// What the reader typed.
#[derive(Debug)]
struct Called {
    /// `cargo rig`, `rig`, `./rig`.
    name: String,
    /// What `--results` was, where it was given.
    results: Option<String>,
}

/// What a reader types to start this program.
pub(super) fn name() -> String {
    let alias = std::env::var(VARIABLE).ok().filter(|name| !name.trim().is_empty());
    alias.unwrap_or_else(|| typed(std::env::args_os().next()))
}

/// As it was typed; by its name alone where that finds it.
fn typed(first: Option<OsString>) -> String {
    let Some(first) = first else { return PLAIN.to_owned() };
    let path = Path::new(&first);
    let known = path.file_name().and_then(|name| name.to_str());
    if let Some(name) = known
        && (path.components().count() == 1 || find_program(name).is_some_and(|found| is_same(&found, path)))
    {
        return name.to_owned();
    }
    quoted(&first.to_string_lossy())
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|data| (data.dev(), data.ino()));
    identity(one).is_some_and(|found| Some(found) == identity(other))
}

/// Keeps what the commands that will be told must repeat.
pub(super) fn remember(arguments: &ArgMatches) {
    let mut deepest = arguments;
    while let Some((_, below)) = deepest.subcommand() {
        deepest = below;
    }
    let given = matches!(deepest.try_contains_id(RESULTS), Ok(true))
        && deepest.value_source(RESULTS) == Some(ValueSource::CommandLine);
    let raw = given.then(|| deepest.get_raw(RESULTS).and_then(|mut all| all.next())).flatten();
    let results = raw.map(|folder| quoted(&folder.to_string_lossy()));
    // The first call counts: a process is called once.
    let _ = CALLED.set(Called { name: name(), results });
}

/// The text, with its commands as this reader can type them.
pub(super) fn worded(text: &str) -> String {
    match CALLED.get() {
        Some(called) => called.worded(text),
        None => text.to_owned(),
    }
}

impl Called {
    /// Commands stand between backticks, and begin with `rig` or `sudo rig`.
    fn worded(&self, text: &str) -> String {
        let mut parts: Vec<String> = text.split('`').map(str::to_owned).collect();
        let ends = parts.len() - 1;
        for (at, part) in parts.iter_mut().enumerate() {
            if at % 2 == 1
                && at < ends
                && let Some(command) = self.command(part)
            {
                *part = command;
            }
        }
        parts.join("`")
    }

    fn command(&self, plain: &str) -> Option<String> {
        let (before, command) = plain.strip_prefix("sudo ").map_or(("", plain), |command| ("sudo ", command));
        let arguments = command.strip_prefix(PLAIN)?.strip_prefix(' ')?;
        let name = &self.name;
        let results = match &self.results {
            Some(folder) if takes_results(arguments) => format!(" --results {folder}"),
            _ => String::new(),
        };
        Some(format!("{before}{name} {arguments}{results}"))
    }
}

/// Whether it looks for runs in a folder, and says neither which nor the path of a run.
fn takes_results(arguments: &str) -> bool {
    let names = |command: &&str| {
        arguments.strip_prefix(*command).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    WITH_RESULTS.iter().any(names) && !arguments.contains("--results") && !arguments.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(results: Option<&str>) -> Called {
        Called { name: "cargo rig".to_owned(), results: results.map(quoted) }
    }

    #[test]
    fn commands_are_as_the_reader_types_them_and_nothing_else_changes() {
        for (plain, told) in [
            (
                "run `rig setup --yes` or `sudo rig setup`",
                "run `cargo rig setup --yes` or `sudo cargo rig setup`",
            ),
            ("copy the file `rig`; `rigid` is no command", "copy the file `rig`; `rigid` is no command"),
            ("rig report X, not between backticks", "rig report X, not between backticks"),
            ("one ` rig doctor", "one ` rig doctor"),
            ("open: `rig doctor", "open: `rig doctor"),
            ("`df` of `rig report X`", "`df` of `cargo rig report X`"),
            ("", ""),
        ] {
            assert_eq!(called(None).worded(plain), told);
        }
    }

    #[test]
    fn the_folder_of_runs_is_repeated_where_a_command_needs_it() {
        let called = called(Some("my runs"));
        for (plain, told) in [
            ("`rig report X`", "`cargo rig report X --results 'my runs'`"),
            ("`rig matrix run --resume X`", "`cargo rig matrix run --resume X --results 'my runs'`"),
            ("`rig explain ENOENT`", "`cargo rig explain ENOENT --results 'my runs'`"),
            ("`rig matrix plan`", "`cargo rig matrix plan`"),
            ("`rig report a/b`", "`cargo rig report a/b`"),
            ("`rig explain E --results r`", "`cargo rig explain E --results r`"),
        ] {
            assert_eq!(called.worded(plain), told);
            assert_eq!(called.worded(told), told, "what is worded stays");
        }
    }

    #[test]
    fn a_program_in_path_is_called_by_its_name_and_another_one_as_it_was_typed() {
        assert_eq!(typed(None), "rig");
        assert_eq!(typed(Some("rig".into())), "rig");
        assert_eq!(typed(Some("target/debug/rig".into())), "target/debug/rig");
        assert_eq!(typed(Some("a folder/rig".into())), "'a folder/rig'");
        let sh = find_program("sh").expect("every host has one");
        assert_eq!(typed(Some(sh.into_os_string())), "sh");
    }

    #[test]
    fn words_are_quoted_as_a_shell_needs_them() {
        assert_eq!(quoted("/tmp/a-b_c.d"), "/tmp/a-b_c.d");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
