//! Cells taken together: one side against the other, stratum by stratum.
//!
//! Holds the strata, and the tests of a difference that is common to them. Must not word it, nor choose the cells, nor judge by a margin.
//! Units: shares of 1; a difference is second minus first (guests minus host). Errors: none.
//! Tests: `tests/golden/boots.rs`, `tests/golden/verdicts.rs`; the arithmetic in `rig-stats`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::Tally;
use rig_stats::{
    Confidence, Count, Effective, Interval, Probability, Randomised, Stratum, Unit, enough_trials,
    randomised, stratified_difference, stratified_difference_effective, stratified_fisher,
    weighted_difference,
};

use crate::record::format::BlockRecord;

use super::blocks::{Counted, Family, Method, Sides, boot_of, compare as compare_blocks, effect};
use super::blocks::{is_of_trials_alone, of_cells, sum};
use super::comparisons::{Subject, subject_of};
use super::measured::Measured;
use super::model::Randomisation;
use super::rules::Rules;

/// The cells of one stratum: those of the first side, and those of the second.
pub(super) type BothSides<'m, 'a> = (Vec<&'m Measured<'a>>, Vec<&'m Measured<'a>>);

/// What the strata say together.
#[derive(Debug, Clone)]
pub(super) struct Pooled {
    /// How many strata have trials on both sides.
    pub(super) strata: usize,
    /// All of the first side, and of the second.
    pub(super) sums: (Count, Count),
    /// Weighted over the strata.
    pub(super) difference: f64,
    /// As if trials were independent.
    pub(super) trial: Interval,
    pub(super) trial_p: f64,
    /// What is judged by; never narrower, and never smaller, than those of trials.
    pub(super) judged: Interval,
    pub(super) p: f64,
    pub(super) method: Method,
    pub(super) dispersion: Option<(f64, f64)>,
    pub(super) randomisation: Option<Randomisation>,
    /// So many trials of blocks like these say as much as one independent trial: of the side where it takes more.
    inflation: f64,
}

/// How boots are called anew, and how sure one wants to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// Relabelled boots are drawn by it where they are too many.
    pub(super) seed: u64,
    pub(super) rules: Rules,
}

/// Which test decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// Whole boots, called anew: valid whatever the correlation within boots, and blind where there are few.
    Randomisation,
    /// The same; of a single stratum the quasi-binomial test, where its dispersion can be measured.
    DispersionIfAlone,
}

impl Pooled {
    /// Compares what both sides played, each with its like: another mix of scenarios or parameters would look like an effect.
    pub(super) fn of(strata: &[BothSides<'_, '_>], of: impl Counted, test: Test, how: How) -> Self {
        let How { seed, rules } = how;
        let called = |cells: &[&Measured<'_>]| count(cells, &of).trials() > 0;
        let strata: Vec<&BothSides<'_, '_>> =
            strata.iter().filter(|(first, second)| called(first) && called(second)).collect();
        let counts: Vec<Stratum> =
            strata.iter().map(|(first, second)| (count(first, &of), count(second, &of))).collect();
        let first: Vec<&Measured<'_>> = strata.iter().flat_map(|(first, _)| first).copied().collect();
        let second: Vec<&Measured<'_>> = strata.iter().flat_map(|(_, second)| second).copied().collect();
        let sums = (count(&first, &of), count(&second, &of));
        let family = Family::of_cells(first.iter().chain(&second).copied(), &of, rules);
        let (trial, trial_p) = (stratified_difference(&counts, rules.confidence), stratified_fisher(&counts));
        let (hits, misses) = (sums.0.hits() + sums.1.hits(), sums.0.misses() + sums.1.misses());
        let unvaried = hits == 0 || misses == 0;
        let of_side =
            |cells: &[&Measured<'_>]| effect(&of_cells(cells, &of), unvaried, &family, rules.confidence);
        let (of_first, of_second) = (of_side(&first), of_side(&second));
        let effective: Vec<(Effective, Effective)> = counts
            .iter()
            .map(|(first, second)| {
                (Effective::over(*first, of_first.by), Effective::over(*second, of_second.by))
            })
            .collect();
        let judged = stratified_difference_effective(&effective, rules.confidence);
        let units = units(&strata, &of);
        let randomisation = randomised(&units, seed).map(|found| randomisation(&found, &units, seed));
        let p = match (test, strata.as_slice(), family.dispersion()) {
            (Test::DispersionIfAlone, [(first, second)], Some(_)) => {
                let (first, second) = (of_cells(first, &of), of_cells(second, &of));
                compare_blocks(Sides { first: &first, second: &second }, &family, seed, rules.confidence).p
            }
            _ => randomisation.as_ref().map_or(1.0, |found| found.p_value),
        };
        Self {
            strata: strata.len(),
            sums,
            difference: weighted_difference(&counts),
            trial,
            trial_p,
            judged: Interval { low: judged.low.min(trial.low), high: judged.high.max(trial.high) },
            p: p.max(trial_p),
            method: if strata.is_empty() { Method::Nothing } else { of_second.method },
            dispersion: family.dispersion(),
            randomisation,
            inflation: of_first.by.max(of_second.by),
        }
    }

    /// How many trials a side, in blocks like these, show that equal rates are the same; none where no number would.
    pub(super) fn enough(&self, margin: f64, confidence: Confidence) -> Option<u64> {
        let all = self.sums.0.plus(self.sums.1).unwrap_or(self.sums.0);
        let independent = enough_trials(Probability::new(all.share())?, margin, confidence)?;
        Some((independent as f64 * self.inflation).ceil() as u64)
    }

    /// Whether single trials show a difference at this level that boots do not.
    pub(super) fn is_of_trials_alone(&self, alpha: f64) -> bool {
        is_of_trials_alone((self.trial, self.trial_p), (self.judged, self.p), alpha)
    }
}

/// The cells of each side with their like: the strata that both have.
pub(super) fn alike<'m, 'a>(
    host: &[&'m Measured<'a>],
    guests: &[&'m Measured<'a>],
) -> Vec<BothSides<'m, 'a>> {
    let mut strata: BTreeMap<Subject<'_>, BothSides<'m, 'a>> = BTreeMap::new();
    for cell in host {
        strata.entry(subject_of(cell)).or_default().0.push(cell);
    }
    for cell in guests {
        if let Some((_, of_guests)) = strata.get_mut(&subject_of(cell)) {
            of_guests.push(cell);
        }
    }
    strata.into_values().collect()
}

fn count(cells: &[&Measured<'_>], of: impl Fn(&Tally) -> Count) -> Count {
    sum(&cells.iter().map(|cell| of(&cell.tally)).collect::<Vec<Count>>())
}

fn randomisation(found: &Randomised, units: &[Unit], seed: u64) -> Randomisation {
    let guests = units.iter().filter(|unit| unit.second).count() as u64;
    Randomisation {
        host: units.len() as u64 - guests,
        guests,
        p_value: found.p_value,
        smallest_p: found.smallest_p,
        labellings: found.labellings,
        seed: (!found.all).then_some(seed),
    }
}

/// What is called first or second anew: a boot with all that it played. Where the second side's cells share boots, the blocks of the first side that had none stand together by
/// round, so that units are alike.
fn units(strata: &[&BothSides<'_, '_>], of: impl Counted) -> Vec<Unit> {
    let shared = share_boots(strata);
    let mut units: BTreeMap<(bool, String), BTreeMap<usize, Count>> = BTreeMap::new();
    for (at, (first, second)) in strata.iter().enumerate() {
        for (cells, is_second) in [(first, false), (second, true)] {
            for (cell, block) in
                cells.iter().flat_map(|cell| cell.blocks.iter().map(move |block| (cell, block)))
            {
                let count = of(&block.tally);
                let sums = units.entry((is_second, unit_of(cell, block, shared))).or_default();
                let sum = sums.entry(at).or_insert(Count::NONE);
                *sum = sum.plus(count).unwrap_or(*sum);
            }
        }
    }
    let unit = |((second, _), counts): ((bool, String), BTreeMap<usize, Count>)| Unit {
        second,
        counts: counts.into_iter().filter(|(_, count)| count.trials() > 0).collect(),
    };
    units.into_iter().map(unit).filter(|unit| !unit.counts.is_empty()).collect()
}

fn share_boots(strata: &[&BothSides<'_, '_>]) -> bool {
    let mut boots = BTreeSet::new();
    let cells = strata.iter().flat_map(|(first, second)| first.iter().chain(second));
    cells.flat_map(|cell| &cell.blocks).any(|block| !boots.insert(boot_of(block)))
}

/// A boot; of a block that had none the block, or its round where others share boots.
fn unit_of(cell: &Measured<'_>, block: &BlockRecord, shared: bool) -> String {
    if shared && cell.cell().is_baseline() {
        format!("{} in round {}", cell.configuration(), cell.round(block))
    } else {
        boot_of(block).to_owned()
    }
}
