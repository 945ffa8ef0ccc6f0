//! What the run says of the claims that its cells test.
//!
//! Must not judge. Units: none. Errors: none. Tests: golden reports.

use crate::analysis::model::{Because, Hypothesis, HypothesisVerdict, Missing, ReportModel};
use crate::analysis::words::{Rounding, list, percent, several};

use super::super::status::hypothesis_word;
use super::super::table::Align::Left;
use super::super::table::{Page, Table, wrap};
use super::gather::section;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    if model.hypotheses.is_empty() {
        return;
    }
    section(out, "Claims that these cells test");
    let mut open = Vec::new();
    let mut documented = Vec::new();
    let mut table = Table::new([("claim", Left), ("verdict", Left), ("", Left)]);
    for one in &model.hypotheses {
        // Without a part, or a cell that is about one, there is nothing to read but the id.
        if matches!(one.because, Because::NoPart | Because::Missing(Missing::Cell)) {
            open.push(one.id.as_str());
            continue;
        }
        // The reason is the same in every run.
        if one.verdict == HypothesisVerdict::Documented {
            documented.push(one.id.as_str());
            continue;
        }
        table.row([
            one.id.clone(),
            hypothesis_word(one.verdict).to_owned(),
            format!("{}: {}", one.claim, one.because),
        ]);
        write_parts(&mut table, one);
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
    if !open.is_empty() {
        let said = format!("undecided, because no cell of this run decides them: {}", open.join(", "));
        wrap(out, "  ", &said, 4);
    }
    if let Some(first) = documented.first() {
        let said = format!(
            "decided by no measurement, for a reason that is written down (`rig claims {first}`): {}",
            documented.join(", ")
        );
        wrap(out, "  ", &said, 4);
    }
    write_not_about(out, model);
    write_family(out, model);
}

/// The parts of a claim that are not all of one mind.
fn write_parts(table: &mut Table, claim: &Hypothesis) {
    let Some(first) = claim.parts.first() else { return };
    if claim.parts.iter().all(|part| part.verdict == first.verdict && claim.parts.len() == 1) {
        return;
    }
    for part in claim.parts.iter().filter(|part| part.because != Because::Missing(Missing::Cell)) {
        let said = format!("{}: {}", part.text, part.because);
        table.row([String::new(), format!("- {}", hypothesis_word(part.verdict)), said]);
    }
}

/// A scenario that names a claim is never passed over in silence.
fn write_not_about(out: &mut Page, model: &ReportModel) {
    for one in model.hypotheses.iter().filter(|one| !one.not_about.is_empty()) {
        let mut scenarios: Vec<&str> = Vec::new();
        for cell in model.cells.iter().filter(|cell| one.not_about.contains(&cell.id)) {
            if !scenarios.contains(&cell.scenario.as_str()) {
                scenarios.push(&cell.scenario);
            }
        }
        // Where it has cells of the same scenario, the others are on other paths, and nobody is surprised.
        let tested = |name: &&&str| {
            model.cells.iter().any(|cell| cell.scenario == ***name && one.cells.contains(&cell.id))
        };
        let strangers: Vec<&&str> = scenarios.iter().filter(|name| !tested(name)).collect();
        if !strangers.is_empty() {
            let said = format!(
                "{} names {}, and no part of that claim is about its cells here: `rig claims {}` says which cells are",
                list(&strangers),
                one.id,
                one.id
            );
            wrap(out, "  ", &said, 4);
        }
    }
}

/// Many claims at once: a reader must know that each has its own chance to be wrong.
fn write_family(out: &mut Page, model: &ReportModel) {
    let judged =
        |one: &&Hypothesis| matches!(one.verdict, HypothesisVerdict::Supported | HypothesisVerdict::Refuted);
    let judged = model.hypotheses.iter().filter(judged).count();
    let measured = model.hypotheses.iter().filter(|one| one.verdict != HypothesisVerdict::Documented).count();
    if judged > 0 {
        let level = percent(1.0 - model.run.confidence, Rounding::Nearest);
        let said = format!(
            "{} of {} judged, each by itself at an error level of {level}, which is not corrected for their number.",
            several(judged, "claim"),
            measured
        );
        wrap(out, "  ", &said, 4);
    }
}
