//! One row per cell and errno, for spreadsheets and data frames.
//!
//! Holds the columns with their descriptions (add at the end, don't rename). Must not compute a number.
//! Units: shares of 1. Errors: none.
//! No field is a formula: a spreadsheet would run what a guest or a file wrote. Tests: here; golden reports; `tests/golden/foreign.rs`; `tests/golden/dictionary.rs` holds the descriptions against `docs/record.md`.

use rig_protocol::plain_within;

use crate::analysis::model::{
    CellStatus, CellSummary, ControlSummary, Expectation, Question, Rate, ReportModel, told,
};

use super::outcomes::{expectation_word, in_field};
use super::status::{control_words, status_word};

/// A column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, in the first row.
    pub name: &'static str,
    /// What stands in it, with its unit, and what an empty field means.
    pub about: &'static str,
    value: fn(&Row<'_>) -> String,
}

/// What a row is made of.
struct Row<'a> {
    run: &'a str,
    cell: &'a CellSummary,
    control: Option<&'a ControlSummary>,
    errno: Question,
    rate: &'a Rate,
}

const fn column(name: &'static str, about: &'static str, value: fn(&Row<'_>) -> String) -> Column {
    Column { name, about, value }
}

impl Column {
    /// All, in their order.
    pub const ALL: &'static [Self] = &[
        column("run", "Id of the run.", |row| row.run.to_owned()),
        column("cell", "Id of the cell.", |row| row.cell.id.clone()),
        column("scenario", "Name of its scenario.", |row| row.cell.scenario.clone()),
        column("parameters", "Its parameters, `name=value`, separated by spaces.", |row| {
            parameters(row.cell)
        }),
        column("configuration", "Name of its configuration.", |row| row.cell.configuration.clone()),
        column("kernel", "Value of the kernel axis: a kernel's name, or `host`.", |row| {
            row.cell.kernel.clone()
        }),
        column("kernel_release", "`uname -r` as the agents reported it; empty where none spoke.", |row| {
            row.cell.kernel_release.clone()
        }),
        column("path", "Name of its path.", |row| row.cell.path.clone()),
        column(
            "accelerators",
            "What executed its targets: `kvm`, `tcg` or `none`, separated by spaces; empty where no block counts.",
            |row| row.cell.accelerators.join(" "),
        ),
        column("proxied", "`true` where a proxy ends TCP on the way, otherwise `false`.", |row| {
            row.cell.proxied.to_string()
        }),
        column("control", "Name of the control that the cell is; empty if it is not a control.", |row| {
            row.control.map_or_else(String::new, |control| control.control.clone())
        }),
        column("status", "How the cell ended: `complete`, `short`, `skipped` or `blind`.", |row| {
            status_word(row.cell.status).to_owned()
        }),
        column("reason", "Why it is short, skipped or blind, in words; otherwise mostly empty.", |row| {
            told(&row.cell.reason)
        }),
        column("trials", "Number of trials that have an outcome.", |row| row.cell.trials.to_string()),
        column("trials_wanted", "Number of trials that were asked for.", |row| {
            row.cell.trials_wanted.to_string()
        }),
        column("void", "Number of trials without an outcome, because the testbed failed.", |row| {
            row.cell.void.to_string()
        }),
        column("blocks", "Number of blocks that count.", |row| row.cell.blocks.to_string()),
        column("errno", "What the following columns count: `EBADF`, `ENOENT` or `any_error`.", |row| {
            row.errno.to_string()
        }),
        column(
            "count",
            "Number of trials whose verdict call returned -1 with it; empty where the cell was skipped.",
            counted,
        ),
        column("n", "Number of trials that have an outcome: `count` is a part of these.", |row| {
            row.rate.n.to_string()
        }),
        column("low", "Lower bound of `count / n`, a share of 1.", |row| row.rate.low.to_string()),
        column("high", "Upper bound of `count / n`, a share of 1.", |row| row.rate.high.to_string()),
        column("confidence", "Two-sided confidence of the bounds, a share of 1.", |row| {
            row.rate.confidence.to_string()
        }),
        column(
            "control_status",
            "Result of the control: `passed`, `failed`, `not exercised` or `not run`; empty if the cell is not a control.",
            |row| row.control.map_or("", |control| control_words(control.status())).to_owned(),
        ),
        column(
            "control_reason",
            "Why the control has not passed, in words; empty if it has, or if the cell is not a control.",
            |row| row.control.map_or_else(String::new, |control| told(&control.failure)),
        ),
        column(
            "outcomes",
            "Number of trials by outcome, `outcome=count` (the last `=` of each), the most frequent first, separated by `;`.",
            |row| in_field(&row.cell.outcomes),
        ),
        column(
            "unreturned",
            "Number of trials that their deadline cut before the verdict call had returned: they have an outcome, and no return.",
            |row| row.cell.unreturned.to_string(),
        ),
        column(
            "expectation",
            "Whether the trials ended as the scenario expects: `as expected`, `within tolerance`, `unexpected`, `known` or `not judged`; empty, as are the \
             following columns, where it expects nothing in particular.",
            |row| expected(row, |of| expectation_word(of.status).to_owned()),
        ),
        column("unexpected", "Number of trials that ended otherwise; a part of `trials`.", |row| {
            expected(row, |of| of.unexpected.to_string())
        }),
        column("unexpected_share", "`unexpected / trials`, a share of 1.", |row| {
            expected(row, |of| of.share.to_string())
        }),
        column("unexpected_low", "Lower bound of that share, at `confidence`.", |row| {
            expected(row, |of| of.low.to_string())
        }),
        column("unexpected_high", "Upper bound of that share.", |row| {
            expected(row, |of| of.high.to_string())
        }),
        column(
            "tolerance",
            "The share of 1 that the run tolerates; empty where it was not declared.",
            |row| expected(row, |of| of.tolerance.map_or_else(String::new, |share| share.to_string())),
        ),
        column("known", "Why it is known that trials end otherwise; empty where it is not.", |row| {
            expected(row, |of| of.known.clone().unwrap_or_default())
        }),
        column(
            "peer_outcomes",
            "As `outcomes`, of the peer's steps; `unfinished` where the block ended first.",
            |row| in_field(&row.cell.peer_outcomes),
        ),
        column("peer_expectation", "As `expectation`, of the peer's steps.", |row| {
            peer_expected(row, |of| expectation_word(of.status).to_owned())
        }),
        column("peer_unexpected", "As `unexpected`, of the peer's steps.", |row| {
            peer_expected(row, |of| of.unexpected.to_string())
        }),
        column(
            "errno_returned",
            "Number of trials by the errno that the kernel returned from the verdict call, `errno=count`, separated by `;`.",
            |row| in_field(&row.cell.errno_seen.kernel),
        ),
        column(
            "errno_after_failure",
            "The same by what the C library's errno held right after that failure; empty too in records of a format before 2.1.",
            |row| in_field(&row.cell.errno_seen.libc),
        ),
        column(
            "errno_stale",
            "The same by what errno held after a verdict call that had succeeded: that of an earlier call.",
            |row| in_field(&row.cell.errno_seen.stale),
        ),
        column(
            "errno_after_localtime",
            "The same by what errno held after localtime(), which a program calls for the time stamp of a log line.",
            |row| in_field(&row.cell.errno_seen.log_line),
        ),
    ];
}

pub(super) fn render(model: &ReportModel) -> String {
    let mut rows = csv::Writer::from_writer(Vec::new());
    let written = "a vector takes all";
    rows.write_record(Column::ALL.iter().map(|column| column.name)).expect(written);
    for cell in &model.cells {
        let control = model.controls.iter().find(|control| control.cell == cell.id);
        for (errno, rate) in &cell.rates {
            let row = Row { run: &model.run.id, cell, control, errno: *errno, rate };
            rows.write_record(Column::ALL.iter().map(|column| field(&(column.value)(&row)))).expect(written);
        }
    }
    let bytes = rows.into_inner().expect(written);
    String::from_utf8(bytes).expect("all fields are text")
}

/// One line of plain text that no spreadsheet takes for a formula: where it begins like one and is no number, a `'` stands before it.
fn field(text: &str) -> String {
    let line = plain_within(text, usize::MAX);
    let is_formula = line.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if is_formula && !is_negative_number(&line) { format!("'{line}") } else { line }
}

fn is_negative_number(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit()) && rest.parse::<f64>().is_ok()
    })
}

fn expected(row: &Row<'_>, value: impl Fn(&Expectation) -> String) -> String {
    row.cell.expectation.as_ref().map(value).unwrap_or_default()
}

fn peer_expected(row: &Row<'_>, value: impl Fn(&Expectation) -> String) -> String {
    row.cell.peer_expectation.as_ref().map(value).unwrap_or_default()
}

fn parameters(cell: &CellSummary) -> String {
    let parameters = cell.parameters.iter().map(|(name, value)| format!("{name}={value}"));
    parameters.collect::<Vec<_>>().join(" ")
}

/// A cell that was not run has no count; a 0 in a data frame would be read as one.
fn counted(row: &Row<'_>) -> String {
    if row.cell.status == CellStatus::Skipped { String::new() } else { row.rate.count.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_begins_like_a_formula_is_text_and_a_number_stays_one() {
        for (text, expected) in [
            ("=HYPERLINK(\"http://127.0.0.1/?\"&A1)", "'=HYPERLINK(\"http://127.0.0.1/?\"&A1)"),
            ("+1", "'+1"),
            ("-1+1", "'-1+1"),
            ("-1/EBADF=3", "'-1/EBADF=3"),
            ("-inf", "'-inf"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\t=1", " =1"),
            ("\r=1", " =1"),
            ("-0.25", "-0.25"),
            ("-1e-9", "-1e-9"),
            ("0.5", "0.5"),
            ("a=1;b=2", "a=1;b=2"),
            ("", ""),
        ] {
            assert_eq!(field(text), expected);
        }
    }
}
