//! What an agent said of itself and of the kernel it runs on, as it is stored.
//!
//! Own shape: the wire may change with every build, this may not. Must not know how it was asked. Units: in the keys. Errors: none.
//! Tests: `tests/golden/recorded.rs`, and the round trip in `block.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Hello, Interface};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an agent said of itself before the first trial of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AgentRecord {
    /// Version of the conversation between rig and agent.
    pub protocol_version: u32,
    /// SHA-256 (hex) of the agent's executable file, as it found itself running.
    pub build_id: String,
    /// `uname -r` where the agent runs.
    pub kernel_release: String,
    /// `uname -v` where the agent runs.
    pub kernel_version: String,
    /// Whether CPUID says "hypervisor present" where the agent runs.
    pub hypervisor: bool,
    /// The kernel's current clock source; empty where it could not be read.
    pub clocksource: String,
    /// Online CPUs.
    pub cpus: u32,
    /// Whether /etc/localtime exists where the agent runs.
    pub localtime: bool,
    /// The network sysctls that change what TCP does around a RST, by name.
    pub sysctls: BTreeMap<String, String>,
    /// The network interfaces where the agent runs, but for `lo`, by name. Absent before they were asked for.
    pub interfaces: Vec<InterfaceRecord>,
    /// In a guest: the CID of its vsock device, as its kernel has it; null without one, and before it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vsock_cid: Option<u32>,
}

/// A network interface as its kernel shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InterfaceRecord {
    /// Its name: `data`.
    pub name: String,
    /// The kernel's driver: `virtio_net`, `veth`, `vmxnet3`; empty where it has none or does not say.
    pub driver: String,
    /// The largest packet that it carries, link header aside; 0 where it could not be read.
    pub mtu_bytes: u32,
    /// What a virtio device and its driver agreed on, by the names of include/uapi/linux/virtio_net.h and its neighbours (`VIRTIO_NET_F_MRG_RXBUF`; `bit 42` without a
    /// name), in the order of the bits; null for any other device.
    pub virtio_features: Option<Vec<String>>,
    /// Whether each offload is active, by ethtool's names: `tx-tcp-segmentation`, `rx-gro`.
    pub offloads: BTreeMap<String, bool>,
}

impl From<Interface> for InterfaceRecord {
    fn from(interface: Interface) -> Self {
        let Interface { name, driver, mtu_bytes, virtio, offloads } = interface;
        Self { name, driver, mtu_bytes, virtio_features: virtio.map(|agreed| agreed.names()), offloads }
    }
}

impl From<Hello> for AgentRecord {
    fn from(hello: Hello) -> Self {
        let Hello {
            protocol_version,
            build_id,
            kernel_release,
            kernel_version,
            hypervisor,
            clocksource,
            cpus,
            localtime,
            sysctls,
            interfaces,
            vsock_cid,
        } = hello;
        Self {
            protocol_version,
            build_id,
            kernel_release,
            kernel_version,
            hypervisor,
            clocksource,
            cpus,
            localtime,
            sysctls,
            interfaces: interfaces.into_iter().map(InterfaceRecord::from).collect(),
            vsock_cid,
        }
    }
}
