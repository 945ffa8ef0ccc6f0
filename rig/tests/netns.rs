//! Tier *netns*: testbeds on this host's kernel. Needs root, touches nothing but namespaces that it makes.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "netns/beside.rs"]
mod beside;
#[path = "netns/capture.rs"]
mod capture;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use nix::net::if_::if_nameindex;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use rig::machine::launch_agent;
use rig::path::{Addressing, Mechanisms, PathSpec, Place, TargetLink, Unable};
use rig::testbed::{Namespace, RstCounts, TapFrom, Testbed, Witness, probe, sysctls};
use rtnetlink::packet_route::link::{InfoData, InfoVeth};
use rtnetlink::{LinkUnspec, LinkVeth};

const PATIENCE: Duration = Duration::from_secs(60);

/// Says aloud that a test was not run; past libtest, which keeps what a passing test prints to itself.
fn skipped() -> bool {
    let not_root = !nix::unistd::geteuid().is_root();
    if not_root {
        let _ = writeln!(io::stderr(), "SKIPPED tier netns: not root");
    }
    not_root
}

fn path(mtu_bytes: u32) -> PathSpec {
    PathSpec::plain("direct", mtu_bytes)
}

fn build(link: TargetLink) -> Testbed {
    Testbed::build(&path(1500), Addressing::default(), link, &Mechanisms::all(), 1).unwrap()
}

/// A listener inside; it stays usable outside.
fn listen(namespace: &Namespace, address: Ipv4Addr) -> (TcpListener, SocketAddr) {
    let listener = namespace.run(|| TcpListener::bind(SocketAddrV4::new(address, 0))).unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection from `from` to the listener.
fn connect(from: &Namespace, listener: &TcpListener, address: SocketAddr) -> (TcpStream, TcpStream) {
    let client = from.run(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap().unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    (client, server)
}

/// `one` closes with a RST, and it has arrived at `other` when this returns.
fn reset(one: TcpStream, mut other: TcpStream) {
    setsockopt(&one, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
    drop(one);
    assert_eq!(other.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

/// Waits for what the kernel does by itself, in its own time.
fn await_that(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Names of the interfaces in the calling thread's namespace, sorted.
fn interfaces() -> Vec<String> {
    let mut names: Vec<String> = if_nameindex()
        .unwrap()
        .iter()
        .map(|interface| interface.name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_witness_counts_exactly_the_resets_of_each_direction() {
    if skipped() {
        return;
    }
    let testbed = build(TargetLink::Veth);
    let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
    let play = |to_target: u64, to_peer: u64| {
        for _ in 0..to_target {
            let (client, server) = connect(testbed.target(), &listener, address);
            reset(server, client);
        }
        for _ in 0..to_peer {
            let (client, server) = connect(testbed.target(), &listener, address);
            reset(client, server);
        }
    };
    // Before its start nothing counts.
    play(2, 3);
    let witness = testbed.start_witness().unwrap();
    assert_eq!(witness.counts().unwrap(), RstCounts::default());
    // More than the smallest receive buffer can hold.
    play(150, 90);
    assert_eq!(witness.counts().unwrap(), RstCounts { to_target: 150, to_peer: 90, lost: 0 });
    // An orderly end is no reset.
    let (client, mut server) = connect(testbed.target(), &listener, address);
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    drop(server);
    // Nobody listens there: the kernel's own RST.
    let refused = testbed.target().run(|| TcpStream::connect((Addressing::default().peer, 9))).unwrap();
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    play(1, 0);
    assert_eq!(witness.stop().unwrap(), RstCounts { to_target: 152, to_peer: 90, lost: 0 });
}

#[test]
fn a_tap_that_is_held_goes_from_one_network_into_the_next() {
    if skipped() {
        return;
    }
    const QUEUES: u32 = 2;
    let link = TargetLink::Tap { queues: QUEUES };
    let mut testbed = build(link);
    let home = testbed.target().try_clone().unwrap();
    // As QEMU holds them.
    let taps = testbed.take_taps();
    for mtu_bytes in [1500, 1400] {
        let before = testbed.namespace(Place::Switch).run(interfaces).unwrap();
        assert_eq!(before, ["br0", "lo", "tap0", "to-peer"]);
        testbed.release_tap(&home).unwrap();
        assert_eq!(home.run(interfaces).unwrap(), ["lo", "tap0"]);
        let (path, from) = (path(mtu_bytes), TapFrom::Home(&home));
        testbed =
            Testbed::build_with(&path, Addressing::default(), link, &Mechanisms::all(), 1, from).unwrap();
        assert_eq!(home.run(interfaces).unwrap(), ["lo"]);
        assert!(testbed.take_taps().is_empty(), "none was made");
        // What is written into it reaches the peer: it asks whose address this is, and gets the answer.
        answers(&testbed, &taps[0]);
    }
    // Its last network takes it along.
    drop(testbed);
    await_that("the tap is gone", || {
        // A descriptor without its device (`tun_chr_write_iter`, drivers/net/tun.c).
        nix::unistd::write(&taps[0], &[0; 64]) == Err(nix::Error::EBADFD)
    });
}

/// Asks for the peer's address as a host with the target's does, behind a virtio-net header that says nothing.
fn answers(testbed: &Testbed, tap: &OwnedFd) {
    let Addressing { target, peer, .. } = Addressing::default();
    let mac = [0x52, 0x54, 0, 0, 1, 1];
    let mut frame = vec![0; 10];
    frame.extend([0xff; 6]);
    frame.extend(mac);
    // ARP over Ethernet for IPv4, a request (RFC 826).
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(target.octets());
    frame.extend([0; 6]);
    frame.extend(peer.octets());
    let ask = || _ = nix::unistd::write(tap, &frame).unwrap();
    ask();
    let known = || fs::read_to_string("/proc/thread-self/net/arp").unwrap().contains("52:54:00:00:01:01");
    await_that("the peer has heard of the target", || testbed.peer().run(known).unwrap());
}

#[test]
fn data_crosses_the_path_and_its_mtu_is_that_of_the_specification() {
    if skipped() {
        return;
    }
    for mtu_bytes in [576, 1500, 9000] {
        let testbed =
            Testbed::build(&path(mtu_bytes), Addressing::default(), TargetLink::Veth, &Mechanisms::all(), 1)
                .unwrap();
        let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
        let (mut client, mut server) = connect(testbed.target(), &listener, address);
        assert_eq!(client.local_addr().unwrap().ip(), Addressing::default().target);
        // Less 20 bytes of IPv4, 20 of TCP and 12 of the time stamp option: RFC 9293 section 3.7.1, RFC 7323 appendix A.
        assert_eq!(getsockopt(&client, sockopt::TcpMaxSeg).unwrap(), mtu_bytes - 52);
        let sent: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
        let received = thread::scope(|scope| {
            scope.spawn(|| {
                client.write_all(&sent).unwrap();
                client.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            server.read_to_end(&mut received).unwrap();
            received
        });
        assert!(received == sent);
    }
}

const VNET_HEADER: usize = 10;
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 5];

/// "Who has 192.0.2.1? Tell 192.0.2.2". RFC 826.
fn arp_request() -> Vec<u8> {
    let Addressing { target, peer, .. } = Addressing::default();
    let ethernet = [&[0; VNET_HEADER], &[0xff; 6][..], &STATION, &[8, 6]].concat();
    let question =
        [&[0, 1, 8, 0, 6, 4, 0, 1], &STATION[..], &target.octets(), &[0; 6], &peer.octets()].concat();
    [ethernet, question].concat()
}

/// The next frame on any of the queues.
fn read_frame(taps: &[OwnedFd]) -> Vec<u8> {
    let mut fds: Vec<_> = taps.iter().map(|tap| PollFd::new(tap.as_fd(), PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::try_from(PATIENCE).unwrap()).unwrap();
    let ready = fds.iter().position(|fd| fd.any() == Some(true)).expect("a frame comes");
    let mut frame = vec![0; 4096];
    let bytes = nix::unistd::read(&taps[ready], &mut frame).unwrap();
    frame.truncate(bytes);
    frame
}

#[test]
fn frames_pass_between_the_tap_and_the_peer_on_every_queue() {
    if skipped() {
        return;
    }
    for queues in [1, 2, 4] {
        let mut testbed = build(TargetLink::Tap { queues });
        let taps = testbed.take_taps();
        assert_eq!(taps.len(), queues as usize);
        assert!(testbed.take_taps().is_empty());
        for tap in &taps {
            nix::unistd::write(tap, &arp_request()).unwrap();
            // Nothing else is on the link, so the very next frame is the kernel's answer.
            let answer = read_frame(&taps);
            assert_eq!(answer[VNET_HEADER + 12..VNET_HEADER + 22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
            assert_eq!(
                answer[VNET_HEADER + 28..VNET_HEADER + 32],
                Addressing::default().peer.octets(),
                "{answer:?}"
            );
        }
        let names = |at| testbed.namespace(at).run(interfaces).unwrap();
        assert_eq!(names(Place::Target), ["lo"]);
        assert_eq!(names(Place::Switch), ["br0", "lo", "tap0", "to-peer"]);
        // As when QEMU ends.
        drop(taps);
        await_that("the tap goes with its descriptors", || {
            !names(Place::Switch).contains(&"tap0".to_owned())
        });
    }
}

/// A TCP segment from the target's station to port 9 of the peer, as a tap takes it.
fn segment(to: [u8; 6], flags: u8) -> Vec<u8> {
    [vec![0; VNET_HEADER], tcp(Addressing::default().target, to, 9, flags)].concat()
}

/// A TCP segment to a port of the peer, with right checksums.
fn tcp(source: Ipv4Addr, to: [u8; 6], port: u16, flags: u8) -> Vec<u8> {
    // RFC 1071
    let checksum = |words: &[u8]| {
        let sum: u32 = words.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let folded = (sum & 0xffff) + (sum >> 16);
        (!((folded & 0xffff) + (folded >> 16)) as u16).to_be_bytes()
    };
    let peer = Addressing::default().peer;
    let mut ip =
        [&[0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0], &source.octets()[..], &peer.octets()].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let [high, low] = port.to_be_bytes();
    let mut tcp = vec![0x30, 0x39, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0];
    let sum = checksum(&[&ip[12..20], &[0, 6, 0, 20], &tcp].concat());
    tcp[16..18].copy_from_slice(&sum);
    [&to[..], &STATION, &[8, 0], &ip, &tcp].concat()
}

#[test]
fn the_witness_counts_resets_on_a_tap() {
    if skipped() {
        return;
    }
    let mut testbed = build(TargetLink::Tap { queues: 1 });
    let taps = testbed.take_taps();
    let witness = testbed.start_witness().unwrap();
    nix::unistd::write(&taps[0], &arp_request()).unwrap();
    let answer = read_frame(&taps);
    let peer_station: [u8; 6] = answer[VNET_HEADER + 22..VNET_HEADER + 28].try_into().unwrap();

    // A SYN for a closed port is answered by a RST.
    nix::unistd::write(&taps[0], &segment(peer_station, 0x02)).unwrap();
    let answer = loop {
        let frame = read_frame(&taps);
        // The peer may ask for our station first.
        if frame[VNET_HEADER + 12..VNET_HEADER + 14] == [8, 0] {
            break frame;
        }
    };
    assert_eq!(answer[VNET_HEADER + 14 + 20 + 13], 0x14, "RST and ACK");
    // A RST of our own is answered by nobody.
    nix::unistd::write(&taps[0], &segment(peer_station, 0x04)).unwrap();
    await_that("the RST has passed the tap", || witness.counts().unwrap().to_peer == 1);
    // Kept after the interface is gone.
    drop(taps);
    assert_eq!(witness.stop().unwrap(), RstCounts { to_target: 1, to_peer: 1, lost: 0 });
}

/// A veth pair between `survivor` (as `name`) and `inside`: its end in the survivor goes when the kernel frees the other namespace,
/// and not before.
fn tie(survivor: &Namespace, name: &str, inside: &Namespace) {
    let far = LinkUnspec::new_with_name("tie").setns_by_fd(inside.as_fd().as_raw_fd()).build();
    let pair = LinkVeth::new(name, "tie").set_info_data(InfoData::Veth(InfoVeth::Peer(far))).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let add = async {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        handle.link().add(pair).execute().await.unwrap();
    };
    survivor.run(|| runtime.block_on(add)).unwrap();
}

#[test]
fn a_dropped_testbed_leaves_no_namespace_and_no_link() {
    if skipped() {
        return;
    }
    let survivor = Namespace::new().unwrap();
    let macvtap = TargetLink::Macvtap { queues: 2 };
    for link in [TargetLink::Veth, TargetLink::Passt, TargetLink::Tap { queues: 2 }, macvtap] {
        let testbed = build(link);
        let witness = testbed.start_witness().unwrap();
        for at in Place::ALL {
            tie(&survivor, at.word(), testbed.namespace(at));
        }
        assert_eq!(survivor.run(interfaces).unwrap(), ["lo", "peer", "switch", "target"]);
        drop(testbed);
        await_that("two are freed, the third is held by the witness", || {
            survivor.run(interfaces).unwrap() == ["lo", "switch"]
        });
        drop(witness);
        await_that("all are freed", || survivor.run(interfaces).unwrap() == ["lo"]);
    }
}

#[test]
fn many_testbeds_at_once_do_not_disturb_each_other() {
    if skipped() {
        return;
    }
    let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = interfaces();
    thread::scope(|scope| {
        for index in 0..8_u64 {
            scope.spawn(move || {
                let testbed = build(TargetLink::Veth);
                let witness = testbed.start_witness().unwrap();
                let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
                for _ in 0..index {
                    let (client, server) = connect(testbed.target(), &listener, address);
                    reset(server, client);
                }
                let expected = RstCounts { to_target: index, to_peer: 0, lost: 0 };
                assert_eq!(witness.stop().unwrap(), expected);
            });
        }
    });
    assert_eq!(fs::read_link("/proc/thread-self/ns/net").unwrap(), here);
    assert_eq!(interfaces(), before);
}

#[test]
fn the_namespaces_are_quiet_and_their_settings_are_recorded() {
    if skipped() {
        return;
    }
    let testbed = build(TargetLink::Veth);
    for at in Place::ALL {
        let namespace = testbed.namespace(at);
        let settings = sysctls(namespace).unwrap();
        for key in ["net.ipv4.tcp_retries2", "net.ipv4.tcp_rmem", "net.ipv4.tcp_timestamps"] {
            assert!(settings[key].starts_with(|c: char| c.is_ascii_digit()), "{key}: {settings:?}");
        }
        assert!(settings.keys().all(|key| !key.contains("fastopen_key")));
        assert_eq!(settings["net.ipv4.tcp_rmem"].split(' ').count(), 3);
        // No address, so no router solicitation and no duplicate address detection. Absent where the kernel has no IPv6.
        let addresses = namespace.run(|| fs::read_to_string("/proc/thread-self/net/if_inet6")).unwrap();
        assert_eq!(addresses.unwrap_or_default(), "");
        // The control connection's address.
        namespace.run(|| TcpListener::bind("127.0.0.1:0").map(drop)).unwrap().unwrap();
    }
    let lines = testbed.ops().lines();
    assert!(lines.contains(&"target/target0: address 192.0.2.2/24".to_owned()), "{lines:#?}");
}

#[test]
fn a_namespace_takes_only_the_thread_that_enters() {
    if skipped() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let (_, inode) = namespace.identity().unwrap();
    let link = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let here = link();
    assert_eq!(namespace.run(link).unwrap(), PathBuf::from(format!("net:[{inode}]")));
    let entered = thread::scope(|scope| {
        scope
            .spawn(|| {
                namespace.enter().unwrap();
                link()
            })
            .join()
            .unwrap()
    });
    assert_eq!(entered, PathBuf::from(format!("net:[{inode}]")));
    assert_eq!(link(), here);
    let panicked = std::panic::catch_unwind(|| namespace.run(|| panic!("on purpose")));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"on purpose"));
}

#[test]
fn a_wrong_path_or_interface_is_named() {
    if skipped() {
        return;
    }
    let refused = Testbed::build(&path(20), Addressing::default(), TargetLink::Veth, &Mechanisms::all(), 1)
        .unwrap_err();
    assert_eq!(refused.to_string(), "path direct: an mtu of 20 bytes is outside 68..=65521");
    let missing = Witness::start(&Namespace::new().unwrap(), "tap0").unwrap_err();
    assert_eq!(missing.to_string(), "the witness on tap0 cannot find its interface");
}

#[test]
fn probes_tell_what_this_host_can_do() {
    if skipped() {
        return;
    }
    assert_eq!(probe::netns(), Ok(()));
    assert_eq!(probe::tap(), Ok(()));
    assert_eq!(probe::tap_multiqueue(), Ok(()));
    if !PathBuf::from("/dev/vhost-net").exists() {
        assert_eq!(probe::vhost_net(), Err(Unable::NoVhost));
    }
    if rig::process::find_program("passt").is_some() {
        assert_eq!(probe::passt(), Ok(()));
    }
    // Whatever they say, a reason is one line for a person.
    for result in [probe::netem(), probe::nft(), probe::vhost_net(), probe::macvtap(), probe::passt()] {
        if let Err(reason) = result.map_err(|why| why.to_string()) {
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
        }
    }
}

/// A shell script in place of an agent.
fn script(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("agent");
    fs::write(&file, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn an_agent_starts_in_its_namespace_with_nothing_of_ours() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The shell keeps the script open as 10.
    let agent = script(
        &folder,
        "read word; echo \"got $word\"; readlink /proc/self/ns/net; pwd; echo $(tr '\\0' ' ' < /proc/$$/environ)\n\
         for fd in $(seq 0 9) $(seq 11 999); do [ -e /proc/$$/fd/$fd ] && echo open $fd; done; echo complaint >&2; exit 7\n",
    );
    // Inherited by every child, were it not for the agent's start.
    let null = fs::File::open("/dev/null").unwrap();
    let leaked = nix::fcntl::fcntl(&null, nix::fcntl::FcntlArg::F_DUPFD(11)).unwrap();
    assert!(leaked < 1000, "the script would not see it");
    let namespace = Namespace::new().unwrap();
    let mut running = launch_agent(&namespace, &agent).unwrap();
    assert_eq!(running.exited(Duration::from_millis(1)).unwrap(), None, "it waits for a word");
    running.stream().write_all(b"hello\n").unwrap();
    let mut said = String::new();
    running.stream().read_to_string(&mut said).unwrap();
    let (_, inode) = namespace.identity().unwrap();
    assert_eq!(said, format!("got hello\nnet:[{inode}]\n/\n\nopen 0\nopen 1\nopen 2\n"));
    assert_eq!(running.exited(PATIENCE).unwrap().unwrap().code(), Some(7));
    assert_eq!(running.stderr_tail(), "complaint\n");
}

#[test]
fn a_dropped_agent_is_dead_and_a_missing_one_is_named() {
    if skipped() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let namespace = Namespace::new().unwrap();
    let running = launch_agent(&namespace, &script(&folder, "exec sleep 1000\n")).unwrap();
    let process = PathBuf::from(format!("/proc/{}", running.pid()));
    assert!(process.exists());
    drop(running);
    assert!(!process.exists(), "killed and reaped");

    let missing = folder.path().join("no-agent");
    let error = launch_agent(&namespace, &missing).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot start the agent {}", missing.display()));
}

/// The child holds all three streams of the agent, and lives on.
#[test]
fn an_agent_that_leaves_a_child_behind_is_not_waited_for() {
    if skipped() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    for (end, is_over) in [("exit 7", true), ("wait", false)] {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("left");
        let text = format!(
            "sleep 1000 & echo $! > {0}.part; mv {0}.part {0}; echo complaint >&2; {end}\n",
            left.display()
        );
        let mut running = launch_agent(&namespace, &script(&folder, &text)).unwrap();
        await_that("the child is there", || left.exists());
        let pid: i32 = fs::read_to_string(&left).unwrap().trim().parse().unwrap();
        let child = PathBuf::from(format!("/proc/{pid}"));
        if is_over {
            assert_eq!(running.exited(PATIENCE).unwrap().unwrap().code(), Some(7));
            assert_eq!(running.stderr_tail(), "complaint\n", "what the agent itself said is all there");
        }
        drop(running);
        assert!(child.exists(), "it was the child that held the streams");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}
