//! What the guests of a configuration really were: the QEMU that ran, and what their kernels show of their interfaces.
//!
//! Plain data. Must not judge. Units: bytes, counts. Errors: none. Tests: `tests/golden/machines.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// One kind of machine at an end of a configuration; where blocks differ there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MachineSummary {
    /// Name of the configuration.
    pub configuration: String,
    /// Kernel axis value: the image's name, or `host`.
    pub kernel: String,
    /// Which end of the connections it was.
    pub end: MachineEnd,
    /// Number of blocks in which it was this.
    pub blocks: u32,
    /// The QEMU program that ran, links followed; empty for a host, and where it could not be looked at.
    pub qemu_path: String,
    /// SHA-256 (hex) of that program's bytes; empty likewise.
    pub qemu_sha256: String,
    /// Why the QEMU process could not be looked at; null where it could, for a host, and where the record does not tell.
    pub not_seen: Option<String>,
    /// Words of the running process's command line that rig did not ask for, in their order: what a script in QEMU's place has added.
    pub added: Vec<String>,
    /// Its network interfaces, as its own kernel shows them; empty where the record does not tell.
    pub interfaces: Vec<InterfaceSummary>,
}

/// An end of the connections that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineEnd {
    /// The one whose calls are measured.
    Target,
    /// The other one, where it is a guest of its own.
    Peer,
}

/// A network interface of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InterfaceSummary {
    /// Its name: `data` is the measured one of a guest.
    pub name: String,
    /// The kernel's driver: `virtio_net`, `veth`, `vmxnet3`.
    pub driver: String,
    /// The virtio features that device and driver agreed on, by the kernel's names; null where it is no virtio device.
    pub virtio_features: Option<Vec<String>>,
    /// Whether each offload is active, by ethtool's names.
    pub offloads: BTreeMap<String, bool>,
}
