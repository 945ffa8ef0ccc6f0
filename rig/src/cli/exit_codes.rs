//! Which exit codes a command has: the one table behind every `--help`.
//!
//! Must not know why a command ends. Units: none. Errors: none. Tests: below: every command that ends by itself is in the table.

use clap::Command;

use super::Exit::{self, Alert, Bug, Done, Input, Interrupted, Short, Testbed};

/// Commands by their words, each with the codes that it can end with besides 1, which stands for itself everywhere.
pub const CODES: [(&[&str], &[Exit]); 19] = [
    (&["setup"], &[Done, Input, Testbed]),
    (&["doctor"], &[Done, Input, Testbed]),
    (&["matrix", "plan"], &[Done, Input]),
    (&["matrix", "check"], &[Done, Input]),
    (&["matrix", "run"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["rehearse"], &[Done, Input, Testbed, Interrupted]),
    (&["scenario", "list"], &[Done]),
    (&["scenario", "show"], &[Done, Input]),
    (&["scenario", "run"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["scenario", "check"], &[Done, Input]),
    (&["image", "list"], &[Done, Input, Testbed]),
    (&["image", "build"], &[Done, Input, Testbed, Interrupted]),
    (&["image", "clean"], &[Done, Input, Testbed]),
    (&["guest", "boot"], &[Done, Input, Testbed, Interrupted]),
    (&["report"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["explain"], &[Done, Input]),
    (&["docs"], &[Done, Input]),
    (&["bench"], &[Done, Input, Testbed, Interrupted]),
    (&["clean"], &[Done, Input, Testbed]),
];

/// What is said of a command beside its codes.
const NOTES: [(&[&str], &str); 3] = [
    (&["report"], "3, 5 and 130 only with --exit-code; without it a report that could be made is 0"),
    (&["rehearse"], "and those of COMMAND, which are passed on"),
    (&["guest", "boot"], "and those of COMMAND, which are passed on"),
];

/// The program with the codes of every command in its help.
pub(super) fn explained(mut program: Command) -> Command {
    for (words, codes) in CODES {
        program = at(program, words, &|command| {
            let before = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
            command.after_help(format!("{before}{}", section(words, codes)))
        });
    }
    program
}

fn at(command: Command, words: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match words {
        [] => change(command),
        [first, rest @ ..] => command.mut_subcommand(first, |inner| at(inner, rest, change)),
    }
}

fn section(words: &[&str], codes: &[Exit]) -> String {
    let mut all: Vec<Exit> = codes.to_vec();
    all.insert(1, Bug);
    let mut text = "Exit codes:".to_owned();
    for exit in all {
        text.push_str(&format!("\n  {:>3}  {}", exit as u8, exit.meaning()));
    }
    let note = NOTES.iter().find(|(of, _)| *of == words);
    note.iter().for_each(|(_, note)| text.push_str(&format!("\n       {note}")));
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::Arguments;
    use super::*;

    fn leaves(command: &Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let mut inner = command.get_subcommands().peekable();
        if inner.peek().is_none() {
            found.push(words.to_vec());
        }
        for one in inner {
            leaves(one, &[words, &[one.get_name().to_owned()]].concat(), found);
        }
    }

    #[test]
    fn every_command_names_its_exit_codes() {
        let mut found = Vec::new();
        leaves(&Arguments::command(), &[], &mut found);
        // A script for a shell comes, or the shell's name is wrong.
        found.retain(|words| words != &["completions"]);
        let mut said: Vec<Vec<String>> =
            CODES.iter().map(|(words, _)| words.iter().map(|&word| word.to_owned()).collect()).collect();
        found.sort();
        said.sort();
        assert_eq!(found, said);
        let mut program = explained(Arguments::command());
        let run = program.find_subcommand_mut("matrix").and_then(|matrix| matrix.find_subcommand_mut("run"));
        let help = run.expect("a command").render_long_help().to_string();
        for code in ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "130  "] {
            assert!(help.contains(code), "{code:?}: {help}");
        }
    }
}
