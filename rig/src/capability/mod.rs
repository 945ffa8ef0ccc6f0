//! What this host can and cannot do, found out by doing it.
//!
//! [`look`] fills the [`Abilities`](crate::configuration::Abilities) that plans, runs and `rig doctor` read: the one place that asks the probes.
//! The rows of `rig doctor` are made from them, and from what only people want to know (memory, disk, privileges).
//! Must not know cells or the terminal. Units: in the names. Errors: none: what does not work is an answer.
//! Tests: beside the modules.

pub mod host;
mod look;
pub mod machine;
pub mod oracles;
mod row;
pub mod tool;

pub use look::look;
pub use row::{Capability, Need, Program, State, guests_can_run};
