//! The engine under hand-made conversations and a virtual clock: every deed, every kind of number, every box.
//!
//! Every frame that the engine emits is checked for right checksums.

mod boxes;
mod reports;

use std::net::IpAddr;

use boxes::{balancer, firewall, ips};
use proptest::prelude::*;

use super::frame::{self, ACK, FIN, PSH, RST, SYN};
use super::spec::*;
use super::wire::{Sent, Wire};
use super::{Counters, Engine, MiddleboxError, Pattern, Release, is_right};

const MS: u64 = 1_000_000;

/// What left: time, port, flags, sequence number, payload.
type Left = (u64, Port, u8, u32, Vec<u8>);

struct Play {
    engine: Engine,
    wire: Wire,
    now: u64,
}

impl Play {
    fn new(spec: MiddleboxSpec, wire: Wire) -> Self {
        Self { engine: Engine::new(&spec).expect("sound"), wire, now: 0 }
    }

    /// After a handshake: the target's next byte is 101, the peer's 501.
    fn established(spec: MiddleboxSpec, wire: Wire) -> Self {
        let mut play = Self::new(spec, wire);
        play.open();
        play
    }

    fn open(&mut self) {
        let scale = [1, 3, 3, 3];
        let wire = self.wire;
        assert_eq!(self.target(wire.to_peer(SYN, 100, 0, b"").options(&scale)).len(), 1);
        assert_eq!(self.peer(wire.to_target(SYN | ACK, 500, 101, b"").options(&scale)).len(), 1);
        assert_eq!(self.target(wire.to_peer(ACK, 101, 501, b"")).len(), 1);
    }

    fn target(&mut self, sent: Sent<'_>) -> Vec<Left> {
        self.frame(Port::Target, sent.frame())
    }

    fn peer(&mut self, sent: Sent<'_>) -> Vec<Left> {
        self.frame(Port::Peer, sent.frame())
    }

    fn frame(&mut self, port: Port, frame: Vec<u8>) -> Vec<Left> {
        let mut out = vec![];
        self.engine.receive(self.now, port, frame, &mut out);
        read(out)
    }

    /// Lets time pass, timer by timer, as the forwarding thread does.
    fn wait(&mut self, ns: u64) -> Vec<Left> {
        let end = self.now + ns;
        let mut out = vec![];
        while let Some(at) = self.engine.next_timer().filter(|at| *at <= end) {
            self.engine.advance(at, &mut out);
        }
        self.now = end;
        read(out)
    }

    fn command(&mut self, command: Command) -> Vec<Left> {
        let mut out = vec![];
        self.engine.command(self.now, &command, &mut out).expect("has a part for it");
        read(out)
    }

    fn count(&self, name: &str) -> u64 {
        *self.engine.counters().get(name).unwrap_or_else(|| panic!("no counter {name}"))
    }
}

fn read(out: Vec<Release>) -> Vec<Left> {
    out.into_iter()
        .map(|release| {
            assert!(is_right(&release.frame), "checksum of {:02x?}", release.frame);
            let segment = frame::parse(&release.frame).expect("TCP");
            let payload = segment.payload(&release.frame).to_vec();
            (release.at_ns, release.port, segment.flags, segment.seq, payload)
        })
        .collect()
}

/// Port, flags and sequence number only.
fn brief(left: &[Left]) -> Vec<(Port, u8, u32)> {
    left.iter().map(|(_, port, flags, seq, _)| (*port, *flags, *seq)).collect()
}

fn any() -> Condition {
    Condition::default()
}

fn rule(when: Condition, deed: Deed) -> MiddleboxSpec {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.actions.push(Action { name: "x".into(), armed: true, when, first: 0, deed });
    spec
}

fn inject(sequence: Sequence) -> MiddleboxSpec {
    let deed = Deed::InjectRst { towards: Towards::ToTarget, sequence, delay_ns: 0, times: 1, gap_ns: 0 };
    rule(Condition { contains: Pattern(b"CDEF".to_vec()), ..any() }, deed)
}

fn hold_cdef_until_rst() -> MiddleboxSpec {
    rule(
        Condition { direction: Some(Direction::ToTarget), contains: Pattern(b"CDEF".to_vec()), ..any() },
        Deed::Hold {
            until: Condition { direction: Some(Direction::ToTarget), rst: Some(true), ..any() },
            timeout_ns: 500 * MS,
        },
    )
}

#[test]
fn the_reset_overtakes_the_data() {
    for wire in [Wire::v4(), Wire::v6()] {
        let mut play = Play::established(hold_cdef_until_rst(), wire);
        assert_eq!(play.peer(wire.to_target(ACK | PSH, 501, 101, b"CDEF")), []);
        let left = play.peer(wire.to_target(RST | ACK, 505, 101, b""));
        assert_eq!(brief(&left), [(Port::Target, RST | ACK, 505), (Port::Target, ACK | PSH, 501)]);
        assert_eq!((play.count("action.x.held"), play.count("action.x.released")), (1, 1));
        // What comes after the reset has passed is not held any more, and the timeout has nothing to do.
        assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")).len(), 1);
        assert_eq!(play.wait(1000 * MS), []);
        assert_eq!(play.count("action.x.released_by_timeout"), 0);
    }
}

#[test]
fn a_hold_ends_by_its_timeout() {
    let wire = Wire::v4();
    let mut play = Play::established(hold_cdef_until_rst(), wire);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")), []);
    assert_eq!(play.engine.holding(), 1);
    assert_eq!(play.wait(499 * MS), []);
    let left = play.wait(MS);
    assert_eq!(left, [(500 * MS, Port::Target, ACK, 501, b"CDEF".to_vec())]);
    assert_eq!((play.count("action.x.released_by_timeout"), play.count("action.x.released")), (1, 0));
}

#[test]
fn disarming_lets_go() {
    let wire = Wire::v4();
    let mut play = Play::established(hold_cdef_until_rst(), wire);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")), []);
    assert_eq!(play.command(Command::Disarm { action: "x".into() }).len(), 1);
    assert_eq!(play.peer(wire.to_target(ACK, 505, 101, b"CDEF")).len(), 1);
    play.command(Command::Arm { action: "x".into() });
    assert_eq!(play.peer(wire.to_target(ACK, 509, 101, b"CDEF")), []);
    let mut out = vec![];
    let wrong = play.engine.command(play.now, &Command::Arm { action: "y".into() }, &mut out);
    assert!(matches!(wrong, Err(MiddleboxError::UnknownAction { known, .. }) if known == ["x"]));
    let wrong = play.engine.command(play.now, &Command::BackendDown, &mut out);
    assert!(matches!(wrong, Err(MiddleboxError::NoBox { what: "balancer" })));
}

#[test]
fn a_hold_is_full_some_day() {
    let wire = Wire::v4();
    let mut play = Play::established(hold_cdef_until_rst(), wire);
    let left: usize = (0..1030).map(|_| play.peer(wire.to_target(ACK, 501, 101, b"CDEF")).len()).sum();
    assert_eq!((left as u64, play.engine.holding()), (play.count("action.x.overflowed"), 1024));
    assert_eq!(left, 6);
}

#[test]
fn drops_the_first_or_the_kth_or_all() {
    let wire = Wire::v4();
    let data = Condition { direction: Some(Direction::ToPeer), payload: Some(true), ..any() };
    let passed = |spec: MiddleboxSpec| {
        let mut play = Play::established(spec, wire);
        let passed: Vec<bool> =
            (0..4).map(|i| !play.target(wire.to_peer(ACK, 101 + i, 501, b"x")).is_empty()).collect();
        let back = play.peer(wire.to_target(ACK, 501, 102, b"y"));
        assert_eq!(back.len(), 1, "the other direction is not meant");
        assert_eq!(play.count("action.x.dropped"), passed.iter().filter(|passed| !**passed).count() as u64);
        passed
    };
    assert_eq!(passed(rule(data.clone(), Deed::Drop)), [false; 4]);
    let mut first = rule(data.clone(), Deed::Drop);
    first.actions[0].first = 2;
    assert_eq!(passed(first), [false, false, true, true]);
    let second = rule(Condition { ordinal: Some(2), ..data }, Deed::Drop);
    assert_eq!(passed(second), [true, false, true, true]);
}

#[test]
fn conditions_mean_what_they_say() {
    let wire = Wire::v4();
    let dropped = |when: Condition, sent: Sent<'_>| {
        let mut play = Play::established(rule(when, Deed::Drop), wire);
        play.target(sent).is_empty()
    };
    let fin = wire.to_peer(FIN | ACK, 101, 501, b"bye");
    assert!(dropped(Condition { fin: Some(true), ..any() }, fin));
    assert!(!dropped(Condition { fin: Some(false), payload: Some(true), ..any() }, fin));
    assert!(dropped(Condition { contains: Pattern(b"ye".to_vec()), ..any() }, fin));
    assert!(!dropped(Condition { contains: Pattern(b"ey".to_vec()), ..any() }, fin));
    assert!(dropped(Condition { port: Some(8083), payload: Some(true), ..any() }, fin));
    assert!(!dropped(Condition { port: Some(8084), ..any() }, fin));
    assert!(!dropped(Condition { rst: Some(true), ..any() }, fin));
    assert!(!dropped(Condition { ack: Some(false), payload: Some(true), ..any() }, fin));
    assert!(dropped(
        Condition { rst: Some(true), direction: Some(Direction::ToPeer), ..any() },
        wire.to_peer(RST, 101, 0, b"")
    ));
}

#[test]
fn a_reset_is_injected_after_its_trigger_with_each_kind_of_number() {
    for wire in [Wire::v4(), Wire::v6()] {
        for (sequence, seq) in [
            (Sequence::Exact, 505),
            (Sequence::InWindow { offset: 1000 }, 1505),
            (Sequence::Outside { beyond: 1 }, 501 + 8000 + 1),
            (Sequence::BeforeNext, 504),
        ] {
            let mut play = Play::established(inject(sequence), wire);
            let left = play.peer(wire.to_target(ACK, 501, 101, b"CDEF"));
            assert_eq!(brief(&left), [(Port::Target, ACK, 501), (Port::Target, RST | ACK, seq)]);
            assert_eq!(play.count("action.x.injected.to_target"), 1);
            assert_eq!(play.count("forged.to_target"), 1);
        }
        let mut play = Play::established(inject(Sequence::SackEdge), wire);
        let left = play.peer(wire.to_target(ACK, 601, 101, b"CDEF"));
        assert_eq!(brief(&left)[1], (Port::Target, RST | ACK, 605), "601..605 lies beyond a hole");
        let left = play.peer(wire.to_target(ACK, 501, 101, &[0; 104]));
        assert_eq!(left.len(), 1);
        let left = play.peer(wire.to_target(ACK, 605, 101, b"CDEF"));
        assert_eq!(left.len(), 1, "no hole, no edge, no reset");
        assert_eq!(play.count("action.x.unavailable.to_target"), 1);
    }
}

#[test]
fn a_dropped_trigger_is_not_in_the_number() {
    let wire = Wire::v4();
    let mut spec = inject(Sequence::Exact);
    let when = spec.actions[0].when.clone();
    spec.actions.push(Action { name: "y".into(), armed: true, when, first: 0, deed: Deed::Drop });
    let mut play = Play::established(spec, wire);
    let left = play.peer(wire.to_target(ACK, 501, 101, b"CDEF"));
    assert_eq!(brief(&left), [(Port::Target, RST | ACK, 501)]);
}

#[test]
fn resets_to_both_ends_later_and_again() {
    let wire = Wire::v6();
    let mut spec = rule(
        Condition { payload: Some(true), ordinal: Some(1), ..any() },
        Deed::InjectRst {
            towards: Towards::Both,
            sequence: Sequence::Exact,
            delay_ns: 10 * MS,
            times: 2,
            gap_ns: 600 * MS,
        },
    );
    spec.to_target.delay_ns = 5 * MS;
    let mut play = Play::established(spec, wire);
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"ABCD")).len(), 1);
    let left = play.wait(1000 * MS);
    let expected =
        |at| [(at, Port::Peer, RST | ACK, 105, vec![]), (at + 5 * MS, Port::Target, RST | ACK, 501, vec![])];
    assert_eq!(left, [expected(10 * MS), expected(610 * MS)].concat());
    assert_eq!(play.count("action.x.injected.to_peer"), 2);
    assert_eq!(play.count("action.x.connections.to_peer"), 1);
}

#[test]
fn a_connection_counts_once_however_often_its_segments_are_touched() {
    let wire = Wire::v4();
    let spec = rule(Condition { payload: Some(true), ..any() }, Deed::Drop);
    let mut play = Play::established(spec, wire);
    for _ in 0..3 {
        assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")), []);
    }
    assert_eq!((play.count("action.x.dropped"), play.count("action.x.connections")), (3, 1));
    // A reset ends it, and the next of the same ends is another.
    play.peer(wire.to_target(RST | ACK, 501, 101, b""));
    play.target(wire.to_peer(SYN, 9000, 0, b""));
    play.target(wire.to_peer(ACK, 9001, 501, b"ABCD"));
    assert_eq!((play.count("action.x.dropped"), play.count("action.x.connections")), (4, 2));
}

#[test]
fn a_new_connection_of_the_same_ends_starts_anew() {
    let wire = Wire::v4();
    let mut spec = hold_cdef_until_rst();
    spec.actions[0].first = 1;
    let mut play = Play::established(spec, wire);
    for isn in [1000, 2000] {
        assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"CDEF")), []);
        assert_eq!(play.peer(wire.to_target(RST | ACK, 505, 101, b"")).len(), 2);
        // The reset was inexact when it passed; the peer says it again in answer to the challenge.
        play.peer(wire.to_target(RST, 505, 0, b""));
        assert_eq!(play.target(wire.to_peer(SYN, isn, 0, b"")).len(), 1);
        assert_eq!(play.peer(wire.to_target(SYN | ACK, 500, isn + 1, b"")).len(), 1);
    }
    assert_eq!(play.count("connections"), 3);
    assert_eq!(play.count("action.x.held"), 2);
}

#[test]
fn a_gone_host_is_answered_for() {
    for wire in [Wire::v4(), Wire::v6()] {
        let mut play = Play::established(MiddleboxSpec::transparent(1), wire);
        play.command(Command::HostGone { address: wire.peer.ip() });
        let left = play.target(wire.to_peer(ACK | PSH, 101, 501, b"ABCD"));
        assert_eq!(brief(&left), [(Port::Target, RST, 501)]);
        let left = play.target(wire.to_peer(SYN, 9, 0, b""));
        assert_eq!(brief(&left), [(Port::Target, RST | ACK, 0)]);
        assert_eq!(play.target(wire.to_peer(RST, 101, 0, b"")), []);
        assert_eq!(play.count("gone.answered"), 3);
        // The SYN begins another one; the reset belongs to that.
        assert_eq!(play.count("gone.connections"), 2);
        play.command(Command::HostBack { address: wire.peer.ip() });
        assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"ABCD")).len(), 1);
    }
}

#[test]
fn an_impairment_can_change_at_a_moment() {
    let wire = Wire::v4();
    let mut play = Play::established(MiddleboxSpec::transparent(1), wire);
    let impairment = Impairment { loss_ppm: 1_000_000, ..Impairment::none() };
    play.command(Command::Impair { towards: Towards::ToPeer, impairment });
    assert_eq!(play.target(wire.to_peer(ACK, 101, 501, b"x")), []);
    assert_eq!(play.peer(wire.to_target(ACK, 501, 101, b"y")).len(), 1);
    assert_eq!(play.count("link.to_peer.lost"), 1);
    let wrong = Impairment { loss_ppm: 2_000_000, ..Impairment::none() };
    let wrong = Command::Impair { towards: Towards::Both, impairment: wrong };
    let mut out = vec![];
    assert!(matches!(
        play.engine.command(0, &wrong, &mut out),
        Err(MiddleboxError::Spec { key: "loss_ppm", .. })
    ));
}

/// All counters, for comparing two runs.
fn run(spec: &MiddleboxSpec, frames: &[(Port, Vec<u8>, u64)]) -> (Vec<Release>, Counters) {
    let mut engine = Engine::new(spec).expect("sound");
    let (mut now, mut out) = (0, vec![]);
    for (port, frame, gap) in frames {
        now += gap;
        engine.receive(now, *port, frame.clone(), &mut out);
    }
    while let Some(at) = engine.next_timer().filter(|at| *at < now + 10_000 * MS) {
        engine.advance(at, &mut out);
    }
    (out, engine.counters())
}

fn frames() -> impl Strategy<Value = Vec<(Port, Vec<u8>, u64)>> {
    let segment = (
        any_flags(),
        90_u32..120,
        490_u32..520,
        prop::collection::vec(proptest::arbitrary::any::<u8>(), 0..40),
    )
        .prop_map(|(flags, a, b, payload)| (flags, a, b, payload));
    let frame =
        (prop::bool::ANY, prop::bool::ANY, segment, 0_u64..3, prop::option::of((12_usize..60, 0_u8..255)))
            .prop_map(|(to_peer, v6, (flags, a, b, payload), gap, damage)| {
                let wire = if v6 { Wire::v6() } else { Wire::v4() };
                let (port, mut frame) = if to_peer {
                    (Port::Target, wire.to_peer(flags, a, b, &payload).frame())
                } else {
                    (Port::Peer, wire.to_target(flags, b, a, &payload).frame())
                };
                if let Some((at, value)) = damage
                    && let Some(byte) = frame.get_mut(at)
                {
                    *byte = value;
                }
                (port, frame, gap * MS)
            });
    prop::collection::vec(frame, 0..80)
}

fn any_flags() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(SYN),
        Just(SYN | ACK),
        Just(ACK),
        Just(ACK | PSH),
        Just(FIN | ACK),
        Just(RST),
        0_u8..=255
    ]
}

/// Everything that a box can do, at once.
fn everything(seed: u64) -> MiddleboxSpec {
    let mut spec = firewall(Expiry::AtOnce, Stranger::Reset);
    spec.seed = seed;
    spec.actions = hold_cdef_until_rst().actions;
    spec.actions[0].when = Condition { payload: Some(true), ..any() };
    let when = Condition { ack: Some(true), ..any() };
    spec.actions.push(Action {
        name: "y".into(),
        when,
        first: 3,
        ..inject(Sequence::SackEdge).actions[0].clone()
    });
    spec.ips = ips(Offender::Pass, Sequence::InWindow { offset: 3 }).ips;
    spec.balancer =
        balancer(Wire::v6(), Some(HealthCheck { interval_ns: 40 * MS, fall: 2, rise: 1, source_port: 7 }))
            .balancer;
    spec.dead_hosts.push(DeadHost { address: IpAddr::from([192, 0, 2, 77]), gone: true });
    spec.to_peer = Impairment {
        delay_ns: MS,
        jitter_ns: MS,
        jitter_order: JitterOrder::MayReorder,
        loss_ppm: 100_000,
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
        reorder_gap: 2,
        reorder_timeout_ns: MS,
        ..Impairment::none()
    };
    spec
}

proptest! {
    /// Watching alone changes nothing: every frame leaves once, at once, unchanged, in order, damaged or not.
    #[test]
    fn what_does_nothing_conserves(frames in frames(), watched in prop::bool::ANY) {
        let mut spec = MiddleboxSpec::transparent(3);
        if watched {
            // Watched, and never matched.
            spec = rule(Condition { contains: Pattern(vec![1; 50]), ..any() }, Deed::Drop);
        }
        let (out, counters) = run(&spec, &frames);
        let mut now = 0;
        let expected: Vec<_> = frames.iter().map(|(port, frame, gap)| {
            now += gap;
            Release { at_ns: now, port: port.opposite(), frame: frame.clone() }
        }).collect();
        prop_assert_eq!(out, expected);
        prop_assert_eq!(counters["forwarded.to_peer"] + counters["forwarded.to_target"], frames.len() as u64);
    }

    /// Whatever comes and whatever is on: no panic, the same twice, and all that was forged is right.
    #[test]
    fn everything_at_once_is_deterministic_and_never_panics(frames in frames(), seed in 0_u64..1000) {
        let spec = everything(seed);
        let (out, counters) = run(&spec, &frames);
        let again = run(&spec, &frames);
        prop_assert_eq!(&out, &again.0);
        prop_assert_eq!(&counters, &again.1);
        let right = |frame: &Vec<u8>| is_right(frame);
        let came_wrong = frames.iter().filter(|(_, frame, _)| !right(frame)).count() as u64;
        let left_wrong = out.iter().filter(|release| !right(&release.frame)).count() as u64;
        prop_assert!(left_wrong <= came_wrong + counters["link.to_peer.duplicated"]);
        for release in &out {
            let known = frames.iter().any(|(_, frame, _)| *frame == release.frame);
            prop_assert!(known || right(&release.frame), "a forged frame is right");
        }
    }
}
