//! The machines that a configuration asks for, brought to life.
//!
//! Holds what starts an agent in a host namespace, and what boots a QEMU guest and starts one there. What is declared is in `configuration/`.
//! Must not know cells, blocks or statistics. Units: MiB, vCPUs, `Duration`.
//! Errors: one enum per module; they blame the testbed (a block becomes void), never the measured kernel.
//! Tests: pure ones beside the modules; `tests/netns.rs`, `tests/qemu.rs`.

mod etc;
pub mod guest_between;
pub mod guest_disk;
pub mod guest_hardware;
pub mod guest_program;
pub mod guest_rules;
pub mod guest_sysctls;
pub mod guest_vsock;
mod host;
pub mod launch_ssh;
pub mod qemu;

pub use etc::Beside;
pub use host::{HostAgent, HostError, Surroundings, launch_agent, launch_agent_within, private_etc};
