//! Why a target cannot be had at the end of a path here: every reason, with its one rendering, and what asks for the thing that is lacking.
//!
//! Plain data. Must not find a lack (`requirement.rs`). Units: none. Errors: these; they blame the host, or a configuration and a path
//! that do not go together. Cells are skipped with them. Tests: `requirement.rs`.

use std::fmt;

use thiserror::Error;

use super::supported::Unsupported;
use crate::path::Unable;

/// Why a cell cannot be run here. Its text is what plans, records and reports say.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Lack {
    /// Nothing runs without them.
    #[error("no network namespaces: {0}")]
    Namespaces(Unable),
    /// The target on bare metal has a /etc of its own, so that its localtime is what the configuration says.
    #[error("no private mounts: {0}")]
    PrivateEtc(Unable),
    /// No guest runs without it.
    #[error("no QEMU: {0}")]
    Qemu(Unable),
    /// No QEMU of ours can be what the configuration asks for.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// The configuration takes nothing else.
    #[error("KVM does not function: {reason}")]
    Kvm {
        /// As the probe tells it.
        reason: String,
    },
    /// The archive has it no more.
    #[error("no kernel {kernel}: {why}")]
    Kernel {
        /// As the matrix names it.
        kernel: String,
        /// What the archive lacks.
        why: String,
    },
    /// The kernel has not got what the configuration or a rule in the guest needs.
    #[error("kernel {kernel} has no module {module}")]
    Module {
        /// As the matrix names it.
        kernel: String,
        /// Which one.
        module: String,
    },
    /// The image has not got the driver of the configuration's NIC.
    #[error("kernel {kernel} has no module {module}{}", where_to_find(others))]
    Driver {
        /// As the matrix names it.
        kernel: String,
        /// Which one.
        module: &'static str,
        /// Images that have it.
        others: Vec<String>,
    },
    /// The NIC came with a later QEMU, or was left out of this one.
    #[error("QEMU {version} has no device {device}")]
    Device {
        /// Of the configuration's QEMU.
        version: String,
        /// As QEMU names it.
        device: &'static str,
    },
    /// A tap, or one with several queues.
    #[error("no tap: {0}")]
    Tap(Unable),
    /// The kernel's worker behind a tap.
    #[error("no vhost-net: {0}")]
    VhostNet(Unable),
    /// The host kernel's half of a guest's vsock device.
    #[error("no vhost-vsock: {0}")]
    VhostVsock(Unable),
    /// vsock within the host's own kernel.
    #[error("no vsock on the host: {0}")]
    VsockLoopback(Unable),
    /// No vsock stream joins the two ends.
    #[error("no vsock stream over path `{path}`: {why}")]
    Vsock {
        /// What keeps the ends apart.
        why: NoVsock,
        /// The path's name.
        path: String,
    },
    /// The configuration has a dose for select() alone.
    #[error("the configuration injects into select(), and the verdict call of the scenario is another one")]
    NoDose,
    /// A macvtap, or the device with which it is opened.
    #[error("no macvtap: {0}")]
    Macvtap(Unable),
    /// The program that ends the guest's TCP.
    #[error("no passt: {0}")]
    Passt(Unable),
    /// `-netdev dgram` and `-netdev stream` came with QEMU 7.2.
    #[error("QEMU {version} has no {what}; version 7.2 has one")]
    Sockets {
        /// This host's.
        version: String,
        /// Which of the two, and what it leads to.
        what: &'static str,
    },
    /// A peer in a second guest is not on the target's loopback.
    #[error(
        "path `{path}` is a loopback, with both ends in one kernel: the peer cannot be a second guest (backend = \"socket\")"
    )]
    LoopbackBetweenGuests {
        /// Its name.
        path: String,
    },
    /// The host has no part in what is between two guests.
    #[error(
        "path `{path}` is not plain: the link between two guests (backend = \"socket\") cannot have a middlebox, rules or faults"
    )]
    NotPlainBetweenGuests {
        /// Its name.
        path: String,
    },
    /// A proxy opens a connection of its own.
    #[error("{by} ends the guest's TCP: {part} of path `{path}` would act on a connection of its own")]
    UserNetworking {
        /// Who ends it.
        by: &'static str,
        /// What would act.
        part: PathPart,
        /// The path's name.
        path: String,
    },
    /// Both ends compute the port of a trial's listener from that of its first connection.
    #[error(
        "a scenario with `listen` needs the same ports at both ends: over path `{path}`, {by} opens a connection of its own"
    )]
    OwnPort {
        /// Who stands between.
        by: &'static str,
        /// The path's name.
        path: String,
    },
    /// The host's own kernel runs the host's target.
    #[error("a host cannot be paused, only a guest")]
    Pause {
        /// The fault's name.
        fault: String,
    },
    /// A real load balancer.
    #[error("no HAProxy: {0}")]
    HaProxy(Unable),
    /// The packet filter.
    #[error("no nft: {why}")]
    Nft {
        /// A rule that needs it.
        rule: String,
        /// Why it cannot be had.
        why: Unable,
    },
    /// Address translation.
    #[error("no address translation: {0}")]
    Nat(Unable),
    /// The packet filter's memory of connections, where the rule is.
    #[error("no connection tracking on a bridge: {why}")]
    BridgeConntrack {
        /// A rule that needs it.
        rule: String,
        /// Why it cannot be had.
        why: Unable,
    },
    /// Demanded by `mechanism`.
    #[error("no netem: {0}")]
    Netem(Unable),
    /// The own middlebox does it instead; but a rule of the kernel's bridge sees no frame that it takes.
    #[error("no netem: {why}; rig's own middlebox would replace the bridge that rule `{rule}` is on")]
    Bridge {
        /// A rule of the bridge.
        rule: String,
        /// Why netem cannot be had.
        why: Unable,
    },
}

fn where_to_find(images: &[String]) -> String {
    match images {
        [] => String::new(),
        [image] => format!("; the image {image} has it"),
        several => format!("; the images {} have it", several.join(", ")),
    }
}

/// Why no vsock stream joins two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoVsock {
    /// vsock knows kernels, not namespaces.
    #[error(
        "target and peer are one kernel, the host's; take a guest with `vsock = true`, or a path with `medium = \"loopback\"`"
    )]
    SameHost,
    /// The configuration has no device.
    #[error("the guest has no vsock device; its configuration needs `vsock = true`")]
    NoDevice,
    /// A guest's device leads to its host.
    #[error("the peer is in a second guest, and vsock leads from a guest to its host only")]
    BetweenGuests,
    /// What lies on the path would change nothing.
    #[error("{0} on it would never meet the stream, which takes no network")]
    NotOnPath(&'static str),
}

/// A part of a path that acts on segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathPart {
    /// Delay, loss and the like.
    Impairments,
    /// The real load balancer.
    HaProxy,
    /// Whatever the own middlebox does.
    Middlebox,
    /// Address translation.
    Nat,
    /// Addresses of IPv6.
    Ipv6,
    /// A rule of the packet filter.
    Rule(String),
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impairments => f.write_str("the impairments"),
            Self::HaProxy => f.write_str("HAProxy"),
            Self::Middlebox => f.write_str("the middlebox"),
            Self::Nat => f.write_str("the address translation"),
            Self::Ipv6 => f.write_str("the IPv6 address"),
            Self::Rule(name) => write!(f, "rule `{name}`"),
        }
    }
}

/// What in the matrix file asks for what is lacking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy<'l> {
    /// The configuration, over whatever path.
    Configuration,
    /// The path as a whole, at the end of which this configuration is: they do not go together.
    Path,
    /// `mechanism` of the path.
    Mechanism,
    /// `[path.NAME.haproxy]`
    HaProxy,
    /// `[path.NAME.nat]`
    Nat,
    /// `[path.NAME.rule.NAME]`
    Rule(&'l str),
    /// `[path.NAME.fault.NAME]`
    Fault(&'l str),
}

impl Lack {
    /// Every word of [`Lack::word`].
    pub const WORDS: [&'static str; 24] = [
        "namespaces",
        "private-etc",
        "qemu",
        "unsupported",
        "qemu-version",
        "device",
        "kvm",
        "kernel",
        "module",
        "tap",
        "macvtap",
        "passt",
        "vhost-net",
        "vhost-vsock",
        "vsock",
        "inject",
        "loopback-of-pair",
        "path-of-pair",
        "user-network",
        "own-port",
        "pause-of-host",
        "haproxy",
        "nft",
        "netem",
    ];

    /// What is lacking, in one word for scripts: it stays the same where the sentence is worded anew.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Namespaces(_) => "namespaces",
            Self::PrivateEtc(_) => "private-etc",
            Self::Qemu(_) => "qemu",
            Self::Unsupported(_) => "unsupported",
            Self::Sockets { .. } => "qemu-version",
            Self::Kvm { .. } => "kvm",
            Self::Kernel { .. } => "kernel",
            Self::Module { .. } | Self::Driver { .. } => "module",
            Self::Device { .. } => "device",
            Self::Tap(_) => "tap",
            Self::Macvtap(_) => "macvtap",
            Self::Passt(_) => "passt",
            Self::VhostNet(_) => "vhost-net",
            Self::VhostVsock(_) => "vhost-vsock",
            Self::VsockLoopback(_) | Self::Vsock { .. } => "vsock",
            Self::NoDose => "inject",
            Self::LoopbackBetweenGuests { .. } => "loopback-of-pair",
            Self::NotPlainBetweenGuests { .. } => "path-of-pair",
            Self::UserNetworking { .. } => "user-network",
            Self::OwnPort { .. } => "own-port",
            Self::Pause { .. } => "pause-of-host",
            Self::HaProxy(_) => "haproxy",
            Self::Nft { .. } | Self::BridgeConntrack { .. } | Self::Nat(_) => "nft",
            Self::Netem(_) | Self::Bridge { .. } => "netem",
        }
    }

    /// What in the matrix file asks for it.
    pub fn asked_by(&self) -> AskedBy<'_> {
        match self {
            Self::Namespaces(_)
            | Self::PrivateEtc(_)
            | Self::Qemu(_)
            | Self::Unsupported(_)
            | Self::Kvm { .. }
            | Self::Kernel { .. }
            | Self::Module { .. }
            | Self::Driver { .. }
            | Self::Device { .. }
            | Self::Tap(_)
            | Self::Macvtap(_)
            | Self::Passt(_)
            | Self::VhostNet(_)
            | Self::VhostVsock(_)
            | Self::NoDose
            | Self::Sockets { .. } => AskedBy::Configuration,
            Self::LoopbackBetweenGuests { .. }
            | Self::VsockLoopback(_)
            | Self::Vsock { .. }
            | Self::NotPlainBetweenGuests { .. }
            | Self::UserNetworking { .. }
            | Self::OwnPort { .. } => AskedBy::Path,
            Self::Pause { fault } => AskedBy::Fault(fault),
            Self::HaProxy(_) => AskedBy::HaProxy,
            Self::Nat(_) => AskedBy::Nat,
            Self::Nft { rule, .. } | Self::BridgeConntrack { rule, .. } | Self::Bridge { rule, .. } => {
                AskedBy::Rule(rule)
            }
            Self::Netem(_) => AskedBy::Mechanism,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_the_list_and_every_word_a_reason() {
        let unable = || Unable::NotAsked;
        let text = || "x".to_owned();
        let all = [
            Lack::Namespaces(unable()),
            Lack::PrivateEtc(unable()),
            Lack::Qemu(unable()),
            Lack::Unsupported(Unsupported::Machine { machine: text() }),
            Lack::Kvm { reason: text() },
            Lack::Kernel { kernel: text(), why: text() },
            Lack::Module { kernel: text(), module: text() },
            Lack::Driver { kernel: text(), module: "x", others: vec![] },
            Lack::Device { version: text(), device: "x" },
            Lack::Tap(unable()),
            Lack::Macvtap(unable()),
            Lack::Passt(unable()),
            Lack::VhostNet(unable()),
            Lack::VhostVsock(unable()),
            Lack::VsockLoopback(unable()),
            Lack::Vsock { why: NoVsock::SameHost, path: text() },
            Lack::NoDose,
            Lack::Sockets { version: text(), what: "link" },
            Lack::LoopbackBetweenGuests { path: text() },
            Lack::NotPlainBetweenGuests { path: text() },
            Lack::UserNetworking { by: "passt", part: PathPart::HaProxy, path: text() },
            Lack::OwnPort { by: "HAProxy", path: text() },
            Lack::Pause { fault: text() },
            Lack::HaProxy(unable()),
            Lack::Nft { rule: text(), why: unable() },
            Lack::Nat(unable()),
            Lack::BridgeConntrack { rule: text(), why: unable() },
            Lack::Netem(unable()),
            Lack::Bridge { rule: text(), why: unable() },
        ];
        let words: BTreeSet<&str> = all.iter().map(Lack::word).collect();
        assert_eq!(words, BTreeSet::from(Lack::WORDS));
    }
}
