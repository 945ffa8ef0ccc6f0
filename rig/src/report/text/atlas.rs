//! The atlas: under each situation, how the trials of its probes ended; probes that show the same are one line.
//!
//! Must not judge. Units: counts of trials. Errors: none. Tests: `tests/golden/atlas.rs`.

use crate::analysis::model::{AtlasCell, AtlasPlace, ReportModel};
use crate::analysis::words::{count, several};

use super::super::outcomes::expectation_word;
use super::super::table::{Page, wrap};
use super::gather::section;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let Some(atlas) = &model.atlas else { return };
    section(out, "The atlas: every situation of a connection under every probe");
    wrap(out, "  ", &atlas.sentence(), 4);
    wrap(out, "  ", "Probes: the outcome that they show, and in how many of their trials.", 4);
    for situation in &atlas.situations {
        let cells: Vec<&AtlasCell> = atlas.cells.iter().filter(|cell| cell.situation == *situation).collect();
        let right = cells.iter().filter(|cell| cell.n > 0 && cell.as_expected == cell.n).count();
        let pairs = several(cells.len(), "pair");
        wrap(out, "  ", &format!("{situation}: {} of {pairs} as they should", count(right as u64)), 4);
        for (probes, cell) in alike(&cells) {
            wrap(out, "    ", &format!("{}: {}", probes.join(", "), words(cell)), 8);
        }
        for (cell, place) in places_apart(&cells) {
            wrap(out, "    ", &elsewhere(cell, place), 8);
        }
    }
}

/// Cells that show the same in as many trials, in the order of their probes.
fn alike<'a>(cells: &[&'a AtlasCell]) -> Vec<(Vec<&'a str>, &'a AtlasCell)> {
    let mut groups: Vec<(Vec<&str>, &AtlasCell)> = Vec::new();
    for cell in cells {
        match groups.iter_mut().find(|(_, known)| words(known) == words(cell)) {
            Some((probes, _)) => probes.push(&cell.probe),
            None => groups.push((vec![&cell.probe], cell)),
        }
    }
    groups
}

/// `readable,ECONNRESET,eof (60)`; where trials ended otherwise, how many, and what is right.
fn words(cell: &AtlasCell) -> String {
    let Some(outcome) = &cell.outcome else { return "not played".to_owned() };
    let often = if cell.count == cell.n {
        count(cell.n)
    } else {
        format!("{} of {}", count(cell.count), count(cell.n))
    };
    let mut text = format!("{outcome} ({often})");
    if cell.as_expected < cell.n {
        text.push_str(&format!(
            ", {}: {} of {} trials ended otherwise than {}",
            expectation_word(cell.status),
            count(cell.n - cell.as_expected),
            count(cell.n),
            cell.expected.join(" or ")
        ));
    }
    text
}

fn places_apart<'a>(cells: &[&'a AtlasCell]) -> Vec<(&'a AtlasCell, &'a AtlasPlace)> {
    let of = |cell: &&'a AtlasCell| {
        let cell: &'a AtlasCell = cell;
        cell.places.iter().filter(|place| place.differs).map(move |place| (cell, place))
    };
    cells.iter().flat_map(of).collect()
}

/// `! poll in virtio-tap 6.12: readable,eof (60 of 60)`
fn elsewhere(cell: &AtlasCell, place: &AtlasPlace) -> String {
    let outcome = place.outcome.as_deref().unwrap_or_default();
    format!(
        "! {} in {} {} over {} differs: {outcome} ({} of {})",
        cell.probe,
        place.configuration,
        place.kernel,
        place.path,
        count(place.count),
        count(place.n)
    )
}
