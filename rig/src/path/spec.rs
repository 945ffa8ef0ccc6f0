//! The declared form of a path: what lies between target and peer, in words of meaning. Plain data, complete.
//!
//! Must not know which mechanism makes it so; that is `compile`'s choice. What the own middlebox does per packet is declared in its own words
//! ([`crate::middlebox`]). Units stand in the keys. An empty part is left out of the JSON, so that a plain path keeps its cell ids.
//! Errors: none; the matrix has checked everything. Tests: in `compile`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::netem::Netem;
use super::place::Place;
use crate::middlebox::{Action, Balancer, Direction, Firewall, Impairment, Ips};

/// The port of document 000's server; free in every peer namespace, because the namespace is new.
pub const PEER_PORT: u16 = 8083;

/// Where a load balancer's health check asks; [`FaultKind::BackendDown`] ends the answers there.
pub const HEALTH_PORT: u16 = 8084;

/// A `[path.NAME]` of the matrix, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSpec {
    /// Its name in the matrix.
    pub name: String,
    /// Maximum transmission unit of every link, in bytes.
    pub mtu_bytes: u32,
    /// What joins the two ends.
    #[serde(default, skip_serializing_if = "Medium::is_link")]
    pub medium: Medium,
    /// Which addresses the two ends talk by.
    #[serde(default, skip_serializing_if = "Family::is_ipv4")]
    pub family: Family,
    /// What the link does to every packet, by direction; `None` is a link that does nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impairments: Option<Impairments>,
    /// Packet-exact rules of the own middlebox, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// A stateful firewall (own middlebox).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// An intrusion prevention system (own middlebox).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Ips>,
    /// A load balancer of our own (own middlebox): layer 4, sequence numbers untouched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancer: Option<Balancer>,
    /// A real load balancer: HAProxy, which ends TCP on both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub haproxy: Option<HaProxy>,
    /// Address translation with connection tracking, by the kernel of a switch that routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,
    /// Packet filter rules of the kernel (nft), in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Kernel settings of the two ends.
    #[serde(default, skip_serializing_if = "EndSysctls::is_empty")]
    pub sysctl: EndSysctls,
    /// What changes at a moment of a block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl PathSpec {
    /// A plain layer-2 link.
    pub fn plain(name: &str, mtu_bytes: u32) -> Self {
        Self {
            name: name.to_owned(),
            mtu_bytes,
            medium: Medium::Link,
            family: Family::Ipv4,
            impairments: None,
            actions: vec![],
            firewall: None,
            ips: None,
            balancer: None,
            haproxy: None,
            nat: None,
            rules: vec![],
            sysctl: EndSysctls::default(),
            faults: vec![],
        }
    }

    /// Whether nothing but a link lies between the two ends.
    pub fn is_plain(&self) -> bool {
        *self == Self::plain(&self.name, self.mtu_bytes)
    }
}

/// Kernel settings of the two ends, by name, as the kernel writes their values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndSysctls {
    /// Of the target's kernel: over those of its configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, String>,
    /// Of the peer's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub peer: BTreeMap<String, String>,
}

impl EndSysctls {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.target.is_empty() && self.peer.is_empty()
    }
}

/// What joins target and peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// A layer-2 link between two kernels' worth of sockets: two network namespaces, or a guest and a namespace.
    #[default]
    Link,
    /// The target's own loopback: the peer's sockets are the same kernel's, and a packet is delivered in the context of its sender
    /// (`loopback_xmit`, drivers/net/loopback.c).
    Loopback,
}

impl Medium {
    fn is_link(&self) -> bool {
        *self == Self::Link
    }
}

/// Which addresses the two ends talk by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    #[default]
    Ipv4,
    /// IPv6: both ends have such an address besides the other.
    Ipv6,
}

impl Family {
    /// RFC 8200, section 5: what every link of IPv6 carries.
    pub const LEAST_MTU_OF_IPV6: u32 = 1_280;

    fn is_ipv4(&self) -> bool {
        *self == Self::Ipv4
    }
}

/// What the link does, by direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impairments {
    /// By which means.
    pub mechanism: Mechanism,
    /// From the target to the peer.
    pub to_peer: Impairment,
    /// From the peer to the target.
    pub to_target: Impairment,
}

impl Impairments {
    /// What each direction does.
    pub fn by_direction(&self) -> [(Direction, &Impairment); 2] {
        [(Direction::ToPeer, &self.to_peer), (Direction::ToTarget, &self.to_target)]
    }

    /// What of this netem cannot do, as the end of a sentence that begins with "netem cannot do"; `None` where it can do all of it.
    pub fn beyond_netem(&self) -> Option<&'static str> {
        self.by_direction().into_iter().find_map(|(_, impairment)| Netem::of(impairment).err())
    }
}

/// By which means an impairment is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// The kernel's netem where the host has it and it can do what is meant, otherwise the own middlebox.
    Auto,
    /// netem or nothing.
    Netem,
    /// The own middlebox.
    Middlebox,
}

/// HAProxy in TCP mode in front of the peer, with a health check (its configuration manual, sections 4.2 and 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaProxy {
    /// Between two checks (`inter`).
    pub check_interval_ns: u64,
    /// Failures in a row after which the backend is down (`fall`).
    pub fall: u32,
    /// Answers in a row after which it is up again (`rise`).
    pub rise: u32,
    /// What becomes of its sessions then (`on-marked-down`).
    pub on_marked_down: OnMarkedDown,
}

/// What a load balancer does with the sessions of a backend that it marks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnMarkedDown {
    /// They are shut down: `on-marked-down shutdown-sessions`.
    ShutdownSessions,
    /// They live on.
    Nothing,
}

/// Address translation: what the target connects to is a service address, and the peer is behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat {
    /// Where; only the switch lies between the two ends.
    pub at: Place,
}

/// A packet filter rule of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, in counters (`rule.NAME`).
    pub name: String,
    /// On whose machine: the target's own kernel (the guest's, where the target is one), the peer's, or a bridge between them.
    pub at: Place,
    /// Where in the packet's way.
    pub hook: Hook,
    /// Which packets.
    pub select: RuleSelect,
    /// What becomes of them.
    pub verdict: RuleVerdict,
    /// How often it must have matched.
    pub matches: Matches,
}

/// A hook of the packet filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Packets for the machine itself.
    Input,
    /// Packets that it sends.
    Output,
    /// Packets that pass: at the switch only.
    Forward,
}

/// Which TCP segments a rule means. Every part must hold; a part that is not said holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSelect {
    /// `tcp sport`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// `tcp dport`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// Flags that are all set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<TcpFlag>,
    /// Only what connection tracking calls invalid (`ct state invalid`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invalid: bool,
}

/// A flag of the TCP header (RFC 9293, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpFlag {
    /// FIN
    Fin,
    /// SYN
    Syn,
    /// RST
    Rst,
    /// PSH: what carries the last byte of a write.
    Psh,
    /// ACK
    Ack,
}

/// What becomes of a packet that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleVerdict {
    /// It vanishes.
    Drop,
    /// It vanishes, and its sender gets a RST: `reject with tcp reset`.
    RejectTcpReset,
    /// It vanishes, and its sender is told by ICMP that there is no such host (RFC 792, code 1).
    RejectIcmpHostUnreachable,
    /// That there is no such network (code 0).
    RejectIcmpNetUnreachable,
    /// That nobody is at the port (code 3).
    RejectIcmpPortUnreachable,
    /// That the host does not speak the protocol (code 2).
    RejectIcmpProtoUnreachable,
    /// That talking to the host is forbidden (RFC 1812, code 10).
    RejectIcmpHostProhibited,
    /// That talking to the network is forbidden (code 9).
    RejectIcmpNetProhibited,
    /// That an administrator forbids it (code 13).
    RejectIcmpAdminProhibited,
    /// It goes on, and is counted.
    Count,
}

impl RuleVerdict {
    /// What nft writes behind `reject with`; `None` for what rejects nothing.
    pub fn reject_with(self) -> Option<&'static str> {
        match self {
            Self::Drop | Self::Count => None,
            Self::RejectTcpReset => Some("tcp reset"),
            Self::RejectIcmpHostUnreachable => Some("icmp type host-unreachable"),
            Self::RejectIcmpNetUnreachable => Some("icmp type net-unreachable"),
            Self::RejectIcmpPortUnreachable => Some("icmp type port-unreachable"),
            Self::RejectIcmpProtoUnreachable => Some("icmp type prot-unreachable"),
            Self::RejectIcmpHostProhibited => Some("icmp type host-prohibited"),
            Self::RejectIcmpNetProhibited => Some("icmp type net-prohibited"),
            Self::RejectIcmpAdminProhibited => Some("icmp type admin-prohibited"),
        }
    }
}

/// How often a rule must have matched for its block to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matches {
    /// At least once per trial; fewer make the block void: "fault had no effect".
    EveryTrial,
    /// At least once per block.
    Sometimes,
    /// Not once: the claim under test is that it does nothing. The trials count, and the report says that the fault had no effect.
    Never,
}

/// Something that changes at a moment, counted from the first trial of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Its name, in counters (`fault.NAME`).
    pub name: String,
    /// What changes.
    pub kind: FaultKind,
    /// How long after the first trial begins.
    pub after_ns: u64,
    /// How long it lasts; 0 is the shortest that can be for what ends again, and "to the end" for [`FaultKind::Contention`];
    /// [`Fault::TO_THE_END_NS`] outlasts every block.
    pub for_ns: u64,
    /// From one beginning to the next; 0 is once.
    pub every_ns: u64,
}

impl Fault {
    /// Longer than any block: centuries.
    pub const TO_THE_END_NS: u64 = u64::MAX;
}

/// What changes at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum FaultKind {
    /// The target's NIC loses its carrier: QMP `set_link`, or the link set down for a host.
    LinkDown,
    /// The guest's vCPUs stop: QMP `stop`, then `cont`. Guests only.
    Pause,
    /// Busy threads compete for the CPUs that execute the target.
    Contention {
        /// How many per CPU.
        threads_per_cpu: u32,
    },
    /// The load balancer's backend goes down: marked so in the own one, no more answers to health checks for HAProxy.
    BackendDown,
    /// The peer's host is gone; the own middlebox answers for it.
    HostGone,
    /// The guest's vsock device is taken from its driver and given back: all of its streams are reset by their transport. Guests only.
    VsockReset,
    /// The firewall loses its state.
    ForgetConnections,
    /// An action of the own middlebox is armed.
    Arm {
        /// Its name.
        action: String,
    },
}

/// The addresses on a path: the documentation networks of RFC 5737, used in our own namespaces only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressing {
    /// The target's address on the measured link.
    pub target: Ipv4Addr,
    /// The peer's.
    pub peer: Ipv4Addr,
    /// Prefix length of the measured link.
    pub prefix: u8,
}

impl Addressing {
    /// The target's address of IPv6: RFC 3849's documentation network.
    pub const TARGET_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
    /// The peer's.
    pub const PEER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    /// Prefix length of that network.
    pub const PREFIX_IPV6: u8 = 64;

    /// The target's address of this family.
    pub fn target_by(self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => self.target.into(),
            Family::Ipv6 => Self::TARGET_IPV6.into(),
        }
    }

    /// The peer's address of this family.
    pub fn peer_by(self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => self.peer.into(),
            Family::Ipv6 => Self::PEER_IPV6.into(),
        }
    }
}

impl Default for Addressing {
    fn default() -> Self {
        Self { target: Ipv4Addr::new(192, 0, 2, 2), peer: Ipv4Addr::new(192, 0, 2, 1), prefix: 24 }
    }
}
