//! `--keep-core`: where the memory of a guest is kept whose kernel panics, and whether it can be.
//!
//! Must not know how a core is made. Units: MiB of memory. Errors: [`CampaignError::NoCore`]: no cell has a guest, or the disk is too small.
//! Tests: below; through the command line in `tests/qemu/panic.rs`.

use std::path::{Path, PathBuf};

use crate::configuration::TargetSpec;
use crate::image::Cache;
use crate::machine::qemu::room_for_core;
use crate::matrix::Cell;
use crate::record::Layout;

use super::error::CampaignError;

/// Where the logs of guests lie that belong to no run, in the cache; and their cores below.
pub(super) const LOGS: &str = "visits";

/// Whether the cores of these cells' guests can be kept on the disk of `folder`, or of what of it exists.
///
/// # Errors
/// [`CampaignError::NoCore`]
pub(super) fn check<'a>(cells: impl Iterator<Item = &'a Cell>, folder: &Path) -> Result<(), CampaignError> {
    let memory = cells.filter_map(|cell| match &cell.subject.configuration.target {
        TargetSpec::Qemu(spec) => Some(u64::from(spec.memory_mib)),
        TargetSpec::Host(_) => None,
    });
    let Some(most) = memory.max() else {
        let why = "no cell has a guest: they run on this host's own kernel".to_owned();
        return Err(CampaignError::NoCore { why });
    };
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let there = absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    room_for_core(there, most << 20).map_err(|why| CampaignError::NoCore { why })
}

/// The folder of the cores of guests that belong to no run.
///
/// # Errors
/// [`CampaignError::NoCore`], [`CampaignError::Image`]
pub(super) fn of_visits(cell: &Cell) -> Result<PathBuf, CampaignError> {
    let folder = Cache::of_user()?.root().join(LOGS).join(Layout::CORE);
    check(std::iter::once(cell), &folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Asked;

    fn cells(filter: &str) -> Vec<Cell> {
        let filters = vec![filter.to_owned()];
        Asked { profile: Some("quick".to_owned()), filters, ..Asked::default() }.select().unwrap().1.cells
    }

    #[test]
    fn what_has_no_guest_and_what_has_no_room_is_refused() {
        let said = |cells: &[Cell], folder: &Path| match check(cells.iter(), folder) {
            Err(CampaignError::NoCore { why }) => why,
            other => panic!("{other:?}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let hosts = cells("configuration=bare-metal");
        assert!(said(&hosts, folder.path()).starts_with("no cell has a guest"));
        let mut guests = cells("configuration=virtio-tap");
        let below = folder.path().join("not/yet");
        assert!(check(guests.iter(), &below).is_ok());
        for cell in &mut guests {
            if let TargetSpec::Qemu(spec) = &mut cell.subject.configuration.target {
                spec.memory_mib = u32::MAX;
            }
        }
        let why = said(&guests, &below);
        assert!(why.contains("a core of a guest with 4294967295 MiB needs"), "{why}");
    }
}
