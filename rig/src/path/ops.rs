//! The operations that make a path, in their order: plain data and their one-line text form.
//!
//! Must not know how they are carried out. Units: bytes, octets of addresses.
//! The text goes into the record: it says what the measured packets passed. Errors: none.
//! Tests: below and in `compile`.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::netem::Netem;
use super::place::Place;
use super::spec::HaProxy;
use crate::middlebox::{Direction, MiddleboxSpec};

/// The target's own end of a veth pair.
pub(super) const TARGET_LINK: &str = "target0";

/// How the target is connected to the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetLink {
    /// A veth pair whose far end, with the target's address, is in the target's namespace: bare metal, and QEMU's user networking.
    Veth,
    /// The same, and a passt in the target's namespace, which connects from there in the guest's name; the other end of its socket goes to QEMU.
    Passt,
    /// A veth pair whose far end is in the target's namespace, and on that end a macvtap that has it for itself (`passthru`); its descriptors
    /// go to QEMU.
    Macvtap {
        /// Queue pairs: one descriptor each.
        queues: u32,
    },
    /// A tap in the switch; its descriptors go to QEMU. Whether vhost-net drives it is QEMU's business: the device is the same.
    Tap {
        /// Queue pairs: one descriptor each.
        queues: u32,
    },
    /// None: the target is a guest that is joined to a second one, the peer, by a pair of sockets between the two QEMUs. No interface of
    /// the host carries what they say, so the switch is empty.
    Socket,
}

/// A network interface at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEnd {
    /// Where.
    pub at: Place,
    /// Its name there, at most 15 bytes (`IFNAMSIZ`, include/uapi/linux/if.h).
    pub name: String,
}

impl TargetLink {
    /// Whether the target's address, or that of whoever connects in its name, is in the target's namespace.
    pub(super) fn ends_in_namespace(self) -> bool {
        match self {
            Self::Veth | Self::Passt => true,
            Self::Tap { .. } | Self::Macvtap { .. } | Self::Socket => false,
        }
    }
}

impl LinkEnd {
    /// The interface `name` at `at`.
    pub fn new(at: Place, name: &str) -> Self {
        Self { at, name: name.into() }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.at.word(), self.name)
    }
}

/// Whether a kernel that lacks a setting may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It must be there.
    Required,
    /// Where it is not there, what it would switch off is not there either.
    Optional,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum NetOp {
    /// Writes a file under /proc/sys.
    SetSysctl {
        /// Where.
        at: Place,
        /// `net/ipv6/conf/all/disable_ipv6`
        key: String,
        /// What.
        value: String,
        /// Whether it may be missing.
        presence: Presence,
    },
    /// A bridge that forwards at once: no spanning tree, forward delay 0, no multicast snooping.
    AddBridge {
        /// Which.
        link: LinkEnd,
    },
    /// A veth pair with this MTU at both ends.
    AddVeth {
        /// One end.
        near: LinkEnd,
        /// The other.
        far: LinkEnd,
        /// Of both.
        mtu_bytes: u32,
    },
    /// A tap with virtio-net headers (`IFF_TAP | IFF_NO_PI | IFF_VNET_HDR`, and `IFF_MULTI_QUEUE` with several queues).
    AddTap {
        /// Which.
        link: LinkEnd,
        /// Descriptors.
        queues: u32,
    },
    /// A macvtap that has an interface for itself: whatever arrives there is its, whatever its MAC address (mode `passthru`;
    /// `macvlan_handle_frame`, drivers/net/macvlan.c).
    AddMacvtap {
        /// Which.
        link: LinkEnd,
        /// The name of the interface, at the same place.
        lower: String,
        /// Descriptors.
        queues: u32,
    },
    /// Sets the maximum transmission unit.
    SetMtu {
        /// Which.
        link: LinkEnd,
        /// What.
        mtu_bytes: u32,
    },
    /// Makes an interface a port of a bridge at the same place.
    Enslave {
        /// Which.
        link: LinkEnd,
        /// Name of the bridge.
        bridge: String,
    },
    /// Adds an address, and with it the route to its network.
    SetAddress {
        /// Which.
        link: LinkEnd,
        /// What.
        address: IpAddr,
        /// Prefix length.
        prefix: u8,
    },
    /// A netem queue on what leaves by an interface.
    AddNetem {
        /// Which.
        link: LinkEnd,
        /// What it does.
        netem: Netem,
    },
    /// Administratively up.
    SetUp {
        /// Which.
        link: LinkEnd,
    },
    /// Waits until the interface has a carrier and, as a port of a bridge, forwards: the kernel sees to that in the background, and drops
    /// what is sent earlier.
    AwaitCarrier {
        /// Which.
        link: LinkEnd,
    },
}

impl fmt::Display for NetOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetSysctl { at, key, value, presence } => {
                let note = match presence {
                    Presence::Required => "",
                    Presence::Optional => " (where the kernel has it)",
                };
                write!(f, "{}: sysctl {key} = {value}{note}", at.word())
            }
            Self::AddBridge { link } => {
                write!(f, "{link}: bridge, no spanning tree, forward delay 0, no multicast snooping")
            }
            Self::AddVeth { near, far, mtu_bytes } => write!(f, "{near}: veth to {far}, mtu {mtu_bytes}"),
            Self::AddTap { link, queues } => {
                write!(f, "{link}: tap with virtio-net headers, queues {queues}")
            }
            Self::AddMacvtap { link, lower, queues } => {
                write!(f, "{link}: macvtap that has {lower} for itself, queues {queues}")
            }
            Self::SetMtu { link, mtu_bytes } => write!(f, "{link}: mtu {mtu_bytes}"),
            Self::Enslave { link, bridge } => write!(f, "{link}: port of {bridge}"),
            Self::SetAddress { link, address, prefix } => write!(f, "{link}: address {address}/{prefix}"),
            Self::AddNetem { link, netem } => write!(f, "{link}: outgoing: {netem}"),
            Self::SetUp { link } => write!(f, "{link}: up"),
            Self::AwaitCarrier { link } => write!(f, "{link}: wait for its carrier"),
        }
    }
}

/// The own middlebox between two interfaces of the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Between {
    /// Towards the target.
    pub target_port: LinkEnd,
    /// Towards the peer.
    pub peer_port: LinkEnd,
    /// What it does.
    pub spec: MiddleboxSpec,
}

/// Packet filter rules at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruleset {
    /// Where.
    pub at: Place,
    /// The family of its table: `bridge`, `inet`.
    pub family: String,
    /// For `nft -f`.
    pub text: String,
}

/// What shows that a part of the path did what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Name of the counter.
    pub counter: String,
    /// How far it must have risen.
    pub need: Need,
}

/// How far a counter must have risen during a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// At least once per trial.
    EveryTrial,
    /// At least once.
    Once,
    /// At least once, unless it may be chance that it did not: a block in which no dice fell counts like any other, or the blocks that
    /// count would be chosen by their outcome.
    ByChance {
        /// Of each of those that `of` counts, in parts per million.
        chance_ppm: u32,
        /// Name of the counter.
        of: String,
    },
    /// Not at all.
    Never,
}

/// What is less likely than this is no chance, but a mechanism that does not work.
const NO_CHANCE: f64 = 1e-6;

impl Need {
    /// Whether a counter that rose by `risen` during a block of `trials` is as it must be. `other` says how far another counter of the
    /// path rose, if there is one of that name.
    pub fn is_met(&self, risen: i64, trials: i64, other: impl Fn(&str) -> Option<i64>) -> bool {
        match self {
            Self::EveryTrial => risen >= trials,
            Self::Once => risen >= 1,
            Self::ByChance { chance_ppm, of } => {
                risen >= 1 || other(of).is_some_and(|thrown| may_be_none(thrown, *chance_ppm))
            }
            Self::Never => risen <= 0,
        }
    }
}

/// Whether none of so many may have been hit; where nothing passed, nothing could be.
fn may_be_none(thrown: i64, chance_ppm: u32) -> bool {
    let none = (thrown as f64 * (-f64::from(chance_ppm) / 1e6).ln_1p()).exp();
    thrown > 0 && none >= NO_CHANCE
}

/// A compiled path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetOps {
    /// In this order.
    pub ops: Vec<NetOp>,
    /// The interface of the switch that is next to the target: everything to and from it passes there exactly once. On a
    /// [`TargetLink::Socket`] there is none, and this is the loopback, which sees nothing.
    pub next_to_target: LinkEnd,
    /// The peer's own interface.
    pub next_to_peer: LinkEnd,
    /// The own middlebox, which then stands in for the bridge.
    pub middlebox: Option<Between>,
    /// Packet filters, one per place; where the target is a guest, its own kernel's is not in here but in `guest_ruleset`.
    pub rulesets: Vec<Ruleset>,
    /// For the `nft` of a guest that is the target.
    pub guest_ruleset: Option<Ruleset>,
    /// HAProxy at the switch, which then stands in for the bridge.
    pub haproxy: Option<HaProxy>,
    /// Whether a passt in the target's namespace connects in the guest's name.
    pub passt: bool,
    /// Which mechanism does what, and why that one.
    pub mechanisms: Vec<String>,
    /// What must be seen for a block to count.
    pub proofs: Vec<Proof>,
}

impl NetOps {
    /// The interfaces with a netem queue on what leaves by them, and the direction in which that travels.
    pub fn queues(&self) -> impl Iterator<Item = (&LinkEnd, Direction)> {
        self.ops.iter().filter_map(|op| match op {
            NetOp::AddNetem { link, .. } if *link == self.next_to_target => Some((link, Direction::ToTarget)),
            NetOp::AddNetem { link, .. } => Some((link, Direction::ToPeer)),
            NetOp::SetSysctl { .. }
            | NetOp::AddBridge { .. }
            | NetOp::AddVeth { .. }
            | NetOp::AddTap { .. }
            | NetOp::AddMacvtap { .. }
            | NetOp::SetMtu { .. }
            | NetOp::Enslave { .. }
            | NetOp::SetAddress { .. }
            | NetOp::SetUp { .. }
            | NetOp::AwaitCarrier { .. } => None,
        })
    }

    /// One line per operation, for the record.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.ops.iter().map(NetOp::to_string).collect();
        if let Some(Between { target_port, peer_port, spec }) = &self.middlebox {
            let spec = serde_json::to_string(spec).expect("plain data serialises");
            lines.push(format!("rig's own middlebox between {target_port} and {peer_port}: {spec}"));
        }
        for Ruleset { at, family: _, text } in self.rulesets.iter().chain(&self.guest_ruleset) {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            lines.push(format!("{}: nft {text}", at.word()));
        }
        if let Some(haproxy) = &self.haproxy {
            let spec = serde_json::to_string(haproxy).expect("plain data serialises");
            lines.push(format!("{}: haproxy {spec}", Place::Switch.word()));
        }
        if self.passt {
            lines.push(format!("{}: passt", Place::Target.word()));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_may_hit_nobody_but_not_everybody() {
        let need = |chance_ppm| Need::ByChance { chance_ppm, of: "thrown".into() };
        let met = |chance_ppm, risen, thrown: Option<i64>| need(chance_ppm).is_met(risen, 50, |_| thrown);
        // 0.99^1374 = 1.005e-6, 0.99^1375 = 0.995e-6.
        assert_eq!([1374, 1375].map(|thrown| met(10_000, 0, Some(thrown))), [true, false]);
        assert!(met(10_000, 1, Some(100_000)));
        assert!(!met(1_000_000, 0, Some(1)), "certain, and did not come");
        assert!(!met(10_000, 0, Some(0)), "nothing passed the mechanism at all");
        assert!(!met(10_000, 0, None), "nobody counted what passed");
    }

    #[test]
    fn what_is_sure_is_counted() {
        let met = |need: Need, risen| need.is_met(risen, 50, |_| None);
        assert_eq!([49, 50].map(|risen| met(Need::EveryTrial, risen)), [false, true]);
        assert_eq!([0, 1].map(|risen| met(Need::Once, risen)), [false, true]);
        assert_eq!([0, 1].map(|risen| met(Need::Never, risen)), [true, false]);
    }
}
