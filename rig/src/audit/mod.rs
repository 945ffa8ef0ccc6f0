//! Every figure of a report, computed anew from a run's files by a second path.
//!
//! An audit reads the files as trees of JSON, adds up, estimates and tests with arithmetic of its own ([`number`]), and holds the result against a report figure by figure.
//! It must not use the record's structs and reader, the analysis, the protocol's or the statistics' crate: what they have wrong must show. It shares with them the published
//! formulas, which `rig docs measurement` names, and [`crate::record::Folder`], which opens no file outside of a run.
//! Units: counts, shares of 1, nanoseconds. Errors: [`AuditError`]; it blames the files. A figure that differs is no error but an answer.
//! Tests: `tests/golden/audited.rs`, and beside the modules.

mod again;
mod alerts;
mod baseline;
mod cell;
mod cells;
mod controls;
mod error;
mod families;
mod figure;
mod files;
mod headlines;
mod held;
mod labels;
mod latencies;
mod machines;
mod number;
mod outcomes;
mod pairs;
mod rates;
mod rules;
mod sources;
mod sums;
mod text;

use serde::Serialize;
use serde_json::Value;

use crate::record::Folder;

use controls::{Control, Sight};
use families::Families;
use figure::Figure;
use files::Files;
use headlines::Heading;
use pairs::Judging;
use rules::Rules;
use sums::QUESTIONS;

pub use error::AuditError;
pub use files::KNOWN_FORMAT;
pub use held::{Difference, Held};
pub use text::lines;

/// Version of the shape of [`Audit`] in JSON. Fields may be added.
pub const AUDIT_FORMAT: u32 = 1;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// [`AUDIT_FORMAT`].
    pub format: u32,
    /// The run's id, as `run.json` has it.
    pub run: String,
    /// Number of digests of files and of lines of the journal that were computed anew.
    pub digests: u64,
    /// What is not what the journal vouches for, or does not add up in itself.
    pub files: Vec<Difference>,
    /// Each report that was held against the files.
    pub reports: Vec<Held>,
}

impl Audit {
    /// Whether something differs.
    pub fn differs(&self) -> bool {
        !self.files.is_empty() || self.reports.iter().any(|held| !held.differences.is_empty())
    }

    /// Whether a report was not compared.
    pub fn is_short(&self) -> bool {
        self.reports.iter().any(|held| !held.not_compared.is_empty())
    }
}

/// Audits the run in a folder. `now` is its report as JSON as it is rendered now; a `report.json` in the folder is held against the files too.
///
/// # Errors
/// [`AuditError`]
pub fn audit(folder: &Folder, now: &Value) -> Result<Audit, AuditError> {
    let mut files = Files::read(folder)?;
    machines::tell_apart(&mut files);
    let figures = figures(&files, now);
    let mut reports = vec![Held::of("the report that rig renders now", now, &figures)];
    if let Some(written) = files::report(folder)? {
        let version = |report: &Value| (report["format"].clone(), report["format_minor"].clone());
        reports.push(if version(&written) == version(now) {
            Held::of("report.json", &written, &figures)
        } else {
            let (major, minor) = version(&written);
            let why = format!(
                "it has format {major}.{minor}, of another version of rig: `rig report RUN --format json --output DIR` writes it anew"
            );
            Held::refused("report.json", why)
        });
    }
    Ok(Audit {
        format: AUDIT_FORMAT,
        run: cell::text(&files.run["id"]).to_owned(),
        digests: files.digests,
        files: std::mem::take(&mut files.changed),
        reports,
    })
}

/// All figures that are computed anew, in the shape of a report.
fn figures(files: &Files, now: &Value) -> Figure {
    let rules = &Rules::of(&files.run);
    let cells = cell::cells(files);
    let controls = controls::controls(&cells, rules);
    let sight = &Sight::of(&cells, &controls);
    let families = &QUESTIONS.map(|question| Families::of(&cells, rules.icc, |sums| sums.answer(question)));
    let (again, again_differs) = again::again(&cells, rules);
    let judging = Judging { families, sight, again_differs, rules, reported: &now["comparisons"] };
    let pairs = pairs::pairs(&cells);
    let heading = Heading { sight, again_differs, rules };
    let of_cells = cells.iter().enumerate().map(|(place, cell)| {
        // Whether its rule was met is not computed anew: that it is said to be is taken from the report.
        let is_stopped = !now["cells"][place]["cell_stop"].is_null();
        cells::figure(cell, families, sight, is_stopped, rules)
    });
    Figure::part([
        ("run", run(files, rules)),
        ("cells", Figure::List(of_cells.collect())),
        ("controls", of_controls(&cells, &controls)),
        ("again", again),
        ("comparisons", pairs::comparisons(&pairs, &judging)),
        ("outcome_comparisons", outcomes::outcome_comparisons(&pairs, &cells, again_differs, rules)),
        ("latency_comparisons", latencies::latency_comparisons(&pairs, rules)),
        ("kernel_baseline", baseline::kernel_baseline(&files.run, &cells, &judging, &now["kernel_baseline"])),
        ("headlines", headlines::headlines(&cells, &heading)),
        ("alerts", alerts::alerts(&cells, rules)),
        ("errno_sources", sources::sources(&cells)),
    ])
}

fn of_controls(cells: &[cell::Cell<'_>], controls: &[Control<'_>]) -> Figure {
    let played = cells.iter().filter(|cell| cell.is_control());
    Figure::List(controls.iter().zip(played).map(|(control, cell)| control.figure(cell)).collect())
}

/// By what the run is judged.
fn run(files: &Files, rules: &Rules) -> Figure {
    let margins = QUESTIONS.iter().zip(rules.margins);
    Figure::part([
        ("id", Figure::word(cell::text(&files.run["id"]))),
        ("seed", Figure::Count(rules.seed)),
        ("complete", Figure::Flag(files.complete)),
        ("confidence", Figure::Real(rules.confidence)),
        ("margin", Figure::Real(rules.margin)),
        (
            "margins",
            Figure::Whole(
                margins.map(|(errno, margin)| ((*errno).to_owned(), Figure::Real(margin))).collect(),
            ),
        ),
        ("icc", Figure::Real(rules.icc)),
        ("tolerance", Figure::real_or_nothing(rules.tolerance)),
        ("baseline", baseline::named(&files.run)),
    ])
}
