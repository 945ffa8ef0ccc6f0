//! Tier *netns*: the middlebox between real kernels. Needs root, touches nothing but namespaces that it makes.

#![expect(unsafe_code, reason = "the tests look at the kernel by other means than the product")]
#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[expect(dead_code, reason = "the benchmark uses more of it than the tests do")]
#[path = "middlebox/lab.rs"]
mod lab;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::{Duration, Instant};

use lab::{Family, Lab, PATIENCE, PEER_PORT, TARGET_PORT};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use rig::middlebox::{
    Action, Balancer, Command, Condition, Counters, Deed, Direction, Expiry, Firewall, HealthCheck,
    Impairment, Ips, JitterOrder, Middlebox, MiddleboxError, MiddleboxSpec, Offender, Pattern, Sequence,
    Stranger, Told, Towards,
};

const MS: u64 = 1_000_000;

/// Says aloud that a test was not run.
fn skipped() -> bool {
    let not_root = !nix::unistd::geteuid().is_root();
    if not_root {
        // Past libtest, which keeps what a passing test prints to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED tier netns: not root");
    }
    not_root
}

fn any() -> Condition {
    Condition::default()
}

fn rule(name: &str, when: Condition, deed: Deed) -> MiddleboxSpec {
    let mut spec = MiddleboxSpec::transparent(1);
    spec.actions.push(Action { name: name.into(), armed: true, when, first: 1, deed });
    spec
}

/// A reset towards the target when the peer says "pong".
fn inject_on_pong(sequence: Sequence) -> MiddleboxSpec {
    let deed = Deed::InjectRst { towards: Towards::ToTarget, sequence, delay_ns: 0, times: 1, gap_ns: 0 };
    rule("forge", Condition { contains: Pattern(b"pong".to_vec()), ..any() }, deed)
}

fn close_with_reset(stream: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&stream.as_fd(), sockopt::Linger, &linger).unwrap();
}

fn say(stream: &mut TcpStream, words: &[u8]) {
    stream.write_all(words).unwrap();
}

fn hear(stream: &mut TcpStream, words: &[u8]) {
    let mut buffer = vec![0; words.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, words);
}

/// The connection is reset: the next read says so, however long it takes.
fn meets_reset(stream: &mut TcpStream) {
    let start = Instant::now();
    loop {
        let error = stream.read(&mut [0; 16]).unwrap_err();
        // A read with a time limit is interrupted when the process is stopped and continued (signal(7)).
        if error.kind() != ErrorKind::Interrupted {
            return assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        assert!(start.elapsed() < PATIENCE, "only interrupted");
    }
}

/// Both ends still talk.
fn lives(target: &mut TcpStream, peer: &mut TcpStream) {
    say(target, b"still there?");
    hear(peer, b"still there?");
    say(peer, b"yes");
    hear(target, b"yes");
}

/// Waits until a counter has reached a number.
fn until(counters: impl Fn() -> Counters, name: &str, at_least: u64) {
    let start = Instant::now();
    while counters()[name] < at_least {
        assert!(start.elapsed() < PATIENCE, "{name} never came to {at_least}: {:#?}", counters());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_reset_overtakes_the_data_which_is_read_all_the_same() {
    if skipped() {
        return;
    }
    let held =
        Condition { direction: Some(Direction::ToTarget), contains: Pattern(b"CDEF".to_vec()), ..any() };
    let until = Condition { direction: Some(Direction::ToTarget), rst: Some(true), ..any() };
    for family in [Family::V4, Family::V6] {
        let lab = Lab::new();
        let hold = Deed::Hold { until: until.clone(), timeout_ns: 10_000 * MS };
        let handle = lab.start(rule("overtake", held.clone(), hold));
        let (listener, address) = lab.listen(family);
        let (mut target, mut peer) = lab.connect(&listener, address);
        say(&mut target, b"ABCD");
        hear(&mut peer, b"ABCD");
        say(&mut peer, b"CDEF");
        close_with_reset(peer);
        hear(&mut target, b"CDEF");
        meets_reset(&mut target);
        let counters = handle.stop().unwrap();
        assert_eq!(counters["action.overtake.held"], 1);
        assert_eq!(counters["action.overtake.released"], 1);
        assert_eq!(counters["action.overtake.released_by_timeout"], 0);
        assert!(lab.target.netstat("TCPChallengeACK") >= 1, "the reset came first, and was inexact then");
    }
}

#[test]
fn a_forged_reset_in_the_window_is_challenged_and_the_connection_lives() {
    if skipped() {
        return;
    }
    for family in [Family::V4, Family::V6] {
        for (sequence, challenges) in [
            (Sequence::InWindow { offset: 1000 }, 1),
            (Sequence::BeforeNext, 0),
            (Sequence::Outside { beyond: 1000 }, 0),
        ] {
            let lab = Lab::new();
            let handle = lab.start(inject_on_pong(sequence));
            let (listener, address) = lab.listen(family);
            let (mut target, mut peer) = lab.connect(&listener, address);
            say(&mut peer, b"pong");
            hear(&mut target, b"pong");
            until(|| handle.counters().unwrap(), "action.forge.injected.to_target", 1);
            lives(&mut target, &mut peer);
            assert_eq!(lab.target.netstat("TCPChallengeACK"), challenges, "{sequence:?}");
            assert_eq!(handle.stop().unwrap()["forged.to_target"], 1);
        }
    }
}

#[test]
fn an_exact_forged_reset_is_believed() {
    if skipped() {
        return;
    }
    for family in [Family::V4, Family::V6] {
        let lab = Lab::new();
        let handle = lab.start(inject_on_pong(Sequence::Exact));
        let (listener, address) = lab.listen(family);
        let (mut target, mut peer) = lab.connect(&listener, address);
        say(&mut peer, b"pong");
        hear(&mut target, b"pong");
        meets_reset(&mut target);
        assert_eq!(lab.target.netstat("TCPChallengeACK"), 0);
        // The peer was not told: it learns it from the target's answer to its next word.
        say(&mut peer, b"hello?");
        meets_reset(&mut peer);
        assert_eq!(handle.stop().unwrap()["action.forge.injected.to_target"], 1);
    }
}

#[test]
fn a_reset_at_the_edge_of_what_is_held_out_of_order_is_believed() {
    if skipped() {
        return;
    }
    // The first data segment is lost for good: what follows lies beyond a hole.
    let lost =
        Condition { direction: Some(Direction::ToTarget), contains: Pattern(b"lost".to_vec()), ..any() };
    let mut spec = rule("hole", lost, Deed::Drop);
    spec.actions[0].first = 0;
    spec.actions.extend(inject_on_pong(Sequence::SackEdge).actions);
    let lab = Lab::new();
    let handle = lab.start(spec);
    let (listener, address) = lab.listen(Family::V4);
    let (mut target, mut peer) = lab.connect(&listener, address);
    say(&mut peer, b"lost");
    until(|| handle.counters().unwrap(), "action.hole.dropped", 1);
    say(&mut peer, b"pong");
    meets_reset(&mut target);
    assert_eq!(handle.stop().unwrap()["action.forge.injected.to_target"], 1);
}

#[test]
fn a_reset_one_before_is_believed_after_a_fin() {
    if skipped() {
        return;
    }
    let fin = Condition { direction: Some(Direction::ToTarget), fin: Some(true), ..any() };
    let spec = rule(
        "forge",
        fin,
        Deed::InjectRst {
            towards: Towards::ToTarget,
            sequence: Sequence::BeforeNext,
            delay_ns: 20 * MS,
            times: 1,
            gap_ns: 0,
        },
    );
    let lab = Lab::new();
    let handle = lab.start(spec);
    let (listener, address) = lab.listen(Family::V4);
    let (mut target, peer) = lab.connect(&listener, address);
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    until(|| handle.counters().unwrap(), "action.forge.injected.to_target", 1);
    // In CLOSE-WAIT a reset is reported as EPIPE (Linux, tcp_reset).
    let start = Instant::now();
    let error = loop {
        match target.write(b"x") {
            Ok(_) => assert!(start.elapsed() < PATIENCE, "never reset"),
            Err(error) => break error,
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(lab.target.netstat("TCPChallengeACK") == 0);
    drop(handle);
}

#[test]
fn an_idle_firewall_resets_both_ends() {
    if skipped() {
        return;
    }
    for family in [Family::V4, Family::V6] {
        let mut spec = MiddleboxSpec::transparent(1);
        spec.firewall = Some(Firewall {
            idle_timeout_ns: 1000 * MS,
            expiry: Expiry::AtOnce,
            reset: Told::Both,
            stranger: Stranger::Reset,
        });
        let lab = Lab::new();
        let handle = lab.start(spec);
        // A SYN that was lost and sent again would come when the firewall has tired of it.
        lab.wait_until_it_forwards(family);
        let (listener, address) = lab.listen(family);
        let (mut target, mut peer) = lab.connect(&listener, address);
        let start = Instant::now();
        lives(&mut target, &mut peer);
        meets_reset(&mut target);
        meets_reset(&mut peer);
        assert!(start.elapsed() >= Duration::from_secs(1), "not before it was idle");
        let counters = handle.stop().unwrap();
        assert_eq!(counters["firewall.expired"], 1);
        assert_eq!((counters["firewall.injected.to_target"], counters["firewall.injected.to_peer"]), (1, 1));
    }
}

#[test]
fn an_ips_cuts_the_connection() {
    if skipped() {
        return;
    }
    let mut spec = MiddleboxSpec::transparent(1);
    spec.ips = Some(Ips {
        pattern: Pattern(b"attack at dawn".to_vec()),
        direction: Towards::Both,
        reset: Towards::Both,
        sequence: Sequence::Exact,
        offender: Offender::Drop,
    });
    let lab = Lab::new();
    let handle = lab.start(spec);
    let (listener, address) = lab.listen(Family::V6);
    let (mut target, mut peer) = lab.connect(&listener, address);
    lives(&mut target, &mut peer);
    say(&mut target, b"we attack ");
    hear(&mut peer, b"we attack ");
    say(&mut target, b"at dawn");
    meets_reset(&mut target);
    meets_reset(&mut peer);
    assert_eq!(handle.stop().unwrap()["ips.matched"], 1);
}

#[test]
fn a_backend_that_stops_listening_is_marked_down() {
    if skipped() {
        return;
    }
    let lab = Lab::new();
    let (listener, address) = lab.listen(Family::V4);
    let mut spec = MiddleboxSpec::transparent(1);
    spec.balancer = Some(Balancer {
        backend: address.ip(),
        backend_port: address.port(),
        down_at_ns: 0,
        health: Some(HealthCheck { interval_ns: 200 * MS, fall: 3, rise: 1, source_port: 7 }),
        reset: Towards::ToTarget,
    });
    let handle = lab.start(spec);
    let (mut target, mut peer) = lab.connect(&listener, address);
    until(|| handle.counters().unwrap(), "balancer.probes_answered", 2);
    lives(&mut target, &mut peer);
    drop(listener);
    meets_reset(&mut target);
    let counters = handle.counters().unwrap();
    assert_eq!((counters["balancer.marked_down"], counters["balancer.sessions_reset"]), (1, 1));
    assert_eq!(counters["balancer.injected.to_peer"], 0);
    let refused = lab.target.run(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_gone_host_is_answered_for() {
    if skipped() {
        return;
    }
    for family in [Family::V4, Family::V6] {
        let lab = Lab::new();
        let handle = lab.start(MiddleboxSpec::transparent(1));
        let (listener, address) = lab.listen(family);
        let (mut target, mut peer) = lab.connect(&listener, address);
        lives(&mut target, &mut peer);
        handle.command(Command::HostGone { address: family.peer() }).unwrap();
        lab.peer.ip("link set wire down");
        // Also for whoever has to ask first where it is.
        lab.target.ip("neigh flush dev wire");
        // Its own late acknowledgement may have been answered already.
        let told = target.write_all(b"hello?").and_then(|()| target.read(&mut [0; 16]).map(|_| ()));
        assert_eq!(told.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let counters = handle.counters().unwrap();
        assert!(counters["gone.answered"] >= 1, "{counters:#?}");
        let refused = lab.target.run(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(handle.counters().unwrap()["gone.neighbours_answered"] >= 1);
    }
}

#[test]
fn delay_is_at_least_what_was_said() {
    if skipped() {
        return;
    }
    let mut spec = MiddleboxSpec::transparent(1);
    spec.to_peer.delay_ns = 50 * MS;
    spec.to_target = Impairment {
        delay_ns: 50 * MS,
        jitter_ns: 5 * MS,
        jitter_order: JitterOrder::Keep,
        ..Impairment::none()
    };
    let lab = Lab::new();
    lab.make_neighbours();
    let handle = lab.start(spec);
    let (listener, address) = lab.listen(Family::V6);
    let start = Instant::now();
    let (mut target, mut peer) = lab.connect(&listener, address);
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    let start = Instant::now();
    lives(&mut target, &mut peer);
    assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    assert!(handle.stop().unwrap()["link.to_target.delayed"] >= 2);
}

#[test]
fn loss_of_all_has_a_direction() {
    if skipped() {
        return;
    }
    let mut spec = MiddleboxSpec::transparent(1);
    spec.to_peer.loss_ppm = 1_000_000;
    let lab = Lab::new();
    lab.make_neighbours();
    let handle = lab.start(spec);
    let bind = |address| UdpSocket::bind((address, 0)).unwrap();
    let target = lab.target.run(|| bind(Family::V4.target()));
    let peer = lab.peer.run(|| bind(Family::V4.peer()));
    let before = lab.peer.received("wire");
    for _ in 0..20 {
        target.send_to(b"lost", peer.local_addr().unwrap()).unwrap();
    }
    until(|| handle.counters().unwrap(), "link.to_peer.lost", 20);
    assert_eq!(lab.peer.received("wire"), before, "nothing at all came through");
    peer.send_to(b"back", target.local_addr().unwrap()).unwrap();
    target.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(target.recv(&mut buffer).unwrap(), 4);
    handle.command(Command::Impair { towards: Towards::ToPeer, impairment: Impairment::none() }).unwrap();
    target.send_to(b"through", peer.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(peer.recv(&mut buffer).unwrap(), 7);
}

/// Sends a known stream both ways at once and checks every byte.
fn exchange(lab: &Lab, family: Family, bytes: usize) {
    let (listener, address) = lab.listen(family);
    let (target, peer) = lab.connect(&listener, address);
    let pattern = |i: usize| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    let stream: Vec<u8> = (0..bytes).map(pattern).collect();
    thread::scope(|scope| {
        for end in [&target, &peer] {
            let stream = &stream;
            scope.spawn(move || {
                let mut end = end;
                end.write_all(stream).unwrap();
            });
            scope.spawn(move || {
                let mut end = end;
                let mut heard = vec![0; bytes];
                end.read_exact(&mut heard).unwrap();
                assert!(heard == *stream, "the stream came through changed");
            });
        }
    });
}

#[test]
fn bulk_data_survives_offloads_and_every_impairment() {
    if skipped() {
        return;
    }
    for family in [Family::V4, Family::V6] {
        let lab = Lab::new();
        let handle = lab.start(MiddleboxSpec::transparent(1));
        exchange(&lab, family, 8 << 20);
        let counters = handle.stop().unwrap();
        assert!(counters["port.target.super_segments"] > 0, "the links do hand over super-segments");
        assert_eq!(counters["port.target.receive_unreadable"] + counters["port.peer.receive_unreadable"], 0);
        // The receivers' kernels found every checksum right.
        let wrong = [&lab.target, &lab.peer].map(|end| end.run(in_csum_errors));
        assert_eq!(wrong, [0, 0]);

        let mut spec = MiddleboxSpec::transparent(2);
        spec.to_peer = Impairment {
            delay_ns: MS,
            jitter_ns: MS,
            jitter_order: JitterOrder::MayReorder,
            loss_ppm: 5_000,
            duplicate_ppm: 5_000,
            reorder_ppm: 5_000,
            reorder_gap: 3,
            reorder_timeout_ns: 5 * MS,
            ..Impairment::none()
        };
        let handle = lab.start(spec);
        exchange(&lab, family, 1 << 20);
        let counters = handle.stop().unwrap();
        for what in ["lost", "duplicated", "reordered"] {
            assert!(counters[&format!("link.to_peer.{what}")] > 0, "{what}: {counters:#?}");
            assert_eq!(counters[&format!("link.to_target.{what}")], 0);
        }
    }
}

fn in_csum_errors() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("Tcp:")).collect();
    let at = lines[0].split(' ').position(|word| word == "InCsumErrors").unwrap();
    lines[1].split(' ').nth(at).unwrap().parse().unwrap()
}

/// Puts a frame on an interface of the calling thread's namespace.
fn send_raw(interface: &str, frame: &[u8]) {
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::empty(), None).unwrap();
    // SAFETY: plain old data, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index as i32;
    // SAFETY: frame and address live through the call, with the lengths that are given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            std::ptr::from_ref(&address).cast(),
            size_of::<libc::sockaddr_ll>() as u32,
        )
    };
    assert_eq!(usize::try_from(sent).unwrap(), frame.len());
}

#[test]
fn tagged_frames_keep_their_tags() {
    if skipped() {
        return;
    }
    let lab = Lab::new();
    // Nothing but our frames on the links.
    for end in [&lab.target, &lab.peer] {
        end.ip("link set wire down");
        end.ip("link set wire addrgenmode none");
        end.ip("link set wire arp off");
        end.ip("link set wire up");
    }
    let handle = lab.start(MiddleboxSpec::transparent(1));
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend([0x81, 0x00, 0x00, 0x05, 0x88, 0xb5]);
    frame.resize(100, 7);
    let before = lab.peer.received_bytes("wire");
    let came = || lab.peer.received_bytes("wire") - before;
    // A link that came up just now drops what is sent until its queue is made, and does not say so.
    for _ in 0..20 {
        lab.target.run(|| send_raw("wire", &frame));
        let start = Instant::now();
        while came() == 0 && start.elapsed() < PATIENCE / 20 {
            thread::sleep(Duration::from_millis(5));
        }
        if came() > 0 {
            break;
        }
    }
    // The kernel takes the tag out of what a packet socket reads: without putting it back there were 96.
    assert!(came() > 0 && came().is_multiple_of(100), "{}", came());
    assert!(handle.stop().unwrap()["forwarded.to_peer"] > 0);
}

#[test]
fn a_stopped_box_leaves_the_ports_as_they_were() {
    if skipped() {
        return;
    }
    let lab = Lab::new();
    let promiscuity = |count: u32| {
        for port in [TARGET_PORT, PEER_PORT] {
            let start = Instant::now();
            // A child of another test holds all descriptors for the moment between its fork and its exec.
            while !lab.between.show(port).contains(&format!("promiscuity {count} ")) {
                assert!(start.elapsed() < PATIENCE, "not {count}: {}", lab.between.show(port));
                thread::sleep(Duration::from_millis(5));
            }
        }
    };
    promiscuity(0);
    for _ in 0..2 {
        let handle = lab.start(MiddleboxSpec::transparent(1));
        promiscuity(1);
        exchange(&lab, Family::V4, 1000);
        drop(handle);
        promiscuity(0);
    }
    let error = lab.between.run(|| Middlebox::start(MiddleboxSpec::transparent(1), TARGET_PORT, "nowhere"));
    assert!(matches!(error, Err(MiddleboxError::Socket { interface, .. }) if interface == "nowhere"));
    promiscuity(0);
}

#[test]
fn a_link_that_goes_down_and_up_again() {
    if skipped() {
        return;
    }
    let lab = Lab::new();
    let handle = lab.start(MiddleboxSpec::transparent(1));
    exchange(&lab, Family::V4, 1000);
    lab.between.ip(&format!("link set {TARGET_PORT} down"));
    until(|| handle.counters().unwrap(), "port.target.link_down", 1);
    lab.between.ip(&format!("link set {TARGET_PORT} up"));
    exchange(&lab, Family::V4, 1000);
    lab.between.ip(&format!("link del {TARGET_PORT}"));
    until(|| handle.counters().unwrap(), "port.target.link_down", 2);
    handle.stop().unwrap();
}
