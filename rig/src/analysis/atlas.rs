//! The pairs of a situation and a probe as one table.
//!
//! Holds which cells are pairs, and what is said of one over all its places. Must not know what a probe does, nor reports.
//! Units: counts. Errors: none. Tests: `tests/golden/atlas.rs`.

use std::collections::BTreeMap;

use super::measured::Measured;
use super::model::{Atlas, AtlasCell, AtlasPlace, CellSummary, ExpectationStatus, KernelComparisons};

/// Situation and probe of a scenario that is a pair: its name is both of them.
fn pair_of(scenario: &str) -> Option<(&str, &str)> {
    scenario.split_once(':')
}

/// The table; `None` where the plan has no pair. `cells` are the figures of `measured`, in the same order.
pub(super) fn gather(
    measured: &[Measured<'_>],
    cells: &[CellSummary],
    kernels: Option<&KernelComparisons>,
) -> Option<Atlas> {
    let (mut situations, mut probes): (Vec<String>, Vec<String>) = Default::default();
    let mut pairs: BTreeMap<(usize, usize), Vec<&CellSummary>> = BTreeMap::new();
    let plain =
        measured.iter().zip(cells).filter(|(one, _)| one.cell().control.is_none() && !one.is_repeat());
    for (_, cell) in plain {
        let Some((situation, probe)) = pair_of(&cell.scenario) else { continue };
        let key = (place_of(&mut situations, situation), place_of(&mut probes, probe));
        pairs.entry(key).or_default().push(cell);
    }
    if pairs.is_empty() {
        return None;
    }
    let cells: Vec<AtlasCell> = pairs
        .into_iter()
        .map(|((situation, probe), of)| pair((&situations[situation], &probes[probe]), &of))
        .collect();
    let mut differ: Vec<String> = Vec::new();
    for one in kernels.iter().flat_map(|kernels| &kernels.differences) {
        if pair_of(&one.scenario).is_some() && !differ.contains(&one.scenario) {
            differ.push(one.scenario.clone());
        }
    }
    let played = || cells.iter().filter(|cell| cell.n > 0);
    Some(Atlas {
        played: played().count() as u64,
        right: played().filter(|cell| cell.as_expected == cell.n).count() as u64,
        kernels_differ: differ,
        situations,
        probes,
        cells,
    })
}

/// Where a name stands in the list; behind its end where it is new.
fn place_of(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn pair((situation, probe): (&str, &str), cells: &[&CellSummary]) -> AtlasCell {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (outcome, n) in cells.iter().flat_map(|cell| &cell.outcomes) {
        *sums.entry(outcome).or_default() += n;
    }
    let most = most_frequent(sums.iter().map(|(outcome, n)| (*outcome, *n)));
    let places: Vec<AtlasPlace> = cells.iter().map(|cell| place(cell, most)).collect();
    let unexpected = cells.iter().filter_map(|cell| cell.expectation.as_ref()).map(|of| of.unexpected);
    let n = cells.iter().map(|cell| cell.trials).sum::<u64>();
    AtlasCell {
        situation: situation.to_owned(),
        probe: probe.to_owned(),
        expected: cells
            .iter()
            .find_map(|cell| cell.expectation.as_ref())
            .map(|of| of.expected.clone())
            .unwrap_or_default(),
        outcome: most.map(|(outcome, _)| outcome.to_owned()),
        count: most.map_or(0, |(_, count)| count),
        n,
        as_expected: n.saturating_sub(unexpected.sum()),
        status: places
            .iter()
            .filter(|place| place.n > 0)
            .map(|place| place.status)
            .max_by_key(|status| gravity(*status))
            .unwrap_or(ExpectationStatus::NotJudged),
        places,
    }
}

fn place(cell: &CellSummary, of_pair: Option<(&str, u64)>) -> AtlasPlace {
    let most = most_frequent(cell.outcomes.iter().map(|(outcome, n)| (outcome.as_str(), *n)));
    AtlasPlace {
        cell: cell.id.clone(),
        configuration: cell.configuration.clone(),
        kernel: cell.kernel.clone(),
        path: cell.path.clone(),
        outcome: most.map(|(outcome, _)| outcome.to_owned()),
        count: most.map_or(0, |(_, count)| count),
        n: cell.trials,
        status: cell.expectation.as_ref().map_or(ExpectationStatus::NotJudged, |of| of.status),
        differs: most.zip(of_pair).is_some_and(|((here, _), (there, _))| here != there),
    }
}

/// Of equally frequent ones the first by name.
fn most_frequent<'a>(counts: impl DoubleEndedIterator<Item = (&'a str, u64)>) -> Option<(&'a str, u64)> {
    counts.rev().filter(|(_, n)| *n > 0).max_by_key(|(_, n)| *n)
}

fn gravity(status: ExpectationStatus) -> u8 {
    match status {
        ExpectationStatus::AsExpected => 0,
        ExpectationStatus::NotJudged => 1,
        ExpectationStatus::WithinTolerance => 2,
        ExpectationStatus::Known => 3,
        ExpectationStatus::Unexpected => 4,
    }
}
