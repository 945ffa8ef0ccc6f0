//! A cell's guest for a person who looks into it: got ready on the host's network, booted in the enclosure.
//!
//! Must not know terminals. Units: none. Errors: [`CampaignError`]; the host cannot run it, its logs have no place, it does not come up.
//! Tests: `tests/qemu/inspect.rs`.

use std::collections::HashMap;
use std::future::Future;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::image::{Cache, Disks, GuestKeys, Image, Step};
use crate::matrix::Cell;
use crate::path::Mechanisms;
use crate::record::format::{CaptureWhen, Conduct};
use crate::runner::{Inspection, Laboratory};

use super::accelerator::accelerator;
use super::cores::{self, LOGS};
use super::error::CampaignError;
use super::laboratory::{Media, laboratory};
use super::supply::{Supplied, supply_one};

/// Whether QEMU has a stub for a debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stub {
    /// It has none.
    None,
    /// One that gdb connects to, at [`Laboratory::gdb`].
    Gdb,
}

/// What becomes of the guest's memory where its kernel panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// It goes with the guest.
    Dropped,
    /// It is a file, which [`Laboratory::remains`] names.
    Kept,
}

/// What a guest for inspection needs, got before the enclosure.
pub struct Site {
    cell: Cell,
    images: HashMap<String, Image>,
    disks: Disks,
    mechanisms: Mechanisms,
    logs: PathBuf,
    cores: Option<PathBuf>,
}

/// A guest that has come up.
pub struct Inspected {
    /// What it was booted with.
    pub laboratory: Laboratory,
    /// The guest on its testbed.
    pub inspection: Inspection,
}

impl Site {
    /// Gets what the cell's guest needs; `describe` says in words which guest it is.
    ///
    /// # Errors
    /// [`CampaignError::CannotRun`], [`CampaignError::Image`], [`CampaignError::NoCore`]
    pub fn prepare(
        cell: Cell,
        core: Core,
        describe: fn(&Cell) -> String,
        tell: &mut dyn FnMut(&str, &Step),
    ) -> Result<Self, CampaignError> {
        let cores = match core {
            Core::Dropped => None,
            Core::Kept => Some(cores::of_visits(&cell)?),
        };
        let Supplied { abilities, images, disks } = supply_one(&cell, &describe(&cell), tell)?;
        let logs = Cache::of_user()?.root().join(LOGS);
        Ok(Self { cell, images, disks, mechanisms: abilities.mechanisms, logs, cores })
    }

    /// Whose guest it is.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Boots the guest; `None` where `stop` came first.
    ///
    /// # Errors
    /// Nothing executes it, there is no place for its logs, or it does not come up.
    pub async fn boot(
        self,
        stub: Stub,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Inspected>, CampaignError> {
        let keys = GuestKeys::generate();
        let media = Media::of(&self.images, self.disks)?;
        let accelerator = accelerator(media.any(), &keys).await?;
        let unwritable = |cause| CampaignError::LogsUnwritable { folder: self.logs.clone(), cause };
        std::fs::create_dir_all(&self.logs).map_err(unwritable)?;
        let conduct = Conduct {
            retries: 0,
            block_deadline_ms: 0,
            keep_examples: 0,
            keep_anomalies: 0,
            capture: CaptureWhen::Never,
        };
        let mut laboratory = laboratory(&conduct, &self.logs, media, accelerator, self.mechanisms, keys)?;
        laboratory.cores = self.cores;
        laboratory.gdb = match stub {
            Stub::None => None,
            Stub::Gdb => Some(place_for_stub(&self.logs)),
        };
        let inspection = Inspection::begin(&laboratory, &self.cell, stop).await?;
        Ok(inspection.map(|inspection| Inspected { laboratory, inspection }))
    }
}

/// A name for the stub's socket, where it is seen from outside the enclosure. Those that a killed rig has left are taken away.
fn place_for_stub(logs: &Path) -> PathBuf {
    const PREFIX: &str = "gdb-";
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let left = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if left && UnixStream::connect(entry.path()).is_err() {
            // Whoever else takes it away at the same time does what is wanted.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    logs.join(format!("{PREFIX}{}", clock::run_id()))
}
