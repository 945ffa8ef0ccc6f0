//! Paths on the host's own kernel: every mechanism that lies between target and peer, with real agents playing real scripts over it.
//!
//! Root, namespaces of our own. Nothing is timed; a bound is only there for a hang. What a host lacks is said, and that test does nothing else.

#[path = "paths/cases.rs"]
mod cases;
#[path = "paths/foreign.rs"]
mod foreign;
#[path = "paths/hostile.rs"]
mod hostile;
#[path = "paths/ipv6.rs"]
mod ipv6;
#[path = "support/laboratory.rs"]
mod laboratory;
#[path = "paths/lying.rs"]
mod lying;
#[path = "paths/nat.rs"]
mod nat;
#[path = "paths/play.rs"]
mod play;
#[path = "paths/reports.rs"]
mod reports;
#[path = "paths/settings.rs"]
mod settings;
#[path = "paths/shipped.rs"]
mod shipped;
#[path = "support/tools.rs"]
mod tools;

use std::collections::BTreeMap;

use play::{OVERTAKEN, Played, RESET_BY_PATH, RESET_LATE, TALKS_ON, play, skipped};
use rig::middlebox::{
    Action, Balancer, Condition, Deed, Direction, Expiry, Firewall, Impairment, Ips, JitterOrder, Offender,
    Pattern, Sequence, Stranger, Told, Towards,
};
use rig::path::{
    Addressing, Fault, FaultKind, HaProxy, Hook, Impairments, Matches, Mechanism, Medium, OnMarkedDown,
    PEER_PORT, PathSpec, Place, Rule, RuleSelect, RuleVerdict, TcpFlag,
};
use rig::testbed::probe;
use rig_protocol::Tally;

const MS: u64 = 1_000_000;

fn plain() -> PathSpec {
    PathSpec::plain("test", 1500)
}

/// The only outcome, for every trial.
fn all(played: &Played, outcome: &str) {
    assert_eq!(
        played.record.tally.outcomes,
        BTreeMap::from([(outcome.to_owned(), played.trials)]),
        "{played:#?}"
    );
    assert_eq!(played.reason(), None);
}

fn data_to_target() -> Condition {
    Condition {
        direction: Some(Direction::ToTarget),
        contains: Pattern(b"CDEF".to_vec()),
        ..Condition::default()
    }
}

fn action(when: Condition, deed: Deed) -> Action {
    Action { name: "act".into(), armed: true, when, first: 1, deed }
}

fn forge(sequence: Sequence, towards: Towards) -> Action {
    let when = Condition {
        direction: Some(Direction::ToPeer),
        contains: Pattern(b"ABCD".to_vec()),
        ..Condition::default()
    };
    action(when, Deed::InjectRst { towards, sequence, delay_ns: 0, times: 1, gap_ns: 0 })
}

#[test]
fn a_reset_that_overtakes_the_data_loses_none_of_it() {
    if skipped("the middlebox") {
        return;
    }
    let until = Condition { direction: Some(Direction::ToTarget), rst: Some(true), ..Condition::default() };
    let hold = Deed::Hold { until, timeout_ns: 2_000 * MS };
    let path = PathSpec { actions: vec![action(data_to_target(), hold)], ..plain() };
    let played = play(&path, OVERTAKEN, 40);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("action.act.held"), 40);
    assert_eq!(played.counter("action.act.released_by_timeout"), 0);
}

#[test]
fn a_forged_reset_counts_only_with_the_exact_number() {
    if skipped("the middlebox") {
        return;
    }
    let inexact = forge(Sequence::InWindow { offset: 1000 }, Towards::ToTarget);
    let played = play(&PathSpec { actions: vec![inexact], ..plain() }, TALKS_ON, 20);
    all(&played, "timeout,ok,data");
    assert_eq!(played.counter("action.act.injected.to_target"), 20);

    let exact = forge(Sequence::Exact, Towards::ToTarget);
    let played = play(&PathSpec { actions: vec![exact], ..plain() }, TALKS_ON, 20);
    all(&played, "readable,ECONNRESET,eof");
}

#[test]
fn on_a_loopback_the_peer_is_in_the_targets_kernel_and_no_link_carries_anything() {
    if skipped("a loopback") {
        return;
    }
    let played = play(&PathSpec { medium: Medium::Loopback, ..plain() }, OVERTAKEN, 40);
    all(&played, "readable,data,ECONNRESET");
    assert!(played.record.witness.absent, "{:?}", played.record.witness);
    assert_eq!(played.record.path.mechanisms, ["loopback: the peer is in the target's own kernel"]);
    // One namespace, so one set of counters: both ends' say the same, or nearly, as they are read one after the other.
    let sent = |tally: &Tally| tally.counters["Tcp.OutRsts"];
    assert!(sent(&played.record.tally) >= 40, "{:?}", played.record.tally.counters);
    assert!(sent(&played.record.peer_tally) >= 40, "{:?}", played.record.peer_tally.counters);
}

#[test]
fn lost_data_before_a_reset_is_lost_and_the_reset_arrives_all_the_same() {
    if skipped("the middlebox") {
        return;
    }
    let path =
        PathSpec { actions: vec![Action { first: 0, ..action(data_to_target(), Deed::Drop) }], ..plain() };
    all(&play(&path, OVERTAKEN, 20), "readable,ECONNRESET,eof");
}

#[test]
fn a_firewall_resets_what_was_idle() {
    if skipped("the middlebox") {
        return;
    }
    let firewall = Firewall {
        idle_timeout_ns: 100 * MS,
        expiry: Expiry::AtOnce,
        reset: Told::Both,
        stranger: Stranger::Reset,
    };
    let played = play(&PathSpec { firewall: Some(firewall), ..plain() }, RESET_BY_PATH, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("firewall.expired"), 20);
}

#[test]
fn an_ips_resets_both_ends() {
    if skipped("the middlebox") {
        return;
    }
    let ips = Ips {
        pattern: Pattern(b"CDEF".to_vec()),
        direction: Towards::ToTarget,
        reset: Towards::Both,
        sequence: Sequence::Exact,
        offender: Offender::Pass,
    };
    all(&play(&PathSpec { ips: Some(ips), ..plain() }, RESET_BY_PATH, 20), "readable,data,ECONNRESET");
}

fn backend_down(for_ns: u64) -> Fault {
    Fault { name: "down".into(), kind: FaultKind::BackendDown, after_ns: 400 * MS, for_ns, every_ns: 0 }
}

#[test]
fn a_balancer_resets_the_sessions_of_a_backend_that_goes_down() {
    if skipped("the middlebox") {
        return;
    }
    let balancer = Balancer {
        backend: Addressing::default().peer.into(),
        backend_port: PEER_PORT,
        down_at_ns: 0,
        health: None,
        reset: Towards::Both,
    };
    let path = PathSpec { balancer: Some(balancer), faults: vec![backend_down(0)], ..plain() };
    let played = play(&path, RESET_BY_PATH, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("fault.down"), 1);
}

fn haproxy() -> HaProxy {
    HaProxy { check_interval_ns: 50 * MS, fall: 2, rise: 1, on_marked_down: OnMarkedDown::ShutdownSessions }
}

#[test]
fn haproxy_ends_the_sessions_of_a_backend_that_fails_its_checks() {
    if skipped("HAProxy") {
        return;
    }
    if tools::needs("haproxy").is_none() {
        return;
    }
    probe::haproxy().expect("what is installed can be used");
    let path = PathSpec { haproxy: Some(haproxy()), faults: vec![backend_down(5_000 * MS)], ..plain() };
    let played = play(&path, RESET_BY_PATH, 10);
    // It ends TCP on both sides, and says farewell to its clients: a session that is shut down ends with a FIN.
    all(&played, "readable,data,eof");
    assert_eq!(played.counter("haproxy.marked_down"), 1);
    assert_eq!(played.counter("haproxy.sessions"), 10);
    assert_eq!(played.counter("haproxy.shut_down"), 10);
    // One that lets its sessions live has shut none down, and a trial that ends by itself proves nothing.
    let lenient = HaProxy { on_marked_down: OnMarkedDown::Nothing, ..haproxy() };
    let path = PathSpec { haproxy: Some(lenient), faults: vec![backend_down(5_000 * MS)], ..plain() };
    let played = play(&path, RESET_LATE, 10);
    assert_eq!((played.reason(), played.counter("haproxy.shut_down")), (None, 0));
}

fn reject(at: Place, select: RuleSelect, matches: Matches) -> PathSpec {
    let rule = Rule {
        name: "reject".into(),
        at,
        hook: Hook::Input,
        select: RuleSelect { flags: vec![TcpFlag::Psh], ..select },
        verdict: RuleVerdict::RejectTcpReset,
        matches,
    };
    PathSpec { rules: vec![rule], ..plain() }
}

fn to_server() -> RuleSelect {
    RuleSelect { destination_port: Some(PEER_PORT), ..RuleSelect::default() }
}

fn from_server() -> RuleSelect {
    RuleSelect { source_port: Some(PEER_PORT), ..RuleSelect::default() }
}

#[test]
fn a_reject_rule_does_what_its_place_makes_of_it() {
    if skipped("nft") {
        return;
    }
    if tools::needs("nft").is_none() {
        return;
    }
    if let Err(why) = probe::nft() {
        return play::say_skipped("nft", &why);
    }
    // On a separate client the rule of the report never matches: its port is not the client's.
    let void = play(&reject(Place::Target, to_server(), Matches::EveryTrial), OVERTAKEN, 10);
    assert_eq!(void.counter("rule.reject"), 0);
    assert_eq!(
        void.reason().as_deref(),
        Some("fault had no effect: path.rule.reject rose by 0 in 10 trials")
    );
    let played = play(&reject(Place::Target, to_server(), Matches::Never), OVERTAKEN, 10);
    all(&played, "readable,data,ECONNRESET");
    // On the server's host the client is reset, and gets no data.
    let played = play(&reject(Place::Peer, to_server(), Matches::EveryTrial), play::SERVER_STAYS, 10);
    all(&played, "readable,ECONNRESET");
    // With the source port, on the client, the server is reset and the client hangs.
    let played = play(&reject(Place::Target, from_server(), Matches::EveryTrial), play::SERVER_RESET, 10);
    all(&played, "timeout");
}

#[test]
fn a_filtered_reset_leaves_the_client_waiting() {
    if skipped("nft") {
        return;
    }
    if tools::needs("nft").is_none() {
        return;
    }
    if let Err(why) = probe::nft() {
        return play::say_skipped("nft", &why);
    }
    let drop = Rule {
        name: "drop".into(),
        at: Place::Switch,
        hook: Hook::Forward,
        select: RuleSelect { flags: vec![TcpFlag::Rst], ..from_server() },
        verdict: RuleVerdict::Drop,
        matches: Matches::EveryTrial,
    };
    let played = play(&PathSpec { rules: vec![drop], ..plain() }, play::RST_ONLY, 10);
    all(&played, "timeout");
}

fn slow(mechanism: Mechanism) -> PathSpec {
    let way = Impairment {
        delay_ns: 20 * MS,
        jitter_ns: 10 * MS,
        jitter_order: JitterOrder::MayReorder,
        ..Impairment::none()
    };
    let impairments = Impairments { mechanism, to_peer: way.clone(), to_target: way };
    PathSpec { impairments: Some(impairments), ..plain() }
}

#[test]
fn a_slow_path_changes_times_and_no_outcome() {
    if skipped("the middlebox") {
        return;
    }
    let played = play(&slow(Mechanism::Middlebox), OVERTAKEN, 40);
    assert_eq!(played.reason(), None, "{played:#?}");
    assert_eq!(played.record.tally.trials, 40);
    assert!(played.counter("link.to_target.delayed") >= 40);
    // Two one-way delays lie between the client's data and the answer.
    assert!(played.record.tally.latency["call"].quantile(0.5) >= 20 * MS);
}

#[test]
fn netem_and_the_own_middlebox_give_the_same_outcomes() {
    if skipped("netem") {
        return;
    }
    if let Err(why) = probe::netem() {
        // Not a skipped tier: the kernel of many a host has none, and the rehearsal runs this with one.
        return println!("no netem: {why}");
    }
    let outcomes = |mechanism| {
        let played = play(&slow(mechanism), OVERTAKEN, 40);
        assert_eq!(played.reason(), None, "{played:#?}");
        played
    };
    let (netem, own) = (outcomes(Mechanism::Netem), outcomes(Mechanism::Middlebox));
    assert!(netem.counter("netem.to_target.packets") >= 40);
    assert!(netem.record.path.mechanisms[0].contains("netem"), "{:?}", netem.record.path.mechanisms);
    assert!(own.record.path.mechanisms[0].contains("own middlebox"));
    assert_eq!(netem.record.tally.outcomes, own.record.tally.outcomes);
}

#[test]
fn contention_takes_time_from_the_target_and_changes_nothing_else() {
    if skipped("contention") {
        return;
    }
    let fault = Fault {
        name: "busy".into(),
        kind: FaultKind::Contention { threads_per_cpu: 2 },
        after_ns: 0,
        for_ns: 0,
        every_ns: 0,
    };
    let played = play(&PathSpec { faults: vec![fault], ..plain() }, RESET_LATE, 40);
    all(&played, "readable,data,ECONNRESET");
    assert!(played.counter("fault.busy.cpu_ms") > 0);
}

#[test]
fn a_link_that_goes_down_and_up_is_counted_and_loses_no_connection() {
    if skipped("a link") {
        return;
    }
    let fault = Fault {
        name: "flap".into(),
        kind: FaultKind::LinkDown,
        after_ns: 100 * MS,
        for_ns: 100 * MS,
        every_ns: 0,
    };
    let played = play(&PathSpec { faults: vec![fault], ..plain() }, RESET_LATE, 20);
    all(&played, "readable,data,ECONNRESET");
    assert!(played.counter("fault.flap") >= 1);
}

/// A SYN that is lost is sent again after a second (TCP_TIMEOUT_INIT of include/net/tcp.h), so a trial that met the fault takes that much longer.
#[test]
fn a_link_that_is_down_from_the_beginning_on_is_down_for_every_first_trial() {
    if skipped("a link") {
        return;
    }
    let fault =
        Fault { name: "dark".into(), kind: FaultKind::LinkDown, after_ns: 0, for_ns: 600 * MS, every_ns: 0 };
    let played = play(&PathSpec { faults: vec![fault], ..plain() }, RESET_LATE, 20);
    all(&played, "readable,data,ECONNRESET");
    assert_eq!(played.counter("fault.dark"), 1);
    let shortest = played.record.tally.latency["trial"].quantile(0.0);
    assert!(shortest >= 1_700 * MS, "the shortest trial took {shortest} ns");
}

#[test]
fn a_host_cannot_be_paused() {
    if skipped("a pause") {
        return;
    }
    let fault = Fault { name: "p".into(), kind: FaultKind::Pause, after_ns: 0, for_ns: MS, every_ns: 0 };
    let played = play(&PathSpec { faults: vec![fault], ..plain() }, RESET_LATE, 5);
    assert_eq!(played.reason().as_deref(), Some("a host cannot be paused, only a guest"));
}

#[test]
fn a_demanded_mechanism_that_is_not_there_makes_the_block_void_with_its_reason() {
    if skipped("netem") {
        return;
    }
    if probe::netem().is_ok() {
        return;
    }
    let played = play(&slow(Mechanism::Netem), OVERTAKEN, 5);
    let reason = played.reason().expect("void");
    assert!(reason.starts_with("testbed: path test asks for netem: the kernel has no sch_netem"), "{reason}");
}
