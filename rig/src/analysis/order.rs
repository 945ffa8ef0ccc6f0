//! Whether the trials of a block are alike from its beginning to its end.
//!
//! Holds the figures of a cell's rarer outcomes in the order of their trials. Must not know what an outcome means.
//! Units: counts, shares of 1. Errors: none. Tests: `tests/golden/order.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Placement, Placements, Tally};
use rig_stats::{Dispersion, holm};

use crate::record::Run;
use crate::record::format::{BlockId, BlockRecord};

use super::measured::Measured;
use super::model::OrderSummary;

/// Trials in which the RST had been processed before the verdict call.
const CLOSED: &str = "CLOSE before the call";
const VOID: &str = "void";

/// What may be asked of a block's order, by the words of the report.
fn of<'p>(placements: &'p Placements, what: &str) -> Option<&'p Placement> {
    match what {
        CLOSED => placements.closed_before_call.as_ref(),
        VOID => placements.voids.as_ref(),
        outcome => placements.outcomes.get(outcome),
    }
}

/// Every kind of trial whose places are known, in the order of words.
fn kinds<'a>(blocks: &[&'a BlockRecord]) -> BTreeSet<&'a str> {
    let of_block = |block: &&'a BlockRecord| {
        let placements: &'a Placements = &block.tally.placements;
        let outcomes = placements.outcomes.keys().map(String::as_str);
        let closed = placements.closed_before_call.as_ref().map(|_| CLOSED);
        outcomes.chain(closed).chain(placements.voids.as_ref().map(|_| VOID))
    };
    blocks.iter().flat_map(of_block).collect()
}

/// The figures of a cell, one for each kind of trial whose places are known.
pub(super) fn summarise(run: &Run, measured: &Measured<'_>) -> Vec<OrderSummary> {
    let planned: BTreeMap<&BlockId, u64> =
        run.record.blocks.iter().map(|block| (&block.id, block.trials.min(Tally::MOST))).collect();
    let figures = |what: &str| {
        let blocks = measured
            .blocks
            .iter()
            .filter_map(|block| Some((of(&block.tally.placements, what)?, planned.get(&block.id).copied()?)));
        figures(what, &blocks.collect::<Vec<_>>())
    };
    kinds(&measured.blocks).into_iter().filter_map(figures).collect()
}

fn figures(what: &str, blocks: &[(&Placement, u64)]) -> Option<OrderSummary> {
    let first = blocks.iter().filter_map(|(placement, _)| placement.first.first()).min()?;
    let last = blocks.iter().filter_map(|(placement, _)| placement.last.last()).max()?;
    let dispersion = blocks
        .iter()
        .filter_map(|(placement, n)| Dispersion::of(&placement.windows, &sizes(*n)))
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

/// How many of `n` trials each window has: trial `i` is in window `i * 64 / n`.
fn sizes(n: u64) -> Vec<u64> {
    let windows = Placement::WINDOWS as u128;
    let begin = |window: u128| u64::try_from((window * u128::from(n)).div_ceil(windows)).unwrap_or(u64::MAX);
    (0..windows).map(|window| begin(window + 1) - begin(window)).collect()
}

/// Of all cells, those of which some kind of trial surely comes in clusters, with the surest and its corrected p-value; the surest first.
pub(super) fn clustered<'m, 'a>(
    run: &Run,
    measured: &'m [Measured<'a>],
    alpha: f64,
) -> Vec<(&'m Measured<'a>, OrderSummary, f64)> {
    let mut asked = Vec::new();
    for cell in measured.iter().filter(|cell| cell.cell().control.is_none()) {
        let known = summarise(run, cell).into_iter();
        asked.extend(known.filter_map(|figures| Some((cell, figures.p_value?, figures))));
    }
    let adjusted = holm(&asked.iter().map(|(_, p, _)| *p).collect::<Vec<_>>());
    let mut found: Vec<_> = asked
        .into_iter()
        .zip(adjusted)
        .filter(|((_, _, figures), p)| *p <= alpha && figures.dispersion.is_some_and(|ratio| ratio > 1.0))
        .map(|((cell, _, figures), p)| (cell, figures, p))
        .collect();
    found.sort_by(|(_, _, a), (_, _, b)| a.total_cmp(b));
    let mut seen = BTreeSet::new();
    found.retain(|(cell, _, _)| seen.insert(cell.cell().id.clone()));
    found
}
