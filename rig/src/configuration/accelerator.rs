//! What executes guests here, after `auto` was resolved.
//!
//! Plain data. Must not find it out: `machine/qemu/probe.rs` does, by booting a guest. Units: none. Errors: none.
//! Tests: those of the probe.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What really executes the guest's instructions: an accelerator after `auto` was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// The CPU, under KVM.
    Kvm,
    /// QEMU's emulation. Never stands for a KVM guest.
    Tcg,
}

impl Engine {
    /// As records and tables call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What `auto` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// What guests will run on.
    pub engine: Engine,
    /// Why, in one sentence.
    pub reason: String,
}
