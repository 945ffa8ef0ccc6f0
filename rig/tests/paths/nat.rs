//! A switch that translates addresses, between real kernels: what connection tracking calls INVALID is not translated back.

use std::collections::BTreeMap;

use rig::middlebox::{Condition, Deed, Direction, Pattern, Sequence, Towards};
use rig::path::{Hook, Matches, Nat, PathSpec, Place, Rule, RuleSelect, RuleVerdict};
use rig::script::Scenario;
use rig::testbed::probe;

use crate::play::{OVERTAKEN, Played, cell_of, play, play_cell, say_skipped, skipped};
use crate::{action, all, plain, tools};

/// Far beyond what a window and its overshoot allow: Linux 6.0 and later let pass what is beyond the window by less than a window
/// (`tcp_in_window`, net/netfilter/nf_conntrack_proto_tcp.c).
const FAR: u32 = 1_000_000;

fn translated() -> PathSpec {
    PathSpec { nat: Some(Nat { at: Place::Switch }), ..plain() }
}

/// A stray data segment behind each answer.
fn stray() -> PathSpec {
    let when = Condition {
        direction: Some(Direction::ToTarget),
        contains: Pattern(b"CDEF".to_vec()),
        ..Condition::default()
    };
    let deed = Deed::InjectData {
        towards: Towards::ToTarget,
        sequence: Sequence::Outside { beyond: FAR },
        payload: Pattern(b"stray".to_vec()),
        delay_ns: 0,
        times: 1,
        gap_ns: 0,
    };
    PathSpec { actions: vec![action(when, deed)], ..translated() }
}

/// The client takes the answer, and says another word later.
const SPEAKS_AGAIN: &str = r#"
title = "the client speaks again after a stray segment"
expect = ["readable,ECONNRESET", "readable,data"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "read", socket = "c", bytes = 4 },
    { op = "sleep", for = "200ms" },
    { op = "write", socket = "c", data = "MORE", may_fail = true },
    { op = "select", read = ["c"], timeout = "2s", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "write", socket = "c", data = "GHIJ", may_fail = true },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "close", socket = "c" },
]
"#;

fn speaks_again(path: &PathSpec) -> Played {
    let scenario = Scenario::parse("case", "case.toml", SPEAKS_AGAIN).expect("a sound scenario");
    play_cell(&cell_of(path, &scenario, &BTreeMap::new(), 10))
}

fn cannot() -> bool {
    if skipped("address translation") || tools::needs("nft").is_none() {
        return true;
    }
    match probe::translation() {
        Ok(()) => false,
        Err(why) => {
            say_skipped("address translation", &why);
            true
        }
    }
}

#[test]
fn a_translated_connection_lives_and_is_reset_as_any_other() {
    if cannot() {
        return;
    }
    let played = play(&translated(), OVERTAKEN, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!((played.counter("nat.connections"), played.counter("nat.host_resets")), (20, 0));
    assert_eq!(played.record.path.mechanisms, ["address translation: nft in a switch that routes"]);
}

#[test]
fn a_stray_segment_is_answered_by_the_host_that_translates() {
    if cannot() {
        return;
    }
    let played = speaks_again(&stray());
    all(&played, "readable,ECONNRESET");
    assert_eq!(played.counter("nat.connections"), 10);
    assert_eq!(played.counter("nat.host_resets"), 10);
}

#[test]
fn what_is_invalid_and_dropped_harms_nobody() {
    if cannot() {
        return;
    }
    let invalid = Rule {
        name: "invalid".into(),
        at: Place::Switch,
        hook: Hook::Forward,
        select: RuleSelect { invalid: true, ..RuleSelect::default() },
        verdict: RuleVerdict::Drop,
        matches: Matches::EveryTrial,
    };
    let played = speaks_again(&PathSpec { rules: vec![invalid], ..stray() });
    all(&played, "readable,data");
    assert_eq!((played.counter("rule.invalid"), played.counter("nat.host_resets")), (10, 0));
}
