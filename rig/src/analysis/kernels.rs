//! What ends differently on two kernels.
//!
//! Holds which cells differ in nothing but their kernel, and when their outcomes are surely apart. Must not know reports.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/kernels.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_stats::{Count, Interval, clopper_pearson};

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
    let differences = pairs.iter().filter_map(|((one, a), (_, b))| differ(!one.cell().alert, a, b, rules));
    (!pairs.is_empty()).then(|| KernelComparisons {
        compared: pairs.len() as u64,
        differences: differences.collect(),
        margin: rules.margin,
    })
}

/// Where an outcome's share on one kernel is surely above that on the other by more than the margin: of which outcome each has most more.
fn differ(race: bool, a: &CellSummary, b: &CellSummary, rules: Rules) -> Option<KernelDifference> {
    let outcomes: BTreeSet<&String> = a.outcomes.keys().chain(b.outcomes.keys()).collect();
    let of = |cell: &CellSummary, outcome: &str| {
        let hits = cell.outcomes.get(outcome).copied().unwrap_or(0);
        Count::new(hits, cell.trials).unwrap_or(Count::NONE)
    };
    let interval = |count: Count| clopper_pearson(count, rules.confidence);
    let apart = |outcome: &&String| {
        let (a, b) = (interval(of(a, outcome)), interval(of(b, outcome)));
        a.low > b.high + rules.margin || b.low > a.high + rules.margin
    };
    if !outcomes.iter().any(apart) {
        return None;
    }
    let end = |cell: &CellSummary, other: &CellSummary| {
        let more = |outcome: &&&String| of(cell, outcome).share() - of(other, outcome).share();
        // Of equal ones the first by name.
        let most = outcomes.iter().rev().max_by(|x, y| more(x).total_cmp(&more(y)))?;
        let found = of(cell, most);
        let Interval { low, high } = interval(found);
        Some(KernelEnd {
            kernel: cell.kernel.clone(),
            kernel_release: cell.kernel_release.clone(),
            cell: cell.id.clone(),
            outcome: (*most).clone(),
            count: found.hits(),
            n: found.trials(),
            low,
            high,
        })
    };
    Some(KernelDifference {
        scenario: a.scenario.clone(),
        parameters: a.parameters.clone(),
        path: a.path.clone(),
        configuration: a.configuration.clone(),
        race,
        first: end(a, b)?,
        second: end(b, a)?,
    })
}
