//! The middle of a campaign, inside the enclosure: what executes guests, the plan, the record.
//!
//! Must not know how a block is played. Units: milliseconds in the record.
//! Errors: [`CampaignError`]: no cell can be run here, no record can be written. Tests: `tests/netns.rs`, `tests/guest.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::configuration::{Abilities, Resolved};
use crate::document::Problems;
use crate::image::{GuestKeys, Image};
use crate::matrix::{Matrix, Plan, Selected};
use crate::record::format::{
    BlockRecord, CaptureWhen, CellRecord, Conduct, Environment, ImageRecord, Judgement, RunRecord, Shard,
};
use crate::record::{RecordError, Writer};
use crate::runner::{Laboratory, environment, schedule};
use crate::{agent, clock};

use super::accelerator::accelerator;
use super::disks;
use super::error::CampaignError;
use super::host::{lack, lacks};
use super::kernels::Kernels;
use super::laboratory::{Media, laboratory};
use super::prepare::{Begin, Prepared, WholePlan};

/// Kept whole of each outcome: so many examples, so many anomalies. Of a block's anomalies the agent keeps no more than
/// [`OUTCOMES_KEPT_WHOLE`](rig_protocol::Assignment::OUTCOMES_KEPT_WHOLE) times as many.
const KEEP_EXAMPLES: u32 = 3;
const KEEP_ANOMALIES: u32 = 1_000;

/// A run that can begin.
pub(super) struct Opened {
    pub(super) laboratory: Laboratory,
    pub(super) writer: Writer,
    pub(super) run: RunRecord,
    pub(super) done: Vec<BlockRecord>,
    /// Where the matrix file asks for what cells are skipped for: their paths cannot be made here.
    pub(super) unmet: Problems,
}

/// Finds out what executes guests, makes the plan and opens the record.
pub(super) async fn open(prepared: Prepared, results: &Path) -> Result<Opened, CampaignError> {
    let Prepared { run, mut abilities, kernels } = prepared;
    let keys = GuestKeys::generate();
    let media = Media::of(&kernels.images, kernels.disks.clone())?;
    let accelerator = accelerator(media.any(), &keys).await?;
    abilities.accelerator = Some(accelerator.clone());
    let explain = |cells: &[CellRecord]| match &run.matrix {
        Some(matrix) => matrix.explain_lacks(&lacks(cells, &abilities)),
        None => Problems::default(),
    };
    let (writer, record, done) = match run.begin {
        Begin::Anew { selected, seed, capture, shard, claims, lock, whole } => {
            let matrix = run.matrix.as_ref().expect("a new run has its file");
            let cells = run.cells.into_iter().map(|cell| cell.cell).collect();
            let made = Plan::make(cells, &|cell| lack(&abilities, cell).or_else(|| kernels.lack(cell)));
            let made = if selected.settings.aa_pair { made.with_again() } else { made };
            let shard = shard.map(Shard::from);
            let draft = draft(matrix, *selected, seed, capture, &kernels);
            let WholePlan { all_sha256, elsewhere } = whole;
            let plan_sha256 = digest(&all_sha256, &draft.judgement, &draft.conduct, &claims);
            let draft = RunRecord { shard, claims, lock, plan_sha256, elsewhere, ..draft };
            let mut record = plan(draft, made, &abilities, &accelerator);
            if !has_ready(&record.cells) {
                return Err(nothing_ready(&record.cells, explain(&record.cells)));
            }
            (create(results, &mut record)?, record, vec![])
        }
        Begin::Again { run_dir, .. } => Writer::resume(&run_dir)?,
    };
    let unmet = explain(&record.cells);
    let laboratory =
        laboratory(&record.conduct, writer.dir(), media, accelerator, abilities.mechanisms, keys)?;
    Ok(Opened { laboratory, writer, run: record, done, unmet })
}

/// What is the same of all shards of a plan, and of all nights of one: its cells, how they are judged, how blocks are played.
fn digest(
    cells: &[u8; 32],
    judgement: &Judgement,
    conduct: &Conduct,
    claims: &BTreeMap<String, String>,
) -> String {
    let rest = serde_json::to_vec(&(judgement, conduct, claims)).expect("plain data with string keys");
    format!("{:x}", Sha256::new().chain_update(cells).chain_update(rest).finalize())
}

/// A record of its own for the run, whatever else is begun in this second: an id that is taken is not ours.
fn create(results: &Path, record: &mut RunRecord) -> Result<Writer, RecordError> {
    const DRAWS: u32 = 8;
    let mut created = Writer::create(results, record);
    for _ in 1..DRAWS {
        if !matches!(created, Err(RecordError::Exists { .. })) {
            break;
        }
        record.id = clock::run_id();
        created = Writer::create(results, record);
    }
    created
}

/// What is known of a new run before its plan.
fn draft(
    matrix: &Matrix,
    selected: Selected,
    seed: u64,
    capture: CaptureWhen,
    kernels: &Kernels,
) -> RunRecord {
    let settings = selected.settings;
    RunRecord {
        seed,
        started: clock::now(),
        rig_version: env!("CARGO_PKG_VERSION").to_owned(),
        agent_build_id: agent::build_id().to_owned(),
        command_line: std::env::args().collect(),
        profile: selected.profile,
        matrix: matrix.text().to_owned(),
        judgement: Judgement {
            confidence: settings.confidence,
            margin: settings.margin,
            margins: settings.margins,
            icc: Some(settings.icc),
            stop: settings.stop,
            tolerance: Some(settings.tolerance),
            baseline: settings.baseline,
            alert: matrix.alert().clone(),
        },
        conduct: Conduct {
            retries: settings.retries,
            block_deadline_ms: u64::try_from(settings.block_deadline.as_millis()).unwrap_or(u64::MAX),
            keep_examples: KEEP_EXAMPLES,
            keep_anomalies: KEEP_ANOMALIES,
            capture,
        },
        images: image_records(kernels),
        ..RunRecord::new(clock::run_id())
    }
}

fn image_records(kernels: &Kernels) -> BTreeMap<String, ImageRecord> {
    let images = kernels.images.iter().map(|(name, image)| (name.clone(), image_record(image)));
    let disks = kernels.disks.files.iter().map(|(name, disk)| (name.clone(), disks::record(disk)));
    images.chain(disks).collect()
}

fn image_record(image: &Image) -> ImageRecord {
    ImageRecord {
        package: image.package.clone(),
        release: image.release.clone(),
        digest: image.digest.clone(),
        kernel_sha256: image.kernel_sha256.clone(),
        config_sha256: image.config_sha256.clone().unwrap_or_default(),
        own: image.is_own(),
        git: image.git.clone().unwrap_or_default(),
    }
}

/// Ready and skipped cells, and the blocks of the ready ones.
fn plan(draft: RunRecord, plan: Plan, abilities: &Abilities, accelerator: &Resolved) -> RunRecord {
    let blocks = schedule(plan.ready(), draft.seed, draft.shard);
    let cells = plan.cells.into_iter().map(|planned| CellRecord {
        cell: planned.cell,
        lack: planned.skipped.as_ref().map(|lack| lack.word().to_owned()),
        skipped: planned.skipped.map(|lack| lack.to_string()),
    });
    let qemu = abilities.qemu.as_ref().ok();
    let executable = qemu.and_then(|qemu| qemu.executable.as_ref().ok());
    RunRecord {
        environment: Environment {
            machine: environment::machine(),
            host: environment::host(),
            qemu: qemu.map(|qemu| qemu.version.0.clone()).unwrap_or_default(),
            qemu_path: executable.map(|found| found.path.display().to_string()).unwrap_or_default(),
            qemu_sha256: executable.map(|found| found.sha256.clone()).unwrap_or_default(),
            // Nothing was probed for a run without guests.
            accelerator: if draft.images.is_empty() { "none" } else { accelerator.engine.word() }.to_owned(),
            accelerator_reason: accelerator.reason.clone(),
            sysctls: environment::sysctls(),
            rehearsed: clock::is_rehearsed(),
        },
        cells: cells.collect(),
        blocks,
        ..draft
    }
}

/// Whether any cell that was asked for can be run. Controls prove what cells find: alone they count only where nothing else was asked for.
fn has_ready(cells: &[CellRecord]) -> bool {
    let only_controls = cells.iter().all(|cell| cell.cell.control.is_some());
    cells.iter().any(|cell| cell.skipped.is_none() && (only_controls || cell.cell.control.is_none()))
}

fn nothing_ready(cells: &[CellRecord], unmet: Problems) -> CampaignError {
    let reasons: BTreeSet<String> = cells.iter().filter_map(|cell| cell.skipped.clone()).collect();
    CampaignError::NothingReady { reasons, unmet }
}
