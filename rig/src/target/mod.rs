//! Where the measured kernel is and how its NIC is backed.
//!
//! Holds the specification of a configuration, and the doers that bring an agent to life in it: a host namespace or a QEMU guest.
//! Must not know cells, blocks or statistics. Units: MiB, vCPUs, `Duration`.
//! Errors: one enum per module; they blame the testbed (a block becomes void), never the measured kernel.
//! Tests: pure ones beside the modules; `tests/netns.rs`, `tests/qemu.rs`.

pub mod guest_rules;
mod host;
pub mod launch_ssh;
pub mod qemu;
mod requirement;
pub mod spec;

pub use host::{HostAgent, HostError, launch_agent};
pub use requirement::{HostAbilities, PeerSeat, lack_between_guests, peer_seat};
pub use spec::{Accelerator, Backend, Configuration, Localtime, Nic, NicModel, QemuSpec, TargetSpec};
