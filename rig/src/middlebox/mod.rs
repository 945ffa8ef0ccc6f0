//! The own middlebox: a bridge in user space between two interfaces, exact and seeded.
//!
//! `engine` and what it uses are pure (times and frames in, times and frames out); `forward`, `socket` and `offload` bring it to packet sockets.
//! Must not know namespaces, matrices or who wants the fault. Units: nanoseconds since the start, bytes.
//! Errors: [`MiddleboxError`]; it blames the spec, missing privileges, or an interface.
//! Tests: beside the modules, `tests.rs` (engine), `rig/tests/middlebox.rs` (real kernels, root), `rig/benches/middlebox.rs` (beside a bridge).

mod balancer;
mod boxes;
mod checksum;
mod connection;
mod counters;
mod dead_hosts;
mod direction;
mod effects;
mod engine;
mod error;
mod firewall;
mod forge;
mod forward;
mod frame;
mod ips;
mod line;
mod names;
mod offload;
mod pattern;
mod rules;
mod socket;
mod spec;
mod timers;

pub use checksum::is_right;
pub use counters::Counters;
pub use engine::Engine;
pub use error::MiddleboxError;
pub use forward::{Handle, Middlebox};
pub use line::Release;
pub(crate) use names::words;
pub use names::{
    ActionCount, BalancerCount, FirewallCount, FlowCount, GoneCount, IpsCount, LateCount, LinkCount,
    MiddleboxCounter, PortCount, ResetCount, Resetter, Word,
};
pub use pattern::{BrokenEscape, Pattern};
pub use spec::{
    Action, Balancer, Command, Condition, DeadHost, Deed, Direction, Expiry, Firewall, HealthCheck,
    Impairment, Ips, JitterOrder, MiddleboxSpec, Offender, Port, Sequence, Stranger, Told, Towards,
};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire;
