//! What was not run or is void, with the reason.
//!
//! Must not judge. Units: counts. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{CellStatus, CellSummary, ReportModel};
use crate::analysis::words::{count, several};
use crate::report::table::Align::{Left, Right};

use super::pieces::{lines, table};
use super::section::Section;

#[derive(Template)]
#[template(source = "{{ body|safe }}", ext = "html")]
struct Missing {
    body: String,
}

pub(super) fn section(model: &ReportModel) -> Option<Section> {
    let skipped = gather(model, |cell| cell.status == CellStatus::Skipped);
    let short = gather(model, |cell| matches!(cell.status, CellStatus::Short | CellStatus::Blind));
    let void = voids(model);
    if skipped.is_empty() && short.is_empty() && void.is_none() {
        return None;
    }
    let mut body = String::new();
    for (rows, caption) in [
        (skipped, "Cells that this host could not run"),
        (
            short,
            "Cells that are short of trials, or blind: no control proves that an errno would have been seen",
        ),
    ] {
        if !rows.is_empty() {
            let heading = [("cells", Right), ("where", Left), ("why", Left)];
            body.push_str(&table(caption, heading, rows));
        }
    }
    body.push_str(&void.unwrap_or_else(|| lines(&["No trial is void."])));
    Some(Section::new("missing", "Skipped and void, and why", &Missing { body }))
}

/// Void trials by cell and reason, as a table; nothing where there are none.
pub(super) fn voids(model: &ReportModel) -> Option<String> {
    let rows = model.cells.iter().flat_map(|cell| {
        let place = format!("{} {}", cell.configuration, cell.kernel);
        let row = move |(reason, n): (&String, &u64)| {
            [cell.scenario.clone(), place.clone(), count(*n), reason.clone()]
        };
        cell.void_reasons.iter().map(row)
    });
    let rows: Vec<[String; 4]> = rows.collect();
    let heading = [("scenario", Left), ("where", Left), ("void trials", Right), ("why", Left)];
    let caption = "Trials without an outcome, because the testbed failed: they are in no rate";
    (!rows.is_empty()).then(|| table(caption, heading, rows))
}

/// Cells of one place with one reason together.
fn gather(model: &ReportModel, which: impl Fn(&CellSummary) -> bool) -> Vec<[String; 3]> {
    let mut groups: Vec<(String, String, usize)> = Vec::new();
    for cell in model.cells.iter().filter(|cell| which(cell)) {
        let place = format!("{} {}", cell.configuration, cell.kernel);
        let why = cell.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        match groups.iter_mut().find(|(known, reason, _)| *known == place && *reason == why) {
            Some((_, _, n)) => *n += 1,
            None => groups.push((place, why, 1)),
        }
    }
    groups.into_iter().map(|(place, why, n)| [several(n, "cell"), place, why]).collect()
}
