//! The generated parts of `docs/exit-codes.md`: what each code means, what to do, and which command ends with it.
//!
//! Made of `cli::Exit` and `cli::CODES`. Must not know why a command ends. Units: none. Errors: none. Tests: below.

use rig::cli::{CODES, Exit};

use crate::markdown::{code, codes, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[
    Part { topic: "exit-codes", name: "codes", make: meanings },
    Part { topic: "exit-codes", name: "commands", make: commands },
];

fn meanings() -> String {
    let mut text = String::new();
    head(&mut text, &["code", "meaning", "what a script does with it"]);
    for exit in Exit::ALL {
        row(&mut text, &[&code(exit as u8), exit.meaning(), advice(exit)]);
    }
    text
}

/// What to do about it.
fn advice(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "go on",
        Exit::Bug => "stop, keep what was printed and report it: trying again does not help",
        Exit::Input => {
            "stop and correct the file or the command line: the message names the place and what to try"
        }
        Exit::Short => {
            "take the report with care: it says what is missing; `--resume` plays the rest where a run was stopped"
        }
        Exit::Testbed => {
            "repair the machine, or send the job to another one: the same command can pass there"
        }
        Exit::Alert => "show the report to a person: the rig worked, and what it found is news",
        Exit::Interrupted => "go on later with `rig matrix run --resume`, or leave it",
    }
}

fn commands() -> String {
    let mut text = String::new();
    head(&mut text, &["command", "codes, besides 1"]);
    for (words, exits) in CODES {
        let exits = codes(exits.iter().map(|exit| *exit as u8));
        row(&mut text, &[&code(format!("rig {}", words.join(" "))), &exits]);
    }
    text
}

#[test]
fn every_code_and_every_command_is_on_the_page() {
    let page = page("exit-codes");
    for exit in Exit::ALL {
        assert!(page.contains(&format!("| `{}` | {} |", exit as u8, exit.meaning())), "{exit:?}");
    }
    for (words, exits) in CODES {
        let begin = format!("| `rig {}` |", words.join(" "));
        let line = page.lines().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{begin}"));
        for exit in *exits {
            assert!(line.contains(&format!("`{}`", *exit as u8)), "{exit:?} of {begin}");
        }
    }
    // The object of a failure, as the program prints it.
    for field in ["error", "help", "exit_code", "more"] {
        assert!(page.contains(&format!("`{field}`")), "{field}");
    }
}

/// The page shows what the program prints.
#[test]
fn a_failure_in_json_is_as_the_page_shows_it() {
    let page = page("exit-codes");
    let (_, rest) = page.split_once("```json\n").expect("an example");
    let (shown, _) = rest.split_once("```").expect("its end");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["report", "nosuch", "--format", "json"])
        .env("RIG_CALLED_AS", "rig")
        .current_dir(std::env::temp_dir())
        .output()
        .expect("rig runs");
    assert_eq!(output.status.code(), Some(Exit::Input as i32));
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(read(&String::from_utf8_lossy(&output.stdout)), read(shown));
}
