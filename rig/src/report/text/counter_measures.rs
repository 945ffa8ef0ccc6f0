//! What the counter-measures detect, and after how long: a table for each place, a row for each failure.
//!
//! Must not judge. Units: counts of trials, times in words. Errors: none. Tests: `tests/golden/countered.rs`.

use crate::analysis::model::{CounterMeasure, CounterMeasureFinding, Quantiles, ReportModel};
use crate::analysis::words::{about_time, count};

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{by_title, in_counts, section};

const LEGEND: &str = "detected: trials in which the program was told of the failure; where nothing fails, a false alarm. median, longest: of the call \
    that told it; -: not every trial detected it, or no single call's time is that.";

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let all = &model.counter_measures;
    if all.is_empty() {
        return;
    }
    section(out, "What the counter-measures detect, and after how long");
    let rows = all.iter().flat_map(|one| one.findings.iter().map(move |finding| (one, finding)));
    let by_place = rows.map(|row| (format!("{} {}", row.1.configuration, row.1.kernel), row));
    for (place, rows) in by_title(by_place) {
        wrap(out, "  ", &format!("in {place}:"), 4);
        let mut table = Table::new([
            ("counter-measure", Left),
            ("failure", Left),
            ("detected", Right),
            ("median", Right),
            ("longest", Right),
            ("told by", Left),
        ]);
        rows.into_iter().for_each(|(one, finding)| table.row(row(one, finding)));
        table.write(out, 4);
    }
    let missing: Vec<String> = all.iter().filter(|one| one.findings.is_empty()).map(named).collect();
    if !missing.is_empty() {
        wrap(out, "  ", &format!("not played: {}", missing.join("; ")), 4);
    }
    wrap(out, "  ", LEGEND, 2);
}

/// `4 SO_KEEPALIVE 10/5/3, as printed`
fn named(one: &CounterMeasure) -> String {
    format!("{} {}, {}", one.number, one.measure, one.variant.words())
}

fn row(one: &CounterMeasure, finding: &CounterMeasureFinding) -> [String; 6] {
    let time = |of: fn(&Quantiles) -> u64| {
        finding.took_ns.as_ref().map_or_else(|| "-".to_owned(), |took| about_time(of(took)))
    };
    [
        named(one),
        finding.failure.clone(),
        format!("{} of {}", count(finding.detected), count(finding.n)),
        time(|took| took.p50),
        time(|took| took.max),
        in_counts(&finding.by),
    ]
}
