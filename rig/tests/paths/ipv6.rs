//! Paths whose ends talk by IPv6: plain, and with what acts on segments.

use std::collections::BTreeMap;

use rig::middlebox::{
    Balancer, Deed, Direction, Expiry, Firewall, Pattern, Sequence, Stranger, Told, Towards,
};
use rig::path::{Addressing, Family, Fault, FaultKind, Medium, PEER_PORT, PathSpec};

use crate::play::{OVERTAKEN, RESET_BY_PATH, play, skipped};
use crate::{MS, action, all, forge, plain};

fn ipv6() -> PathSpec {
    PathSpec { family: Family::Ipv6, ..plain() }
}

#[test]
fn a_reset_by_ipv6_is_seen_by_both_ends_and_the_witness() {
    if skipped("IPv6") {
        return;
    }
    let played = play(&ipv6(), OVERTAKEN, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.record.witness.rst_to_target, 20);
    let operations = played.record.path.operations.join("\n");
    for address in [Addressing::TARGET_IPV6, Addressing::PEER_IPV6] {
        assert!(operations.contains(&format!("address {address}/64")), "{operations}");
    }
}

#[test]
fn on_a_loopback_too() {
    if skipped("IPv6") {
        return;
    }
    all(&play(&PathSpec { medium: Medium::Loopback, ..ipv6() }, OVERTAKEN, 20), "readable,data,ECONNRESET");
}

#[test]
fn actions_and_boxes_act_on_ipv6() {
    if skipped("the middlebox") {
        return;
    }
    let until = rig::middlebox::Condition {
        direction: Some(Direction::ToTarget),
        rst: Some(true),
        ..rig::middlebox::Condition::default()
    };
    let hold = Deed::Hold { until, timeout_ns: 2_000 * MS };
    let when = rig::middlebox::Condition {
        direction: Some(Direction::ToTarget),
        contains: Pattern(b"CDEF".to_vec()),
        ..rig::middlebox::Condition::default()
    };
    let played = play(&PathSpec { actions: vec![action(when, hold)], ..ipv6() }, OVERTAKEN, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("action.act.held"), 20);

    let exact = forge(Sequence::Exact, Towards::ToTarget);
    let played = play(&PathSpec { actions: vec![exact], ..ipv6() }, crate::play::TALKS_ON, 20);
    all(&played, "readable,ECONNRESET,eof");

    let firewall = Firewall {
        idle_timeout_ns: 300 * MS,
        expiry: Expiry::AtOnce,
        reset: Told::Both,
        stranger: Stranger::Reset,
    };
    let played = play(&PathSpec { firewall: Some(firewall), ..ipv6() }, RESET_BY_PATH, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("firewall.expired"), 20);
}

#[test]
fn a_balancer_knows_the_peer_by_its_address_of_ipv6() {
    if skipped("the middlebox") {
        return;
    }
    let balancer = Balancer {
        backend: Addressing::default().peer_by(Family::Ipv6),
        backend_port: PEER_PORT,
        down_at_ns: 0,
        health: None,
        reset: Towards::Both,
    };
    let down = Fault {
        name: "down".into(),
        kind: FaultKind::BackendDown,
        after_ns: 400 * MS,
        for_ns: 0,
        every_ns: 0,
    };
    let path = PathSpec { balancer: Some(balancer), faults: vec![down], ..ipv6() };
    let played = play(&path, RESET_BY_PATH, 20);
    assert_eq!(
        played.record.tally.outcomes,
        BTreeMap::from([("readable,data,ECONNRESET".to_owned(), 20)]),
        "{played:#?}"
    );
}
