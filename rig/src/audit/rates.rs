//! Rates of errnos, in one cell or in several together.
//!
//! Must not compare. Units: shares of 1. Errors: none. Tests: `tests/golden/audited.rs`.

use super::cell::{Cell, by_boot};
use super::figure::Figure;
use super::number::{Bounds, Family, Tries, estimate};
use super::rules::Rules;

/// With all bounds; `sensitivity` is the share of what happens that is proven to be seen.
pub(super) fn rate(
    cells: &[&Cell<'_>],
    question: &str,
    family: &Family,
    sensitivity: f64,
    rules: &Rules,
) -> Figure {
    let found = estimate(&by_boot(cells, |sums| sums.answer(question)), family, rules.level);
    let through = |bound: f64| (bound / sensitivity).min(1.0);
    let unseen = found.unseen.map_or(Figure::Nothing, |bounds| {
        Figure::part([
            ("independent", Figure::Real(through(bounds.independent))),
            ("at_icc", Figure::Real(through(bounds.at_icc))),
            ("icc", Figure::Real(family.icc)),
            ("share_of_blocks", Figure::Real(bounds.share_of_blocks)),
        ])
    });
    let figure = Figure::part([
        ("count", Figure::Count(found.sum.hits)),
        ("n", Figure::Count(found.sum.of)),
        ("confidence", Figure::Real(rules.confidence)),
        ("method", Figure::word(found.method)),
        ("unseen", unseen),
        ("sensitivity", Figure::Real(sensitivity)),
        ("worst", Figure::Real(worst(cells, question, found.sum))),
    ]);
    let judged = Bounds { low: found.judged.low, high: through(found.judged.high) };
    let figure =
        figure.and_bounds(["low", "high"], judged).and_bounds(["trial_low", "trial_high"], found.trial);
    with_dispersion(figure, family)
}

/// Dispersion and its degrees of freedom, where the family tells them.
pub(super) fn with_dispersion(figure: Figure, family: &Family) -> Figure {
    figure.and([
        ("dispersion", Figure::real_or_nothing(family.clustered.map(|found| found.phi))),
        ("freedom", Figure::real_or_nothing(family.clustered.map(|found| found.nu))),
    ])
}

/// Had every trial that does not count returned it: void ones, and what was seen in blocks that were stopped.
fn worst(cells: &[&Cell<'_>], question: &str, found: Tries) -> f64 {
    let void: u64 = cells.iter().map(|cell| cell.void()).sum();
    let stopped = cells.iter().flat_map(|cell| &cell.not_counted).filter(|block| block.is_aborted);
    let mut sum = Tries { hits: found.hits + void, of: found.of + void };
    let (mut hits, mut calls) = (0, 0);
    for block in stopped {
        hits += block.sums.returned(question);
        calls += block.sums.calls();
    }
    let stopped = Tries::new(hits, calls);
    sum.hits += stopped.hits;
    sum.of += stopped.of;
    sum.share()
}
