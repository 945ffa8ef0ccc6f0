//! What a program gets on standard output where it asked for JSON and the command failed: an object with `error`, `help` and `exit_code`.
//!
//! Must not know commands: who asks for JSON says `--format json`. Units: none. Errors: none: the sentence on standard error says the same.
//! Tests: below, `tests/cli_input.rs`.

use std::ffi::OsString;
use std::io;

use serde::Serialize;

use super::streams::write;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Said {
    /// What is wrong.
    pub(super) error: String,
    /// What to try; empty where nothing is known.
    pub(super) help: String,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    error: &'a str,
    help: &'a str,
    exit_code: u8,
    #[serde(skip_serializing_if = "<[Said]>::is_empty")]
    more: &'a [Said],
}

/// Whether the command line asks for JSON on standard output. What follows `--` is another program's.
pub(super) fn is_asked(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let arguments: Vec<OsString> = arguments.into_iter().take_while(|argument| argument != "--").collect();
    let joined = arguments.iter().any(|argument| argument == "--format=json");
    joined || arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json")
}

/// Writes the object; `more` are the problems after the first.
pub(super) fn print(exit_code: u8, problems: &[Said]) {
    let Some((Said { error, help }, more)) = problems.split_first() else { return };
    // A reader that is gone has the exit code.
    let _ = write(&mut io::stdout().lock(), &text(&Answer { error, help, exit_code, more }));
}

fn text(answer: &Answer<'_>) -> String {
    let mut text = serde_json::to_string_pretty(answer).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_by_the_format_alone() {
        let asked = |line: &str| is_asked(line.split(' ').map(OsString::from));
        assert!(asked("rig doctor --format json") && asked("rig matrix plan --format=json --shard 1/0"));
        assert!(
            !asked("rig doctor")
                && !asked("rig report json")
                && !asked("rig rehearse -- doctor --format json")
        );
        assert!(!asked("rig report --format json,csv"), "files are written then");
    }

    #[test]
    fn the_object_has_the_first_problem_and_the_others_after_it() {
        let more = [Said { error: "c".into(), help: String::new() }];
        let answer = |more| text(&Answer { error: "a", help: "b", exit_code: 2, more });
        let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        assert_eq!(read(answer(&[])), serde_json::json!({"error": "a", "help": "b", "exit_code": 2}));
        assert_eq!(read(answer(&more))["more"][0]["error"], "c");
    }
}
