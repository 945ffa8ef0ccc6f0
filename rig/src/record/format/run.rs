//! `run.json`: what is known before the first block, everything that is needed to repeat the run.
//!
//! Plain data. Must not know how it is measured or judged. Units: in the keys; shares of 1. Errors: none. Tests: `tests/golden`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cell::CellRecord;
use super::environment::Environment;
use super::lock::RunLock;
use super::part::{BlockSource, CellElsewhere, PartRecord, Shard};
use super::version::{FORMAT, FORMAT_MINOR};
use super::words::known_or_default;
use crate::matrix::{Baseline, CellId, StopRule};
use crate::record::id::BlockId;

/// `run.json`: everything needed to repeat the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// Major version of the stored format.
    pub format: u32,
    /// Minor version of the stored format.
    #[serde(default)]
    pub format_minor: u32,
    /// `20261121-201950-1f3a09c4`: UTC time of start and eight hex digits that were drawn, so that no two runs share it.
    pub id: String,
    /// Seed of block order and of every block's own seed.
    #[serde(default)]
    pub seed: u64,
    /// RFC 3339, UTC.
    #[serde(default)]
    pub started: String,
    /// Version of the rig.
    #[serde(default)]
    pub rig_version: String,
    /// SHA-256 (hex) of the guest agent's bytes.
    #[serde(default)]
    pub agent_build_id: String,
    /// As typed.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Profile name.
    #[serde(default)]
    pub profile: String,
    /// Which part of the matrix it is, where several runs share one; null for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The whole matrix file.
    #[serde(default)]
    pub matrix: String,
    /// The files of the claims that the reader took along (`--claims`), by id: the report judges by them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
    /// The plan by which it was begun (`--lock`), as it was written down before; null where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<RunLock>,
    /// How the numbers are judged.
    #[serde(default)]
    pub judgement: Judgement,
    /// How blocks are played: kept, so that a resumed run goes on in the same way.
    #[serde(default)]
    pub conduct: Conduct,
    /// The machine.
    #[serde(default)]
    pub environment: Environment,
    /// The guest images, by kernel name.
    #[serde(default)]
    pub images: BTreeMap<String, ImageRecord>,
    /// SHA-256 (hex) of the whole plan (every cell, also those of other shards, how it is judged and how blocks are played): runs with the same one can be merged. Empty in
    /// files older than format 2.6.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan_sha256: String,
    /// The cells of the whole plan that are not among `cells`: those that only other shards play; in a merged run those that none of its parts has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<CellElsewhere>,
    /// The runs that it was merged from (`rig results merge`), in the order of their ids; empty for a run that was played as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
    /// Every cell of the plan, ready or skipped.
    pub cells: Vec<CellRecord>,
    /// The blocks in the recorded random order.
    pub blocks: Vec<PlannedBlock>,
}

impl RunRecord {
    /// A run of the present format of which nothing is known but its id.
    pub fn new(id: String) -> Self {
        Self {
            format: FORMAT,
            format_minor: FORMAT_MINOR,
            id,
            seed: 0,
            started: String::new(),
            rig_version: String::new(),
            agent_build_id: String::new(),
            command_line: vec![],
            profile: String::new(),
            shard: None,
            matrix: String::new(),
            claims: BTreeMap::new(),
            lock: None,
            judgement: Judgement::default(),
            conduct: Conduct::default(),
            environment: Environment::default(),
            images: BTreeMap::new(),
            plan_sha256: String::new(),
            elsewhere: vec![],
            parts: vec![],
            cells: vec![],
            blocks: vec![],
        }
    }

    /// The machines that it was played on: of a merged run those of its parts.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        let own = self.parts.is_empty().then_some(&self.environment);
        self.parts.iter().map(|part| &part.environment).chain(own)
    }

    /// The run that plays a block: of a merged run the part of it, otherwise the run itself.
    pub fn source_of<'a>(&'a self, block: &'a PlannedBlock) -> &'a str {
        block.source.as_ref().map_or(&self.id, |source| &source.run)
    }
}

/// How the numbers are judged: declared before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Judgement {
    /// Confidence of every interval, a share of 1: 0.95.
    pub confidence: f64,
    /// Two rates whose difference lies within plus or minus this share of 1 are "the same". 0 where it was not declared: then nothing is.
    pub margin: f64,
    /// Margins (shares of 1) of their own, by errno name or `any_error`; `margin` holds for what is not named.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub margins: BTreeMap<String, f64>,
    /// The intraclass correlation of the trials of a block (a share of 1) that is assumed where nothing was seen. Null where it was not declared (files older
    /// than format 2.5): then 0.001, the default of a matrix file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icc: Option<f64>,
    /// When a cell needs no further block. Null where there was no such rule: then every cell plays all its blocks. Whether it was met follows from the
    /// cell's complete blocks in the order of `started`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known_or_default")]
    pub stop: Option<StopRule>,
    /// The share of trials (of 1) whose outcome a scenario may not expect: more, surely, and the cell is told as unexpected. Null where it was not
    /// declared (files older than format 2.1): then nothing is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// The kernel that cells on the others are compared with besides bare metal, as the matrix file spells it: `kernel:6.1`. Null where there is none (always in files older
    /// than format 2.7).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "known_or_default")]
    pub baseline: Option<Baseline>,
    /// Rates (shares of 1) over which an errno that a scenario does not expect raises an alert, by errno name or `any_error`.
    pub alert: BTreeMap<String, f64>,
}

impl Judgement {
    /// The correlation within blocks where none was declared: the default of a matrix file.
    pub const ICC: f64 = 0.001;
}

impl Default for Judgement {
    fn default() -> Self {
        Self {
            confidence: 0.95,
            margin: 0.0,
            margins: BTreeMap::new(),
            icc: None,
            stop: None,
            tolerance: None,
            baseline: None,
            alert: BTreeMap::new(),
        }
    }
}

/// How blocks are played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Conduct {
    /// How often a void block is tried again.
    pub retries: u32,
    /// A block that lasts longer is void, in milliseconds.
    pub block_deadline_ms: u64,
    /// The first so many examples of each outcome are kept whole.
    pub keep_examples: u32,
    /// At most this many anomalies of each outcome are kept whole; all are counted.
    pub keep_anomalies: u32,
    /// Which blocks' packets are kept.
    #[serde(deserialize_with = "known_or_default")]
    pub capture: CaptureWhen,
}

/// Which blocks' packets are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImageRecord {
    /// Kernel package and its version.
    pub package: String,
    /// `uname -r`
    pub release: String,
    /// Digest of kernel and initramfs: the same digest, the same guest.
    pub digest: String,
    /// SHA-256 (hex) of the kernel's file. Empty in older records.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kernel_sha256: String,
    /// SHA-256 (hex) of the kernel's configuration; empty where it is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub config_sha256: String,
    /// Whether the kernel is one's own, out of no package: then `package` says how it came (`tree`, `bzImage`, `packages`, `installed`) and what it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// `git describe --always --dirty` of the tree that it was built in; empty where that is no work tree of git.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub git: String,
}

/// A block that is to be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedBlock {
    /// Its name.
    pub id: BlockId,
    /// Whose: the id of a cell of the plan.
    #[schemars(with = "String")]
    pub cell: CellId,
    /// From 0.
    #[serde(default)]
    pub index: u32,
    /// Seed of its draws.
    #[serde(default)]
    pub seed: u64,
    /// How many trials.
    #[serde(default)]
    pub trials: u64,
    /// In which round it is played, from 0: rounds follow each other, and the blocks of one are in random order. A cell's blocks are spread evenly over the
    /// rounds. (Files older than format 2.5 have one round.)
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// The boot that it is to share with the blocks beside it that name the same one: `r3-b12`. Null where its guest is its own, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Of a merged run: which run played it, and its name there. Null in a run that was played as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<BlockSource>,
}

impl PlannedBlock {
    /// A block in a boot of its own: the first of its cell, in the first round.
    pub fn alone(id: BlockId, cell: CellId, seed: u64, trials: u64) -> Self {
        Self { id, cell, index: 0, seed, trials, round: 0, boot: None, source: None }
    }
}

/// Of what is left out of a file where it is 0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
