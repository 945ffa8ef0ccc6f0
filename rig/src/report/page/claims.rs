//! Every claim, with its verdict, why, and the cells that decide it.
//!
//! Must not judge. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{Because, Hypothesis, HypothesisVerdict, Missing, ReportModel};
use crate::analysis::words::several;
use crate::report::status::hypothesis_word;

use super::section::Section;
use super::tone::of_verdict;

#[derive(Template)]
#[template(path = "page/claims.html")]
struct Claims<'a> {
    lead: String,
    claims: Vec<Row<'a>>,
    missing: String,
}

struct Row<'a> {
    id: &'a str,
    class: &'static str,
    shape: &'static str,
    verdict: &'static str,
    text: &'a str,
    because: String,
    parts: Vec<String>,
    cells: String,
}

/// So many cells are named; the data has all.
const NAMED: usize = 6;

pub(super) fn section(model: &ReportModel) -> Option<Section> {
    if model.hypotheses.is_empty() {
        return None;
    }
    let has_cell =
        |one: &&Hypothesis| !matches!(one.because, Because::NoPart | Because::Missing(Missing::Cell));
    let told: Vec<&Hypothesis> = model.hypotheses.iter().filter(has_cell).collect();
    let silent: Vec<&str> =
        model.hypotheses.iter().filter(|one| !has_cell(one)).map(|one| one.id.as_str()).collect();
    let of = |verdict| told.iter().filter(|one| one.verdict == verdict).count();
    let lead = format!(
        "{}: {} supported, {} refuted, {} undecided, {} that no measurement decides.",
        several(told.len(), "claim"),
        of(HypothesisVerdict::Supported),
        of(HypothesisVerdict::Refuted),
        of(HypothesisVerdict::Undecided),
        of(HypothesisVerdict::Documented),
    );
    let missing = match silent.as_slice() {
        [] => String::new(),
        some => format!("No cell of this run decides {}.", some.join(", ")),
    };
    let claims = told.iter().map(|one| row(one)).collect();
    Some(Section::new("claims", "Claims and what this run says of them", &Claims { lead, claims, missing }))
}

fn row(one: &Hypothesis) -> Row<'_> {
    let (class, shape, verdict) = of_verdict(one.verdict);
    let parts = one.parts.iter().filter(|_| one.parts.len() > 1);
    let parts =
        parts.map(|part| format!("{}: {}: {}", hypothesis_word(part.verdict), part.text, part.because));
    let named: Vec<&str> = one.cells.iter().take(NAMED).map(String::as_str).collect();
    let mut cells = named.join(", ");
    if one.cells.len() > NAMED {
        cells.push_str(&format!(" and {} more", one.cells.len() - NAMED));
    }
    Row {
        id: &one.id,
        class,
        shape,
        verdict,
        text: &one.claim,
        because: one.because.to_string(),
        parts: parts.collect(),
        cells,
    }
}
