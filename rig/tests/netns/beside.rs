//! What carries a guest's frames beside a tap: a macvtap, and passt.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;

use rig::path::{Addressing, Place, TargetLink, passt};
use rig::testbed::Testbed;

use super::{
    PATIENCE, STATION, VNET_HEADER, arp_request, await_that, build, interfaces, listen, read_frame, segment,
    skipped, tcp,
};

#[test]
fn frames_pass_between_a_macvtap_and_the_peer_on_every_queue() {
    if skipped() {
        return;
    }
    // Two at once: their devices have numbers of their own, though both interfaces have the same name and number in their namespaces.
    let other = build(TargetLink::Macvtap { queues: 1 });
    for queues in [1, 3] {
        let mut testbed = build(TargetLink::Macvtap { queues });
        let queue = testbed.take_taps();
        assert_eq!(queue.len(), queues as usize);
        assert!(testbed.take_taps().is_empty());
        let names = |at| testbed.namespace(at).run(interfaces).unwrap();
        assert_eq!(names(Place::Target), ["lo", "macvtap0", "target0"]);
        assert_eq!(names(Place::Switch), ["br0", "lo", "to-peer", "to-target"]);
        let witness = testbed.start_witness().unwrap();
        let mut peer_station = None;
        for one in &queue {
            nix::unistd::write(one, &arp_request()).unwrap();
            // Nothing else is on the link, so the very next frame is the kernel's answer: to a MAC address that no interface here has.
            let answer = read_frame(&queue);
            assert_eq!(answer[VNET_HEADER..VNET_HEADER + 6], STATION);
            assert_eq!(answer[VNET_HEADER + 12..VNET_HEADER + 22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
            assert_eq!(answer[VNET_HEADER + 28..VNET_HEADER + 32], Addressing::default().peer.octets());
            peer_station = answer[VNET_HEADER + 22..VNET_HEADER + 28].try_into().ok();
        }
        // The witness stands where it stands for a host's target.
        nix::unistd::write(&queue[0], &segment(peer_station.unwrap(), 0x04)).unwrap();
        await_that("the RST has passed", || witness.counts().unwrap().to_peer == 1);
        let target = testbed.target().try_clone().unwrap();
        drop(testbed);
        assert_eq!(target.run(interfaces).unwrap().len(), 3, "the namespace is held");
    }
    drop(other);
}

/// The process that runs in the target's namespace.
fn inhabitant(testbed: &Testbed) -> Option<(u32, String)> {
    let (_, inode) = testbed.target().identity().unwrap();
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let namespace = std::fs::metadata(entry.path().join("ns/net")).ok()?.ino();
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        (namespace == inode).then(|| (pid, name.trim().to_owned()))
    })
}

/// As QEMU and passt exchange it: its length, and the frame.
fn framed(frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat()
}

/// As QEMU asks for the gateway; who it is.
fn ask_for_the_gateway(socket: &mut UnixStream) -> [u8; 6] {
    let mut question = arp_request()[VNET_HEADER..].to_vec();
    question[28..32].copy_from_slice(&passt::GUEST.octets());
    question[38..42].copy_from_slice(&passt::GATEWAY.octets());
    socket.write_all(&framed(&question)).unwrap();
    let mut answer = [0; 4 + 42];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer[4 + 28..4 + 32], passt::GATEWAY.octets());
    answer[4 + 22..4 + 28].try_into().unwrap()
}

#[test]
fn passt_connects_in_the_guests_name_and_goes_with_its_testbed() {
    if skipped() {
        return;
    }
    let mut testbed = build(TargetLink::Passt);
    let mut socket = UnixStream::from(testbed.take_socket().unwrap());
    assert!(testbed.take_socket().is_none());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (pid, name) = inhabitant(&testbed).unwrap();
    assert!(name.starts_with("passt"), "{name}");
    // It has taken everything from itself that it does not need.
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t65534\t65534") && status.contains("Seccomp:\t2"), "{status}");
    let gateway = ask_for_the_gateway(&mut socket);
    let (listener, address) = listen(testbed.peer(), Addressing::default().peer);
    socket.write_all(&framed(&tcp(passt::GUEST, gateway, address.port(), 0x02))).unwrap();
    let (stream, from): (TcpStream, _) = listener.accept().unwrap();
    // The peer sees the host, as it does where libslirp connects.
    assert_eq!(from.ip(), Addressing::default().target);
    drop(stream);
    drop(testbed);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "it is gone and waited for");
}

#[test]
fn passt_ends_when_qemu_does() {
    if skipped() {
        return;
    }
    let mut testbed = build(TargetLink::Passt);
    let (pid, _) = inhabitant(&testbed).unwrap();
    drop(testbed.take_socket());
    let ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
    };
    await_that("passt has ended by itself", ended);
    drop(testbed);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
