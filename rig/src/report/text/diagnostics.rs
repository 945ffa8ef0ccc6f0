//! What the diagnostics see, miss and disturb: a table for each place, a row for each tool.
//!
//! Must not judge. Units: counts of trials. Errors: none. Tests: `tests/golden/diagnosed.rs`.

use crate::analysis::model::{Diagnostic, DiagnosticPlace, ReportModel};
use crate::analysis::words::count;

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{by_title, in_counts, section};

const LEGEND: &str = "sees: trials in which the tool showed what it looks for, of those in which it could tell; misses: the others (of tcpdump: RST \
    segments). disturbs: trials in which the calls behind the look ended otherwise than those of `rst` in the same place, where the RST was there \
    before the call. call: the median of select() with the tool, as a multiple of that without. -: no trial could tell, nothing follows the look, or \
    `rst` was not played so.";

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let all = &model.diagnostics;
    if all.is_empty() {
        return;
    }
    section(out, "What the diagnostics see");
    let rows = all.iter().flat_map(|tool| tool.places.iter().map(move |place| (tool, place)));
    let by_place =
        rows.map(|row| (format!("{} {} over {}", row.1.configuration, row.1.kernel, row.1.path), row));
    for (place, rows) in by_title(by_place) {
        wrap(out, "  ", &format!("in {place}:"), 4);
        let mut table = Table::new([
            ("tool", Left),
            ("looks for", Left),
            ("sees", Right),
            ("misses", Right),
            ("disturbs", Right),
            ("call", Right),
            ("what it showed", Left),
        ])
        .without_first(&["looks for", "call"]);
        rows.into_iter().for_each(|(tool, place)| table.row(row(tool, place)));
        table.write(out, 4);
    }
    let missing: Vec<String> = all.iter().filter(|tool| tool.places.is_empty()).map(named).collect();
    if !missing.is_empty() {
        wrap(out, "  ", &format!("not played: {}", missing.join("; ")), 4);
    }
    wrap(out, "  ", LEGEND, 2);
}

fn named(tool: &Diagnostic) -> String {
    format!("{} ({})", tool.tool, tool.claims.join(", "))
}

fn row(tool: &Diagnostic, place: &DiagnosticPlace) -> [String; 7] {
    let of = |n: u64, all: u64| format!("{} of {}", count(n), count(all));
    let none = || "-".to_owned();
    let (sees, misses) = match place.n {
        0 => (none(), none()),
        n => (of(place.sees, n), count(n.saturating_sub(place.sees))),
    };
    [
        named(tool),
        tool.looks_for.clone(),
        sees,
        misses,
        place.disturbs.as_ref().map_or_else(none, |found| of(found.count, found.n)),
        place.call_ratio.map_or_else(none, |ratio| format!("x{ratio:.1}")),
        in_counts(&place.showed),
    ]
}
