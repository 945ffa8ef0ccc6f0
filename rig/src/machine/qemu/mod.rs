//! QEMU guests: from a specification to a running kernel, and every way in which that can end.
//!
//! Holds the command line, the process, QMP, the console, the proof that the guest is what was asked for, which QEMU runs it, and the
//! accelerator's probe.
//! Must not know cells, blocks, images' making or agents. Units: MiB, vCPUs, `Duration`.
//! Errors: [`GuestError`], [`QmpError`], [`ProbeError`], `configuration::Unsupported`; they blame the testbed, never the measured kernel.
//! Tests: beside the modules; real guests in `tests/qemu.rs`.

mod aftermath;
pub mod argv;
mod confine;
pub mod console;
mod death;
mod error;
mod fresh;
pub mod guest;
mod identity;
mod keep_core;
pub mod log;
mod medium;
mod mismatch;
mod offer;
mod plan;
pub mod probe;
mod program;
pub mod qmp;
mod spawn;
mod supervise;
pub mod verify;
mod verify_hardware;
mod vhost;
mod vmcore;
mod writer;

pub use aftermath::{Aftermath, Remain, Remains};
pub use argv::GuestNet;
pub use confine::{Lack, lacks};
pub use console::ConsoleState;
pub use death::{Death, DeathKind};
pub use error::GuestError;
pub use guest::{Ended, Guest, LinkState};
pub use identity::{Credentials, Running};
pub use keep_core::{Core, DUMP_DEADLINE, MOST_CORES, room_for_core};
pub use medium::Medium;
pub use mismatch::{Mismatch, VhostLack, VhostSigns};
pub use offer::{NoOffer, offer};
pub use plan::GuestPlan;
pub use probe::{ProbeError, ProbeKit};
pub use program::program;
pub use qmp::{Qmp, QmpError, QmpEvent};
pub use verify::Verified;
