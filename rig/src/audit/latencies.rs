//! How long the verdict call lasted in every guest's cell, beside its cell on bare metal.
//!
//! Holds which calls a timeout ended. Must not judge errnos. Units: nanoseconds; a difference is guest minus bare metal. Errors: none. Tests: `tests/golden/audited.rs`.

use super::cell::Cell;
use super::figure::Figure;
use super::number::{Labelled, Shift, Waits, log_rank, median, shift, tarone_family, tarone_holm};
use super::pairs::{Pair, both, files, seed_of};
use super::rules::Rules;
use super::sums::Times;

/// The key of the verdict call.
const CALL: &str = "call";

/// One pair, before the correction.
struct Opened<'c, 'f> {
    cell: &'c Cell<'f>,
    baseline: &'c Cell<'f>,
    calls: [u64; 2],
    blocks: [u64; 2],
    quantiles: Vec<(f64, Shift)>,
    cut: Option<([u64; 2], [Option<f64>; 2], Labelled)>,
    seed: u64,
}

impl Opened<'_, '_> {
    fn p(&self) -> (f64, f64) {
        match (&self.cut, self.quantiles.first()) {
            (Some((_, _, found)), _) => (found.p, found.smallest),
            (None, Some((_, found))) => (found.p, found.smallest),
            (None, None) => (1.0, 1.0),
        }
    }
}

/// The figures of `latency_comparisons`, or of what other pairs have; those of more blocks than are counted here are left out, and then no correction can be told.
pub(super) fn latency_comparisons(pairs: &[Pair<'_, '_>], rules: &Rules) -> Figure {
    if rules.rehearsed {
        return Figure::List(Vec::new());
    }
    let opened: Vec<Opened<'_, '_>> =
        pairs.iter().filter_map(|pair| open(pair.0, both(*pair)?, rules)).collect();
    let (p, smallest): (Vec<f64>, Vec<f64>) = opened.iter().map(Opened::p).unzip();
    let alpha = rules.alpha();
    let family = tarone_family(&smallest, alpha) as u64;
    let corrected = tarone_holm(&p, &smallest, alpha);
    Figure::List(opened.iter().zip(corrected).map(|(one, p)| figure(one, p, family, alpha)).collect())
}

fn calls<'c>(cell: &'c Cell<'_>) -> impl Iterator<Item = (&'c super::cell::Block<'c>, &'c Times)> {
    let timed = |times: &&Times| times.count() > 0;
    cell.blocks.iter().filter_map(move |block| Some((block, block.sums.latency.get(CALL).filter(timed)?)))
}

/// The calls of each block: its longest are those that their timeout ended.
fn waits(cell: &Cell<'_>) -> Vec<Waits> {
    let label = cell.labels_before_the_verdict();
    let is_cut = |outcome: &str| {
        let own = outcome.split(',').nth(label).unwrap_or("");
        own.split(':').next() == Some("timeout")
    };
    calls(cell)
        .map(|(block, times)| {
            let outcomes = block.sums.outcomes.iter().filter(|(outcome, _)| is_cut(outcome));
            let mut left: u64 = outcomes.map(|(_, n)| *n).sum();
            let mut waits = Waits::default();
            for (time, n) in times.spread().into_iter().rev() {
                let cut = n.min(left);
                left -= cut;
                waits.cut.extend((cut > 0).then_some((time, cut)));
                waits.ended.extend((n > cut).then_some((time, n - cut)));
            }
            waits
        })
        .collect()
}

fn open<'c, 'f>(cell: &'c Cell<'f>, baseline: &'c Cell<'f>, rules: &Rules) -> Option<Opened<'c, 'f>> {
    let sides = [baseline, cell];
    let spread = sides.map(|side| calls(side).map(|(_, times)| times.spread()).collect::<Vec<_>>());
    let all = sides.map(|side| calls(side).map(|(_, times)| times.count()).sum::<u64>());
    let waits = sides.map(waits);
    let cut = [0, 1].map(|at| waits[at].iter().flat_map(|one| &one.cut).map(|(_, n)| n).sum::<u64>());
    if spread.iter().any(Vec::is_empty) || cut == all {
        return None;
    }
    let seed = seed_of(rules.seed, cell.id);
    let of = |q: f64| Some((q, shift(&spread[0], &spread[1], q, rules.level)?));
    let tested = (cut != [0, 0]).then(|| log_rank(&waits[0], &waits[1], seed)).flatten();
    Some(Opened {
        cell,
        baseline,
        calls: all,
        blocks: [0, 1].map(|at| spread[at].len() as u64),
        quantiles: [0.5, 0.9, 0.99].into_iter().filter_map(of).collect(),
        cut: tested.map(|found| (cut, [0, 1].map(|at| median(&waits[at])), found)),
        seed,
    })
}

fn figure(one: &Opened<'_, '_>, p_adjusted: f64, family: u64, alpha: f64) -> Figure {
    let (p, smallest) = one.p();
    let of = |cell: &Cell<'_>, q: f64| cell.sums.latency.get(CALL).map_or(0, |times| times.at(q));
    let quantiles = one.quantiles.iter().map(|(q, found)| {
        Figure::part([
            ("quantile", Figure::Real(*q)),
            ("first_ns", Figure::Count(of(one.baseline, *q))),
            ("second_ns", Figure::Count(of(one.cell, *q))),
            ("difference_ns", Figure::Real(found.estimate)),
            ("low_ns", Figure::real_or_nothing(found.bounds.map(|bounds| bounds.low))),
            ("high_ns", Figure::real_or_nothing(found.bounds.map(|bounds| bounds.high))),
        ])
    });
    let rounded = |time: Option<f64>| time.map_or(Figure::Nothing, |time| Figure::Count(time.round() as u64));
    let cut = one.cut.as_ref().map_or(Figure::Absent, |(cut, medians, _)| {
        Figure::part([
            ("cut1", Figure::Count(cut[0])),
            ("cut2", Figure::Count(cut[1])),
            ("median1_ns", rounded(medians[0])),
            ("median2_ns", rounded(medians[1])),
        ])
    });
    let is_drawn = one.cut.as_ref().is_some_and(|(_, _, found)| !found.all);
    let figure = Figure::part([
        ("cell", Figure::word(one.cell.id)),
        ("baseline", Figure::word(one.baseline.id)),
        ("n1", Figure::Count(one.calls[0])),
        ("n2", Figure::Count(one.calls[1])),
        ("blocks1", Figure::Count(one.blocks[0])),
        ("blocks2", Figure::Count(one.blocks[1])),
        ("quantiles", Figure::List(quantiles.collect())),
        ("cut", cut),
        ("p_value", Figure::Real(p)),
        ("smallest_p", Figure::Real(smallest)),
        ("p_adjusted", Figure::Real(p_adjusted)),
        ("family", Figure::Count(family)),
        ("seed", if is_drawn { Figure::Count(one.seed) } else { Figure::Absent }),
        ("differs", Figure::Flag(p_adjusted <= alpha)),
        ("too_few", Figure::Flag(smallest > alpha)),
    ]);
    figure.with_files(files((one.cell, Some(one.baseline))))
}
