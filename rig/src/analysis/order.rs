//! Whether the trials of a block are alike from its beginning to its end.
//!
//! Holds the figures of a cell's rarer outcomes in the order of their trials. Must not know what an outcome means.
//! Units: counts, shares of 1. Errors: none. Tests: `tests/golden/order.rs`.

use std::collections::{BTreeSet, HashMap};

use rig_protocol::{Placement, Placements, Tally};
use rig_stats::{Dispersion, holm};

use crate::record::Run;
use crate::record::format::{BlockId, BlockRecord};

use super::measured::Measured;
use super::model::{CellSummary, OrderSummary};

/// What may be asked of a block's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind<'a> {
    Outcome(&'a str),
    /// Trials in which the RST had been processed before the verdict call.
    Closed,
    Void,
}

impl<'a> Kind<'a> {
    fn word(self) -> &'a str {
        match self {
            Self::Outcome(label) => label,
            Self::Closed => "CLOSE before the call",
            Self::Void => "void",
        }
    }

    fn of(self, placements: &Placements) -> Option<&Placement> {
        match self {
            Self::Outcome(label) => placements.outcomes.get(label),
            Self::Closed => placements.closed_before_call.as_ref(),
            Self::Void => placements.voids.as_ref(),
        }
    }
}

/// Every kind of trial whose places are known.
fn kinds<'a>(blocks: &[&'a BlockRecord]) -> BTreeSet<Kind<'a>> {
    let of_block = |block: &&'a BlockRecord| {
        let placements: &'a Placements = &block.tally.placements;
        let outcomes = placements.outcomes.keys().map(|label| Kind::Outcome(label));
        let closed = placements.closed_before_call.as_ref().map(|_| Kind::Closed);
        outcomes.chain(closed).chain(placements.voids.as_ref().map(|_| Kind::Void))
    };
    blocks.iter().flat_map(of_block).collect()
}

/// Trials planned, by block.
pub(super) type Planned<'a> = HashMap<&'a BlockId, u64>;

/// Of a whole run: made once.
pub(super) fn planned(run: &Run) -> Planned<'_> {
    run.record.blocks.iter().map(|block| (&block.id, block.trials.min(Tally::MOST))).collect()
}

/// The figures of a cell, one for each kind of trial whose places are known.
pub(super) fn summarise(measured: &Measured<'_>, planned: &Planned<'_>) -> Vec<OrderSummary> {
    let figures = |kind: Kind<'_>| {
        let blocks = measured
            .blocks
            .iter()
            .filter_map(|block| Some((kind.of(&block.tally.placements)?, planned.get(&block.id).copied()?)));
        figures(kind.word(), &blocks.collect::<Vec<_>>())
    };
    kinds(&measured.blocks).into_iter().filter_map(figures).collect()
}

fn figures(what: &str, blocks: &[(&Placement, u64)]) -> Option<OrderSummary> {
    let first = blocks.iter().filter_map(|(placement, _)| placement.first.first()).min()?;
    let last = blocks.iter().filter_map(|(placement, _)| placement.last.last()).max()?;
    let dispersion = blocks
        .iter()
        .filter_map(|(placement, n)| Dispersion::of(&placement.windows, &Placement::window_sizes(*n)))
        .reduce(Dispersion::plus);
    let expected = |(placement, n): &(&Placement, u64)| {
        let hits = placement.count as f64;
        if *n == 0 { 0.0 } else { hits * (hits - 1.0) / *n as f64 }
    };
    Some(OrderSummary {
        what: what.to_owned(),
        count: blocks.iter().map(|(placement, _)| placement.count).sum(),
        n: blocks.iter().map(|(_, n)| n).sum(),
        dispersion: dispersion.map(Dispersion::ratio),
        p_value: dispersion.map(Dispersion::p_value),
        adjacent_pairs: blocks.iter().map(|(placement, _)| placement.adjacent_pairs).sum(),
        adjacent_expected: blocks.iter().map(expected).sum(),
        first: *first,
        last: *last,
    })
}

/// Of all cells, those of which some kind of trial surely comes in clusters, with the surest and its corrected p-value; the surest first. `cells` are their
/// figures, in the same order.
pub(super) fn clustered<'m, 'a>(
    measured: &'m [Measured<'a>],
    cells: &'m [CellSummary],
    alpha: f64,
) -> Vec<(&'m Measured<'a>, &'m OrderSummary, f64)> {
    let mut asked = Vec::new();
    for (cell, summary) in measured.iter().zip(cells).filter(|(cell, _)| cell.cell().control.is_none()) {
        asked.extend(summary.order.iter().filter_map(|figures| Some((cell, figures, figures.p_value?))));
    }
    let adjusted = holm(&asked.iter().map(|(_, _, p)| *p).collect::<Vec<_>>());
    let mut found: Vec<_> = asked
        .into_iter()
        .zip(adjusted)
        .filter(|((_, figures, _), p)| *p <= alpha && figures.dispersion.is_some_and(|ratio| ratio > 1.0))
        .map(|((cell, figures, _), p)| (cell, figures, p))
        .collect();
    found.sort_by(|(_, _, a), (_, _, b)| a.total_cmp(b));
    let mut seen = BTreeSet::new();
    found.retain(|(cell, _, _)| seen.insert(&cell.cell().id));
    found
}
