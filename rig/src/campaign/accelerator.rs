//! What `auto` stands for on this host: asked of a guest that is booted, or of the answer that was kept of one.
//!
//! Holds where the probe's files lie and how long it may take. Must not know cells. Units: `Duration`.
//! Errors: [`ProbeError`], which blames the host. Tests: `machine/qemu/probe.rs`.

use std::path::PathBuf;
use std::time::Duration;

use crate::clock;
use crate::configuration::{Accelerator, Engine, Localtime, Resolved};
use crate::image::{Cache, GuestKeys, Loaded, Overlay, Recipes, any_built};
use crate::machine::qemu::ProbeError;
use crate::machine::qemu::probe::{self, Lateness, PROBE_DEADLINE, ProbeKit};
use crate::process::{self, QEMU};

/// For one guest of a probe in a rehearsal, which is tried again; it takes half a minute on a machine that does nothing else.
const REHEARSED_PROBE_DEADLINE: Duration = Duration::from_secs(120);

/// What `auto` stands for, by booting a guest of this image (or from the kept answer of such a boot).
pub(super) async fn accelerator(image: Option<&Loaded>, keys: &GuestKeys) -> Result<Resolved, ProbeError> {
    let Some(image) = image else {
        return Ok(Resolved { engine: Engine::Tcg, reason: "no guest was asked for".to_owned() });
    };
    let cache = Cache::of_user().map_err(|error| ProbeError::NoCache { reason: error.to_string() })?;
    probe::resolve(
        Accelerator::Auto,
        &probe_kit(image, &cache, Overlay::new(keys, Localtime::Present).to_cpio()),
    )
    .await
}

/// What `auto` stands for, as far as it is known without booting a guest: for plans.
pub fn known_accelerator() -> Option<Resolved> {
    let cache = Cache::of_user().ok()?;
    let image = any_built(&cache, &Recipes::default())?;
    probe::known(&probe_kit(&image.load().ok()?, &cache, vec![]))
}

fn probe_kit(image: &Loaded, cache: &Cache, overlay: Vec<u8>) -> ProbeKit {
    ProbeKit {
        qemu: process::program_file(QEMU),
        kernel: image.kernel.clone(),
        initramfs: image.initramfs.clone(),
        overlay,
        cache: cache.root().join(probe::FOLDER),
        within: if clock::is_rehearsed() { REHEARSED_PROBE_DEADLINE } else { PROBE_DEADLINE },
        device: PathBuf::from("/dev/kvm"),
        lateness: if clock::is_rehearsed() { Lateness::Chance } else { Lateness::Answer },
    }
}
