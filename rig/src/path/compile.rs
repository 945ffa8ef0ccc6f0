//! From the meaning of a path to the operations that make it.
//!
//! Pure: the same path gives the same operations. Must not know how they are carried out. Units: bytes.
//! Every namespace is quiet: no IPv6, so that no router solicitation or neighbour discovery runs on the measured link; ARP is the kernel's own.
//! Offloads stay as the kernel has them, on purpose: veth and tap pass checksums on unfinished (`CHECKSUM_PARTIAL`), as between two guests
//! on one host. A middlebox that writes packets must finish them itself.
//! Errors: [`PathError`], which blames the matrix file. Tests: below.

use std::net::Ipv4Addr;

use miette::Diagnostic;
use thiserror::Error;

use super::ops::{LinkEnd, NetOp, NetOps, Place, Presence, TargetLink};
use super::spec::{Addressing, PathSpec};

/// Why a path cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum PathError {
    /// IPv4 must be able to cross it, and the links must be able to carry it.
    #[error("path {path}: an mtu of {mtu_bytes} bytes is outside {}..={}", MTU.0, MTU.1)]
    #[diagnostic(help("1500 is Ethernet's"))]
    Mtu {
        /// Its name.
        path: String,
        /// What it says.
        mtu_bytes: u32,
    },
    /// The two ends would not reach each other without a router.
    #[error("target {} and peer {} are not two hosts of one /{} network", .0.target, .0.peer, .0.prefix)]
    #[diagnostic(help(
        "give both an address of one network with a prefix of at most 30, as 192.0.2.1 and 192.0.2.2 in a /24"
    ))]
    Addressing(Addressing),
    /// `MAX_TAP_QUEUES`, drivers/net/tun.c.
    #[error("a tap with {queues} queues")]
    #[diagnostic(help("1 to 256 are possible; more queues than vCPUs are of no use"))]
    Queues {
        /// What it says.
        queues: u32,
    },
}

/// The smallest that IPv4 allows (RFC 791), and what a tap can carry less its Ethernet header (`tun_net_initialize`, drivers/net/tun.c).
const MTU: (u32, u32) = (68, 65_521);
const MAX_QUEUES: u32 = 256;

const BRIDGE: &str = "br0";

/// The operations that make `path`, with the target connected by `link`.
///
/// # Errors
/// [`PathError`]
pub fn compile(path: &PathSpec, addressing: Addressing, link: TargetLink) -> Result<NetOps, PathError> {
    check(path, addressing, link)?;
    let mtu_bytes = path.mtu_bytes;
    let bridge = LinkEnd::new(Place::Switch, BRIDGE);
    let mut ops = Vec::new();
    for at in Place::ALL {
        quieten(&mut ops, at);
        ops.push(NetOp::SetUp { link: LinkEnd::new(at, "lo") });
    }
    ops.push(NetOp::AddBridge { link: bridge.clone() });

    let peer_port = LinkEnd::new(Place::Switch, "to-peer");
    let peer = LinkEnd::new(Place::Peer, "peer0");
    ops.push(NetOp::AddVeth { near: peer_port.clone(), far: peer.clone(), mtu_bytes });
    plug(&mut ops, &peer_port);
    settle(&mut ops, &peer, addressing.peer, addressing.prefix);

    let next_to_target = match link {
        TargetLink::Veth => {
            let port = LinkEnd::new(Place::Switch, "to-target");
            let target = LinkEnd::new(Place::Target, "target0");
            ops.push(NetOp::AddVeth { near: port.clone(), far: target.clone(), mtu_bytes });
            plug(&mut ops, &port);
            settle(&mut ops, &target, addressing.target, addressing.prefix);
            port
        }
        TargetLink::Tap { queues } => {
            let tap = LinkEnd::new(Place::Switch, "tap0");
            ops.push(NetOp::AddTap { link: tap.clone(), queues });
            ops.push(NetOp::SetMtu { link: tap.clone(), mtu_bytes });
            plug(&mut ops, &tap);
            tap
        }
    };
    // A bridge takes the smallest MTU of its ports by itself, unless it is set; set, it cannot surprise.
    ops.push(NetOp::SetMtu { link: bridge.clone(), mtu_bytes });
    ops.push(NetOp::SetUp { link: bridge });
    await_carriers(&mut ops);
    Ok(NetOps { ops, next_to_target })
}

fn check(path: &PathSpec, addressing: Addressing, link: TargetLink) -> Result<(), PathError> {
    if !(MTU.0..=MTU.1).contains(&path.mtu_bytes) {
        return Err(PathError::Mtu { path: path.name.clone(), mtu_bytes: path.mtu_bytes });
    }
    if !are_neighbours(addressing) {
        return Err(PathError::Addressing(addressing));
    }
    match link {
        TargetLink::Tap { queues } if !(1..=MAX_QUEUES).contains(&queues) => {
            Err(PathError::Queues { queues })
        }
        TargetLink::Tap { .. } | TargetLink::Veth => Ok(()),
    }
}

/// Whether both are host addresses of the same network.
fn are_neighbours(Addressing { target, peer, prefix }: Addressing) -> bool {
    if !(1..=30).contains(&prefix) || target == peer {
        return false;
    }
    let mask = u32::MAX << (32 - prefix);
    let is_host = |address: Ipv4Addr| {
        let host = address.to_bits() & !mask;
        host != 0 && host != !mask
    };
    target.to_bits() & mask == peer.to_bits() & mask && is_host(target) && is_host(peer)
}

/// Nothing but what the two ends say: no IPv6, no packet filter of the host's on the bridge.
fn quieten(ops: &mut Vec<NetOp>, at: Place) {
    let mut set = |key: &str| {
        ops.push(NetOp::SetSysctl { at, key: key.into(), value: "0".into(), presence: Presence::Optional });
    };
    if at == Place::Switch {
        // br_netfilter would hand bridged packets to iptables and defragment them (Documentation/networking/ip-sysctl.rst).
        set("net/bridge/bridge-nf-call-iptables");
        set("net/bridge/bridge-nf-call-arptables");
    }
    for scope in ["all", "default"] {
        let key = format!("net/ipv6/conf/{scope}/disable_ipv6");
        ops.push(NetOp::SetSysctl { at, key, value: "1".into(), presence: Presence::Optional });
    }
}

/// A port of the bridge, up.
fn plug(ops: &mut Vec<NetOp>, port: &LinkEnd) {
    ops.push(NetOp::Enslave { link: port.clone(), bridge: BRIDGE.into() });
    ops.push(NetOp::SetUp { link: port.clone() });
}

/// An end with its address, up.
fn settle(ops: &mut Vec<NetOp>, end: &LinkEnd, address: Ipv4Addr, prefix: u8) {
    ops.push(NetOp::SetAddress { link: end.clone(), address, prefix });
    ops.push(NetOp::SetUp { link: end.clone() });
}

/// Ends with waiting for every link that was made, so that the first packet is not lost.
fn await_carriers(ops: &mut Vec<NetOp>) {
    let mut links = Vec::new();
    for op in ops.iter() {
        match op {
            NetOp::AddVeth { near, far, .. } => links.extend([near.clone(), far.clone()]),
            NetOp::AddTap { link, .. } => links.push(link.clone()),
            NetOp::AddBridge { .. }
            | NetOp::SetSysctl { .. }
            | NetOp::SetMtu { .. }
            | NetOp::Enslave { .. }
            | NetOp::SetAddress { .. }
            | NetOp::SetUp { .. }
            | NetOp::AwaitCarrier { .. } => {}
        }
    }
    ops.extend(links.into_iter().map(|link| NetOp::AwaitCarrier { link }));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn path(mtu_bytes: u32) -> PathSpec {
        PathSpec { name: "direct".into(), mtu_bytes }
    }

    fn compiled(link: TargetLink) -> NetOps {
        compile(&path(1500), Addressing::default(), link).expect("a plain path compiles")
    }

    /// Interfaces that an operation makes.
    fn made(op: &NetOp) -> Vec<LinkEnd> {
        match op {
            NetOp::AddBridge { link } | NetOp::AddTap { link, .. } => vec![link.clone()],
            NetOp::AddVeth { near, far, .. } => vec![near.clone(), far.clone()],
            NetOp::SetSysctl { .. }
            | NetOp::SetMtu { .. }
            | NetOp::Enslave { .. }
            | NetOp::SetAddress { .. }
            | NetOp::AwaitCarrier { .. }
            | NetOp::SetUp { .. } => vec![],
        }
    }

    /// Interfaces that an operation needs.
    fn used(op: &NetOp) -> Vec<LinkEnd> {
        match op {
            NetOp::SetMtu { link, .. }
            | NetOp::SetAddress { link, .. }
            | NetOp::SetUp { link }
            | NetOp::AwaitCarrier { link } => vec![link.clone()],
            NetOp::Enslave { link, bridge } => vec![link.clone(), LinkEnd::new(link.at, bridge)],
            NetOp::SetSysctl { .. }
            | NetOp::AddBridge { .. }
            | NetOp::AddTap { .. }
            | NetOp::AddVeth { .. } => vec![],
        }
    }

    #[test]
    fn every_interface_is_made_once_before_it_is_used_and_ends_up() {
        for link in [TargetLink::Veth, TargetLink::Tap { queues: 1 }, TargetLink::Tap { queues: 4 }] {
            let NetOps { ops, next_to_target } = compiled(link);
            let mut known: BTreeSet<(Place, String)> = Place::ALL.map(|at| (at, "lo".to_owned())).into();
            let mut up = BTreeSet::new();
            for op in &ops {
                for end in used(op) {
                    assert!(known.contains(&(end.at, end.name.clone())), "{op} comes too early");
                }
                for end in made(op) {
                    assert!(end.name.len() < 16, "{end} is too long for the kernel");
                    assert!(known.insert((end.at, end.name.clone())), "{end} is made twice");
                }
                if let NetOp::SetUp { link } = op {
                    up.insert((link.at, link.name.clone()));
                }
            }
            assert_eq!(known, up);
            assert_eq!(next_to_target.at, Place::Switch);
            assert!(known.contains(&(next_to_target.at, next_to_target.name)));
        }
    }

    #[test]
    fn a_tap_leaves_the_target_namespace_without_a_link_to_the_path() {
        let NetOps { ops, .. } = compiled(TargetLink::Tap { queues: 2 });
        let in_target: Vec<_> = ops.iter().flat_map(made).filter(|end| end.at == Place::Target).collect();
        assert_eq!(in_target, []);
    }

    #[test]
    fn the_text_form_tells_the_whole_path() {
        let lines = compiled(TargetLink::Tap { queues: 2 }).lines();
        for wanted in [
            "switch: sysctl net/bridge/bridge-nf-call-iptables = 0 (where the kernel has it)",
            "target: sysctl net/ipv6/conf/default/disable_ipv6 = 1 (where the kernel has it)",
            "switch/br0: bridge, no spanning tree, forward delay 0, no multicast snooping",
            "switch/to-peer: veth to peer/peer0, mtu 1500",
            "peer/peer0: address 192.0.2.1/24",
            "switch/tap0: tap with virtio-net headers, queues 2",
            "switch/tap0: mtu 1500",
            "switch/tap0: port of br0",
            "switch/tap0: wait until it carries",
            "peer/peer0: wait until it carries",
        ] {
            assert!(lines.iter().any(|line| line == wanted), "{wanted:?} is missing in {lines:#?}");
        }
        let veth = compiled(TargetLink::Veth).lines();
        assert!(veth.iter().any(|line| line == "target/target0: address 192.0.2.2/24"), "{veth:#?}");
    }

    #[test]
    fn operations_read_back_from_the_record() {
        let ops = compiled(TargetLink::Tap { queues: 1 });
        let json = serde_json::to_string(&ops).expect("plain data");
        assert_eq!(serde_json::from_str::<NetOps>(&json).expect("ours"), ops);
    }

    #[test]
    fn bounds_are_refused_just_outside_and_taken_just_inside() {
        let with = |mtu, link| compile(&path(mtu), Addressing::default(), link);
        for mtu in [68, 65_521] {
            assert!(with(mtu, TargetLink::Veth).is_ok(), "{mtu}");
        }
        for mtu in [0, 67, 65_522, u32::MAX] {
            assert!(matches!(with(mtu, TargetLink::Veth), Err(PathError::Mtu { .. })), "{mtu}");
        }
        for queues in [1, 256] {
            assert!(with(1500, TargetLink::Tap { queues }).is_ok(), "{queues}");
        }
        for queues in [0, 257] {
            assert_eq!(with(1500, TargetLink::Tap { queues }), Err(PathError::Queues { queues }));
        }
    }

    #[test]
    fn addresses_must_be_two_hosts_of_one_network() {
        let at = |target: [u8; 4], peer: [u8; 4], prefix| {
            are_neighbours(Addressing { target: target.into(), peer: peer.into(), prefix })
        };
        assert!(at([192, 0, 2, 2], [192, 0, 2, 1], 24));
        assert!(at([192, 0, 2, 2], [192, 0, 2, 1], 30));
        assert!(at([10, 0, 0, 1], [11, 0, 0, 1], 1));
        assert!(!at([192, 0, 2, 1], [192, 0, 2, 1], 24), "the same address");
        assert!(!at([192, 0, 2, 1], [198, 51, 100, 1], 24), "two networks");
        assert!(!at([192, 0, 2, 0], [192, 0, 2, 1], 24), "the network itself");
        assert!(!at([192, 0, 2, 255], [192, 0, 2, 1], 24), "broadcast");
        for prefix in [0, 31, 32, 33, 255] {
            assert!(!at([192, 0, 2, 2], [192, 0, 2, 1], prefix), "/{prefix}");
        }
    }
}
