//! What a host has to make paths with, and why something of a host cannot be had.
//!
//! Plain data. Must not find anything out: `testbed::probe` does, by doing it. Units: none.
//! Errors: [`Unable`], which blames the host; it is an answer, and the cells that need the thing are skipped with it.
//! Tests: `configuration/requirement.rs`; the probes' in `tests/netns.rs`.

use thiserror::Error;

use super::place::Place;
use super::spec::{Mechanism, PathSpec};

/// Why something of the host cannot be had, as it was tried. What the kernel or a program said is kept in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unable {
    /// It was not tried.
    #[error("not looked for, because nothing needs it")]
    NotAsked,
    /// No network namespace, in which everything else is tried.
    #[error("{0}")]
    Namespace(String),
    /// No mount namespace in which a program has a /etc of its own.
    #[error("a program cannot be given a private /etc: {0}")]
    PrivateEtc(String),
    /// A program is not there, and a Debian package brings it.
    #[error("`{program}` is not installed (Debian package {package})")]
    NotInstalled {
        /// Its name.
        program: &'static str,
        /// The package's.
        package: &'static str,
    },
    /// A program is there and cannot be started.
    #[error("{program} cannot be started: {said}")]
    NotStarted {
        /// Where it is.
        program: String,
        /// What the kernel said.
        said: String,
    },
    /// QEMU is not there, or cannot be started.
    #[error("{program} cannot be started ({said}); `rig setup` installs it")]
    NoQemu {
        /// Its name.
        program: &'static str,
        /// What the kernel said.
        said: String,
    },
    /// A program that was only asked for its version fails.
    #[error("{program} {option} ends with {status}")]
    Fails {
        /// Where it is, or its name.
        program: String,
        /// What it was asked.
        option: &'static str,
        /// Its exit status.
        status: String,
    },
    /// No tap.
    #[error("/dev/net/tun cannot make a tap: {0}")]
    Tap(String),
    /// No tap with several queues.
    #[error("/dev/net/tun cannot make a tap with two queues: {0}")]
    TapQueues(String),
    /// No macvtap, or none that can be opened.
    #[error(
        "{0}; it needs root outside of a user namespace, and CONFIG_MACVTAP in the kernel, `modprobe macvtap` where that is a module"
    )]
    Macvtap(String),
    /// passt is there, and does not work.
    #[error("passt is installed, and does not work here: {0}")]
    Passt(String),
    /// No vhost-net in this kernel.
    #[error("/dev/vhost-net does not exist: the kernel has no vhost_net, or `modprobe vhost_net` is needed")]
    NoVhost,
    /// The device is there, and not for us.
    #[error("/dev/vhost-net cannot be opened: {0}")]
    VhostClosed(String),
    /// The device opens, and does nothing.
    #[error("/dev/vhost-net does not start a worker: {0}")]
    VhostIdle(String),
    /// No vhost-vsock in this kernel.
    #[error(
        "/dev/vhost-vsock does not exist: the kernel has no vhost_vsock, or `modprobe vhost_vsock` is needed"
    )]
    NoVhostVsock,
    /// The device is there, and gives no guest a CID.
    #[error("/dev/vhost-vsock gives no guest a CID: {0}")]
    VhostVsock(String),
    /// No socket of AF_VSOCK can be bound to the own kernel.
    #[error(
        "vsock within this kernel cannot be had ({0}); `modprobe vsock_loopback` where the kernel has it"
    )]
    VsockLoopback(String),
    /// No way to ask the kernel for links.
    #[error("no netlink: {0}")]
    Netlink(String),
    /// No netem in this kernel.
    #[error("the kernel has no sch_netem (CONFIG_NET_SCH_NETEM), and no module of that name")]
    NoNetem,
    /// netem is there, and not for us.
    #[error("the kernel refuses a netem queue: {0}")]
    Netem(String),
    /// The program `nft`, or the kernel's part of the packet filter.
    #[error("packet filter rules cannot be loaded: {0}")]
    Rules(String),
    /// The program `nft`, or the kernel's address translation.
    #[error("addresses cannot be translated: {0}")]
    Nat(String),
}

impl Unable {
    /// Whether there is no such thing at all; otherwise it is there and does not function, or was not looked for.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::NotInstalled { .. }
            | Self::NoQemu { .. }
            | Self::NoVhost
            | Self::NoVhostVsock
            | Self::NoNetem => true,
            Self::NotAsked
            | Self::Namespace(_)
            | Self::PrivateEtc(_)
            | Self::NotStarted { .. }
            | Self::Fails { .. }
            | Self::Tap(_)
            | Self::TapQueues(_)
            | Self::Macvtap(_)
            | Self::Passt(_)
            | Self::VhostClosed(_)
            | Self::VhostIdle(_)
            | Self::VhostVsock(_)
            | Self::VsockLoopback(_)
            | Self::Netlink(_)
            | Self::Netem(_)
            | Self::Rules(_)
            | Self::Nat(_) => false,
        }
    }
}

/// What this host has to make paths with, as it was probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanisms {
    /// The kernel's `sch_netem`.
    pub netem: Result<(), Unable>,
    /// The program `nft`, and a kernel that takes its rules.
    pub nft: Result<(), Unable>,
    /// Connection tracking on a bridge.
    pub bridge_conntrack: Result<(), Unable>,
    /// The program `haproxy`.
    pub haproxy: Result<(), Unable>,
    /// Address translation by nft.
    pub nat: Result<(), Unable>,
}

impl Mechanisms {
    /// A host that has everything.
    pub fn all() -> Self {
        Self { netem: Ok(()), nft: Ok(()), bridge_conntrack: Ok(()), haproxy: Ok(()), nat: Ok(()) }
    }
}

/// Which mechanisms of a host some path could be made with: what no path wants is not looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The kernel's `sch_netem`.
    pub netem: bool,
    /// The program `nft`, and a kernel that takes its rules.
    pub nft: bool,
    /// Connection tracking on a bridge.
    pub bridge_conntrack: bool,
    /// The program `haproxy`.
    pub haproxy: bool,
    /// Address translation by nft.
    pub nat: bool,
}

impl Wanted {
    /// Adds what this path could be made with.
    pub fn add(&mut self, path: &PathSpec) {
        self.netem |= path.impairments.as_ref().is_some_and(|one| one.mechanism != Mechanism::Middlebox);
        self.nft |= !path.rules.is_empty() || path.nat.is_some();
        self.bridge_conntrack |= path.nat.is_none()
            && path.rules.iter().any(|rule| rule.at == Place::Switch && rule.select.invalid);
        self.nat |= path.nat.is_some();
        self.haproxy |= path.haproxy.is_some();
    }
}
