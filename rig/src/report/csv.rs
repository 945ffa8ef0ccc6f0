//! One row per cell and errno, for spreadsheets and data frames.
//!
//! Holds the column names (add, don't rename). Must not compute a number.
//! Units: shares of 1. Errors: none.
//! Tests: golden reports.

use crate::analysis::model::{CellStatus, CellSummary, Question, Rate, ReportModel, told};

const COLUMNS: [&str; 23] = [
    "run",
    "cell",
    "scenario",
    "parameters",
    "configuration",
    "kernel",
    "kernel_release",
    "path",
    "accelerators",
    "proxied",
    "control",
    "status",
    "reason",
    "trials",
    "trials_wanted",
    "void",
    "blocks",
    "errno",
    "count",
    "n",
    "low",
    "high",
    "confidence",
];

pub(super) fn render(model: &ReportModel) -> String {
    let mut rows = csv::Writer::from_writer(Vec::new());
    let written = "a vector takes all";
    rows.write_record(COLUMNS).expect(written);
    for cell in &model.cells {
        let control = model.controls.iter().find(|control| control.cell == cell.id);
        for (errno, rate) in &cell.rates {
            let control = control.map_or("", |control| control.control.as_str());
            rows.write_record(row(&model.run.id, cell, control, *errno, rate)).expect(written);
        }
    }
    let bytes = rows.into_inner().expect(written);
    String::from_utf8(bytes).expect("all fields are text")
}

fn row(run: &str, cell: &CellSummary, control: &str, errno: Question, rate: &Rate) -> [String; 23] {
    let parameters: Vec<String> =
        cell.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    [
        run.to_owned(),
        cell.id.clone(),
        cell.scenario.clone(),
        parameters.join(" "),
        cell.configuration.clone(),
        cell.kernel.clone(),
        cell.kernel_release.clone(),
        cell.path.clone(),
        cell.accelerators.join(" "),
        cell.proxied.to_string(),
        control.to_owned(),
        super::status::status_word(cell.status).to_owned(),
        told(&cell.reason),
        cell.trials.to_string(),
        cell.trials_wanted.to_string(),
        cell.void.to_string(),
        cell.blocks.to_string(),
        errno.to_string(),
        // A cell that was not run has no count; a 0 in a data frame would be read as one.
        if cell.status == CellStatus::Skipped { String::new() } else { rate.count.to_string() },
        rate.n.to_string(),
        rate.low.to_string(),
        rate.high.to_string(),
        rate.confidence.to_string(),
    ]
}
