//! How long the measured call lasts, one side beside the other.
//!
//! Must not judge. Units: times in words. Errors: none. Tests: `tests/golden/page.rs`, `tests/golden/compared.rs`.

use crate::analysis::model::{LatencyComparison, QuantileDifference, ReportModel};
use crate::analysis::words::{about_time, count};
use crate::chart::{QuantileRow, Side, quantiles};
use crate::report::table::Align::{Left, Right};
use crate::report::text;

use super::chart_part::{Chart, Charted};
use super::names::Names;
use super::pieces::{of_text, table};
use super::section::{Section, html};

/// So many rows are drawn.
const DRAWN: usize = 16;

/// Two cells whose calls are compared.
pub(super) struct LatencyRow {
    pub(super) label: String,
    /// Numbers of calls.
    pub(super) n: [u64; 2],
    pub(super) quantiles: Vec<QuantileDifference>,
    pub(super) p_adjusted: f64,
}

pub(super) fn section(model: &ReportModel, names: &Names<'_>) -> Option<Section> {
    let row = |one: &LatencyComparison| LatencyRow {
        label: format!(
            "{}, {} {} over {}",
            names.subject(&one.scenario, &one.parameters),
            one.configuration,
            one.kernel,
            one.path
        ),
        n: [one.n1, one.n2],
        quantiles: one.quantiles.clone(),
        p_adjusted: one.p_adjusted,
    };
    let rows = model.latency_comparisons.iter().map(row).collect();
    let body = section_of(rows, ["host", "guest"], of_text(text::latencies::write, model))?;
    Some(Section { id: "latency", title: "How long the call lasts", body })
}

/// The body of such a section; `sides` are what the two are called, `more` is HTML.
pub(super) fn section_of(
    mut rows: Vec<LatencyRow>,
    sides: [&'static str; 2],
    more: String,
) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let all = rows.len();
    rows.sort_by(|a, b| a.p_adjusted.total_cmp(&b.p_adjusted));
    rows.truncate(DRAWN);
    let mut caption = "Half, nine in ten, and 99 in 100 of the measured calls last no longer".to_owned();
    if all > DRAWN {
        caption.push_str(&format!(": the {DRAWN} of {all} that differ most surely"));
    }
    let drawn: Vec<QuantileRow<'_>> = rows
        .iter()
        .map(|row| QuantileRow { label: &row.label, sides: [0, 1].map(|at| side(row, sides[at], at)) })
        .collect();
    let svg = quantiles(
        "latency-quantiles",
        &caption,
        "Each row has three quantiles of both sides, and how many calls they are of.",
        &drawn,
    );
    let chart = Chart { svg, table: as_table(&caption, &rows, sides), caption };
    Some(html(&Charted {
        lead: "Machines differ in speed, so a difference of times raises no alert.".to_owned(),
        charts: vec![chart],
        more_title: "All comparisons of times",
        more,
    }))
}

fn at(row: &LatencyRow, quantile: f64, side: usize) -> u64 {
    let found = row.quantiles.iter().find(|of| (of.quantile - quantile).abs() < 1e-9);
    found.map_or(0, |of| [of.first_ns, of.second_ns][side])
}

fn side(row: &LatencyRow, name: &'static str, side: usize) -> Side<'static> {
    Side {
        name,
        n: row.n[side],
        p50_ns: at(row, 0.5, side) as f64,
        p90_ns: at(row, 0.9, side) as f64,
        p99_ns: at(row, 0.99, side) as f64,
    }
}

fn as_table(caption: &str, rows: &[LatencyRow], sides: [&'static str; 2]) -> String {
    let rows = rows.iter().flat_map(|row| {
        [0, 1].map(|side| {
            [
                row.label.clone(),
                sides[side].to_owned(),
                count(row.n[side]),
                about_time(at(row, 0.5, side)),
                about_time(at(row, 0.9, side)),
                about_time(at(row, 0.99, side)),
            ]
        })
    });
    let heading = [
        ("what", Left),
        ("side", Left),
        ("calls", Right),
        ("half", Right),
        ("nine in ten", Right),
        ("99 in 100", Right),
    ];
    table(caption, heading, rows)
}
