//! Boxes that keep state: firewall, IPS, load balancer.

use super::*;

pub(super) fn firewall(expiry: Expiry, stranger: Stranger) -> MiddleboxSpec {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.firewall = Some(Firewall { idle_timeout_ns: 300 * MS, expiry, reset: Told::Both, stranger });
    spec
}

#[test]
fn a_firewall_resets_both_ends_when_idle() {
    let wire = Wire::v4();
    let mut play = Play::established(firewall(Expiry::AtOnce, Stranger::Drop), wire);
    assert_eq!(play.wait(200 * MS), []);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"ABCD")).len(), 1);
    assert_eq!(play.wait(299 * MS), [], "traffic puts it off");
    let left = play.wait(MS);
    assert_eq!(
        left,
        [(500 * MS, Port::Peer, RST | ACK, 105, vec![]), (500 * MS, Port::Target, RST | ACK, 501, vec![])]
    );
    assert_eq!((play.count("firewall.expired"), play.count("firewall.admitted")), (1, 1));
    assert_eq!(play.target(wire.to_peer(ACK, 105, 501, b"more")), []);
    assert_eq!(play.target(wire.to_peer(ACK, 105, 501, b"more")), []);
    assert_eq!(
        (play.count("firewall.strangers_dropped"), play.count("firewall.stranger_connections")),
        (2, 1)
    );
    assert_eq!(play.count("firewall.connections.to_peer"), 1);
    // A new connection is welcome.
    assert_eq!(play.target(wire.to_peer(SYN, 7000, 0, b"")).len(), 1);
    assert_eq!(play.count("firewall.admitted"), 2);
}

#[test]
fn a_firewall_that_acts_on_the_next_segment() {
    let wire = Wire::v6();
    let mut play = Play::established(firewall(Expiry::OnNextSegment, Stranger::Reset), wire);
    assert_eq!(play.wait(1000 * MS), []);
    let left = play.target(wire.to_peer(ACK, 101, 501, b"ABCD"));
    assert_eq!(brief(&left), [(Port::Peer, RST | ACK, 101), (Port::Target, RST | ACK, 501)]);
    assert_eq!(play.count("firewall.swallowed"), 1);
    let left = play.target(wire.to_peer(ACK, 101, 501, b"ABCD"));
    assert_eq!(brief(&left), [(Port::Target, RST, 501)]);
    assert_eq!(play.count("firewall.strangers_reset"), 1);
}

#[test]
fn a_firewall_that_tells_nobody() {
    let wire = Wire::v4();
    let mut spec = firewall(Expiry::AtOnce, Stranger::Drop);
    spec.firewall.as_mut().expect("it has one").reset = Told::None;
    let mut play = Play::established(spec, wire);
    assert_eq!(play.wait(1000 * MS), []);
    assert_eq!((play.count("firewall.expired"), play.count("firewall.injected.to_target")), (1, 0));
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"ABCD")), []);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")), []);
    assert_eq!(play.count("firewall.strangers_dropped"), 2);
}

#[test]
fn a_firewall_that_lost_its_state() {
    let wire = Wire::v4();
    let mut play = Play::established(firewall(Expiry::AtOnce, Stranger::Reset), wire);
    play.command(Command::ForgetConnections);
    assert_eq!(play.count("firewall.forgotten"), 1);
    let left = play.peer(wire.to_target(ACK, 501, 101, b"CDEF"));
    assert_eq!(brief(&left), [(Port::Peer, RST, 101)]);
    assert_eq!(play.wait(1000 * MS), [], "nothing is left to expire");
}

#[test]
fn a_firewall_forgets_finished_connections_silently() {
    let wire = Wire::v4();
    let mut play = Play::established(firewall(Expiry::AtOnce, Stranger::Reset), wire);
    play.peer(wire.to_target(FIN | ACK, 501, 101, b""));
    play.target(wire.to_peer(FIN | ACK, 101, 502, b""));
    assert_eq!(play.peer(wire.to_target(ACK, 502, 102, b"")).len(), 1);
    assert_eq!(play.wait(1000 * MS), []);
    assert_eq!((play.count("firewall.expired"), play.count("firewall.forgotten")), (0, 1));
    // An exact reset ends the state at once.
    let mut play = Play::established(firewall(Expiry::AtOnce, Stranger::Drop), wire);
    assert_eq!(play.peer(wire.to_target(RST | ACK, 501, 101, b"")).len(), 1);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"late")), []);
}

pub(super) fn ips(offender: Offender, sequence: Sequence) -> MiddleboxSpec {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.ips = Some(Ips {
        pattern: Pattern(b"EVIL".to_vec()),
        direction: Towards::ToPeer,
        reset: Towards::Both,
        sequence,
        offender,
    });
    spec
}

#[test]
fn an_ips_finds_its_pattern_also_across_segments() {
    let wire = Wire::v4();
    let mut play = Play::established(ips(Offender::Pass, Sequence::Exact), wire);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"..EV")).len(), 1);
    assert_eq!(play.target(wire.to_peer(ACK, 105, 501, b"I")).len(), 1);
    let left = play.target(wire.to_peer(ACK, 106, 501, b"L.."));
    assert_eq!(
        brief(&left),
        [(Port::Peer, ACK, 106), (Port::Peer, RST | ACK, 109), (Port::Target, RST | ACK, 501)]
    );
    assert_eq!((play.count("ips.matched"), play.count("ips.injected.to_peer")), (1, 1));

    let mut play = Play::established(ips(Offender::Drop, Sequence::InWindow { offset: 9 }), wire);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"EVIL")).len(), 1, "not that direction");
    let left = play.target(wire.to_peer(ACK, 101, 505, b"EVIL"));
    assert_eq!(brief(&left), [(Port::Peer, RST | ACK, 110), (Port::Target, RST | ACK, 514)]);
    // Not in order: not joined.
    let mut play = Play::established(ips(Offender::Drop, Sequence::Exact), wire);
    play.target(wire.to_peer(ACK, 101, 501, b"EV"));
    assert_eq!(play.target(wire.to_peer(ACK, 104, 501, b"IL")).len(), 1);
    assert_eq!(play.count("ips.matched"), 0);
}

pub(super) fn balancer(wire: Wire, health: Option<HealthCheck>) -> MiddleboxSpec {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.balancer = Some(Balancer {
        backend: wire.peer.ip(),
        backend_port: wire.peer.port(),
        down_at_ns: 0,
        health,
        reset: Towards::ToTarget,
    });
    spec
}

#[test]
fn a_backend_that_is_marked_down_resets_its_sessions() {
    for wire in [Wire::v4(), Wire::v6()] {
        let mut play = Play::established(balancer(wire, None), wire);
        let left = play.command(Command::BackendDown);
        assert_eq!(brief(&left), [(Port::Target, RST | ACK, 501)]);
        assert_eq!(play.command(Command::BackendDown), [], "once");
        assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"late")), []);
        let left = play.target(wire.to_peer(SYN, 7000, 0, b""));
        assert_eq!(brief(&left), [(Port::Target, RST | ACK, 0)]);
        play.command(Command::BackendUp);
        assert_eq!(play.target(wire.to_peer(SYN, 8000, 0, b"")).len(), 1);
        for (name, count) in
            [("marked_down", 1), ("sessions_reset", 1), ("refused", 1), ("backend_dropped", 1)]
        {
            assert_eq!(play.count(&format!("balancer.{name}")), count, "{name}");
        }
    }
}

#[test]
fn an_inexact_reset_does_not_end_a_session() {
    let wire = Wire::v4();
    let mut spec = balancer(wire, None);
    spec.actions = inject(Sequence::InWindow { offset: 1000 }).actions;
    spec.firewall = firewall(Expiry::AtOnce, Stranger::Drop).firewall;
    let mut play = Play::established(spec, wire);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")).len(), 2);
    // Nor does one that the peer itself sent while its data are on the way.
    assert_eq!(play.peer(wire.to_target(RST | ACK, 600, 101, b"")).len(), 1);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 505, b"x")).len(), 1, "the firewall still knows it");
    let left = play.command(Command::BackendDown);
    assert_eq!(brief(&left), [(Port::Target, RST | ACK, 505)]);
    // That one was exact: the session is over, and so is the firewall's interest in it.
    assert_eq!(play.wait(1000 * MS), []);
    assert_eq!(play.count("firewall.expired"), 0);
}

#[test]
fn a_shelf_has_one_timer_however_often_it_fills() {
    let wire = Wire::v4();
    let mut spec = MiddleboxSpec::transparent(1);
    spec.to_peer = Impairment {
        reorder_ppm: 500_000,
        reorder_gap: 1,
        reorder_timeout_ns: 10 * MS,
        ..Impairment::none()
    };
    let mut play = Play::new(spec, wire);
    let mut left = 0;
    for _ in 0..1000 {
        left += play.target(wire.to_peer(ACK, 1, 1, b"x")).len();
        left += play.wait(MS / 10).len();
        let timers = play.engine.timers_set();
        assert!(timers <= 1, "{timers}");
    }
    left += play.wait(100 * MS).len();
    assert_eq!((left, play.engine.holding()), (1000, 0));
    assert!(play.count("link.to_peer.reordered") > 400);
}

#[test]
fn a_backend_goes_down_at_a_time() {
    let wire = Wire::v4();
    let mut spec = balancer(wire, None);
    if let Some(balancer) = &mut spec.balancer {
        balancer.down_at_ns = 50 * MS;
    }
    let mut play = Play::established(spec, wire);
    let other = Wire::between("192.0.2.2:41000", "192.0.2.1:9999");
    play.wire = other;
    play.open();
    let left = play.wait(100 * MS);
    assert_eq!(left, [(50 * MS, Port::Target, RST | ACK, 501, vec![])], "the other service lives on");
}

#[test]
fn a_backend_is_down_when_probes_stay_unanswered() {
    let wire = Wire::v4();
    let health = HealthCheck { interval_ns: 10 * MS, fall: 2, rise: 1, source_port: 7 };
    let mut play = Play::established(balancer(wire, Some(health)), wire);
    let probe = play.wait(10 * MS);
    let [(_, Port::Peer, SYN, seq, _)] = probe[..] else { panic!("{probe:?}") };
    let asker = Wire::between("192.0.2.2:7", "192.0.2.1:8083");
    let answer = |seq: u32| asker.to_target(SYN | ACK, 900, seq.wrapping_add(1), b"");
    // The answer is taken off the wire, and the half-open connection taken back.
    assert_eq!(brief(&play.peer(answer(seq))), [(Port::Peer, RST, seq.wrapping_add(1))]);
    assert_eq!(play.count("balancer.probes_answered"), 1);
    let left = play.wait(30 * MS);
    // Probes at 20, 30 and 40 ms; those of 20 and 30 failed, so at 40 ms the session is reset.
    assert_eq!(left.iter().filter(|left| left.2 == SYN).count(), 3);
    let resets: Vec<_> = left.iter().filter(|left| left.2 & RST != 0).collect();
    assert_eq!(resets, [&(40 * MS, Port::Target, RST | ACK, 501, vec![])]);
    assert_eq!((play.count("balancer.probes_failed"), play.count("balancer.marked_down")), (2, 1));
    // It answers again: up.
    let last = left.last().expect("the probe of 40 ms").3;
    play.peer(answer(last));
    assert_eq!(play.count("balancer.marked_up"), 1);
    assert_eq!(play.target(wire.to_peer(SYN, 8000, 0, b"")).len(), 1);
}
