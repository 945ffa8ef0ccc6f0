//! Errnos that no scenario expects, surely above the rate that the matrix declares.
//!
//! Must not judge differences. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::BTreeSet;

use super::cell::Cell;
use super::figure::Figure;
use super::labels::own_word;
use super::number::share_interval;
use super::rules::Rules;
use super::sums::Sums;

/// The figures of `alerts`.
pub(super) fn alerts(cells: &[Cell<'_>], rules: &Rules) -> Figure {
    let mut all = Vec::new();
    for cell in cells.iter().filter(|cell| !cell.is_control() && cell.is_news()) {
        let (place, operations) = (cell.labels_before_the_verdict(), cell.operations());
        let patterns = cell.expected("expect");
        let expected: BTreeSet<&str> =
            patterns.iter().filter_map(|pattern| own_word(pattern, place, &operations)).collect();
        let mut others = Sums::default();
        cell.not_counted.iter().for_each(|block| others.add(&block.tree["tally"]));
        for (sums, counted) in [(&cell.sums, true), (&others, false)] {
            for (errno, threshold) in &rules.alerts {
                let count = unexpected(sums, errno, &expected);
                let n = sums.calls();
                let low = share_interval(count as f64, n.saturating_sub(count) as f64, rules.alpha()).low;
                if count > 0 && count <= n && low > *threshold {
                    let figure = Figure::part([
                        ("cell", Figure::word(cell.id)),
                        ("errno", Figure::word(&**errno)),
                        ("count", Figure::Count(count)),
                        ("n", Figure::Count(n)),
                        ("low", Figure::Real(low)),
                        ("threshold", Figure::Real(*threshold)),
                        ("counted", Figure::Flag(counted)),
                    ]);
                    all.push(figure.with_files(cell.files()));
                }
            }
        }
    }
    Figure::List(all)
}

/// How often the verdict call returned -1 with an errno that is not expected; `any_error`: with any.
fn unexpected(sums: &Sums, errno: &str, expected: &BTreeSet<&str>) -> u64 {
    if errno == "any_error" {
        let as_expected: u64 =
            expected.iter().filter(|word| **word != errno).map(|word| sums.returned(word)).sum();
        return sums.returned(errno).saturating_sub(as_expected);
    }
    if expected.contains(errno) { 0 } else { sums.returned(errno) }
}
