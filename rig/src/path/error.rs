//! Why a path cannot be made.
//!
//! Must not know how one is. Units: bytes. Errors: these; they blame the matrix file, or what the host lacks.
//! Tests: in `compile` and `mechanism`.

use std::fmt;

use miette::Diagnostic;
use thiserror::Error;

use super::spec::{Addressing, PathSpec};

/// The smallest that IPv4 allows (RFC 791), and what a tap can carry less its Ethernet header (`tun_net_initialize`, drivers/net/tun.c).
pub(super) const MTU: (u32, u32) = (68, 65_521);

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
    /// A mechanism is demanded, or needed, and not to be had.
    #[error("path {path} asks for {asks}: {why}")]
    #[diagnostic(help("`rig doctor` says what this host has; mechanism = \"auto\" uses what there is"))]
    Mechanism {
        /// Its name.
        path: String,
        /// Which.
        asks: String,
        /// Why it cannot be had.
        why: String,
    },
    /// Two parts that cannot stand in one place.
    #[error("path {path} wants {one} and {other} between target and peer")]
    #[diagnostic(help("make two paths of it, and measure each"))]
    Clash {
        /// Its name.
        path: String,
        /// The one.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// The own middlebox cannot do it.
    #[error("path {path}: {what}")]
    Middlebox {
        /// Its name.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// `MAX_TAP_QUEUES`, drivers/net/tun.c.
    #[error("a tap with {queues} queues")]
    #[diagnostic(help("1 to 256 are possible; more queues than vCPUs are of no use"))]
    Queues {
        /// What it says.
        queues: u32,
    },
}

impl PathError {
    /// A mechanism that `path` asks for, and why it cannot be had.
    pub(super) fn lacking(path: &PathSpec, asks: &str, why: &impl fmt::Display) -> Self {
        Self::Mechanism { path: path.name.clone(), asks: asks.to_owned(), why: why.to_string() }
    }
}
