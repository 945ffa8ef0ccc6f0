//! The program `nft` in a namespace: rules in, counters out.
//!
//! Must not know what a rule is for. Units: packets. Source: nft(8).
//! Errors: a `String`, what went wrong in one sentence. Tests: `tests/paths.rs` (root).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use super::namespace::Namespace;
use crate::path::rules;
use crate::process;

/// Adds a ruleset to what a namespace has.
pub(super) fn load(namespace: &Namespace, ruleset: &str) -> Result<(), String> {
    run(namespace, &["-f", "-"], ruleset).map(drop)
}

/// What our table of this family counted: packets per rule (`rule.NAME`), and what address translation did.
pub(super) fn counters(namespace: &Namespace, family: &str) -> Result<BTreeMap<String, u64>, String> {
    let output = run(namespace, &rules::list_arguments(family), "")?;
    rules::named_counters(&String::from_utf8_lossy(&output.stdout))
        .map(rules::of_rules)
        .map_err(|wrong| format!("`nft` lists no counters: {wrong}"))
}

fn run(namespace: &Namespace, arguments: &[&str], input: &str) -> Result<Output, String> {
    let mut command = Command::new(process::program_file("nft"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    namespace.enter_on_spawn(&mut command).map_err(|error| error.to_string())?;
    // This very thread waits for its end, so the child needs no other to die with; and a probe must leave no thread behind, because the
    // enclosure is made after it.
    let mut child = process::bind(&mut command).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "`nft` is not installed (Debian package nftables)".to_owned(),
        _ => format!("`nft` cannot be started: {error}"),
    })?;
    // A broken pipe means that it ended early; what it said then is what counts.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("`nft` cannot be waited for: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("no output").trim();
    Err(format!("`nft` refuses: {first}"))
}
