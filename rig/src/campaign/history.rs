//! After a night: its run goes into the history, and who asked for it is told what asks for attention. `rig history` and whoever plays nights call the same.
//!
//! Must not print. Units: nights. Errors: [`HistoryError`]. Tests: `tests/golden/history.rs`.

use std::path::{Path, PathBuf};

use crate::clock;
use crate::history::model::HistoryAlert;
use crate::history::{Asked, Database, History, HistoryError, Notice, Refreshed, assemble, notify, refresh};
use crate::record::Folder;
use crate::report::HistoryFormat;

use super::error::CampaignError;
use super::report::write_files;

/// The folder of the pages that notices name, in the folder of the runs.
const PAGES: &str = "history";

/// What is wanted of the nights of a folder.
#[derive(Debug, Clone, Default)]
pub struct Nights {
    /// What is asked of their history.
    pub asked: Asked,
    /// Whether the database is made anew.
    pub rebuild: bool,
    /// The command that is run once for each alert, with the path of a page about it in the place of `{}`.
    pub notify: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// What the nights say.
    pub history: History,
    /// Which runs were taken in.
    pub refreshed: Refreshed,
    /// Which notices were given, or not.
    pub notices: Vec<Notice>,
}

/// Takes in what is new in a folder of runs, says what all its nights say, and gives the notices that were not given before.
///
/// # Errors
/// [`HistoryError`]. A run that cannot be read, and a notice that fails, are no errors: they are in what is returned.
pub fn watch_nights(results: &Path, wanted: &Nights) -> Result<Watched, HistoryError> {
    let mut database = if wanted.rebuild { Database::rebuild(results) } else { Database::open(results) }?;
    let refreshed = refresh(&mut database, results)?;
    let nights = database.nights()?;
    let mut history = assemble(&nights, &wanted.asked)?;
    history.cautions.splice(0..0, refreshed.troubles.iter().cloned());
    let page = |alert: &HistoryAlert| {
        let mut asked = wanted.asked.clone();
        if !alert.cell.is_empty() {
            // A control is no cell of a history: its page is that of all.
            let is_known = history.series.iter().any(|series| series.cell == alert.cell);
            asked.words.extend(is_known.then(|| alert.cell.clone()));
        }
        let about = assemble(&nights, &asked).map_err(|error| error.to_string())?;
        write_page(results, alert, &about)
    };
    let notices = match &wanted.notify {
        Some(command) => notify(&database, &history, command, &clock::now_in_seconds(), page)?,
        None => Vec::new(),
    };
    Ok(Watched { history, refreshed, notices })
}

/// Writes `history.EXTENSION` of each format into `folder`, which is made if need be; returns the files.
///
/// # Errors
/// [`CampaignError::ReportUnwritable`]
pub fn write_history(
    history: &History,
    formats: &[HistoryFormat],
    folder: &Path,
) -> Result<Vec<PathBuf>, CampaignError> {
    let file = |format: &HistoryFormat| (format!("history.{}", format.extension), format.render(history));
    write_files(formats.iter().map(file), folder)
}

/// The page about an alert, under a name that only it has.
fn write_page(results: &Path, alert: &HistoryAlert, about: &History) -> Result<PathBuf, String> {
    let folder = results.join(PAGES);
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let name: String =
        alert.key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let name = format!("{name}.html");
    let text = HistoryFormat::HTML.render(about);
    let written = Folder::open(&folder).and_then(|below| below.write(&name, text.as_bytes()));
    written.map(|()| folder.join(name)).map_err(|error| error.to_string())
}
