//! What an agent said of itself and of the kernel it runs on, as it is stored.
//!
//! Own shape: the wire may change with every build, this may not. Must not know how it was asked. Units: in the keys. Errors: none.
//! Tests: `tests/golden/recorded.rs`, and the round trip in `block.rs`.

use std::collections::BTreeMap;

use rig_protocol::Hello;
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
        }
    }
}
