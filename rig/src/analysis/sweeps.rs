//! Cells that differ in one delay only, as a curve.
//!
//! Holds which cells belong together, and which outcome is worth a curve. Must not judge, nor know reports.
//! Units: nanoseconds, shares of 1. Errors: none; a value that is drawn anew for every trial is no point of a curve.
//! Tests: `tests/golden/sweeps.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::Tally;
use rig_stats::Count;

use crate::document::parse_duration;

use super::measured::Measured;
use super::model::{Sweep, SweepPoint, SweepSeries};
use super::rates::counted;
use super::rules::Rules;

/// A curve has at least so many points.
const POINTS: usize = 3;

/// What the cells of a sweep have in common.
type Subject<'a> = (&'a str, &'a str, &'a str, BTreeMap<&'a str, &'a str>);

/// A configuration and a kernel.
type Place<'a> = (&'a str, &'a str);

/// The cells of one place by the swept delay.
type Line<'m, 'a> = BTreeMap<u64, &'m Measured<'a>>;

/// All sweeps of a run, in the order of the plan.
pub(super) fn gather(measured: &[Measured<'_>], rules: Rules) -> Vec<Sweep> {
    let mut order: Vec<Subject<'_>> = Vec::new();
    let mut sweeps: BTreeMap<Subject<'_>, Vec<(Place<'_>, Line<'_, '_>)>> = BTreeMap::new();
    let played =
        |cell: &&Measured<'_>| cell.cell().control.is_none() && !cell.is_repeat() && cell.tally.trials > 0;
    for cell in measured.iter().filter(played) {
        for (subject, delay) in subjects(cell) {
            let place = (cell.configuration(), cell.cell().subject.kernel.as_str());
            let lines = sweeps.entry(subject.clone()).or_insert_with(|| {
                order.push(subject);
                Vec::new()
            });
            match lines.iter_mut().find(|(known, _)| *known == place) {
                Some((_, line)) => _ = line.entry(delay).or_insert(cell),
                None => lines.push((place, BTreeMap::from([(delay, cell)]))),
            }
        }
    }
    order.iter().filter_map(|subject| sweep(subject, &sweeps[subject], rules)).collect()
}

/// Of each delay among its parameters: what the cell shares with its neighbours, and where it lies among them.
fn subjects<'a>(cell: &'a Measured<'_>) -> Vec<(Subject<'a>, u64)> {
    let subject = &cell.cell().subject;
    let others = |swept: &str| {
        let rest = subject.parameters.iter().filter(|(name, _)| *name != swept);
        rest.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    };
    let delays = subject.parameters.iter().filter_map(|(name, value)| {
        // A bare number is a count or a descriptor; only `0` is a delay, too.
        let delay = parse_duration(value).ok().filter(|_| value.ends_with('s'))?;
        let delay = u64::try_from(delay.as_nanos()).ok()?;
        Some(((subject.scenario.as_str(), subject.path.name.as_str(), name.as_str(), others(name)), delay))
    });
    delays.collect()
}

/// `None` where no place has enough points, or where all end alike.
fn sweep(
    (scenario, path, parameter, others): &Subject<'_>,
    lines: &[(Place<'_>, Line<'_, '_>)],
    rules: Rules,
) -> Option<Sweep> {
    let lines: Vec<_> = lines.iter().filter(|(_, line)| line.len() >= POINTS).collect();
    let cells = || lines.iter().flat_map(|(_, line)| line.values().copied());
    let outcomes: BTreeSet<&String> = cells().flat_map(|cell| cell.tally.outcomes.keys()).collect();
    let range = |outcome: &str| {
        let shares = || cells().map(|cell| ended_so(&cell.tally, outcome).share());
        shares().fold(0.0, f64::max) - shares().fold(1.0, f64::min)
    };
    // Of two that change as much, the first by name: the same file gives the same curve.
    let (outcome, most) = outcomes
        .into_iter()
        .map(|outcome| (outcome, range(outcome)))
        .rev()
        .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if most <= 0.0 {
        return None;
    }
    let series = lines.iter().map(|((configuration, kernel), line)| SweepSeries {
        configuration: (*configuration).to_owned(),
        kernel: (*kernel).to_owned(),
        points: line.iter().map(|(delay, cell)| point(cell, *delay, outcome, rules)).collect(),
    });
    Some(Sweep {
        scenario: (*scenario).to_owned(),
        path: (*path).to_owned(),
        parameter: (*parameter).to_owned(),
        parameters: others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        outcome: outcome.clone(),
        series: series.collect(),
    })
}

fn point(cell: &Measured<'_>, delay_ns: u64, outcome: &str, rules: Rules) -> SweepPoint {
    let rate = counted(&[cell], |tally: &Tally| ended_so(tally, outcome), rules);
    SweepPoint {
        cell: cell.cell().id.0.clone(),
        delay_ns,
        count: rate.count,
        n: rate.n,
        low: rate.low,
        high: rate.high,
        method: rate.method,
    }
}

fn ended_so(tally: &Tally, outcome: &str) -> Count {
    let seen = tally.outcomes.get(outcome).copied().unwrap_or(0);
    Count::new(seen, tally.trials).unwrap_or(Count::NONE)
}
