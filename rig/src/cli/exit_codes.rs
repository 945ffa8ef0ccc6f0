//! Which exit codes a command has: the one table behind every `--help`.
//!
//! Must not know why a command ends. Units: none. Errors: none. Tests: below: every command that ends by itself is in the table.

use super::Exit::{self, Alert, Bug, Done, Input, Interrupted, Short, Testbed};

/// Commands by their words, each with the codes that it can end with besides 1, which every command can.
pub const CODES: &[(&[&str], &[Exit])] = &[
    (&["setup"], &[Done, Input, Testbed]),
    (&["doctor"], &[Done, Input, Testbed]),
    (&["matrix", "init"], &[Done, Input, Testbed]),
    (&["matrix", "plan"], &[Done, Input]),
    (&["matrix", "check"], &[Done, Input]),
    (&["matrix", "run"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["nightly"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["rehearse"], &[Done, Input, Testbed, Interrupted]),
    (&["scenario", "list"], &[Done]),
    (&["scenario", "show"], &[Done, Input]),
    (&["scenario", "new"], &[Done, Input, Testbed]),
    (&["scenario", "run"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["scenario", "check"], &[Done, Input]),
    (&["claims"], &[Done, Input]),
    (&["program", "run"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["program", "trace"], &[Done, Input, Short, Testbed, Interrupted]),
    (&["image", "list"], &[Done, Input, Testbed]),
    (&["image", "build"], &[Done, Input, Testbed, Interrupted]),
    (&["image", "clean"], &[Done, Input, Testbed]),
    (&["guest", "boot"], &[Done, Input, Testbed, Interrupted]),
    (&["report"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["replay"], &[Done, Input, Short, Testbed, Alert, Interrupted]),
    (&["compare"], &[Done, Input, Short, Testbed, Alert]),
    (&["history"], &[Done, Input, Testbed, Alert]),
    (&["results", "verify"], &[Done, Input, Short, Testbed, Alert]),
    (&["results", "list"], &[Done, Input]),
    (&["results", "export"], &[Done, Input, Testbed]),
    (&["results", "merge"], &[Done, Input, Short, Testbed]),
    (&["results", "gc"], &[Done, Input, Testbed]),
    (&["explain"], &[Done, Input]),
    (&["docs"], &[Done, Input]),
    (&["man"], &[Done, Input, Testbed]),
    (&["bench"], &[Done, Input, Testbed, Interrupted]),
    (&["clean"], &[Done, Input, Testbed]),
    (&["completions"], &[Done, Input]),
];

/// What is said of a command beside its codes.
const NOTES: [(&[&str], &str); 8] = [
    (&["report"], "3, 5 and 130 only with --exit-code; without it the code is 0 whatever the report says"),
    (
        &["compare"],
        "5 if an errno or an outcome differs, races aside; 3 if none does, and nothing could be compared, a control or an A/A pair failed, or a run is not complete",
    ),
    (&["history"], "5 if anything asks for attention that is not known until a day"),
    (
        &["results", "verify"],
        "5 if a figure or a file differs; 3 if none does, but a report.json of another version of rig was not compared",
    ),
    (&["replay"], "5 if it happened again, 0 if it did not, 3 if the testbed failed"),
    (
        &["nightly"],
        "that of the step that went worst, in the order 1, 2, 4, 5, 3, 0; 2 also while another night is under way",
    ),
    (&["rehearse"], "or the exit code of COMMAND, which is passed on"),
    (&["guest", "boot"], "or the exit code of COMMAND, which is passed on"),
];

/// The codes of a command, and what is said beside them. `None` for a group, and for what has none of its own.
pub(super) fn of(words: &[&str]) -> Option<(Vec<Exit>, Option<&'static str>)> {
    let (_, codes) = CODES.iter().find(|(of, _)| *of == words)?;
    let mut all: Vec<Exit> = codes.to_vec();
    all.insert(1, Bug);
    Some((all, NOTES.iter().find(|(of, _)| *of == words).map(|(_, note)| *note)))
}

/// The section of a command's help; empty where it has no codes.
pub(super) fn section(words: &[&str]) -> String {
    let Some((codes, note)) = of(words) else { return String::new() };
    let mut text = "Exit codes:".to_owned();
    for exit in codes {
        text.push_str(&format!("\n  {:>3}  {}", exit as u8, exit.meaning()));
    }
    note.iter().for_each(|note| text.push_str(&format!("\n       {note}")));
    text
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::super::{Arguments, program};
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
        let mut said: Vec<Vec<String>> =
            CODES.iter().map(|(words, _)| words.iter().map(|&word| word.to_owned()).collect()).collect();
        found.sort();
        said.sort();
        assert_eq!(found, said);
        let mut program = program();
        let run = program.find_subcommand_mut("matrix").and_then(|matrix| matrix.find_subcommand_mut("run"));
        let help = run.expect("a command").render_long_help().to_string();
        for code in ["  0  ", "  1  ", "  2  ", "  3  ", "  4  ", "  5  ", "130  "] {
            assert!(help.contains(code), "{code:?}: {help}");
        }
    }
}
