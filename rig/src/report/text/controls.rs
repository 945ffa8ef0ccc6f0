//! What the instrument must find at a known rate, and whether it did.
//!
//! Must not judge. Units: per cent. Errors: none. Tests: golden reports.

use crate::analysis::model::{
    AaPair, CellReason, CellSummary, ControlStatus, ControlSummary, PairVerdict, ReportModel, told,
};
use crate::analysis::words::{Rounding, count, p_value, percent_number};

use super::super::status::control_words;
use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::cells::ends;
use super::gather::{SkippedCells, section, void_reasons};

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    if model.controls.is_empty() && model.again.is_none() {
        return;
    }
    section(out, "Controls (cells with a known answer: rig must find their errno at the expected rate)");
    let mut table = Table::new([
        ("configuration", Left),
        ("kernel", Left),
        ("control", Left),
        ("errno", Left),
        ("expected %", Right),
        ("seen", Right),
        ("of", Right),
        ("void", Right),
        ("bounds %", Left),
        ("", Left),
    ])
    .without_first(&["expected %", "void"]);
    let mut skipped = SkippedCells::default();
    for control in &model.controls {
        let cell = model.cells.iter().find(|cell| cell.id == control.cell);
        if !cell.is_some_and(|cell| skipped.takes(cell)) {
            row(&mut table, control, cell);
        }
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
    skipped.write(out, "control");
    again(out, model);
}

/// One line about the A/A pair.
fn again(out: &mut Page, model: &ReportModel) {
    let Some(pair) = &model.again else { return };
    let AaPair { configuration, kernel, tests, .. } = pair;
    let p = pair.p_adjusted.map(p_value).unwrap_or_default();
    let most = pair.most.as_deref().unwrap_or_default();
    let said = match pair.verdict {
        PairVerdict::Passed => {
            format!("passed: no difference in {tests} questions, smallest corrected p {p}")
        }
        PairVerdict::Failed => format!("FAILED: differs in {most}, corrected p {p}; no comparison counts"),
        PairVerdict::NotRun => format!("not run: {}", told(&pair.reason)),
    };
    wrap(out, "  ", &format!("A/A pair, one cell played twice ({configuration} {kernel}): {said}"), 4);
}

fn row(table: &mut Table, control: &ControlSummary, cell: Option<&CellSummary>) {
    let words = control_words(control.status());
    let verdict = match control.status() {
        ControlStatus::Failed => words.to_uppercase(),
        ControlStatus::Passed | ControlStatus::NotExercised | ControlStatus::NotRun => words.to_owned(),
    };
    table.row([
        control.configuration.clone(),
        control.kernel.clone(),
        control.control.clone(),
        control.errno.to_string(),
        percent_number(control.expected_rate, Rounding::Nearest),
        count(control.count),
        count(control.n),
        cell.map_or_else(|| "-".to_owned(), |cell| count(cell.void)),
        bounds(control),
        verdict,
    ]);
    if let Some(failure) = &control.failure {
        table.note(failure.to_string());
    }
    let Some(cell) = cell.filter(|cell| cell.trials > 0) else { return };
    ends(table, cell);
    match &cell.reason {
        Some(CellReason::Short(shortage)) => table.note(format!("short: {shortage}")),
        Some(_) | None if cell.void > 0 => table.note(void_reasons(cell)),
        Some(_) | None => {}
    }
}

fn bounds(control: &ControlSummary) -> String {
    if control.n == 0 {
        return "-".into();
    }
    let low = percent_number(control.low, Rounding::Down);
    format!("{low}..{}", percent_number(control.high, Rounding::Up))
}
