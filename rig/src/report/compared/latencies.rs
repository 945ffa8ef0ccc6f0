//! How long the verdict call lasted in all pairs: a line of numbers, and the largest differences.
//!
//! Must not judge. Units: times in words. Errors: none. Tests: `tests/golden/compared.rs`.

use crate::analysis::model::{CellPair, LatencyDifference, QuantileDifference, RunComparison};
use crate::analysis::words::{about_time, count, p_value, several, signed_time};

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table};
use super::super::text::gather::section;
use super::told::Told;

/// So many pairs have a row.
const ROWS: usize = 12;

pub(in crate::report) fn write(out: &mut Page, compared: &RunComparison) {
    tell(out, &Told::of(compared));
}

pub(super) fn tell(out: &mut Page, told: &Told<'_>) {
    let timed: Vec<(&CellPair, &LatencyDifference)> =
        told.pairs.iter().filter_map(|pair| Some((pair, pair.latency.as_ref()?))).collect();
    if timed.is_empty() {
        return;
    }
    section(
        out,
        &format!(
            "How long the call lasted{} (medians; the machine's load can make a difference, so it is not news)",
            told.against
        ),
    );
    let number = |wanted: fn(&LatencyDifference) -> bool| timed.iter().filter(|(_, one)| wanted(one)).count();
    let parts = [
        (number(|one| one.differs), "the call lasts longer on one side in"),
        (number(|one| !one.differs && !one.too_few), "no difference is shown in"),
        (number(|one| one.too_few), "too few blocks to show one in"),
    ];
    let parts =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{words} {}", count(*n as u64)));
    out.wrap("  ", &format!("{}: {}", several(timed.len(), "pair"), parts.collect::<Vec<_>>().join(", ")), 4);
    let differ = timed.iter().filter(|(_, one)| one.differs);
    let mut differ: Vec<(&CellPair, &LatencyDifference, &QuantileDifference)> =
        differ.filter_map(|(pair, one)| Some((*pair, *one, one.median()?))).collect();
    differ.sort_by(|(.., a), (.., b)| b.difference_ns.abs().total_cmp(&a.difference_ns.abs()));
    if differ.is_empty() {
        return;
    }
    let mut table = Table::new([
        (told.sides[0], Right),
        (told.sides[1], Right),
        ("difference", Right),
        ("between", Left),
        ("corrected p", Right),
        ("cells", Left),
    ]);
    for (pair, one, median) in differ.iter().take(ROWS) {
        let cut = one.cut.map_or_else(String::new, |cut| {
            format!("; their timeout ended {} and {} calls", count(cut.cut1), count(cut.cut2))
        });
        table.row([
            about_time(median.first_ns),
            about_time(median.second_ns),
            signed_time(median.difference_ns),
            match (median.low_ns, median.high_ns) {
                (Some(low), Some(high)) => format!("{}..{}", signed_time(low), signed_time(high)),
                _ => "too few blocks".to_owned(),
            },
            p_value(one.p_adjusted),
            format!("{}{cut}", (told.place)(pair)),
        ]);
    }
    if differ.len() > ROWS {
        table.note(format!("{} less far apart are in the JSON", several(differ.len() - ROWS, "pair")));
    }
    table.write(out, 2);
}
