//! The packets of a guest: at its tap and at the peer, the same connections from SYN to RST.

use crate::blackbox::Lab;
use crate::blackbox::packets::{Checksum, has_tshark, segments};

const TRIALS: usize = 10;

pub(crate) fn packets_of_a_guest_are_captured_at_both_ends() {
    if !has_tshark() {
        return;
    }
    let lab = Lab::new(&format!(
        r#"
[run]
trials = {TRIALS}
blocks = 1
in_flight = 5

[axes]
scenario = ["rst"]
configuration = ["virtio-tap"]
kernel = ["6.1"]
path = ["direct"]

[scenario.rst]
client_delay = "200ms"

[configuration.virtio-tap]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
vcpus = 1

[path.direct]
mtu_bytes = 1500
"#
    ));
    lab.run("matrix run --seed 7 --capture always");
    let run = lab.only_run();
    let block = run.played().pop().expect("one block");
    assert_eq!(block.captures.len(), 2, "one for each end: {:?}", block.captures);
    let shown: Vec<_> = block.captures.iter().flat_map(|file| segments(&run.folder.join(file))).collect();
    for interface in ["target:tap0", "peer:peer0"] {
        let here: Vec<_> = shown.iter().filter(|one| one.interface == interface).collect();
        let openings = here.iter().filter(|one| one.syn && !one.from_peer);
        let mut ports: Vec<u16> = openings.map(|one| one.port).collect();
        ports.dedup();
        assert_eq!(ports.len(), TRIALS, "{interface}: {here:#?}");
        for port in ports {
            let mut told: Vec<&str> = here
                .iter()
                .filter(|one| one.port == port)
                .filter_map(|one| match (one.syn, one.rst, one.from_peer, one.length) {
                    (true, _, false, _) => Some("SYN"),
                    (true, _, true, _) => Some("SYN+ACK"),
                    (_, true, true, _) => Some("RST"),
                    (_, _, false, 4) => Some("ABCD"),
                    (_, _, true, 4) => Some("CDEF"),
                    _ => None,
                })
                .collect();
            // On a busy host an emulated guest may be so late that a segment is sent again.
            told.dedup();
            assert_eq!(told, ["SYN", "SYN+ACK", "ABCD", "CDEF", "RST"], "{interface} {port}: {here:#?}");
        }
        let bad = here.iter().find(|one| one.checksum == Checksum::Bad);
        assert!(bad.is_none(), "{interface}: {bad:#?}");
    }
    // The guest's own clock has nothing to do with the host's; its trials are found all the same.
    let kept = run.kept(&block);
    assert!(!kept.is_empty());
    for trial in &kept {
        let comment = format!("trial {} (example): {}", trial.trial, trial.outcome);
        let named: Vec<_> = shown.iter().filter(|one| one.comment == comment).collect();
        assert!(named.iter().all(|one| one.port == trial.local_port), "{named:#?}");
        for interface in ["target:tap0", "peer:peer0"] {
            assert!(named.iter().any(|one| one.interface == interface && one.rst), "{comment}: {named:#?}");
        }
    }
}
