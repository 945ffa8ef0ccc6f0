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
    let void: Vec<[String; 4]> = model
        .cells
        .iter()
        .flat_map(|cell| cell.void_reasons.iter().map(move |(reason, n)| void_row(cell, reason, *n)))
        .collect();
    if skipped.is_empty() && short.is_empty() && void.is_empty() {
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
    if void.is_empty() {
        body.push_str(&lines(&["No trial is void."]));
    } else {
        let heading = [("scenario", Left), ("where", Left), ("void trials", Right), ("why", Left)];
        body.push_str(&table(
            "Trials without an outcome, because the testbed failed: they are in no rate",
            heading,
            void,
        ));
    }
    Some(Section::new("missing", "Skipped and void, and why", &Missing { body }))
}

fn void_row(cell: &CellSummary, reason: &str, n: u64) -> [String; 4] {
    [cell.scenario.clone(), format!("{} {}", cell.configuration, cell.kernel), count(n), reason.to_owned()]
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
