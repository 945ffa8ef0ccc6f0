//! Captures of a testbed: every packet once at each end, in its direction, in time; bounded; gone with its testbed.

use std::io::Read as _;
use std::net::{IpAddr, UdpSocket};
use std::os::unix::fs::MetadataExt as _;
use std::time::SystemTime;

use rig::path::{Addressing, TargetLink};
use rig::testbed::capture::{KEPT_BYTES, Packet, PacketDirection, SNAP_BYTES};
use rig::testbed::{Capture, CapturePoint, TestbedError};

use super::{build, connect, listen, reset, skipped};

/// Flags of a TCP segment in IPv4 without options, if it is one.
fn flags(packet: &Packet) -> Option<u8> {
    let is_tcp = packet.bytes.get(12..14) == Some(&[0x08, 0x00]) && packet.bytes.get(23) == Some(&6);
    is_tcp.then(|| packet.bytes[14 + 20 + 13])
}

fn source(packet: &Packet) -> IpAddr {
    let octets: [u8; 4] = packet.bytes[26..30].try_into().unwrap();
    octets.into()
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

#[test]
fn every_packet_is_seen_once_at_each_end_in_its_direction() {
    if skipped() {
        return;
    }
    const SYN: u8 = 0x02;
    const SYN_ACK: u8 = 0x12;
    const RST: u8 = 0x04;
    const CONNECTIONS: usize = 300;
    let testbed = build(TargetLink::Veth);
    let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
    let play = || {
        let (client, server) = connect(testbed.target(), &listener, address);
        reset(server, client);
    };
    play();
    let began = now_ns();
    let capture = testbed.start_capture().unwrap();
    (0..CONNECTIONS).for_each(|_| play());
    let captured = capture.stop().unwrap();
    // After its end nothing counts, nor does anything block.
    play();

    let ended = now_ns();
    assert!(captured.is_whole());
    let names: Vec<&str> = captured.points.iter().map(|point| point.name.as_str()).collect();
    assert_eq!(names, ["target:to-target", "peer:peer0"]);
    for (point, at) in captured.points.iter().enumerate() {
        let here: Vec<&Packet> = captured.packets.iter().filter(|packet| packet.point == point).collect();
        assert_eq!(at.received, here.len() as u64, "{at:?}");
        let count = |wanted: u8, mask: u8, from: IpAddr, direction: PacketDirection| {
            let is_one = |packet: &&&Packet| {
                flags(packet).is_some_and(|flags| flags & mask == wanted)
                    && source(packet) == from
                    && packet.direction == direction
            };
            here.iter().filter(is_one).count()
        };
        let Addressing { target, peer, .. } = Addressing::default();
        // The switch's interface sends what goes to the target; the peer's own sends what the peer says.
        let (from_target, from_peer) = (PacketDirection::In, PacketDirection::Out);
        assert_eq!(count(SYN, 0x12, target.into(), from_target), CONNECTIONS, "{at:?}");
        assert_eq!(count(SYN_ACK, 0x12, peer.into(), from_peer), CONNECTIONS, "{at:?}");
        assert_eq!(count(RST, RST, peer.into(), from_peer), CONNECTIONS, "{at:?}");
    }
    assert!(captured.packets.is_sorted_by_key(|packet| packet.time_ns));
    assert!((began..=ended).contains(&captured.packets[0].time_ns), "the kernel's clock is the wall clock");
    assert!(
        began <= captured.began_ns && captured.began_ns <= captured.ended_ns && captured.ended_ns <= ended
    );
}

#[test]
fn of_a_long_packet_its_beginning_and_its_length_are_kept() {
    if skipped() {
        return;
    }
    let testbed = build(TargetLink::Veth);
    let bind = |at: IpAddr| UdpSocket::bind((at, 0)).unwrap();
    let sender = testbed.target().run(|| bind(Addressing::default().target.into())).unwrap();
    let receiver = testbed.peer().run(|| bind(Addressing::default().peer.into())).unwrap();
    let capture = testbed.start_capture().unwrap();
    sender.send_to(&[0x5a; 1000], receiver.local_addr().unwrap()).unwrap();
    let captured = capture.stop().unwrap();
    let long: Vec<&Packet> = captured.packets.iter().filter(|p| p.original_bytes == 1042).collect();
    assert_eq!(long.len(), 2, "one at each end: {:?}", captured.points);
    for packet in long {
        assert_eq!(packet.bytes.len(), SNAP_BYTES as usize);
        assert!(packet.bytes[42..].iter().all(|byte| *byte == 0x5a));
    }
}

#[test]
fn of_a_flood_the_last_packets_are_kept_and_the_others_are_counted() {
    if skipped() {
        return;
    }
    const BYTES: usize = 1400;
    // Each takes a quarter of a KiB and its header in the ring, and is seen twice.
    let datagrams = KEPT_BYTES / 256;
    let testbed = build(TargetLink::Veth);
    let bind = |at: IpAddr| UdpSocket::bind((at, 0)).unwrap();
    let sender = testbed.target().run(|| bind(Addressing::default().target.into())).unwrap();
    let receiver = testbed.peer().run(|| bind(Addressing::default().peer.into())).unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let capture = testbed.start_capture().unwrap();
    let mut datagram = [0; BYTES];
    for number in 0..datagrams as u64 {
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        sender.send(&datagram).unwrap();
    }
    let captured = capture.stop().unwrap();
    for (point, at) in captured.points.iter().enumerate() {
        let here: Vec<u64> = captured
            .packets
            .iter()
            .filter(|packet| packet.point == point && packet.original_bytes as usize == BYTES + 42)
            .map(|packet| u64::from_be_bytes(packet.bytes[42..50].try_into().unwrap()))
            .collect();
        let all = captured.packets.iter().filter(|packet| packet.point == point).count() as u64;
        assert_eq!(at.received, all + at.dropped + at.given_up, "{at:?}");
        assert!(at.received >= datagrams as u64, "{at:?}");
        assert!(at.given_up > 0, "{at:?}");
        assert!(here.is_sorted(), "at one interface datagrams stay in their order");
        if at.dropped == 0 {
            assert_eq!(here.last(), Some(&(datagrams as u64 - 1)));
        }
    }
    let kept: usize = captured.packets.iter().map(|packet| packet.bytes.len()).sum();
    assert!(kept <= KEPT_BYTES, "{kept}");
}

#[test]
fn a_capture_sees_the_end_of_its_interface_and_ends_with_its_testbed() {
    if skipped() {
        return;
    }
    // A tap that goes while it is captured, as with a guest that dies.
    let mut testbed = build(TargetLink::Tap { queues: 1 });
    let capture = testbed.start_capture().unwrap();
    drop(testbed.take_taps());
    assert!(capture.stop().unwrap().is_whole());

    let testbed = build(TargetLink::Veth);
    let capture = testbed.start_capture().unwrap();
    let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
    let (mut client, server) = connect(testbed.target(), &listener, address);
    drop((testbed, listener));
    // The namespaces live on in the sockets, and so does the capture.
    drop(server);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    let packets = capture.stop().unwrap().packets;
    assert!(packets.iter().any(|packet| flags(packet).is_some_and(|flags| flags & 0x01 != 0)), "a FIN");

    // Left alone, it keeps nothing alive.
    let testbed = build(TargetLink::Veth);
    let capture = testbed.start_capture().unwrap();
    let target = testbed.target().identity().unwrap();
    drop(capture);
    drop(testbed);
    let held = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter(|entry| std::fs::metadata(entry.path()).is_ok_and(|file| (file.dev(), file.ino()) == target));
    assert_eq!(held.count(), 0);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    if skipped() {
        return;
    }
    let testbed = build(TargetLink::Veth);
    let point = CapturePoint {
        namespace: testbed.peer(),
        interface: "nowhere0",
        name: "peer:nowhere0".into(),
        description: String::new(),
    };
    let error = Capture::start(&[point]).unwrap_err();
    assert!(
        matches!(&error, TestbedError::Capture { interface, .. } if interface == "nowhere0"),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "the capture on nowhere0 cannot find its interface");
}
