//! One block by itself, on this host or in one guest, without a record: for the person who writes a scenario.
//!
//! The player, the boot and the network are those of a run; only nothing is compared. Its guest can be kept for a person. Must not print. Units: trials.
//! Errors: [`CampaignError`]; the host cannot run it, or the user stopped it. Tests: `tests/trouble/alone.rs`, `tests/guest/alone.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use rig_protocol::TrialRecord;
use tokio::sync::mpsc::unbounded_channel;

use crate::configuration::Resolved;
use crate::event::Event;
use crate::image::{Cache, GuestKeys};
use crate::process;
use crate::record::Layout;
use crate::record::format::{BlockRecord, BlockStatus, CaptureWhen, Conduct};
use crate::runner::{Attempt, Inspection, Laboratory, Player, Stop, Stopper};

use super::accelerator::accelerator;
use super::cores::{self, LOGS};
use super::enclosed::enclosed_runtime;
use super::error::CampaignError;
use super::host::lack;
use super::inspect::Inspected;
use super::laboratory::{Media, laboratory};
use super::supply::{Supplied, supply_one};
use super::watcher::Watcher;

/// How long the block may take.
const DEADLINE_MS: u64 = 3_600_000;

/// What a capture file calls the run that there is none of.
const NO_RUN: &str = "scenario-run";

/// A block that is played by itself.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The block.
    pub attempt: Attempt,
    /// So many trials of each outcome are kept whole.
    pub keep: u32,
    /// Whether its packets are kept.
    pub capture: CaptureWhen,
    /// Whether its guest's memory is kept where its kernel panics.
    pub keep_core: bool,
    /// Whether its guest is kept for whoever looks into it then.
    pub keep_guest: bool,
}

/// What was played.
#[derive(Debug)]
pub struct Once {
    /// The block, complete or void.
    pub record: BlockRecord,
    /// Its trials kept whole.
    pub trials: Vec<TrialRecord>,
    /// What executed its guest, and why that; none on the host.
    pub accelerator: Option<Resolved>,
    /// The packets: the record's name of each file (`captures`), and its content.
    pub packets: Vec<(String, Vec<u8>)>,
    /// What the guest of a void block printed on its console.
    pub console: Option<PathBuf>,
}

/// Plays the block; the watcher is told of images, phases and trials, and may stop it.
///
/// # Errors
/// [`CampaignError::CannotRun`], [`CampaignError::Interrupted`], or what the host lacks for any run.
pub fn play_once(alone: Alone, watcher: &mut impl Watcher) -> Result<Once, CampaignError> {
    play_once_and(alone, watcher, async |once, _| once)
}

/// As [`play_once`]; then `look` gets what was played, and the guest where it was to be kept and could be. Ends with it.
///
/// # Errors
/// As [`play_once`].
pub fn play_once_and<T>(
    alone: Alone,
    watcher: &mut impl Watcher,
    look: impl AsyncFnOnce(Once, Option<Inspected>) -> T,
) -> Result<T, CampaignError> {
    if alone.keep_core {
        cores::of_visits(&alone.attempt.cell)?;
    }
    let supplied = supply_one(&alone.attempt.cell, IT, &mut |image, step| watcher.image_step(image, step))?;
    let runtime = enclosed_runtime()?;
    let played = runtime.block_on(async {
        let (once, inspected) = play(alone, supplied, watcher).await?;
        Ok(look(once, inspected).await)
    });
    // Blocking threads that still wait for a dead guest must not hold the end up: the enclosure ends them.
    runtime.shutdown_background();
    played
}

/// How an error names the block: the reader has just typed what it is.
const IT: &str = "it";

async fn play(
    alone: Alone,
    supplied: Supplied,
    watcher: &mut impl Watcher,
) -> Result<(Once, Option<Inspected>), CampaignError> {
    let folder = process::new_run_dir().map_err(no_folder)?;
    let logs = folder.path().join(NO_RUN);
    for name in [Layout::CONSOLE, Layout::QMP] {
        fs::create_dir_all(logs.join(name)).map_err(no_folder)?;
    }
    let is_host = alone.attempt.cell.is_baseline();
    let (stopper, mut stop) = Stopper::new();
    watcher.may_stop(stopper);
    let laboratory = tokio::select! {
        biased;
        _ = stop.told() => return Err(CampaignError::Interrupted),
        laboratory = furnish(&alone, supplied, &logs) => laboratory?,
    };
    let resolved = (!is_host).then(|| laboratory.accelerator.clone());
    let Watched { played, inspection, packets } = watch(&laboratory, &alone, watcher, stop).await;
    laboratory.remains.all().iter().for_each(|remain| watcher.panicked(remain));
    match played {
        Some((record, trials)) if !matches!(record.status, BlockStatus::Aborted { .. }) => {
            let console = kept_console(&logs, &record);
            let inspected = inspection.map(|inspection| Inspected { laboratory, inspection });
            Ok((Once { record, trials, accelerator: resolved, packets, console }, inspected))
        }
        Some(_) | None => Err(CampaignError::Interrupted),
    }
}

/// What the block is played with: as for a run, its guest's accelerator found out first.
async fn furnish(alone: &Alone, supplied: Supplied, logs: &Path) -> Result<Laboratory, CampaignError> {
    let Supplied { mut abilities, images, disks } = supplied;
    let keys = GuestKeys::generate();
    let media = Media::of(&images, disks)?;
    let accelerator = accelerator(media.any(), &keys).await?;
    abilities.accelerator = Some(accelerator.clone());
    // A configuration may take nothing but KVM.
    if let Some(reason) = lack(&abilities, &alone.attempt.cell) {
        return Err(CampaignError::CannotRun { what: IT.to_owned(), reason });
    }
    let conduct = Conduct {
        retries: 0,
        block_deadline_ms: DEADLINE_MS,
        keep_examples: alone.keep,
        keep_anomalies: alone.keep,
        capture: alone.capture,
    };
    let laboratory = laboratory(&conduct, logs, media, accelerator, abilities.mechanisms, keys)?;
    let cores = alone.keep_core.then(|| cores::of_visits(&alone.attempt.cell)).transpose()?;
    Ok(Laboratory { cores, ..laboratory })
}

struct Watched {
    played: Option<(BlockRecord, Vec<TrialRecord>)>,
    inspection: Option<Inspection>,
    packets: Vec<(String, Vec<u8>)>,
}

/// Plays the block while the watcher takes in what happens; its packets are held until they can be written.
async fn watch(laboratory: &Laboratory, alone: &Alone, watcher: &mut impl Watcher, stop: Stop) -> Watched {
    let (events, mut spine) = unbounded_channel();
    let mut packets = Vec::new();
    let mut take = |event: Event| match event {
        Event::PacketsCaptured { file, bytes, .. } => packets.push((file, bytes)),
        event => watcher.happened(&event),
    };
    let attempt = alone.attempt.clone();
    let mut playing = std::pin::pin!(async {
        match alone.keep_guest {
            true => Inspection::after(laboratory, attempt, events, stop).await,
            false => (laboratory.play(attempt, events, stop).await, None),
        }
    });
    let (played, inspection) = loop {
        tokio::select! {
            biased;
            Some(event) = spine.recv() => take(event),
            played = &mut playing => break played,
        }
    };
    while let Ok(event) = spine.try_recv() {
        take(event);
    }
    Watched { played, inspection, packets }
}

/// The console of a guest whose block is void, out of the private folder: its last lines are often the reason. One file for each cell.
fn kept_console(logs: &Path, record: &BlockRecord) -> Option<PathBuf> {
    if record.target.console.is_empty() || record.status == BlockStatus::Complete {
        return None;
    }
    let folder = Cache::of_user().ok()?.root().join(LOGS);
    fs::create_dir_all(&folder).ok()?;
    let kept = folder.join(format!("{}-alone.log", record.cell));
    fs::copy(logs.join(&record.target.console), &kept).ok()?;
    Some(kept)
}

fn no_folder(cause: std::io::Error) -> CampaignError {
    CampaignError::NoPrivateFolder { cause }
}
