//! Packets made by hand, trials made by hand: which belong together.

use rig_protocol::{CallLog, Errno, Lane, Op, Program, ProgramTrial, Side, Slot, Step, StepLog};

use super::*;
use crate::testbed::capture::{CapturedAt, Packet, PacketDirection};

const CLIENT: [u8; 4] = [192, 0, 2, 2];
const PEER: [u8; 4] = [192, 0, 2, 1];
const SERVER_PORT: u16 = 8083;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const PSH_ACK: u8 = 0x18;
const RST_ACK: u8 = 0x14;
/// How far the packets' clock is ahead of the trials'.
const AHEAD: u64 = 1_700_000_000_000_000_000;
const MS: u64 = 1_000_000;

fn frame(source: ([u8; 4], u16), destination: ([u8; 4], u16), sequence: u32, flags: u8) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    frame.extend([0x08, 0x00]);
    // A header with one word of options, so that the segment does not begin where it usually does.
    let mut header = [0_u8; 24];
    header[0] = 0x46;
    header[9] = 6;
    header[12..16].copy_from_slice(&source.0);
    header[16..20].copy_from_slice(&destination.0);
    frame.extend(header);
    frame.extend(source.1.to_be_bytes());
    frame.extend(destination.1.to_be_bytes());
    frame.extend(sequence.to_be_bytes());
    frame.extend([0; 5]);
    frame.extend([flags]);
    frame.extend([0; 6]);
    frame
}

/// A block's packets under construction.
#[derive(Default)]
struct Wire(Vec<Packet>);

impl Wire {
    fn put(&mut self, point: usize, ms: u64, bytes: Vec<u8>) {
        let time_ns = AHEAD + ms * MS;
        let original_bytes = bytes.len() as u32;
        self.0.push(Packet { point, time_ns, direction: PacketDirection::In, original_bytes, bytes });
    }

    fn client_says(&mut self, point: usize, ms: u64, port: u16, sequence: u32, flags: u8) {
        self.put(point, ms, frame((CLIENT, port), (PEER, SERVER_PORT), sequence, flags));
    }

    fn peer_says(&mut self, point: usize, ms: u64, port: u16, flags: u8) {
        self.put(point, ms, frame((PEER, SERVER_PORT), (CLIENT, port), 9, flags));
    }

    /// SYN, SYN+ACK, data, RST: at both points, one millisecond apart.
    fn connection(&mut self, ms: u64, port: u16, sequence: u32) {
        for point in [0, 1] {
            let at = ms + point as u64;
            self.client_says(point, at, port, sequence, SYN);
            self.peer_says(point, at + 2, port, SYN_ACK);
            self.client_says(point, at + 4, port, sequence + 1, PSH_ACK);
            self.peer_says(point, at + 6, port, RST_ACK);
        }
    }

    fn captured(mut self) -> CapturedPackets {
        self.0.sort_by_key(|packet| packet.time_ns);
        let points = vec![CapturedAt::default(), CapturedAt::default()];
        CapturedPackets { points, packets: self.0, ..CapturedPackets::default() }
    }
}

fn script() -> Script {
    let step = Step::of;
    let steps = vec![step(Op::Localtime {}), step(Op::connect(Slot(0))), step(Op::Close { socket: Slot(0) })];
    Script {
        name: "test".into(),
        sockets: vec!["conn".into()],
        marks: vec![],
        lanes: vec![Lane { name: "client".into(), side: Side::Target, steps }],
        expect: vec![],
        expect_peer: vec![],
        deadline_ns: None,
        program: None,
    }
}

/// A trial that called connect(2) at this time of its clock.
fn trial(number: u64, ms: u64, local_port: u16) -> TrialRecord {
    let log = |step, begin_ns| StepLog {
        lane: 0,
        step,
        begin_ns,
        end_ns: begin_ns,
        returned: 0,
        errno_after: Errno(0),
        ready: None,
        events: None,
        data: None,
        state_before: None,
        cut: false,
    };
    TrialRecord {
        trial: number,
        outcome: "readable".into(),
        anomaly: true,
        void: false,
        local_port,
        descriptor: 3,
        // The first step is long before the second: only connect(2) can be compared with a SYN.
        steps: vec![log(0, 0), log(1, ms * MS), log(2, ms * MS + 1)],
        program: None,
    }
}

/// The same of a program, whose calls are known in place of steps; the first connect is one over a UNIX socket, long before.
fn program_trial(number: u64, ms: u64, local_port: u16) -> TrialRecord {
    let call = |name: &str, begin_ns, connection| CallLog {
        call: name.into(),
        begin_ns,
        connection,
        ..CallLog::default()
    };
    let calls = vec![
        call("connect", 0, None),
        call("socket", ms * MS - 1, None),
        call("connect", ms * MS, Some(1)),
        call("connect", ms * MS + 500 * MS, Some(2)),
    ];
    let program = ProgramTrial { calls, ..ProgramTrial::default() };
    TrialRecord { steps: vec![], program: Some(Box::new(program)), ..trial(number, ms, local_port) }
}

#[test]
fn a_program_is_placed_by_its_first_connection() {
    let mut wire = Wire::default();
    // The port is used three times; only the first and the last trial were kept.
    for (ms, sequence) in [(10, 100), (2_000, 200), (9_000, 300)] {
        wire.connection(ms, 40_000, sequence);
    }
    wire.connection(10, 50_000, 700);
    let captured = wire.captured();
    let kept = [program_trial(1, 10, 50_000), program_trial(2, 10, 40_000), program_trial(9, 9_000, 40_000)];
    let names = names(&captured, &kept);
    assert_eq!((at(&names, &captured, 2_000), at(&names, &captured, 9_000)), (vec![0], vec![9]));
    assert_eq!(names.unplaced, Vec::<u64>::new());
    // Without packets: missed where the trial's network is here, and nowhere else.
    let unplaced = |network| {
        let program = Program { network, ..Program::default() };
        let script = Script { program: Some(Box::new(program)), ..script() };
        annotate(&Wire::default().captured(), &kept[..1], &script, IpAddr::from(CLIENT)).unplaced
    };
    assert_eq!((unplaced(Network::Target), unplaced(Network::Own)), (vec![1], vec![]));
}

fn names(captured: &CapturedPackets, trials: &[TrialRecord]) -> Names {
    annotate(captured, trials, &script(), IpAddr::from(CLIENT))
}

/// Trials of the packets, in order; 0 is none.
fn numbers(names: &Names, captured: &CapturedPackets) -> Vec<u64> {
    (0..captured.packets.len())
        .map(|packet| {
            let name = names.of_packet(packet).unwrap_or("trial 0 (");
            name.strip_prefix("trial ").unwrap().split(' ').next().unwrap().parse().unwrap()
        })
        .collect()
}

/// The trial of every packet that was there at this time and port.
fn at(names: &Names, captured: &CapturedPackets, ms: u64) -> Vec<u64> {
    let all = numbers(names, captured);
    let of_time = captured.packets.iter().zip(all).filter(|(packet, _)| packet.time_ns == AHEAD + ms * MS);
    of_time.map(|(_, number)| number).collect()
}

#[test]
fn both_directions_at_both_points_are_named_and_nothing_else() {
    let mut wire = Wire::default();
    wire.connection(100, 40_000, 7);
    wire.connection(100, 40_002, 8);
    wire.put(0, 101, frame(([192, 0, 2, 9], 40_000), (PEER, SERVER_PORT), 7, SYN));
    wire.put(0, 102, vec![0xff; 42]);
    wire.put(0, 103, vec![]);
    let captured = wire.captured();
    let names = names(&captured, &[trial(17, 99, 40_000)]);
    assert_eq!(numbers(&names, &captured).iter().filter(|number| **number == 17).count(), 8);
    for (packet, name) in captured.packets.iter().zip(0..).map(|(packet, n)| (packet, names.of_packet(n))) {
        let ports = packet.bytes.get(38..42).unwrap_or_default();
        let its_own = [40_000_u16.to_be_bytes(), SERVER_PORT.to_be_bytes()].concat() == ports
            || [SERVER_PORT.to_be_bytes(), 40_000_u16.to_be_bytes()].concat() == ports;
        let client = packet.bytes.get(26..30).is_some_and(|source| source != [192, 0, 2, 9]);
        assert_eq!(name.is_some(), its_own && client, "{packet:?}");
    }
    assert_eq!(names.of_packet(0), Some("trial 17 (anomaly): readable"));
    assert_eq!(names.unplaced, [] as [u64; 0]);
}

#[test]
fn kinds_have_their_words() {
    let mut example = trial(3, 0, 1);
    example.anomaly = false;
    assert_eq!(name(&example), "trial 3 (example): readable");
    let mut void = trial(4, 0, 1);
    (void.void, void.outcome) = (true, "trial deadline".into());
    assert_eq!(name(&void), "trial 4 (void): trial deadline");
}

#[test]
fn trials_that_share_a_port_are_told_apart_by_their_order() {
    let mut wire = Wire::default();
    wire.connection(100, 40_000, 7);
    wire.connection(300, 40_000, 8);
    let captured = wire.captured();
    // Recorded in the order in which they ended.
    let names = names(&captured, &[trial(9, 300, 40_000), trial(2, 100, 40_000)]);
    for (ms, number) in [(100, 2), (107, 2), (300, 9), (307, 9)] {
        assert_eq!(at(&names, &captured, ms), [number], "{ms} ms");
    }
}

#[test]
fn a_trial_is_told_from_those_that_were_not_kept_by_its_time() {
    let mut wire = Wire::default();
    wire.connection(50, 40_002, 6);
    for (number, ms) in [(7, 100), (8, 5_000), (9, 12_000)] {
        wire.connection(ms, 40_000, number);
    }
    let captured = wire.captured();
    // The guest's clock began elsewhere: 20 ms of connect(2) lie before the SYN here.
    let names = names(&captured, &[trial(5, 4_980, 40_000), trial(1, 30, 40_002)]);
    assert_eq!(at(&names, &captured, 100), [0]);
    assert_eq!(at(&names, &captured, 5_000), [5]);
    assert_eq!(at(&names, &captured, 12_000), [0]);
    assert_eq!(names.unplaced, [] as [u64; 0]);
}

#[test]
fn the_nearest_pair_tells_the_clocks_difference_where_it_moves() {
    let mut wire = Wire::default();
    // The guest is paused for 7 s between the first two and the others.
    wire.connection(50, 40_002, 1);
    wire.connection(9_050, 40_004, 2);
    for (number, ms) in [(7, 2_100), (8, 9_100), (9, 16_100)] {
        wire.connection(ms, 40_000, number);
    }
    let captured = wire.captured();
    let names = names(&captured, &[trial(1, 50, 40_002), trial(2, 2_050, 40_004), trial(5, 2_100, 40_000)]);
    assert_eq!(at(&names, &captured, 2_100), [0]);
    assert_eq!(at(&names, &captured, 9_100), [5]);
}

#[test]
fn without_a_clock_in_common_nothing_is_guessed() {
    let mut wire = Wire::default();
    wire.connection(100, 40_000, 7);
    wire.connection(300, 40_000, 8);
    let captured = wire.captured();
    let names = names(&captured, &[trial(5, 100, 40_000), trial(6, 100, 41_000)]);
    assert!(numbers(&names, &captured).iter().all(|number| *number == 0));
    assert_eq!(names.unplaced, [5, 6], "6 has no connection at all");
}

#[test]
fn where_packets_are_missing_a_later_connection_is_not_taken_for_an_earlier_one() {
    let mut wire = Wire::default();
    for (port, ms) in [(40_002, 5_000), (40_004, 6_000), (40_006, 7_000), (40_000, 9_000)] {
        wire.connection(ms, port, 7);
    }
    let mut captured = wire.captured();
    captured.points[1].given_up = 100;
    let mut trials: Vec<TrialRecord> = [(1, 5_000, 40_002), (2, 6_000, 40_004), (3, 7_000, 40_006)]
        .map(|(n, ms, port)| trial(n, ms, port))
        .into();
    // Its own packets are among those that were given up; the port's only connection is another trial's.
    trials.push(trial(4, 100, 40_000));
    let names = names(&captured, &trials);
    assert_eq!(at(&names, &captured, 5_000), [1]);
    assert_eq!(at(&names, &captured, 9_000), [0]);
    assert_eq!(names.unplaced, [4]);
}

#[test]
fn a_syn_sent_again_opens_no_second_connection() {
    let mut wire = Wire::default();
    wire.client_says(0, 100, 40_000, 7, SYN);
    wire.client_says(0, 1_100, 40_000, 7, SYN);
    wire.client_says(1, 1_101, 40_000, 7, SYN);
    wire.peer_says(1, 1_102, 40_000, SYN_ACK);
    let captured = wire.captured();
    let names = names(&captured, &[trial(5, 100, 40_000)]);
    assert_eq!(numbers(&names, &captured), [5, 5, 5, 5]);
}

#[test]
fn a_packet_that_is_late_belongs_to_the_connection_that_had_begun_where_it_is_seen() {
    let mut wire = Wire::default();
    wire.client_says(0, 100, 40_000, 7, SYN);
    wire.client_says(1, 600, 40_000, 7, SYN);
    wire.client_says(0, 300, 40_000, 8, SYN);
    // Half a second on the way: of the first connection, though the second has begun elsewhere.
    wire.client_says(1, 700, 40_000, 8, PSH_ACK);
    wire.client_says(1, 800, 40_000, 8, SYN);
    let captured = wire.captured();
    let names = names(&captured, &[trial(1, 100, 40_000), trial(2, 300, 40_000)]);
    assert_eq!(at(&names, &captured, 700), [1]);
    assert_eq!(at(&names, &captured, 800), [2]);
}

#[test]
fn trials_without_a_connection_are_neither_placed_nor_missed() {
    let captured = Wire::default().captured();
    assert_eq!(names(&captured, &[trial(1, 100, 0)]).unplaced, [] as [u64; 0]);
}

#[test]
fn segments_of_ipv6_are_read_too() {
    let client: IpAddr = "2001:db8::2".parse().unwrap();
    let peer: IpAddr = "2001:db8::1".parse().unwrap();
    let octets = |address: IpAddr| match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => panic!("not here"),
    };
    let frame = |from, to, ports: [u16; 2]| {
        let mut frame = vec![0x02; 12];
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
        frame.extend(octets(from));
        frame.extend(octets(to));
        ports.iter().for_each(|port| frame.extend(port.to_be_bytes()));
        frame.extend(77_u32.to_be_bytes());
        frame.extend([0, 0, 0, 0, 0x50, SYN, 0, 0, 0, 0, 0, 0]);
        frame
    };
    let out = frame(client, peer, [40_000, SERVER_PORT]);
    assert_eq!(Segment::read(&out, client), Some(Segment { port: 40_000, opens: Some(77) }));
    let back = frame(peer, client, [SERVER_PORT, 40_000]);
    assert_eq!(Segment::read(&back, client), Some(Segment { port: 40_000, opens: None }));
    for length in 0..out.len() - 6 {
        assert_eq!(Segment::read(&out[..length], client), None, "{length} bytes");
    }
}
