//! Links and middleboxes between target and peer: what they mean, and which network operations make them.
//!
//! Pure. Must not know namespaces, netlink or processes; the testbed carries the operations out.
//! Units: nanoseconds, bits per second, shares of 1. Errors: diagnostics that blame the matrix file.
//! Tests: beside each module.

mod compile;
mod counters;
mod error;
pub mod haproxy;
mod host;
mod mechanism;
pub mod nat;
mod netem;
mod ops;
mod parts;
pub mod passt;
mod place;
pub mod rules;
mod spec;

pub use compile::{IPV6_SETTINGS, compile};
pub use counters::{HaProxyCount, NatCount, NetemCount, PathCounter};
// Whoever reads counters of a path finds here all that they are named by.
pub use crate::middlebox::{Direction, FirewallCount, MiddleboxCounter, ResetCount, Resetter};
pub use error::PathError;
pub use host::{Mechanisms, Unable, Wanted};
pub use netem::Netem;
pub use ops::{Between, LinkEnd, Need, NetOp, NetOps, Presence, Proof, Ruleset, TargetLink};
pub use parts::{Part, Work};
pub use place::Place;
pub use spec::{
    Addressing, EndSysctls, Family, Fault, FaultKind, HEALTH_PORT, HaProxy, Hook, Impairments, Matches,
    Mechanism, Medium, Nat, OnMarkedDown, PEER_PORT, PathSpec, Rule, RuleSelect, RuleVerdict, TcpFlag,
};
