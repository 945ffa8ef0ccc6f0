//! The end of a campaign: the report of a run, from its files alone. `rig report` calls the same.
//!
//! Must not know how a run was played. Units: none.
//! Errors: [`CampaignError`]: the run cannot be read, its folder cannot be written. Tests: `tests/golden`, `tests/cli_input.rs`.

use std::path::{Path, PathBuf};

use crate::analysis;
use crate::analysis::model::{ReportModel, RunComparison};
use crate::record::{Folder, Layout, Reader, RecordError, pack};
use crate::report::{Carried, ComparisonFormat, Format};

use super::error::CampaignError;

/// What the files of a run say.
///
/// # Errors
/// [`CampaignError::Record`]
pub fn read_report(run_dir: &Path) -> Result<ReportModel, CampaignError> {
    Ok(analysis::analyse(&Reader::open(run_dir)?))
}

/// Reads a run back from disk, writes every format into its folder, and returns what they say.
///
/// # Errors
/// [`CampaignError::Record`], [`CampaignError::ReportUnwritable`]
pub(super) fn report(run_dir: &Path) -> Result<ReportModel, CampaignError> {
    let model = read_report(run_dir)?;
    write_reports(&model, Format::ALL, run_dir, run_dir)?;
    Ok(model)
}

/// What the formats that carry a run need; of others nothing is read.
///
/// # Errors
/// [`CampaignError::Record`]
pub fn carried(run_dir: &Path, formats: &[Format]) -> Result<Carried, CampaignError> {
    let needed = formats.iter().any(|format| format.carries());
    Ok(Carried { packed: if needed { Some(pack(run_dir)?) } else { None }, refresh: None })
}

/// Writes `report.EXTENSION` of each format, of the run in `run_dir`, into `folder`, which is made if need be; returns the files. Each is whole or as it was before, and a
/// link of that name is replaced.
///
/// # Errors
/// [`CampaignError::ReportUnwritable`], [`CampaignError::Record`]
pub fn write_reports(
    model: &ReportModel,
    formats: &[Format],
    run_dir: &Path,
    folder: &Path,
) -> Result<Vec<PathBuf>, CampaignError> {
    let carried = carried(run_dir, formats)?;
    let file = |format: &Format| (Layout::report(format.extension), format.render_with(model, &carried));
    write_files(formats.iter().map(file), folder)
}

/// The same of a comparison: `comparison.EXTENSION` of each format.
///
/// # Errors
/// [`CampaignError::ReportUnwritable`]
pub fn write_comparison(
    compared: &RunComparison,
    formats: &[ComparisonFormat],
    folder: &Path,
) -> Result<Vec<PathBuf>, CampaignError> {
    let file =
        |format: &ComparisonFormat| (format!("comparison.{}", format.extension), format.render(compared));
    write_files(formats.iter().map(file), folder)
}

/// Writes files by their names.
pub(super) fn write_files(
    files: impl Iterator<Item = (String, String)>,
    folder: &Path,
) -> Result<Vec<PathBuf>, CampaignError> {
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error: RecordError| CampaignError::ReportUnwritable { path, cause: error.into_io() }
    };
    std::fs::create_dir_all(folder)
        .map_err(|cause| CampaignError::ReportUnwritable { path: folder.to_owned(), cause })?;
    let below = Folder::open(folder).map_err(refused(folder))?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(&name);
        below.write(&name, text.as_bytes()).map_err(refused(&path))?;
        written.push(path);
    }
    Ok(written)
}
