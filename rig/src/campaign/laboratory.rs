//! What all blocks of a run share, put together once.
//!
//! Must not know cells. Units: `Duration`. Errors: [`CampaignError::NoPrivateFolder`], which blames the host's disk.
//! Tests: through whole runs, `tests/netns.rs` and `tests/guest.rs`.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use crate::configuration::Resolved;
use crate::image::{Disks, GuestKeys, Image, Loaded};
use crate::machine::qemu::Remains;
use crate::path::Mechanisms;
use crate::process::{self, QEMU};
use crate::record::format::Conduct;
use crate::runner::Laboratory;
use crate::{agent, clock};

use super::error::CampaignError;

/// From QEMU's start to `rig: ready`: under TCG on a busy host it takes some seconds; in a rehearsal, where one now and then never comes up, up to
/// a minute.
fn boot_deadline() -> Duration {
    Duration::from_secs(if clock::is_rehearsed() { 180 } else { 90 })
}

/// What guests boot, in hand; by the name that cells have for their kernel.
pub(super) struct Media {
    pub(super) images: HashMap<String, Loaded>,
    pub(super) disks: Disks,
}

impl Media {
    /// The bytes of these images, each read once, and the disks.
    ///
    /// # Errors
    /// [`CampaignError::Image`]
    pub(super) fn of(images: &HashMap<String, Image>, disks: Disks) -> Result<Self, CampaignError> {
        let load = |(name, image): (&String, &Image)| Ok((name.clone(), image.load()?));
        let images = images.iter().map(load).collect::<Result<_, CampaignError>>()?;
        Ok(Self { images, disks })
    }

    /// The first image by name, for what is asked of any guest.
    pub(super) fn any(&self) -> Option<&Loaded> {
        self.images.iter().min_by_key(|(name, _)| *name).map(|(_, image)| image)
    }
}

/// Everything that blocks share.
pub(super) fn laboratory(
    conduct: &Conduct,
    run_dir: &Path,
    media: Media,
    accelerator: Resolved,
    mechanisms: Mechanisms,
    keys: GuestKeys,
) -> Result<Laboratory, CampaignError> {
    let unusable = |cause: std::io::Error| CampaignError::NoPrivateFolder { cause };
    let private = process::new_run_dir().map_err(unusable)?;
    let agent = agent::install(private.path()).map_err(unusable)?;
    let results = run_dir.canonicalize().map_err(unusable)?;
    Ok(Laboratory {
        images: media.images,
        disks: media.disks,
        accelerator,
        mechanisms,
        qemu: process::program_file(QEMU),
        keys,
        agent,
        private,
        results,
        block_deadline: Duration::from_millis(conduct.block_deadline_ms) * clock::patience(),
        boot_deadline: boot_deadline(),
        gdb: None,
        keep_examples: conduct.keep_examples,
        keep_anomalies: conduct.keep_anomalies,
        cores: None,
        remains: Remains::default(),
        capture: conduct.capture,
    })
}
