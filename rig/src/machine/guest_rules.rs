//! Packet filter rules of a guest's own kernel: put in, and asked for what they counted, over the control link.
//!
//! Must not know which rule means what. Units: packets, `Duration`.
//! The guest's kernel loads what the rules need when `nft` first asks for it; without rules its netfilter stays empty.
//! Errors: [`RulesError`]; it blames the ruleset or the image, with the guest's own words. A block becomes void.
//! Tests: below (answers of a real nft); `tests/qemu.rs` (a real guest).

use std::collections::BTreeMap;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::launch_ssh::{self, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::Guest;
use crate::path::{Place, rules};

/// nft(8): reads a ruleset from its input, and takes it whole or not at all.
const APPLY: &str = "nft -f -";

/// Why a guest does not have its rules, or does not say what they did.
#[derive(Debug, Error, Diagnostic)]
pub enum RulesError {
    /// No way into the guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
    /// The guest's `nft` refused.
    #[error("the guest could not {what}: {how}: {said}")]
    #[diagnostic(help(
        "the image needs the program nft and, as `available`, the kernel modules that the rules ask for: see images/6.1.toml"
    ))]
    Refused {
        /// What it was to do.
        what: &'static str,
        /// How `nft` ended.
        how: String,
        /// What it said.
        said: String,
    },
    /// It answered something else than a list of counters.
    #[error("the guest's counters cannot be read ({wrong}): {answer:?}")]
    #[diagnostic(help("this version of nft writes another JSON than libnftables-json(5) describes"))]
    Answer {
        /// The beginning of what came.
        answer: String,
        /// What is wrong with it.
        wrong: String,
    },
}

/// Puts a ruleset into the guest's kernel: whole, or not at all.
///
/// # Errors
/// [`RulesError::Refused`] with the words of nft, [`RulesError::Ssh`]
pub async fn apply(
    guest: &Guest,
    plan: SshPlan,
    ruleset: String,
    within: Duration,
) -> Result<(), RulesError> {
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| {
        session.run_with(APPLY, ruleset.as_bytes(), left())
    };
    let finished = launch_ssh::with_session(guest, plan, within, work).await?;
    output("take its packet filter rules", finished).map(drop)
}

/// How many packets each named counter of `table inet rig` has seen, by its name.
///
/// # Errors
/// [`RulesError`]; a guest without that table is one.
pub async fn counters(
    guest: &Guest,
    plan: SshPlan,
    within: Duration,
) -> Result<BTreeMap<String, u64>, RulesError> {
    let list = format!("nft {}", rules::list_arguments(rules::family(Place::Target)).join(" "));
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&list, left());
    let finished = launch_ssh::with_session(guest, plan, within, work).await?;
    read_counters(&output("list the counters of its rules", finished)?)
}

fn output(what: &'static str, finished: Finished) -> Result<Vec<u8>, RulesError> {
    if finished.exit == Exit::Status(0) {
        return Ok(finished.stdout);
    }
    let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
    Err(RulesError::Refused { what, how: finished.exit.to_string(), said })
}

fn read_counters(json: &[u8]) -> Result<BTreeMap<String, u64>, RulesError> {
    let text = String::from_utf8_lossy(json);
    rules::named_counters(&text)
        .map_err(|wrong| RulesError::Answer { answer: text.chars().take(200).collect(), wrong })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nft_says_is_read() {
        let text = br#"{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
            {"counter": {"family": "inet", "name": "reject", "table": "rig", "handle": 2, "packets": 3, "bytes": 132}},
            {"counter": {"family": "inet", "name": "drop-fin", "table": "rig", "handle": 3, "packets": 18446744073709551615, "bytes": 0}}]}"#;
        let counters = read_counters(text).unwrap();
        assert_eq!(counters, [("drop-fin".to_owned(), u64::MAX), ("reject".to_owned(), 3)].into());
        assert_eq!(read_counters(br#"{"nftables": []}"#).unwrap(), BTreeMap::new());
    }

    #[test]
    fn another_answer_is_an_error_that_shows_it() {
        for text in ["", "nft: not found"] {
            let error = read_counters(text.as_bytes()).unwrap_err();
            assert!(matches!(&error, RulesError::Answer { answer, .. } if answer == text), "{error}");
        }
    }

    #[test]
    fn a_program_that_failed_is_told_with_its_words() {
        let finished =
            Finished { exit: Exit::Status(127), stdout: vec![], stderr: b"sh: nft: not found\n".to_vec() };
        let error = output("take its packet filter rules", finished).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the guest could not take its packet filter rules: exit status 127: sh: nft: not found"
        );
    }
}
