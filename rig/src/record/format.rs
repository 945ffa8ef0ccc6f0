//! The shape of a run on disk, versioned by [`FORMAT`]. Add, don't rename.

use std::collections::BTreeMap;

use rig_protocol::{Hello, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::void_reason::VoidReason;
use crate::matrix::{Cell, CellId};

/// Version of everything under `results/<run-id>/`.
pub const FORMAT: u32 = 1;

/// `run.json`: everything needed to repeat the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`]
    pub format: u32,
    /// `20261121-201950-1f3a`: UTC time of start and four hex digits of the seed.
    pub id: String,
    /// Seed of block order and of every block's own seed.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    /// Version of the rig.
    pub rig_version: String,
    /// SHA-256 of the guest agent's bytes.
    pub agent_build_id: String,
    /// As typed.
    pub command_line: Vec<String>,
    /// Profile name.
    pub profile: String,
    /// The whole matrix file.
    pub matrix: String,
    /// How the numbers are judged.
    pub judgement: Judgement,
    /// How blocks are played: kept, so that a resumed run goes on in the same way.
    pub conduct: Conduct,
    /// The machine.
    pub environment: Environment,
    /// The guest images, by kernel name.
    pub images: BTreeMap<String, ImageRecord>,
    /// Every cell of the plan, ready or skipped.
    pub cells: Vec<CellRecord>,
    /// The blocks in the recorded random order.
    pub blocks: Vec<PlannedBlock>,
}

/// How the numbers are judged: declared before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Confidence of every interval, e.g. 0.95.
    pub confidence: f64,
    /// Two rates whose difference lies within plus or minus this are "the same".
    pub margin: f64,
    /// Rates over which an errno that a scenario does not expect raises an alert, by errno name or `any_error`.
    #[serde(default)]
    pub alert: BTreeMap<String, f64>,
}

/// How blocks are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    /// How often a void block is tried again.
    pub retries: u32,
    /// A block that lasts longer is void.
    pub block_deadline_ms: u64,
    /// The first K examples of each outcome are kept whole.
    pub keep_examples: u32,
    /// At most this many anomalies of each outcome are kept whole; all are counted.
    pub keep_anomalies: u32,
    /// Which blocks' packets are kept.
    #[serde(default)]
    pub capture: CaptureWhen,
}

/// Which blocks' packets are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureWhen {
    /// None; nothing is captured.
    #[default]
    Never,
    /// Those with an anomaly; not those of controls, whose outcome is known.
    Anomaly,
    /// All.
    Always,
}

/// A guest image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Kernel package and its version.
    pub package: String,
    /// `uname -r`
    pub release: String,
    /// Of kernel and initramfs: the same digest, the same guest.
    pub digest: String,
}

/// The host, as far as it can change a result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The host.
    pub host: Host,
    /// `qemu-system-x86_64 --version`, first line; empty without QEMU.
    pub qemu: String,
    /// Which accelerator `auto` stands for, and why.
    pub accelerator: String,
    /// Why.
    pub accelerator_reason: String,
    /// TCP sysctls of the host.
    pub sysctls: BTreeMap<String, String>,
    /// Whether this run took place in an emulated KVM host: its timings mean nothing.
    #[serde(default)]
    pub rehearsed: bool,
}

/// The host's hardware and kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A cell of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// The cell.
    pub cell: Cell,
    /// Why it is not run, if it is not.
    pub skipped: Option<String>,
}

/// Name of a block: `<cell id>-<index>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockId(pub String);

impl std::fmt::Display for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A block that is to be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBlock {
    /// Its name.
    pub id: BlockId,
    /// Whose.
    pub cell: CellId,
    /// From 0.
    pub index: u32,
    /// Seed of its draws.
    pub seed: u64,
    /// How many trials.
    pub trials: u64,
}

/// How a block ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum BlockStatus {
    /// It has its trials (of which some may be void).
    Complete,
    /// Nothing of it counts: the testbed failed.
    Void {
        /// Why.
        reason: VoidReason,
    },
}

/// How the target came to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Booted from its kernel.
    Cold,
    /// Restored from a template.
    Restored,
    /// No guest: a namespace of the host.
    Host,
}

/// `blocks/<block>.<attempt>.json`: one block that was played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockRecord {
    /// Its name.
    pub id: BlockId,
    /// Whose.
    pub cell: CellId,
    /// From 1; a void block is tried again a declared number of times, and every attempt is kept.
    pub attempt: u32,
    /// How it ended.
    #[serde(flatten)]
    pub status: BlockStatus,
    /// RFC 3339, UTC.
    pub started: String,
    /// From the first namespace to the last teardown.
    pub elapsed_ns: u64,
    /// The target.
    pub target: TargetRecord,
    /// The peer's guest, where the peer is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<TargetRecord>,
    /// What the target's agent said of itself, if it said it.
    pub target_hello: Option<Hello>,
    /// What the peer's agent said of itself.
    pub peer_hello: Option<Hello>,
    /// The target's sums: the trials of the cell.
    pub tally: Tally,
    /// The peer's sums.
    pub peer_tally: Tally,
    /// The second, independent recording.
    pub witness: Witness,
    /// What lay between the two ends, and what it did.
    #[serde(default, skip_serializing_if = "PathRecord::is_empty")]
    pub path: PathRecord,
    /// Files under the run's folder with the packets of this block (pcapng); empty where nothing was captured, or nothing worth keeping.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
    /// `anomalies/<block>.<attempt>.jsonl` holds this many trials kept whole.
    pub records: u64,
}

/// What lay between the two ends of one block: the proof that its faults bit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// How the target was made; or the peer, where that is a guest too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Cold, restored or host; absent where it never came to life.
    pub origin: Option<Origin>,
    /// `kvm` as `query-kvm` confirmed it, `tcg`, or `none` for a host.
    pub accelerator: String,
    /// Version of the kernel package, empty for a host.
    pub kernel_package: String,
    /// The QEMU command line.
    pub command_line: Vec<String>,
    /// From start to the agent's hello.
    pub boot_ns: u64,
    /// How it was verified that vhost-net really carries the packets; empty where the configuration has none.
    pub vhost_proof: String,
    /// Where the console's log lies, relative to the run's folder.
    pub console: String,
    /// Where the QMP log lies.
    pub qmp: String,
}

/// Packets seen on the wire next to the target (its tap, or its end of the veth), by a packet socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// TCP segments with RST from the peer.
    pub rst_to_target: u64,
    /// TCP segments with RST from the target.
    pub rst_to_peer: u64,
    /// Packets that the kernel could not hand over in time: if not 0, the two counts are lower bounds.
    pub lost: u64,
    /// Nobody watched, because no interface of the testbed carries the packets (two guests on a pair of sockets, a loopback): the counts say
    /// nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

/// One line of `journal.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// The run began, or went on after `--resume`.
    Started {
        /// RFC 3339, UTC.
        at: String,
    },
    /// A block was played and lies on disk.
    Block {
        /// RFC 3339, UTC.
        at: String,
        /// Which.
        id: BlockId,
        /// From 1.
        attempt: u32,
        /// How it ended.
        #[serde(flatten)]
        status: BlockStatus,
        /// File under the run's folder.
        file: String,
        /// SHA-256 of that file.
        sha256: String,
    },
    /// The run ended: by itself, or interrupted with its record complete up to here.
    Ended {
        /// RFC 3339, UTC.
        at: String,
        /// Whether all blocks of the plan were played.
        complete: bool,
    },
}
