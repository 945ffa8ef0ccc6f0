//! How long the verdict call lasted in virtual cells, beside bare metal: a line for each configuration, and the largest differences.
//!
//! Must not judge. Units: times in words, guest minus host. Errors: none. Tests: `tests/golden/latencies.rs`.

use crate::analysis::model::{CutWaits, LatencyComparison, QuantileDifference, ReportModel};
use crate::analysis::words::{about_time, count, p_value, several, signed_time};

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{by_title, section, title};

/// So many pairs have a row; the rest is a number.
const ROWS: usize = 12;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let all = &model.latency_comparisons;
    if all.is_empty() {
        return;
    }
    section(out, "How long the call lasted, virtual against bare metal (guest minus host)");
    let places = all.iter().map(|one| (format!("{} {}", one.configuration, one.kernel), one));
    for (place, group) in by_title(places) {
        wrap(out, "  ", &format!("{place}: {}", counted(&group)), 4);
    }
    let mut differ: Vec<(&LatencyComparison, &QuantileDifference)> =
        all.iter().filter(|one| one.differs).filter_map(|one| Some((one, one.median()?))).collect();
    differ.sort_by(|(_, a), (_, b)| b.difference_ns.abs().total_cmp(&a.difference_ns.abs()));
    let mut table = Table::new([
        ("guest", Right),
        ("host", Right),
        ("difference", Right),
        ("between", Left),
        ("corrected p", Right),
        ("cell", Left),
    ]);
    for (one, median) in differ.iter().take(ROWS) {
        let place = title(&one.scenario, &one.parameters, &one.path);
        let cut = one.cut.map_or_else(String::new, cut_words);
        table.row([
            about_time(median.second_ns),
            about_time(median.first_ns),
            signed_time(median.difference_ns),
            match (median.low_ns, median.high_ns) {
                (Some(low), Some(high)) => format!("{}..{}", signed_time(low), signed_time(high)),
                _ => "too few blocks".to_owned(),
            },
            p_value(one.p_adjusted),
            format!("{place} in {} {}{cut}", one.configuration, one.kernel),
        ]);
    }
    if differ.is_empty() {
        return;
    }
    out.push_str("\n");
    wrap(
        out,
        "  ",
        "The medians that are furthest apart; machines differ in speed, so a difference raises no alert:",
        4,
    );
    if differ.len() > ROWS {
        table.note(format!("{} less far apart are in the JSON", several(differ.len() - ROWS, "pair")));
    }
    table.write(out, 4);
}

/// `58 pairs: the call lasts longer in 50, shorter in 2, no difference is shown in 4, too few blocks to show one in 2`.
fn counted(group: &[&LatencyComparison]) -> String {
    let differing = |longer: bool| {
        let is_longer = |one: &&&LatencyComparison| {
            one.differs && one.median().is_some_and(|median| (median.difference_ns > 0.0) == longer)
        };
        group.iter().filter(is_longer).count()
    };
    let n = |n: usize| count(n as u64);
    let not_shown = group.iter().filter(|one| !one.differs && !one.too_few).count();
    let too_few = group.iter().filter(|one| one.too_few).count();
    let mut parts = Vec::new();
    let (longer, shorter) = (differing(true), differing(false));
    parts.extend((longer > 0).then(|| format!("the call lasts longer in {}", n(longer))));
    parts.extend((shorter > 0).then(|| format!("shorter in {}", n(shorter))));
    parts.extend((not_shown > 0).then(|| format!("no difference is shown in {}", n(not_shown))));
    parts.extend((too_few > 0).then(|| format!("too few blocks to show one in {}", n(too_few))));
    format!("{}: {}", several(group.len(), "pair"), parts.join(", "))
}

/// `; its timeout ended 12 calls in the guest and 3 on the host`
fn cut_words(cut: CutWaits) -> String {
    format!("; their timeout ended {} in the guest, {} on the host", count(cut.cut2), count(cut.cut1))
}
