//! A plan that is written down before it is played, and read again when it is.
//!
//! Must not know what a lock looks like on disk (`record/format/lock.rs`), nor how a run is held against it (`analysis/locked.rs`). Units: trials, blocks.
//! Errors: [`CampaignError`]: the file cannot be read, or is not what was written. Tests: `tests/cli_input.rs`, `tests/netns.rs`.

use std::path::Path;

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::clock;
use crate::matrix::{Matrix, Plan, Settings};
use crate::record::format::{Lock, LockError, LockedCell, RunLock};

use super::error::CampaignError;
use super::order::{Asked, NewRun};

/// The lock of a plan's ready cells, with a seed that is drawn for it.
pub fn lock(matrix: &Matrix, asked: &Asked, profile: &str, settings: &Settings, plan: &Plan) -> Lock {
    Lock {
        rig_version: env!("CARGO_PKG_VERSION").to_owned(),
        written: clock::now(),
        matrix: matrix.name().to_owned(),
        profile: profile.to_owned(),
        filters: asked.filters.clone(),
        trials: asked.trials,
        seed: draw_seed(),
        confidence: settings.confidence,
        margin: settings.margin,
        margins: settings.margins.clone(),
        icc: settings.icc,
        tolerance: settings.tolerance,
        baseline: settings.baseline.clone(),
        cells: plan.ready().map(LockedCell::from).collect(),
        ..Lock::default()
    }
}

/// A seed that nobody chose.
pub fn draw_seed() -> u64 {
    ChaCha8Rng::from_os_rng().next_u64()
}

/// Reads a lock, and has the run ask for what it locks where the order does not say otherwise.
pub(super) fn follow(path: &Path, run: &mut NewRun) -> Result<RunLock, CampaignError> {
    let refused = |cause: LockError| CampaignError::Lock { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path)
        .map_err(|cause| CampaignError::LockUnreadable { path: path.to_owned(), cause })?;
    let lock = Lock::parse(&text).map_err(refused)?;
    let asked = &mut run.asked;
    let chooses = asked.profile.is_some() || !asked.filters.is_empty();
    if !chooses {
        asked.profile = Some(lock.profile).filter(|name| !name.is_empty());
        asked.filters = lock.filters;
    }
    asked.trials = asked.trials.or(lock.trials);
    asked.baseline = asked.baseline.take().or(lock.baseline);
    run.seed = run.seed.or(Some(lock.seed));
    Ok(RunLock { sha256: lock.sha256, text })
}
