//! The atlas as one table: probes down, situations across.
//!
//! Must not judge. Units: counts of trials. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{AtlasCell, AtlasPlace, ExpectationStatus, ReportModel};
use crate::analysis::words::count;

use super::section::Section;
use super::tone::{self, of_expectation};

#[derive(Template)]
#[template(path = "page/atlas.html")]
struct Table<'a> {
    lead: String,
    situations: &'a [String],
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    name: &'a str,
    cells: Vec<Option<Shown>>,
}

struct Shown {
    class: &'static str,
    shape: &'static str,
    outcome: String,
    counts: String,
    more: String,
}

pub(super) fn section(model: &ReportModel) -> Option<Section> {
    let atlas = model.atlas.as_ref()?;
    let of = |situation: &String, probe: &String| {
        let cell = atlas.cells.iter().find(|cell| cell.situation == *situation && cell.probe == *probe);
        cell.map(shown)
    };
    let rows = atlas.probes.iter().map(|probe| Row {
        name: probe,
        cells: atlas.situations.iter().map(|situation| of(situation, probe)).collect(),
    });
    let table = Table { lead: atlas.sentence(), situations: &atlas.situations, rows: rows.collect() };
    Some(Section::new("atlas", "The atlas: every situation under every probe", &table))
}

fn shown(cell: &AtlasCell) -> Shown {
    let Some(outcome) = &cell.outcome else {
        let (class, shape, word) = tone::NOT_RUN;
        return Shown { class, shape, outcome: word.to_owned(), counts: String::new(), more: String::new() };
    };
    let (class, shape, word) = of_expectation(cell.status);
    let counts = format!("{} of {}", count(cell.count), count(cell.n));
    let mut more: Vec<String> = Vec::new();
    if cell.status != ExpectationStatus::AsExpected {
        more.push(format!("{word}: {} is right", cell.expected.join(" or ")));
    }
    more.extend(cell.places.iter().filter(|place| place.differs).map(elsewhere));
    Shown { class, shape, outcome: outcome.clone(), counts, more: more.join("; ") }
}

fn elsewhere(place: &AtlasPlace) -> String {
    let outcome = place.outcome.as_deref().unwrap_or_default();
    format!(
        "{} {}: {outcome}, {} of {}",
        place.configuration,
        place.kernel,
        count(place.count),
        count(place.n)
    )
}
