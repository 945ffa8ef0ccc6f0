//! From the meaning of a path to the operations that make it.
//!
//! Pure: the same path gives the same operations. Must not know how they are carried out. Units: bytes.
//! Every namespace is quiet: no IPv6, so that no router solicitation or neighbour discovery runs on the measured link; ARP is the kernel's own.
//! Offloads stay as the kernel has them, on purpose: veth and tap pass checksums on unfinished (`CHECKSUM_PARTIAL`), as between two guests
//! on one host. A middlebox that writes packets must finish them itself.
//! Between the two ends lies one of three: a bridge of the kernel, the own middlebox, or HAProxy.
//! Errors: [`PathError`], which blames the matrix file or what the host lacks. Tests: below.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::{MTU, PathError};
use super::host::Mechanisms;
use super::mechanism::{self, Choice};
use super::netem::Netem;
use super::ops::{Between, LinkEnd, NetOp, NetOps, Presence, Ruleset, TARGET_LINK, TargetLink};
use super::parts::{Part, Work};
use super::place::Place;
use super::spec::{Addressing, Family, Medium, PathSpec, Rule};
use super::{haproxy, nat, rules};
use crate::middlebox::{Impairment, MiddleboxSpec};

const MAX_QUEUES: u32 = 256;

const BRIDGE: &str = "br0";

/// The operations that make `path` on a host with these mechanisms, with the target connected by `link`. `seed` is of the own middlebox's dice.
///
/// # Errors
/// [`PathError`]
pub fn compile(
    path: &PathSpec,
    addressing: Addressing,
    link: TargetLink,
    host: &Mechanisms,
    seed: u64,
) -> Result<NetOps, PathError> {
    check(path, addressing, link)?;
    let (choice, mut mechanisms) = mechanism::choose(path, host)?;
    let between = between(path, choice)?;
    let mut ops = Vec::new();
    prepare(&mut ops, path);
    if link == TargetLink::Socket {
        return Ok(joined_by_sockets(ops));
    }
    let next_to_peer = LinkEnd::new(Place::Peer, "peer0");
    let peer_port = LinkEnd::new(Place::Switch, "to-peer");
    let target_port = links(&mut ops, path.mtu_bytes, link, &peer_port, &next_to_peer);
    let middlebox_port = match (between, path.nat.is_some()) {
        (Kind::Middlebox, true) => router_behind_middlebox(&mut ops, path.mtu_bytes),
        (Kind::Bridge | Kind::Middlebox | Kind::HaProxy | Kind::Router, _) => target_port.clone(),
    };
    let ports = [&peer_port, &target_port, &middlebox_port];
    settle_switch(&mut ops, path, addressing, between, ports);
    for port in [&peer_port, &target_port] {
        ops.push(NetOp::SetUp { link: port.clone() });
    }
    address_ends(&mut ops, path, addressing, link, &next_to_peer);
    await_carriers(&mut ops);
    if let Choice::Netem { to_peer, to_target } = choice {
        queue(&mut ops, &peer_port, to_peer);
        queue(&mut ops, &target_port, to_target);
    }
    let middlebox = match between {
        Kind::Middlebox => Some(own_middlebox(path, choice, seed, &middlebox_port, &peer_port)?),
        Kind::Bridge | Kind::HaProxy | Kind::Router => None,
    };
    mechanisms.extend(describe(path, link));
    let (rulesets, guest_ruleset) = rulesets(path, addressing, link, host)?;
    Ok(NetOps {
        ops,
        next_to_target: target_port,
        next_to_peer,
        middlebox,
        rulesets,
        guest_ruleset,
        haproxy: path.haproxy.clone(),
        passt: link == TargetLink::Passt,
        mechanisms,
        proofs: mechanism::proofs(path, choice),
    })
}

/// Every namespace before it has links.
fn prepare(ops: &mut Vec<NetOp>, path: &PathSpec) {
    for at in Place::ALL {
        quieten(ops, at);
        if rejects_by_icmp(path, at) {
            ops.push(unlimited_icmp(at));
        }
        ops.push(NetOp::SetUp { link: LinkEnd::new(at, "lo") });
    }
    if path.nat.is_some() {
        route(ops);
    }
}

/// What the switch itself is between its ports, and its addresses where it has some.
fn settle_switch(
    ops: &mut Vec<NetOp>,
    path: &PathSpec,
    addressing: Addressing,
    between: Kind,
    [peer_port, target_port, middlebox_port]: [&LinkEnd; 3],
) {
    match between {
        Kind::Bridge => bridge(ops, path.mtu_bytes, [peer_port, target_port]),
        Kind::Middlebox if path.nat.is_none() => {}
        Kind::Middlebox => {
            settle(ops, target_port, addressing.peer, addressing.prefix);
            let router = LinkEnd::new(Place::Switch, nat::ROUTER);
            settle(ops, &router, nat::INSIDE, nat::PREFIX);
            ops.push(NetOp::SetUp { link: middlebox_port.clone() });
        }
        Kind::Router => {
            settle(ops, target_port, addressing.peer, addressing.prefix);
            settle(ops, peer_port, nat::INSIDE, nat::PREFIX);
        }
        Kind::HaProxy => {
            settle(ops, target_port, addressing.peer, addressing.prefix);
            settle(ops, peer_port, haproxy::INSIDE, haproxy::PREFIX);
        }
    }
}

/// The addresses of the two ends; a guest gives itself its own.
fn address_ends(
    ops: &mut Vec<NetOp>,
    path: &PathSpec,
    addressing: Addressing,
    link: TargetLink,
    next_to_peer: &LinkEnd,
) {
    match (&path.haproxy, &path.nat) {
        (Some(_), _) => settle(ops, next_to_peer, haproxy::BACKEND, haproxy::PREFIX),
        (None, Some(_)) => settle(ops, next_to_peer, nat::BEHIND, nat::PREFIX),
        (None, None) => settle(ops, next_to_peer, addressing.peer, addressing.prefix),
    }
    let target = LinkEnd::new(Place::Target, TARGET_LINK);
    if link.ends_in_namespace() {
        settle(ops, &target, addressing.target, addressing.prefix);
    }
    if path.family == Family::Ipv6 {
        settle_ipv6(ops, next_to_peer, Addressing::PEER_IPV6);
        if link.ends_in_namespace() {
            settle_ipv6(ops, &target, Addressing::TARGET_IPV6);
        }
    }
}

/// An address of IPv6 on an end that is up: nobody else has it, so nobody is asked (duplicate address detection takes a second), and no
/// router is looked for. Neighbour discovery is the kernel's own.
fn settle_ipv6(ops: &mut Vec<NetOp>, end: &LinkEnd, address: Ipv6Addr) {
    let mut set = |interface: &str, key: &str, value: &str| {
        let key = format!("net/ipv6/conf/{interface}/{key}");
        let (at, presence) = (end.at, Presence::Required);
        ops.push(NetOp::SetSysctl { at, key, value: value.to_owned(), presence });
    };
    for (key, value) in IPV6_SETTINGS {
        set(&end.name, key, value);
    }
    set("lo", "disable_ipv6", "0");
    set(&end.name, "disable_ipv6", "0");
    let (link, prefix) = (end.clone(), Addressing::PREFIX_IPV6);
    ops.push(NetOp::SetAddress { link, address: address.into(), prefix });
}

/// Of an interface with an address of IPv6, before it has it: Documentation/networking/ip-sysctl.rst. Mode 1 makes no link-local address.
pub const IPV6_SETTINGS: [(&str, &str); 4] =
    [("accept_dad", "0"), ("accept_ra", "0"), ("autoconf", "0"), ("addr_gen_mode", "1")];

/// A link from the switch's own address to where the own middlebox takes frames: it works between the translation and the peer.
fn router_behind_middlebox(ops: &mut Vec<NetOp>, mtu_bytes: u32) -> LinkEnd {
    let [near, far] = [nat::ROUTER, nat::BEYOND].map(|name| LinkEnd::new(Place::Switch, name));
    ops.push(NetOp::AddVeth { near, far: far.clone(), mtu_bytes });
    far
}

/// The switch routes between its own addresses, and no interface answers for another's.
fn route(ops: &mut Vec<NetOp>) {
    for (key, value) in [("net/ipv4/ip_forward", "1"), ("net/ipv4/conf/all/arp_ignore", "1")] {
        let (at, presence) = (Place::Switch, Presence::Required);
        ops.push(NetOp::SetSysctl { at, key: key.into(), value: value.into(), presence });
    }
}

/// The own middlebox between the two ports of the switch.
fn own_middlebox(
    path: &PathSpec,
    choice: Choice,
    seed: u64,
    target_port: &LinkEnd,
    peer_port: &LinkEnd,
) -> Result<Between, PathError> {
    let spec = box_spec(path, choice, seed);
    spec.check()
        .map_err(|error| PathError::Middlebox { path: path.name.clone(), what: error.to_string() })?;
    Ok(Between { target_port: target_port.clone(), peer_port: peer_port.clone(), spec })
}

/// Two guests, each the other's neighbour: the host has no part in what is between them.
fn joined_by_sockets(ops: Vec<NetOp>) -> NetOps {
    let nowhere = |at| LinkEnd::new(at, "lo");
    NetOps {
        ops,
        next_to_target: nowhere(Place::Switch),
        next_to_peer: nowhere(Place::Peer),
        middlebox: None,
        rulesets: vec![],
        guest_ruleset: None,
        haproxy: None,
        passt: false,
        mechanisms: vec![],
        proofs: vec![],
    }
}

/// What stands between the two ports of the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bridge,
    Middlebox,
    HaProxy,
    Router,
}

fn between(path: &PathSpec, choice: Choice) -> Result<Kind, PathError> {
    let mut works: Vec<Work> = path.parts().into_iter().map(Part::work).collect();
    if choice == Choice::Middlebox {
        works.push(Work::Middlebox);
    }
    if let Some((one, other)) = Work::first_exclusion(&works) {
        let path = path.name.clone();
        return Err(PathError::Clash { path, one: one.words(), other: other.words() });
    }
    Ok(match (works.contains(&Work::Middlebox), works.contains(&Work::HaProxy)) {
        (true, _) => Kind::Middlebox,
        (false, true) => Kind::HaProxy,
        (false, false) if path.nat.is_some() => Kind::Router,
        (false, false) => Kind::Bridge,
    })
}

fn box_spec(path: &PathSpec, choice: Choice, seed: u64) -> MiddleboxSpec {
    let impairments = path.impairments.as_ref().filter(|_| choice == Choice::Middlebox);
    MiddleboxSpec {
        to_peer: impairments.map_or_else(Impairment::none, |both| both.to_peer.clone()),
        to_target: impairments.map_or_else(Impairment::none, |both| both.to_target.clone()),
        actions: path.actions.clone(),
        firewall: path.firewall.clone(),
        ips: path.ips.clone(),
        balancer: path.balancer.clone(),
        ..MiddleboxSpec::transparent(seed)
    }
}

/// What is no impairment, and who does it.
fn describe(path: &PathSpec, link: TargetLink) -> Vec<String> {
    let mut words = match path.medium {
        Medium::Link => vec![],
        Medium::Loopback => vec!["loopback: the peer is in the target's own kernel".to_owned()],
    };
    let own = path.parts().into_iter().filter_map(Part::of_middlebox);
    words.extend(own.map(|what| format!("{what}: rig's own middlebox")));
    if path.haproxy.is_some() {
        words.push("load balancer: HAProxy, which ends TCP on both sides".to_owned());
    }
    if path.nat.is_some() {
        words.push("address translation: nft in a switch that routes".to_owned());
    }
    for rule in &path.rules {
        let whose = match (rule.at, link) {
            (Place::Target, _) if link.ends_in_namespace() => "target's namespace",
            (Place::Target, _) => "guest's kernel",
            (Place::Peer, _) => "peer's namespace",
            (Place::Switch, _) if path.nat.is_some() => "switch that routes",
            (Place::Switch, _) => "bridge",
        };
        words.push(format!("rule {}: nft in the {whose}", rule.name));
    }
    words
}

/// Rulesets for namespaces, and that for a guest's own kernel.
fn rulesets(
    path: &PathSpec,
    addressing: Addressing,
    link: TargetLink,
    host: &Mechanisms,
) -> Result<(Vec<Ruleset>, Option<Ruleset>), PathError> {
    let of = |at, family: &str, text| Ruleset { at, family: family.to_owned(), text };
    let all = Place::ALL.into_iter().filter_map(|at| match (at, &path.nat) {
        (Place::Switch, Some(_)) => Some(of(at, nat::FAMILY, nat::ruleset(addressing, &path.rules))),
        _ => rules::ruleset(&path.rules, at).map(|text| of(at, rules::family(at), text)),
    });
    let in_guest = |ruleset: &Ruleset| ruleset.at == Place::Target && !link.ends_in_namespace();
    let (guests, ours): (Vec<_>, Vec<_>) = all.partition(in_guest);
    if let (Err(why), false) = (&host.nft, ours.is_empty()) {
        return Err(PathError::lacking(path, "nft", why));
    }
    if let (Err(why), Some(_)) = (&host.nat, &path.nat) {
        return Err(PathError::lacking(path, "address translation", why));
    }
    if let (Err(why), Some(_)) = (&host.haproxy, &path.haproxy) {
        return Err(PathError::lacking(path, "HAProxy", why));
    }
    Ok((ours, guests.into_iter().next()))
}

/// The interfaces; gives the switch's port towards the target.
fn links(
    ops: &mut Vec<NetOp>,
    mtu_bytes: u32,
    link: TargetLink,
    peer_port: &LinkEnd,
    peer: &LinkEnd,
) -> LinkEnd {
    ops.push(NetOp::AddVeth { near: peer_port.clone(), far: peer.clone(), mtu_bytes });
    match link {
        TargetLink::Socket => unreachable!("two guests on a socket pair use no link of the host"),
        TargetLink::Veth | TargetLink::Passt => veth_to_target(ops, mtu_bytes).0,
        TargetLink::Macvtap { queues } => {
            let (port, lower) = veth_to_target(ops, mtu_bytes);
            let link = LinkEnd::new(Place::Target, "macvtap0");
            ops.push(NetOp::AddMacvtap { link: link.clone(), lower: lower.name.clone(), queues });
            ops.extend([lower, link].map(|link| NetOp::SetUp { link }));
            port
        }
        TargetLink::Tap { queues } => {
            let tap = LinkEnd::new(Place::Switch, "tap0");
            ops.push(NetOp::AddTap { link: tap.clone(), queues });
            ops.push(NetOp::SetMtu { link: tap.clone(), mtu_bytes });
            tap
        }
    }
}

/// The switch's end and the target's.
fn veth_to_target(ops: &mut Vec<NetOp>, mtu_bytes: u32) -> (LinkEnd, LinkEnd) {
    let near = LinkEnd::new(Place::Switch, "to-target");
    let far = LinkEnd::new(Place::Target, TARGET_LINK);
    ops.push(NetOp::AddVeth { near: near.clone(), far: far.clone(), mtu_bytes });
    (near, far)
}

fn bridge(ops: &mut Vec<NetOp>, mtu_bytes: u32, ports: [&LinkEnd; 2]) {
    let bridge = LinkEnd::new(Place::Switch, BRIDGE);
    ops.push(NetOp::AddBridge { link: bridge.clone() });
    for port in ports {
        ops.push(NetOp::Enslave { link: port.clone(), bridge: BRIDGE.into() });
    }
    // A bridge takes the smallest MTU of its ports by itself, unless it is set; set, it cannot surprise.
    ops.push(NetOp::SetMtu { link: bridge.clone(), mtu_bytes });
    ops.push(NetOp::SetUp { link: bridge });
}

fn queue(ops: &mut Vec<NetOp>, link: &LinkEnd, netem: Option<Netem>) {
    ops.extend(netem.map(|netem| NetOp::AddNetem { link: link.clone(), netem }));
}

fn check(path: &PathSpec, addressing: Addressing, link: TargetLink) -> Result<(), PathError> {
    if !(MTU.0..=MTU.1).contains(&path.mtu_bytes) {
        return Err(PathError::Mtu { path: path.name.clone(), mtu_bytes: path.mtu_bytes });
    }
    if !are_neighbours(addressing) {
        return Err(PathError::Addressing(addressing));
    }
    match link {
        TargetLink::Tap { queues } | TargetLink::Macvtap { queues }
            if !(1..=MAX_QUEUES).contains(&queues) =>
        {
            Err(PathError::Queues { queues })
        }
        TargetLink::Tap { .. }
        | TargetLink::Macvtap { .. }
        | TargetLink::Veth
        | TargetLink::Passt
        | TargetLink::Socket => Ok(()),
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

/// Whether rules at a place answer by ICMP.
fn rejects_by_icmp(path: &PathSpec, at: Place) -> bool {
    let by_icmp = |rule: &Rule| rule.verdict.reject_with().is_some_and(|what| what.starts_with("icmp"));
    path.rules.iter().any(|rule| rule.at == at && by_icmp(rule))
}

/// A kernel sends a host one ICMP error a second, behind a burst of six (`icmpv4_xrlim_allow`, net/ipv4/icmp.c): trials that play at the same
/// time would wait for each other's.
fn unlimited_icmp(at: Place) -> NetOp {
    let key = "net/ipv4/icmp_ratemask".to_owned();
    NetOp::SetSysctl { at, key, value: "0".to_owned(), presence: Presence::Optional }
}

/// An end with its address, up.
fn settle(ops: &mut Vec<NetOp>, end: &LinkEnd, address: Ipv4Addr, prefix: u8) {
    let address = address.into();
    ops.push(NetOp::SetAddress { link: end.clone(), address, prefix });
    ops.push(NetOp::SetUp { link: end.clone() });
}

/// Ends with waiting for every link that was made, so that the first packet is not lost.
fn await_carriers(ops: &mut Vec<NetOp>) {
    let mut links = Vec::new();
    for op in ops.iter() {
        match op {
            NetOp::AddVeth { near, far, .. } => links.extend([near.clone(), far.clone()]),
            NetOp::AddTap { link, .. } | NetOp::AddMacvtap { link, .. } => links.push(link.clone()),
            NetOp::AddBridge { .. }
            | NetOp::SetSysctl { .. }
            | NetOp::SetMtu { .. }
            | NetOp::Enslave { .. }
            | NetOp::SetAddress { .. }
            | NetOp::SetUp { .. }
            | NetOp::AddNetem { .. }
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
        PathSpec::plain("direct", mtu_bytes)
    }

    fn compiled(link: TargetLink) -> NetOps {
        compile(&path(1500), Addressing::default(), link, &Mechanisms::all(), 1)
            .expect("a plain path compiles")
    }

    /// Interfaces that an operation makes.
    fn made(op: &NetOp) -> Vec<LinkEnd> {
        match op {
            NetOp::AddBridge { link } | NetOp::AddTap { link, .. } | NetOp::AddMacvtap { link, .. } => {
                vec![link.clone()]
            }
            NetOp::AddVeth { near, far, .. } => vec![near.clone(), far.clone()],
            NetOp::SetSysctl { .. }
            | NetOp::SetMtu { .. }
            | NetOp::Enslave { .. }
            | NetOp::SetAddress { .. }
            | NetOp::AwaitCarrier { .. }
            | NetOp::AddNetem { .. }
            | NetOp::SetUp { .. } => vec![],
        }
    }

    /// Interfaces that an operation needs.
    fn used(op: &NetOp) -> Vec<LinkEnd> {
        match op {
            NetOp::SetMtu { link, .. }
            | NetOp::SetAddress { link, .. }
            | NetOp::SetUp { link }
            | NetOp::AddNetem { link, .. }
            | NetOp::AwaitCarrier { link } => vec![link.clone()],
            NetOp::Enslave { link, bridge } => vec![link.clone(), LinkEnd::new(link.at, bridge)],
            NetOp::AddMacvtap { link, lower, .. } => vec![LinkEnd::new(link.at, lower)],
            NetOp::SetSysctl { .. }
            | NetOp::AddBridge { .. }
            | NetOp::AddTap { .. }
            | NetOp::AddVeth { .. } => vec![],
        }
    }

    #[test]
    fn every_interface_is_made_once_before_it_is_used_and_ends_up() {
        let several = |queues| [TargetLink::Tap { queues }, TargetLink::Macvtap { queues }];
        let links = [several(1), several(4), [TargetLink::Veth, TargetLink::Passt]];
        for link in links.into_iter().flatten() {
            let NetOps { ops, next_to_target, next_to_peer, .. } = compiled(link);
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
            assert_eq!(next_to_peer.at, Place::Peer);
            assert!(known.contains(&(next_to_peer.at, next_to_peer.name)));
        }
    }

    #[test]
    fn two_guests_on_a_pair_of_sockets_have_quiet_namespaces_and_no_link() {
        let NetOps { ops, next_to_target, .. } = compiled(TargetLink::Socket);
        assert_eq!(ops.iter().flat_map(made).collect::<Vec<_>>(), []);
        let up = |at| ops.contains(&NetOp::SetUp { link: LinkEnd::new(at, "lo") });
        assert!(Place::ALL.into_iter().all(up), "QEMU forwards the control connection on its loopback");
        assert_eq!(next_to_target.name, "lo");
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
            "switch/tap0: wait for its carrier",
            "peer/peer0: wait for its carrier",
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
        let with = |mtu, link| compile(&path(mtu), Addressing::default(), link, &Mechanisms::all(), 1);
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
