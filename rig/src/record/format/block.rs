//! `blocks/<block>.<attempt>.json`: one block that was played, and how it ended.
//!
//! Plain data. Must not know how a block is played, nor what its counts mean. Units: in the keys. Errors: none.
//! Tests: `tests/golden`.

use std::collections::BTreeMap;

use rig_protocol::Tally;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::agent::AgentRecord;
use super::sums::{self, Sums};
use super::version::{FORMAT, FORMAT_MINOR};
use super::words::known_or_default;
use crate::matrix::CellId;
use crate::record::id::BlockId;
use crate::record::void_reason::VoidReason;

/// `blocks/<block>.<attempt>.json`: one block that was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockRecord {
    /// Major version of the stored format.
    pub format: u32,
    /// Minor version of the stored format.
    #[serde(default)]
    pub format_minor: u32,
    /// Its name.
    pub id: BlockId,
    /// Whose: the id of a cell of the plan.
    #[schemars(with = "String")]
    pub cell: CellId,
    /// From 1; a void block is tried again a declared number of times, and every attempt is kept.
    pub attempt: u32,
    /// How it ended.
    #[serde(flatten)]
    pub status: BlockStatus,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub started: String,
    /// From the first namespace to the last teardown.
    #[serde(default)]
    pub elapsed_ns: u64,
    /// The target.
    #[serde(default)]
    pub target: TargetRecord,
    /// In which boot of the target's guest it was played; null for a host, and where no guest was booted. (Files older than format 2.5: null, and every
    /// block had a boot of its own.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootRecord>,
    /// The peer's guest, where the peer is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<TargetRecord>,
    /// What the target's agent said of itself, if it said it.
    #[serde(default)]
    pub target_hello: Option<AgentRecord>,
    /// What the peer's agent said of itself, if it said it.
    #[serde(default)]
    pub peer_hello: Option<AgentRecord>,
    /// The target's sums: the trials of the cell. Of a block that was stopped, what was known of it until then.
    #[serde(default, with = "sums")]
    #[schemars(with = "Sums")]
    pub tally: Tally,
    /// The peer's sums.
    #[serde(default, with = "sums")]
    #[schemars(with = "Sums")]
    pub peer_tally: Tally,
    /// The second, independent recording.
    #[serde(default)]
    pub witness: Witness,
    /// What lay between the two ends, and what it did.
    #[serde(default, skip_serializing_if = "PathRecord::is_empty")]
    pub path: PathRecord,
    /// Kernel settings that the configuration or the path changed before the trials; empty where there was none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sysctls: Vec<SysctlRecord>,
    /// Files under the run's folder with the packets of this block (pcapng), one for each end of the path: next to the target, next to the peer (until format 2.1: one
    /// for both); empty where nothing was captured, or nothing worth keeping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
    /// `anomalies/<block>.<attempt>.jsonl` holds this many trials kept whole.
    #[serde(default)]
    pub records: u64,
}

impl BlockRecord {
    /// A record of the present format in which nothing has happened yet.
    pub fn new(id: BlockId, cell: CellId, attempt: u32) -> Self {
        Self {
            format: FORMAT,
            format_minor: FORMAT_MINOR,
            id,
            cell,
            attempt,
            status: BlockStatus::Complete,
            started: String::new(),
            elapsed_ns: 0,
            target: TargetRecord::default(),
            boot: None,
            peer: None,
            target_hello: None,
            peer_hello: None,
            tally: Tally::default(),
            peer_tally: Tally::default(),
            witness: Witness::default(),
            path: PathRecord::default(),
            sysctls: vec![],
            captures: vec![],
            records: 0,
        }
    }
}

/// How a block ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum BlockStatus {
    /// It has its trials (of which some may be void).
    Complete,
    /// Nothing of it counts: the testbed failed.
    Void {
        /// Why.
        #[schemars(with = "String")]
        reason: VoidReason,
    },
    /// Nothing of it counts: the run was stopped while it was played. It is played again from its beginning when the run goes on.
    Aborted {
        /// Why the run was stopped: `interrupted`, `deadline`, `fail_fast`, `record_failed`.
        reason: String,
    },
}

/// A boot of the target's guest: blocks of one run with the same name were played in the same guest, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BootRecord {
    /// Its name, unique within the run: of a planned boot `r3-b12.1`, and `r3-b12.2` where the guest had to be booted anew; of a boot for one block alone the
    /// block's name and attempt.
    pub name: String,
    /// How many blocks had been played in this guest before.
    pub place: u32,
}

/// How the target came to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Booted from its kernel.
    Cold,
    /// Restored from a template.
    Restored,
    /// No guest: a namespace of the host.
    Host,
}

/// What lay between the two ends of one block: the proof that its faults bit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PathRecord {
    /// Which mechanism does what, and why that one: `delay to_target: netem`.
    pub mechanisms: Vec<String>,
    /// The operations that made it, one line each.
    pub operations: Vec<String>,
    /// How often each part acted, by name: `action.NAME.matched`, `rule.NAME`, `fault.NAME`, `netem.to_target.packets`.
    pub counters: BTreeMap<String, u64>,
}

impl PathRecord {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A kernel setting that was changed, and read back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SysctlRecord {
    /// Whose kernel: `target` or `peer`. On a host it is a network namespace's own setting, which ends with the block.
    pub end: String,
    /// `net.ipv4.tcp_syn_retries`
    pub name: String,
    /// What it was, as the kernel writes it, tabs as spaces.
    pub before: String,
    /// What it was during the trials.
    pub after: String,
}

/// How the target was made; or the peer, where that is a guest too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TargetRecord {
    /// Cold, restored or host; null where it never came to life.
    #[serde(deserialize_with = "known_or_default")]
    pub origin: Option<Origin>,
    /// `kvm` as `query-kvm` confirmed it, `tcg`, or `none` for a host.
    pub accelerator: String,
    /// Version of the kernel package, empty for a host.
    pub kernel_package: String,
    /// The command line that rig gave to QEMU, the program first; empty for a host.
    pub command_line: Vec<String>,
    /// The QEMU process that ran, as it was found running: a script of QEMU's name in PATH cannot hide behind what was asked for. Null for a host, or where
    /// it could not be looked at.
    pub running: Option<RunningQemu>,
    /// Why the process could not be looked at; empty where it could, or where there was none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub running_unknown: String,
    /// What the disk that it booted brought along; null where its system is rig's own, or the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemRecord>,
    /// From start to the agent's hello; of a block that found its guest booted, from then.
    pub boot_ns: u64,
    /// How it was verified that vhost-net really carries the packets; empty where the configuration has none.
    pub vhost_proof: String,
    /// Where the console's log lies, relative to the run's folder; empty for a host.
    pub console: String,
    /// Where the QMP log lies, relative to the run's folder; empty for a host.
    pub qmp: String,
}

/// The system on a disk of the user's, as it was found: rig changes none of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SystemRecord {
    /// PRETTY_NAME of its os-release(5).
    pub os: String,
    /// Process 1: the first line of `systemctl --version`, or the file that runs.
    pub init: String,
    /// The rules of its packet filter (`nft list ruleset`, at most 64 KiB); empty without any, or without nft.
    pub rules: String,
    /// Settings of its kernel that change what TCP does around a RST, by name.
    pub sysctls: BTreeMap<String, String>,
}

/// The process that answered on QMP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunningQemu {
    /// Its program, links followed (/proc/PID/exe).
    pub path: String,
    /// SHA-256 (hex) of that program's bytes.
    pub sha256: String,
    /// Its own command line, the program first (/proc/PID/cmdline).
    pub command_line: Vec<String>,
    /// Its version, as it says it itself (`query-version`); empty where it was not asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Packets seen on the wire next to the target (its tap, or its end of the veth), by a packet socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Witness {
    /// TCP segments with RST from the peer.
    pub rst_to_target: u64,
    /// TCP segments with RST from the target.
    pub rst_to_peer: u64,
    /// Packets that the kernel could not hand over in time: if not 0, the two counts are lower bounds.
    pub lost_packets: u64,
    /// Nobody watched, because no interface of the testbed carries the packets (two guests on a pair of sockets, a loopback): the counts say
    /// nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}
