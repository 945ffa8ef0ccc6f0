//! What one guest needs, got before the enclosure: its host looked at, its image built or found.
//!
//! Must not know why the guest is booted. Units: none. Errors: [`CampaignError`]: the host cannot run it, its image cannot be had.
//! Tests: `tests/qemu/inspect.rs`, `tests/guest/alone.rs`, `tests/trouble/alone.rs`.

use std::collections::HashMap;

use crate::configuration::Abilities;
use crate::image::{Disks, Image, Step};
use crate::matrix::Cell;

use super::disks;
use super::error::CampaignError;
use super::host::{abilities_for, lack};
use super::kernels::{Kernels, kernels_of};
use super::programs;

/// What the cell needs of this host and of the archive.
#[derive(Debug)]
pub(super) struct Supplied {
    /// What this host can do, but for the accelerator.
    pub(super) abilities: Abilities,
    /// Its guest's image, by the kernel's name; none for a cell of the host.
    pub(super) images: HashMap<String, Image>,
    /// Its disk, where it boots one.
    pub(super) disks: Disks,
}

/// Looks at the host for this one cell, and gets the image of its kernel; `what` is how an error names the cell.
///
/// # Errors
/// [`CampaignError::CannotRun`], [`CampaignError::Image`]
pub(super) fn supply_one(
    cell: &Cell,
    what: &str,
    tell: &mut dyn FnMut(&str, &Step),
) -> Result<Supplied, CampaignError> {
    let cannot = |reason| CampaignError::CannotRun { what: what.to_owned(), reason };
    programs::fit([cell])?;
    programs::unchanged([cell])?;
    let abilities = abilities_for([cell]);
    if let Some(reason) = lack(&abilities, cell) {
        return Err(cannot(reason));
    }
    let kernels = Kernels::supply(kernels_of(std::iter::once(cell), &abilities), tell)?;
    match kernels.lack(cell) {
        Some(reason) => Err(cannot(reason)),
        None => Ok(Supplied { abilities, images: kernels.images, disks: disks::open([cell])? }),
    }
}
