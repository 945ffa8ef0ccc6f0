//! What reports from the field bring: a firewall that tells nobody, a link narrower than its ends, data that nobody wrote, rejects by ICMP.

use rig::middlebox::{
    Condition, Deed, Direction, Expiry, Firewall, Impairment, Pattern, Sequence, Stranger, Told, Towards,
};
use rig::path::{
    Hook, Impairments, Matches, Mechanism, PEER_PORT, PathSpec, Place, Rule, RuleSelect, RuleVerdict, TcpFlag,
};
use rig::script::Scenario;
use rig::testbed::probe;

use crate::play::{Played, TALKS_ON, cell_of, play, play_cell, say_skipped, skipped};
use crate::{MS, action, all, plain, tools};

const NARROW: &str = include_str!("../cases/narrow-path.toml");

fn play_text(path: &PathSpec, text: &str, trials: u64) -> Played {
    let scenario = Scenario::parse("case", "case.toml", text).expect("a sound scenario");
    play_cell(&cell_of(path, &scenario, &std::collections::BTreeMap::new(), trials))
}

/// The client is silent for longer than the firewall remembers, then writes again.
const STATE_LOST: &str = r#"
title = "a firewall forgets"
expect = ["timeout,EAGAIN"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "sleep", for = "700ms" },
    { op = "write", socket = "c", data = "EFGH" },
    { op = "receive_timeout", socket = "c", for = "50ms" },
    { op = "select", read = ["c"], timeout = "300ms", verdict = true },
    { op = "read", socket = "c", bytes = 64 },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "write", socket = "c", data = "CDEF" },
    { op = "receive_timeout", socket = "c", for = "900ms" },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "close", socket = "c" },
]
"#;

#[test]
fn a_firewall_that_tells_nobody_leaves_both_ends_waiting() {
    if skipped("the middlebox") {
        return;
    }
    let firewall = Firewall {
        idle_timeout_ns: 400 * MS,
        expiry: Expiry::AtOnce,
        reset: Told::None,
        stranger: Stranger::Drop,
    };
    let played = play_text(&PathSpec { firewall: Some(firewall), ..plain() }, STATE_LOST, 10);
    all(&played, "timeout,EAGAIN");
    assert_eq!((played.counter("firewall.expired"), played.record.witness.rst_to_target), (10, 0));
}

#[test]
fn a_drop_by_length_loses_full_segments_and_no_others() {
    if skipped("the middlebox") {
        return;
    }
    let long =
        Condition { direction: Some(Direction::ToTarget), longer_than: Some(1_400), ..Condition::default() };
    let mut lose = action(long, Deed::Drop);
    lose.first = 0;
    let played = play_text(&PathSpec { actions: vec![lose], ..plain() }, NARROW, 10);
    all(&played, "timeout,EAGAIN");
    // Both segments of each answer, which the peer's kernel hands over as one.
    assert!(played.counter("action.act.dropped") >= 20);
    assert!(played.counter("port.peer.super_segments") >= 10);
    let short = Condition { shorter_than: Some(1_400), payload: Some(true), ..Condition::default() };
    let mut deaf = action(short, Deed::Drop);
    deaf.first = 0;
    let played = play_text(&PathSpec { actions: vec![deaf], ..plain() }, NARROW, 10);
    all(&played, "timeout,EAGAIN");
    assert!(played.counter("action.act.dropped") >= 10, "the question is short");
}

/// The same narrow link as a part of the path.
#[test]
fn a_link_narrower_than_its_ends_is_a_black_hole() {
    if skipped("the middlebox") {
        return;
    }
    let to_target = Impairment { mtu_bytes: 1_400, ..Impairment::none() };
    let impairments = Impairments { mechanism: Mechanism::Auto, to_peer: Impairment::none(), to_target };
    let path = PathSpec { impairments: Some(impairments.clone()), ..plain() };
    let played = play_text(&path, NARROW, 10);
    all(&played, "timeout,EAGAIN");
    assert!(played.counter("link.to_target.too_long") >= 20);
    assert_eq!(
        played.record.path.mechanisms,
        ["MTU to_target: rig's own middlebox (netem cannot do an MTU of one link alone)"]
    );
    // Nothing of this conversation is too long: the block says so.
    let path = PathSpec { impairments: Some(impairments), ..plain() };
    let void = play(&path, TALKS_ON, 10);
    assert_eq!(
        void.reason().as_deref(),
        Some("fault had no effect: path.link.to_target.too_long rose by 0 in 10 trials")
    );
}

fn inject_data(sequence: Sequence) -> PathSpec {
    let when = Condition {
        direction: Some(Direction::ToPeer),
        contains: Pattern(b"ABCD".to_vec()),
        ..Condition::default()
    };
    let payload = Pattern(b"nobody's".to_vec());
    let towards = Towards::ToTarget;
    let deed = Deed::InjectData { towards, sequence, payload, delay_ns: 0, times: 1, gap_ns: 0 };
    PathSpec { actions: vec![action(when, deed)], ..plain() }
}

/// The client asks, and takes whatever comes.
const FORGED: &str = r#"
title = "data that nobody wrote"
expect = ["readable,data=8", "timeout,EAGAIN"]
[lane.client]
steps = [
    { op = "connect", socket = "c" },
    { op = "write", socket = "c", data = "ABCD" },
    { op = "receive_timeout", socket = "c", for = "50ms" },
    { op = "select", read = ["c"], timeout = "300ms", verdict = true },
    { op = "read", socket = "c", bytes = 64, count = true },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "read", socket = "c", bytes = 64 },
    { op = "read", socket = "c", bytes = 64, may_fail = true },
    { op = "close", socket = "c" },
]
"#;

#[test]
fn forged_data_counts_only_inside_the_window() {
    if skipped("the middlebox") {
        return;
    }
    let played = play_text(&inject_data(Sequence::Exact), FORGED, 10);
    all(&played, "readable,data=8");
    assert_eq!(played.counter("action.act.connections.to_target"), 10);
    let played = play_text(&inject_data(Sequence::Outside { beyond: 1000 }), FORGED, 10);
    all(&played, "timeout,EAGAIN");
    assert_eq!(played.counter("action.act.injected.to_target"), 10);
}

/// A connect() whose SYN meets a rule.
const REFUSED: &str = r#"
title = "a SYN is rejected"
expect = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOPROTOOPT"]
[lane.client]
steps = [
    { op = "connect", socket = "c", verdict = true },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "close", socket = "c" },
]
"#;

/// `icmp_err_convert`, net/ipv4/icmp.c.
#[test]
fn a_syn_that_is_rejected_fails_with_the_codes_errno() {
    if skipped("nft") || tools::needs("nft").is_none() {
        return;
    }
    if let Err(why) = probe::nft() {
        return say_skipped("nft", &why);
    }
    for (verdict, errno) in [
        (RuleVerdict::RejectIcmpHostProhibited, "EHOSTUNREACH"),
        (RuleVerdict::RejectIcmpHostUnreachable, "EHOSTUNREACH"),
        (RuleVerdict::RejectIcmpAdminProhibited, "EHOSTUNREACH"),
        (RuleVerdict::RejectIcmpNetUnreachable, "ENETUNREACH"),
        (RuleVerdict::RejectIcmpNetProhibited, "ENETUNREACH"),
        (RuleVerdict::RejectIcmpPortUnreachable, "ECONNREFUSED"),
        (RuleVerdict::RejectIcmpProtoUnreachable, "ENOPROTOOPT"),
    ] {
        let select = RuleSelect {
            destination_port: Some(PEER_PORT),
            flags: vec![TcpFlag::Syn],
            ..RuleSelect::default()
        };
        let (name, at, hook) = ("reject".into(), Place::Peer, Hook::Input);
        let rule = Rule { name, at, hook, select, verdict, matches: Matches::Sometimes };
        let played = play_text(&PathSpec { rules: vec![rule], ..plain() }, REFUSED, 20);
        let outcomes: Vec<_> = played.record.tally.outcomes.keys().collect();
        assert!(
            outcomes.len() == 1 && outcomes[0].starts_with(errno),
            "{verdict:?}: {outcomes:?} {:?}",
            played.reason()
        );
        assert!(played.counter("rule.reject") >= 20, "{verdict:?}");
    }
}
