//! The series of a history as a table: the worst first, each with its strip.
//!
//! Must not judge. Units: per cent. Errors: none. Tests: `tests/golden/history.rs`.

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table};
use super::super::text::gather::section;
use crate::analysis::words::{Rounding, count, percent_number};
use crate::history::History;
use crate::history::model::Series;

/// So many rows are told.
const MOST: usize = 40;

/// Columns that go first where the page is too narrow.
const SPARE: &[&str] = &["cell", "path"];

/// What the characters of a strip mean.
pub(in crate::report) const STRIP: &str = "a strip has one character for each shown night: . in no trial, o in some, X in some since it got worse, x in none since then, - not played";

/// `rst client_delay=1ms`
pub(in crate::report) fn named(series: &Series) -> String {
    let parameters = series.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    let machine =
        if series.machine.is_empty() { String::new() } else { format!(" (machine {})", series.machine) };
    let rehearsed = if series.rehearsed { " (rehearsed)" } else { "" };
    format!("{}{}{machine}{rehearsed}", series.scenario, parameters.collect::<String>())
}

/// Those that rose and did not fall again first, then by rate; without those that were never seen.
fn told(history: &History) -> Vec<&Series> {
    let mut told: Vec<&Series> = history.series.iter().filter(|series| series.count > 0).collect();
    let is_worse = |series: &Series| series.step.as_ref().is_some_and(|step| step.until.is_none());
    let rate = |series: &Series| series.count as f64 / series.n.max(1) as f64;
    told.sort_by(|a, b| is_worse(b).cmp(&is_worse(a)).then(rate(b).total_cmp(&rate(a))));
    told
}

pub(in crate::report) fn table(history: &History) -> (Table, usize) {
    let mut table = Table::new([
        ("what", Left),
        ("scenario", Left),
        ("configuration", Left),
        ("kernel", Left),
        ("path", Left),
        ("cell", Left),
        ("nights", Right),
        ("of trials", Right),
        ("%", Right),
        ("strip", Left),
    ])
    .without_first(SPARE);
    let told = told(history);
    for series in told.iter().take(MOST) {
        let share = series.count as f64 / series.n.max(1) as f64;
        table.row([
            series.what.clone(),
            named(series),
            series.configuration.clone(),
            series.kernel.clone(),
            series.path.clone(),
            series.cell.clone(),
            count(series.nights_played),
            format!("{} of {}", count(series.count), count(series.n)),
            percent_number(share, Rounding::Nearest),
            series.strip.clone(),
        ]);
    }
    (table, told.len())
}

pub(super) fn write(out: &mut Page, history: &History) {
    section(out, "What is watched");
    let (table, told) = table(history);
    let quiet = history.series.len() - told;
    if quiet > 0 {
        out.wrap(
            "  ",
            &format!("{} series in which it was in no trial of any night", count(quiet as u64)),
            4,
        );
    }
    if table.is_empty() {
        return;
    }
    out.wrap("  ", STRIP, 4);
    table.write(out, 2);
    if told > MOST {
        out.wrap("  ", &format!("and {} more: name a cell, or filter by configuration=...", told - MOST), 4);
    }
}
