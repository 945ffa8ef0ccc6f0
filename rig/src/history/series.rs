//! From nights to series: one for each thing that is watched in a cell on a machine.
//!
//! Pure. Must not know alerts. Units: trials, shares of 1. Errors: none. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;

use rig_stats::{BernoulliCusum, Confidence, Count, Effective, Probability};

use super::model::{Point, Series, StepSummary};
use super::order::{Place, place};
use super::steps::{Step, correlations, steps};
use super::stored::StoredNight;
use crate::analysis::{CellNight, WATCHED};

/// A cell on a machine, through the nights.
pub(super) struct CellHistory<'a> {
    pub(super) place: Place<'a>,
    /// As it was in the last of its nights.
    pub(super) cell: &'a CellNight,
    /// The nights whose plan has it, by their index.
    pub(super) nights: Vec<(usize, &'a CellNight)>,
}

/// Every cell on every machine, in the order in which they first came.
pub(super) fn cells<'a>(nights: &[&'a StoredNight]) -> Vec<CellHistory<'a>> {
    let mut found: Vec<CellHistory<'a>> = Vec::new();
    let mut places: BTreeMap<(Place<'a>, &'a str), usize> = BTreeMap::new();
    for (at, night) in nights.iter().enumerate() {
        for cell in &night.night.cells {
            let place = place(night);
            let index = *places.entry((place, &cell.id)).or_insert_with(|| {
                found.push(CellHistory { place, cell, nights: Vec::new() });
                found.len() - 1
            });
            found[index].cell = cell;
            found[index].nights.push((at, cell));
        }
    }
    found
}

/// What is watched in a cell, with its steps.
pub(super) struct Line<'a> {
    pub(super) place: Place<'a>,
    pub(super) cell: &'a CellNight,
    pub(super) what: &'static str,
    /// The nights with trials, by their index, and their blocks.
    pub(super) nights: Vec<(usize, Vec<Count>)>,
    icc: Vec<Probability>,
    pub(super) steps: Vec<Step>,
}

/// How many series there are to be watched: what the budget is divided over.
pub(super) fn number(cells: &[CellHistory<'_>]) -> usize {
    let of = |cell: &CellHistory<'_>| {
        WATCHED.iter().filter(|what| cell.nights.iter().any(|(_, night)| has(night, what))).count()
    };
    cells.iter().map(of).sum()
}

fn has(night: &CellNight, what: &str) -> bool {
    night.watched.iter().any(|watched| watched.what == what)
}

/// All series of these cells.
pub(super) fn lines<'a>(cells: &[CellHistory<'a>], nights: &[&StoredNight], ln_limit: f64) -> Vec<Line<'a>> {
    let of = |cell: &CellHistory<'a>, what: &'static str| {
        let counts = cell.nights.iter().filter_map(|(at, night)| {
            let watched = night.watched.iter().find(|watched| watched.what == what)?;
            Some((*at, watched.blocks.clone()))
        });
        let counts: Vec<(usize, Vec<Count>)> = counts.collect();
        if counts.is_empty() {
            return None;
        }
        let blocks: Vec<Vec<Count>> = counts.iter().map(|(_, blocks)| blocks.clone()).collect();
        let declared: Vec<f64> = counts.iter().map(|(at, _)| nights[*at].night.icc).collect();
        let icc = correlations(&blocks, &declared);
        let steps = steps(&blocks, &icc, ln_limit);
        Some(Line { place: cell.place, cell: cell.cell, what, nights: counts, icc, steps })
    };
    cells.iter().flat_map(|cell| WATCHED.into_iter().filter_map(|what| of(cell, what))).collect()
}

fn sum<'c>(blocks: impl IntoIterator<Item = &'c Count>) -> Count {
    blocks.into_iter().copied().fold(Count::NONE, |sum, block| sum.plus(block).unwrap_or(sum))
}

impl Line<'_> {
    /// The sum of these of its nights.
    fn between(&self, from: usize, until: usize) -> Count {
        sum(self.nights[from..until.max(from)].iter().flat_map(|(_, blocks)| blocks))
    }

    /// Of a step: the sum before it, and since it.
    pub(super) fn around(&self, step: &Step) -> [Count; 2] {
        let end = step.until.unwrap_or(self.nights.len());
        [self.between(step.from, step.since), self.between(step.since, end)]
    }

    /// The run of the night at this place of the series.
    pub(super) fn run<'n>(&self, at: usize, nights: &[&'n StoredNight]) -> &'n StoredNight {
        nights[self.nights[at].0]
    }

    /// As it is told, of the nights from index `first` on.
    pub(super) fn told(&self, nights: &[&StoredNight], shown: &[usize]) -> Series {
        let all = self.between(0, self.nights.len());
        let step = self.steps.last();
        Series {
            cell: self.cell.id.clone(),
            machine: self.place.0.to_owned(),
            rehearsed: self.place.1,
            scenario: self.cell.scenario.clone(),
            parameters: self.cell.parameters.clone(),
            configuration: self.cell.configuration.clone(),
            kernel: self.cell.kernel.clone(),
            path: self.cell.path.clone(),
            what: self.what.to_owned(),
            strip: shown.iter().map(|night| self.mark(*night)).collect(),
            nights: self.points(nights, shown),
            nights_played: self.nights.len() as u64,
            count: all.hits(),
            n: all.trials(),
            step: step.map(|step| self.summary(step, nights)),
        }
    }

    fn mark(&self, night: usize) -> char {
        let Some(at) = self.nights.iter().position(|(index, _)| *index == night) else { return '-' };
        let is_hit = self.between(at, at + 1).hits() > 0;
        let is_worse =
            self.steps.iter().any(|step| at >= step.since && step.until.is_none_or(|until| at < until));
        match (is_hit, is_worse) {
            (true, true) => 'X',
            (false, true) => 'x',
            (true, false) => 'o',
            (false, false) => '.',
        }
    }

    fn points(&self, nights: &[&StoredNight], shown: &[usize]) -> Vec<Point> {
        let mut points = Vec::new();
        let chart = self.chart();
        let mut ahead = 0;
        for (at, (index, blocks)) in self.nights.iter().enumerate() {
            let count = sum(blocks);
            ahead = chart.map_or(0, |chart| chart.after(ahead, count));
            if !shown.contains(index) {
                continue;
            }
            let mean = count.trials() as f64 / blocks.len().max(1) as f64;
            let effect = 1.0 + (mean - 1.0).max(0.0) * self.icc[at].get();
            let confidence = Confidence::new(nights[*index].night.confidence);
            let confidence = confidence.or(Confidence::new(0.95)).expect("the fallback is a confidence");
            let interval = Effective::over(count, effect).interval(confidence);
            points.push(Point {
                run: nights[*index].id.clone(),
                count: count.hits(),
                n: count.trials(),
                low: interval.low,
                high: interval.high,
                icc: self.icc[at].get(),
                cusum: chart.map(|chart| ahead as f64 / chart.step() as f64),
            });
        }
        points
    }

    /// The CUSUM from the rate before the last step, or of all nights, to its double.
    fn chart(&self) -> Option<BernoulliCusum> {
        let all = self.between(0, self.nights.len());
        let before = self.steps.last().map_or(all, |step| self.around(step)[0]);
        if all.hits() == 0 || before.trials() == 0 {
            return None;
        }
        // Half a hit where there was none: a chart of rate 0 has no step.
        let rate = (before.hits() as f64).max(0.5) / before.trials() as f64;
        BernoulliCusum::new(Probability::new(rate)?, Probability::new(2.0 * rate)?)
    }

    fn summary(&self, step: &Step, nights: &[&StoredNight]) -> StepSummary {
        let [before, since] = self.around(step);
        let id = |at: usize| self.run(at, nights).id.clone();
        StepSummary {
            since: id(step.since),
            alarm: id(step.alarm),
            until: step.until.map(id),
            count_before: before.hits(),
            n_before: before.trials(),
            count_since: since.hits(),
            n_since: since.trials(),
            nights_since_alarm: (self.nights.len() - 1 - step.alarm) as u64,
        }
    }
}
