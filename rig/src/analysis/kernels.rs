//! What ends differently on two kernels.
//!
//! Holds which cells differ in nothing but their kernel, and when their outcomes are surely apart. Must not know reports.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/kernels.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::Tally;
use rig_stats::{Count, Interval};

use super::blocks::{Estimate, Family, estimate, of_cell};
use super::measured::Measured;
use super::model::{CellSummary, KernelComparisons, KernelDifference, KernelEnd};
use super::rules::Rules;

/// Two cells are compared where all of this is the same.
type Key<'a> = (&'a str, &'a BTreeMap<String, String>, &'a str, &'a str);

/// Compares every two kernels. `None` where no scenario was played on two. `cells` are the figures of `measured`, in the same order.
pub(super) fn compare(
    measured: &[Measured<'_>],
    cells: &[CellSummary],
    rules: Rules,
) -> Option<KernelComparisons> {
    let mut order: Vec<Vec<(&Measured<'_>, &CellSummary)>> = Vec::new();
    let mut places: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for (one, cell) in measured.iter().zip(cells) {
        if one.cell().control.is_some() || one.is_repeat() || cell.trials == 0 {
            continue;
        }
        let key = (cell.scenario.as_str(), &cell.parameters, cell.path.as_str(), cell.configuration.as_str());
        let place = *places.entry(key).or_insert(order.len());
        match order.get_mut(place) {
            Some(group) => group.push((one, cell)),
            None => order.push(vec![(one, cell)]),
        }
    }
    let pairs: Vec<_> = order
        .iter()
        .flat_map(|group| {
            (1..group.len())
                .flat_map(move |second| (0..second).map(move |first| (group[first], group[second])))
        })
        .filter(|((_, a), (_, b))| a.kernel != b.kernel)
        .collect();
    let differences = pairs.iter().filter_map(|((one, a), (other, b))| differ((one, a), (other, b), rules));
    (!pairs.is_empty()).then(|| KernelComparisons {
        compared: pairs.len() as u64,
        differences: differences.collect(),
        margin: rules.margin,
    })
}

/// Where an outcome's share on one kernel is surely above that on the other by more than the margin: of which outcome each has most more. Boots are the unit of both bounds.
fn differ(
    (one, a): (&Measured<'_>, &CellSummary),
    (other, b): (&Measured<'_>, &CellSummary),
    rules: Rules,
) -> Option<KernelDifference> {
    let outcomes: BTreeSet<&String> = a.outcomes.keys().chain(b.outcomes.keys()).collect();
    let estimates = |outcome: &str| {
        let of = |tally: &Tally| {
            let hits = tally.outcomes.get(outcome).copied().unwrap_or(0);
            Count::new(hits, tally.trials).unwrap_or(Count::NONE)
        };
        let blocks = [of_cell(one, of), of_cell(other, of)];
        let family = Family::of(&blocks, rules);
        blocks.map(|blocks| estimate(&blocks, &family, rules.confidence))
    };
    let found: BTreeMap<&String, [Estimate; 2]> =
        outcomes.into_iter().map(|outcome| (outcome, estimates(outcome))).collect();
    let apart = |[a, b]: &[Estimate; 2]| {
        a.judged.low > b.judged.high + rules.margin || b.judged.low > a.judged.high + rules.margin
    };
    if !found.values().any(apart) {
        return None;
    }
    let end = |cell: &CellSummary, of: usize| {
        let more =
            |(_, both): &(&&String, &[Estimate; 2])| both[of].count.share() - both[1 - of].count.share();
        // Of equal ones the first by name.
        let (most, both) = found.iter().rev().max_by(|x, y| more(x).total_cmp(&more(y)))?;
        let Interval { low, high } = both[of].judged;
        Some(KernelEnd {
            kernel: cell.kernel.clone(),
            kernel_release: cell.kernel_release.clone(),
            cell: cell.id.clone(),
            outcome: (*most).clone(),
            count: both[of].count.hits(),
            n: both[of].count.trials(),
            low,
            high,
        })
    };
    Some(KernelDifference {
        scenario: a.scenario.clone(),
        parameters: a.parameters.clone(),
        path: a.path.clone(),
        configuration: a.configuration.clone(),
        race: !one.cell().alert,
        first: end(a, 0)?,
        second: end(b, 1)?,
    })
}
