//! One block on this host, at once and without a record: for the person who writes a scenario.
//!
//! The same player as a bare-metal block of a run, in the same network; only nothing is compared. Must not print. Units: trials.
//! Errors: [`CampaignError`]; the host cannot run it, or the user stopped it. Tests: `tests/netns.rs`, through `rig scenario run`.

use std::collections::HashMap;

use rig_protocol::TrialRecord;
use tokio::sync::mpsc::unbounded_channel;

use crate::configuration::{Engine, Resolved};
use crate::image::GuestKeys;
use crate::path::Mechanisms;
use crate::process;
use crate::record::format::{BlockRecord, BlockStatus, CaptureWhen, Conduct};
use crate::runner::{Attempt, Player, Stopper, Why};

use super::enclosed::enclosed_runtime;
use super::error::CampaignError;
use super::host::{abilities_for, lack};
use super::laboratory::laboratory;

/// How long the block may take.
const DEADLINE_MS: u64 = 3_600_000;

/// What was played.
#[derive(Debug)]
pub struct Once {
    /// The block, complete or void.
    pub record: BlockRecord,
    /// Its trials kept whole.
    pub trials: Vec<TrialRecord>,
}

/// Plays the block; `keep` trials of each outcome are kept whole.
///
/// # Errors
/// [`CampaignError::CannotRun`], [`CampaignError::Interrupted`], or what the host lacks for any run.
pub fn play_once(attempt: Attempt, keep: u32) -> Result<Once, CampaignError> {
    let abilities = abilities_for([&attempt.cell]);
    if let Some(reason) = lack(&abilities, &attempt.cell) {
        return Err(CampaignError::CannotRun { what: "it".to_owned(), reason });
    }
    let runtime = enclosed_runtime()?;
    let played = runtime.block_on(play(attempt, keep, abilities.mechanisms));
    runtime.shutdown_background();
    played
}

async fn play(attempt: Attempt, keep: u32, mechanisms: Mechanisms) -> Result<Once, CampaignError> {
    let folder = process::new_run_dir().map_err(|cause| CampaignError::NoPrivateFolder { cause })?;
    let conduct = Conduct {
        retries: 0,
        block_deadline_ms: DEADLINE_MS,
        keep_examples: keep,
        keep_anomalies: keep,
        capture: CaptureWhen::Never,
    };
    let nobody = Resolved { engine: Engine::Tcg, reason: "no guest was asked for".to_owned() };
    let keys = GuestKeys::generate();
    let laboratory = laboratory(&conduct, folder.path(), HashMap::new(), nobody, mechanisms, keys)?;
    let (stopper, stop) = Stopper::new();
    let (events, _spine) = unbounded_channel();
    let interrupted = async {
        // Without a handler for Ctrl-C the signal ends us, which is as good.
        let _ = tokio::signal::ctrl_c().await;
        stopper.stop(Why::Interrupted);
        std::future::pending::<()>().await;
    };
    let played = tokio::select! {
        played = laboratory.play(attempt, events, stop) => played,
        () = interrupted => None,
    };
    match played {
        Some((record, trials)) if !matches!(record.status, BlockStatus::Aborted { .. }) => {
            Ok(Once { record, trials })
        }
        Some(_) | None => Err(CampaignError::Interrupted),
    }
}
