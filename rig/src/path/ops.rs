//! The operations that make a path, in their order: plain data and their one-line text form.
//!
//! Must not know how they are carried out. Units: bytes, octets of addresses.
//! The text goes into the record: it says what the measured packets passed. Errors: none.
//! Tests: below and in `compile`.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// One of the three network namespaces of a testbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The bridge and everything between the two ends.
    Switch,
    /// The peer's end.
    Peer,
    /// The target's end; with a tap, where QEMU runs without any link to the path but the tap's descriptors.
    Target,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Switch, Self::Peer, Self::Target];

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Peer => "peer",
            Self::Target => "target",
        }
    }
}

/// How the target is connected to the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetLink {
    /// A veth pair whose far end, with the target's address, is in the target's namespace: bare metal, and QEMU's user networking.
    Veth,
    /// A tap in the switch; its descriptors go to QEMU. Whether vhost-net drives it is QEMU's business: the device is the same.
    Tap {
        /// Queue pairs: one descriptor each.
        queues: u32,
    },
}

/// A network interface at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkEnd {
    /// Where.
    pub at: Place,
    /// Its name there, at most 15 bytes (`IFNAMSIZ`, include/uapi/linux/if.h).
    pub name: String,
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
        address: Ipv4Addr,
        /// Prefix length.
        prefix: u8,
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
            Self::SetMtu { link, mtu_bytes } => write!(f, "{link}: mtu {mtu_bytes}"),
            Self::Enslave { link, bridge } => write!(f, "{link}: port of {bridge}"),
            Self::SetAddress { link, address, prefix } => write!(f, "{link}: address {address}/{prefix}"),
            Self::SetUp { link } => write!(f, "{link}: up"),
            Self::AwaitCarrier { link } => write!(f, "{link}: wait until it carries"),
        }
    }
}

/// A compiled path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetOps {
    /// In this order.
    pub ops: Vec<NetOp>,
    /// The interface of the switch that is next to the target: everything to and from it passes there exactly once.
    pub next_to_target: LinkEnd,
}

impl NetOps {
    /// One line per operation, for the record.
    pub fn lines(&self) -> Vec<String> {
        self.ops.iter().map(NetOp::to_string).collect()
    }
}
