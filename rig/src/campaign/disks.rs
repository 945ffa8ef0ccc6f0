//! The disks of the user's that guests of a campaign boot: looked at before anything starts, and the same ones when a run goes on.
//!
//! Must not know how a disk is booted. Units: none. Errors: [`CampaignError::Disk`], which blames the disk. Tests: below.

use crate::configuration::Disk;
use crate::image::{DiskError, Disks, OpenDisk};
use crate::matrix::Cell;
use crate::record::format::{ImageRecord, RunRecord};

use super::error::CampaignError;

/// Whether each disk of these cells is there and looks like one that boots; it is not read whole.
///
/// # Errors
/// [`CampaignError::Disk`]
pub(super) fn look<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Result<(), CampaignError> {
    Ok(Disks::look(of(cells))?)
}

/// Opens the disks of these cells, each once.
///
/// # Errors
/// [`CampaignError::Disk`]
pub(super) fn open<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Result<Disks, CampaignError> {
    Ok(Disks::open(of(cells))?)
}

/// For a run that goes on: the disks with which it began.
///
/// # Errors
/// [`CampaignError::Disk`]
pub(super) fn of_run<'a>(
    old: &RunRecord,
    cells: impl IntoIterator<Item = &'a Cell>,
) -> Result<Disks, CampaignError> {
    let disks = open(cells)?;
    for (name, disk) in &disks.files {
        if old.images.get(name).is_none_or(|then| then.digest != disk.sha256) {
            return Err(DiskError::Other { path: disk.path.clone(), run: old.id.clone() }.into());
        }
    }
    Ok(disks)
}

fn of<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> impl Iterator<Item = &'a Disk> {
    cells.into_iter().filter_map(|cell| cell.subject.configuration.target.disk())
}

/// What a run's record says of one: its kernel is known when it has booted.
pub(super) fn record(disk: &OpenDisk) -> ImageRecord {
    ImageRecord { package: disk.package(), digest: disk.sha256.clone(), ..ImageRecord::default() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::campaign::Blame;
    use crate::configuration::TargetSpec;
    use crate::matrix::{Matrix, Selection};

    /// Two guests' cells with these disks.
    fn cells(paths: [PathBuf; 2]) -> Vec<Cell> {
        let cells = Matrix::load(None).unwrap().cells(&Selection::default()).unwrap();
        let guests = cells.into_iter().filter(|cell| !cell.subject.configuration.target.is_host());
        let with = |(cell, path): (Cell, PathBuf)| {
            let mut cell = cell;
            let TargetSpec::Qemu(spec) = &mut cell.subject.configuration.target else { panic!() };
            spec.disk = Some(Disk { path: path.display().to_string(), login: None });
            cell
        };
        guests.zip(paths).map(with).collect()
    }

    /// A disk of two sectors, with the mark of a boot sector.
    fn bootable() -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes
    }

    #[test]
    fn a_run_goes_on_with_the_disk_that_it_began_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let mut bytes = bootable();
        fs_err::write(&path, &bytes).unwrap();
        let cells = cells([path.clone(), path.clone()]);
        look(&cells).unwrap();
        let disks = open(&cells).unwrap();
        assert_eq!(disks.files.len(), 1);
        let mut run = RunRecord::new("20260101-000000-abcd".to_owned());
        run.images.insert("a.raw".to_owned(), record(&disks.files["a.raw"]));
        of_run(&run, &cells).unwrap();
        bytes.push(1);
        fs_err::write(&path, &bytes).unwrap();
        let error = of_run(&run, &cells).unwrap_err();
        assert!(
            error.to_string().contains("is not the one that run 20260101-000000-abcd began with"),
            "{error}"
        );
        assert_eq!(error.blame(), Blame::Input);
    }

    #[test]
    fn two_disks_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| {
            fs_err::create_dir(folder.path().join(name)).unwrap();
            let path = folder.path().join(name).join("disk.raw");
            fs_err::write(&path, bootable()).unwrap();
            path
        });
        let error = look(&cells(paths.clone())).unwrap_err();
        let [one, other] = paths.map(|path| path.display().to_string());
        assert_eq!(error.to_string(), format!("two disks are called disk.raw: {one} and {other}"));
    }
}
