//! Completion: the shell asks this program, which answers with words and values, before it does anything else.
//!
//! Holds which argument takes which values, and the answering. Must not print an error: a shell would show it in the middle of a line. Units: none.
//! Errors: an exit code and nothing else. Tests: `tests/completions.rs`; below: every argument is in the table.

mod bash;
mod line;
mod values;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use super::{Exit, whole};
use values::Values;

/// The variable by which a shell asks; its value is the shell's name.
const VARIABLE: &str = "RIG_COMPLETE";

/// What is completed and asked: the installed program.
const PROGRAM: &str = "rig";

const SHELLS: [&dyn EnvCompleter; 5] = [&bash::Bash, &Elvish, &Fish, &Powershell, &Zsh];

/// An argument by its id, of one command or of all; and what it takes.
type Row = (&'static str, Option<&'static [&'static str]>, Values);

/// Arguments whose values can be known. The first row that fits counts.
const TAKES: &[Row] = &[
    ("filters", None, Values::Filters),
    ("arguments", Some(&["nightly"]), Values::Filters),
    ("cell", None, Values::Cells),
    ("profile", None, Values::Profiles),
    ("path", None, Values::Paths),
    ("configuration", None, Values::Configurations),
    ("configurations", None, Values::Configurations),
    ("kernel", None, Values::Kernels),
    ("baseline", None, Values::Baselines),
    ("scenario", None, Values::Scenarios),
    ("peer", None, Values::Scenarios),
    ("from", None, Values::Scenarios),
    ("parameters", None, Values::Parameters),
    ("files", None, Values::TomlFiles),
    ("matrix", None, Values::TomlFiles),
    ("run", None, Values::Runs),
    ("runs", Some(&["results", "merge"]), Values::Runs),
    ("first", Some(&["compare"]), Values::Runs),
    ("second", Some(&["compare"]), Values::Runs),
    ("which", Some(&["history"]), Values::Runs),
    ("resume", None, Values::Runs),
    ("shard_cost", None, Values::Runs),
    ("deny_skips", None, Values::Skips),
    ("errno", None, Values::Errnos),
    ("ids", Some(&["claims"]), Values::Claims),
    ("claims", None, Values::Folders),
    ("topic", None, Values::Topics),
    ("search", None, Values::Operations),
    ("command", Some(&["man"]), Values::Commands),
    ("names", Some(&["image", "build"]), Values::Recipes),
    ("results", None, Values::Folders),
    ("output", Some(&["results", "export"]), Values::Files),
    ("output", None, Values::Folders),
    ("share", None, Values::Folders),
    ("install", None, Values::Folders),
    ("folder", None, Values::Folders),
    ("capture", Some(&["scenario", "run"]), Values::Folders),
    ("write", None, Values::Folders),
    ("lock", None, Values::Files),
    ("console", None, Values::Files),
    ("client", None, Values::Files),
    ("program", None, Values::Files),
    ("with", None, Values::Files),
    ("stdin", None, Values::Files),
    ("verdict", None, Values::Calls),
    ("outcome", None, Values::Calls),
];

/// The answer where a shell asks.
pub(super) fn answered() -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let asked = CompleteEnv::with_factory(|| with_values(whole::program(), &[]))
        .var(VARIABLE)
        .bin(PROGRAM)
        .completer(PROGRAM)
        .shells(Shells(&SHELLS));
    let folder = std::env::current_dir().ok();
    match asked.try_complete(std::env::args_os(), folder.as_deref()) {
        Ok(true) => Some(Exit::Done.into()),
        // The variable is empty.
        Ok(false) => None,
        Err(_) => Some(Exit::Input.into()),
    }
}

/// The script that makes a shell ask.
pub(super) fn script(shell: Shell) -> String {
    let name = shell.to_string();
    let completer = SHELLS.iter().find(|one| one.is(&name)).expect("every shell of clap is in the list");
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .expect("memory takes every byte");
    String::from_utf8(script).expect("scripts are text")
}

/// The command of these words with what its arguments take, and so those below it.
fn with_values(command: Command, words: &[&str]) -> Command {
    // In place: an argument that is taken out and put back is the last one then, which changes the order of words.
    let command = command.mut_args(|argument| match takes(argument.get_id().as_str(), words) {
        None => argument,
        Some(values) => {
            let complete = move |current: &OsStr| -> Vec<CompletionCandidate> { values.complete(current) };
            argument.add(ArgValueCompleter::new(complete))
        }
    });
    command.mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        with_values(below, &[words, &[name.as_str()]].concat())
    })
}

fn takes(id: &str, words: &[&str]) -> Option<Values> {
    let fits = |row: &&Row| row.0 == id && row.1.is_none_or(|of| of == words);
    TAKES.iter().find(fits).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers, times and names that the user makes up; and what belongs to another program.
    const FREE: [&str; 26] = [
        "append",
        "which",
        "nights",
        "notify",
        "trial",
        "bound",
        "fix",
        "trials",
        "seed",
        "shard",
        "shards",
        "deadline",
        "in_flight",
        "examples",
        "vcpus",
        "memory_mib",
        "keep",
        "name",
        "command",
        "columns",
        "says",
        "redirect",
        "env",
        "before",
        "time_limit",
        "expect",
    ];

    fn arguments(command: &Command, words: &[&str], found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let takes_a_value = argument.get_action().takes_values();
            let listed = !argument.get_possible_values().is_empty();
            if takes_a_value && !listed && !FREE.contains(&id) && takes(id, words).is_none() {
                found.push(format!("{words:?} {id}"));
            }
        }
        for below in command.get_subcommands() {
            arguments(below, &[words, &[below.get_name()]].concat(), found);
        }
    }

    #[test]
    fn every_argument_has_values_or_is_known_to_have_none() {
        let mut found = Vec::new();
        arguments(&super::super::program(), &[], &mut found);
        assert!(found.is_empty(), "neither in TAKES nor in FREE: {found:?}");
        assert!(takes("command", &["guest", "boot"]).is_none(), "it is the guest's");
    }

    #[test]
    fn every_shell_has_a_script_that_asks_the_installed_program() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let script = script(shell);
            assert!(script.contains(VARIABLE) && script.contains(PROGRAM), "{shell}: {script}");
            assert!(!script.contains("cargo"), "{shell}");
        }
    }
}
