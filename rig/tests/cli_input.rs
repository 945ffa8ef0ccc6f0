//! What the commands print that only read files: plan, check, scenario, report; and how that follows the reader's terminal and their words.
//!
//! Every `cli/*.toml` is one command; its output stands beside it. Must not need root, guests or a network.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

#[test]
fn commands_print_what_they_are_documented_to_print() {
    trycmd::TestCases::new()
        .register_bin("rig", Path::new(env!("CARGO_BIN_EXE_rig")))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "")
        .env("RIG_CALLED_AS", "rig")
        .case("tests/cli/*.toml");
}

/// What rig says in a terminal of so many columns; without a number as wide as it wants to.
fn said(arguments: &[&str], columns: &str, called: &str) -> Output {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
    rig.args(arguments).env("COLUMNS", columns).env("RIG_CALLED_AS", called).env("NO_COLOR", "1");
    rig.output().unwrap()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[test]
fn lines_are_as_wide_as_the_terminal_and_no_word_is_broken() {
    const RUN: &str = "tests/golden/runs/format-2";
    for arguments in [
        &["matrix", "plan", "--any-host"][..],
        &["matrix", "plan", "--any-host", "--profile", "nightly", "scenario=rst"],
        &["scenario", "list"],
        &["image", "list"],
        &["report", RUN],
        &["explain", "ENONET", "--run", RUN],
        &["report", "tests/golden/runs/format-1"],
    ] {
        let wide = said(arguments, "1000", "cargo rig");
        let wide = String::from_utf8(wide.stdout).unwrap();
        assert!(!wide.is_empty(), "{arguments:?}");
        for columns in [80, 140] {
            let output = said(arguments, &columns.to_string(), "cargo rig");
            assert!(output.status.success(), "{arguments:?}");
            let narrow = String::from_utf8(output.stdout).unwrap();
            for line in narrow.lines() {
                assert!(line.chars().count() <= columns, "{arguments:?} at {columns}: {line:?}");
            }
            // Only the line under a heading follows the width, and the line that names what has no room.
            let whole: String = narrow
                .lines()
                .filter(|line| !line.contains("(no room for"))
                .map(|line| format!("{line}\n"))
                .collect();
            let new: Vec<&str> = words(&whole)
                .difference(&words(&wide))
                .filter(|word| word.contains(|c| c != '-'))
                .copied()
                .collect();
            assert!(
                new.is_empty(),
                "{arguments:?} at {columns} has words that the wide text has not: {new:?}"
            );
        }
    }
}

#[test]
fn without_a_terminal_a_table_is_as_wide_as_it_needs_to_be() {
    let plan = String::from_utf8(said(&["matrix", "plan", "--any-host"], "", "rig").stdout).unwrap();
    let heading = plan.lines().next().unwrap();
    assert!(
        ["cell", "trials", "blocks", "status", "parameters"].iter().all(|name| heading.contains(name)),
        "{heading}"
    );
    assert!(plan.lines().any(|line| line.chars().count() > 120), "a long row is in one line");
}

#[test]
fn a_hint_can_be_pasted() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    for called in ["cargo rig", "rig"] {
        let output = said(&["report", "nosuch", "--results", folder], "1000", called);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            message.contains(&format!("`{called} matrix run --results {folder}` makes one")),
            "{message}"
        );
    }
    // The report's last lines are commands, and they find the run again where it is.
    let runs = "tests/golden/runs";
    let report = said(&["report", "format-2", "--results", runs], "", "cargo rig");
    let text = String::from_utf8(report.stdout).unwrap();
    let last = text.lines().rev().nth(1).unwrap().trim();
    assert!(last.starts_with("cargo rig report ") && last.ends_with(&format!(" --results {runs}")), "{last}");
}

#[test]
fn wrong_input_gets_the_sentence_that_its_user_needs() {
    let told = |arguments: &[&str]| {
        let output = said(arguments, "1000", "rig");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let usage = told(&["matrix", "run", "--resume", "X", "--trials", "5"]);
    assert!(usage.contains("rig matrix run --resume [RUN] [OPTIONS]\n"), "{usage}");
    for wrong in [&["matrix", "plan", "--color"][..], &["matrix", "plan", "--trials", "-5"]] {
        let tip = told(wrong);
        assert!(!tip.contains("use '-- "), "{tip}");
    }
    let unknown = told(&["guest", "boot", "zzzz"]);
    assert!(
        unknown.lines().count() < 15 && unknown.contains("more: `rig matrix plan` lists the cells"),
        "{unknown}"
    );
    let rehearsed = told(&["rehearse", "--", "nosuch"]);
    assert!(
        rehearsed.contains("unrecognized subcommand 'nosuch'") && !rehearsed.contains("booting"),
        "{rehearsed}"
    );
    assert!(told(&["rehearse", "--", "rehearse", "--", "doctor"]).contains("a rehearsal inside a rehearsal"));
}
