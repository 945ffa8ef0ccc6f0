//! The machine that a run was played on, as far as it can change a result.
//!
//! Plain data. Must not know how it is found out. Units: in the keys. Errors: none. Tests: `tests/golden`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The host, as far as it can change a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Environment {
    /// Which machine it was: 16 hex digits of a SHA-256 of what identifies it, so that two machines are told apart and neither is named. Empty in files older than format 2.6.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// The host.
    pub host: Host,
    /// `qemu-system-x86_64 --version`, first line; empty without QEMU.
    pub qemu: String,
    /// The program that PATH has for QEMU, links followed; empty without QEMU, and where the file may be executed but not read.
    pub qemu_path: String,
    /// SHA-256 (hex) of that program's bytes.
    pub qemu_sha256: String,
    /// Which accelerator `auto` stands for: `kvm` or `tcg`; `none` for a run without guests.
    pub accelerator: String,
    /// Why.
    pub accelerator_reason: String,
    /// TCP sysctls of the host, by name.
    pub sysctls: BTreeMap<String, String>,
    /// Whether this run took place in an emulated KVM host: its timings mean nothing.
    pub rehearsed: bool,
}

/// The host's hardware and kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Host {
    /// `uname -r`
    pub kernel: String,
    /// `none`, or the hypervisor that CPUID or DMI tells (`kvm`, `firecracker`, `vmware`, `unknown`).
    pub virtualized: String,
    /// CPU model.
    pub cpu: String,
    /// Online CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Clock source.
    pub clocksource: String,
    /// Whether /etc/localtime exists.
    pub localtime: bool,
}
