//! Two runs, or two configurations of one run, with the inference of a report: the same families of cells, tests, corrections, margins and controls.
//!
//! A report compares virtual cells with bare-metal cells of its run; here the pairs come from elsewhere, and each side has the controls of its own run. Blocks of both sides tell
//! together how much blocks differ. Must not know formats. Units: shares of 1, nanoseconds; a difference is second minus first.
//! Errors: [`ComparisonError`], which blames what was asked. Tests: `tests/golden/compared.rs`.

mod answer;
mod cautions;
mod changes;
mod error;
pub(super) mod figures;
pub(super) mod pairing;

use crate::record::Run;
use crate::stopping::Stopping;

use super::blocks::Families;
use super::comparisons::{self, Judging, Pair};
use super::controls::{self, Place, Sight, place};
use super::measured::{self, Measured};
use super::model::{
    AaPair, COMPARISON_FORMAT, COMPARISON_FORMAT_MINOR, CellPair, ComparedNames, ComparisonConclusion,
    ComparisonVerdict, ControlStatus, ControlSummary, Question, RunComparison, SideSummary, Sides,
    UnprovenControl,
};
use super::rules::Rules;
use super::{latencies, outcomes, stopped, twins};
use figures::Found;
use pairing::{Cells, Paired};

pub use error::ComparisonError;

/// Two runs, cell by cell: those with the same scenario, parameters, path, configuration and kernel. Where they declare different rules, the stricter ones hold.
///
/// # Errors
/// [`ComparisonError::SameRun`]
pub fn compare_runs(first: &Run, second: &Run) -> Result<RunComparison, ComparisonError> {
    let runs = [first, second];
    if first.record.id == second.record.id {
        let (run, configurations) = (first.record.id.clone(), configurations(first));
        return Err(ComparisonError::SameRun { run, configurations });
    }
    let rules = runs.map(Rules::of);
    let held = rules[0].stricter(rules[1]);
    let stopping = runs.map(stopped::of);
    let mut all = measured::measure(first, &stopping[0]);
    let of_first = all.len();
    all.extend(measured::measure(second, &stopping[1]));
    let (of_first, of_second) = all.split_at(of_first);
    let proofs = [Proof::of(first, of_first, held), Proof::of(second, of_second, held)];
    let cells = Cells::of_runs(of_first, of_second);
    let paired = cells.in_runs();
    let numbers = [cells.first.len(), cells.second.len()];
    let [one, other] = [0, 1].map(|at| summary(runs[at], None, numbers[at], &proofs[at]));
    let changes = changes::of_runs(first, second, &paired.pairs);
    let cautions = cautions::of_runs(runs, rules, [&one, &other], &paired.pairs);
    let asked = Asked {
        sides: Sides::Runs,
        all: &all,
        proofs: [&proofs[0], &proofs[1]],
        stopping: [&stopping[0], &stopping[1]],
        rules: held,
        seed: first.record.seed.wrapping_add(second.record.seed),
    };
    let compared = asked.compare([one, other], paired);
    Ok(concluded(RunComparison { changes, cautions, ..compared }))
}

/// Two configurations of one run, cell by cell: those with the same scenario, parameters and path, and with the same kernel where both are guests.
///
/// # Errors
/// [`ComparisonError::SameConfiguration`], [`ComparisonError::UnknownConfiguration`]
pub fn compare_configurations(run: &Run, names: [&str; 2]) -> Result<RunComparison, ComparisonError> {
    let known = configurations(run);
    if let Some(unknown) = names.into_iter().find(|name| !known.iter().any(|known| known == name)) {
        return Err(ComparisonError::UnknownConfiguration {
            run: run.record.id.clone(),
            configuration: unknown.to_owned(),
            configurations: known,
        });
    }
    if names[0] == names[1] {
        let configuration = names[0].to_owned();
        return Err(ComparisonError::SameConfiguration { configuration, configurations: known });
    }
    let rules = Rules::of(run);
    let stopping = stopped::of(run);
    let all = measured::measure(run, &stopping);
    let proof = Proof::of(run, &all, rules);
    let cells = Cells::of_configurations(&all, names);
    let paired = cells.in_configurations();
    let numbers = [cells.first.len(), cells.second.len()];
    let [one, other] = [0, 1].map(|at| summary(run, Some(names[at]), numbers[at], &proof));
    let changes = changes::of_configurations(&paired.pairs);
    let cautions = cautions::of_configurations(run, &one, &paired.pairs);
    let asked = Asked {
        sides: Sides::Configurations,
        all: &all,
        proofs: [&proof; 2],
        stopping: [&stopping; 2],
        rules,
        seed: run.record.seed,
    };
    let compared = asked.compare([one, other], paired);
    Ok(concluded(RunComparison { changes, cautions, ..compared }))
}

/// The configurations of a run, in the order of its plan.
fn configurations(run: &Run) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in &run.record.cells {
        let name = &record.cell.subject.configuration.name;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// What proves that a run could have seen what it did not see.
struct Proof {
    controls: Vec<(Place, ControlSummary)>,
    sight: Sight,
    again: Option<AaPair>,
}

impl Proof {
    fn of(run: &Run, measured: &[Measured<'_>], rules: Rules) -> Self {
        let controls = controls::judge(measured, rules);
        let sight = Sight::from(measured, &controls);
        let places = measured.iter().filter(|cell| cell.cell().control.is_some()).map(place);
        Self {
            controls: places.zip(controls).collect(),
            sight,
            again: twins::judge(run.record.seed, measured, rules).0,
        }
    }

    /// The controls of these places that have not passed.
    fn unproven(&self, side: &'static str, places: &[Place]) -> Vec<UnprovenControl> {
        let of_places = self.controls.iter().filter(|(place, _)| places.contains(place));
        let unproven = of_places.filter(|(_, control)| !control.passed());
        let told = |(_, control): &(Place, ControlSummary)| UnprovenControl {
            side,
            control: control.control.clone(),
            configuration: control.configuration.clone(),
            kernel: control.kernel.clone(),
            status: control.status(),
            reason: super::model::told(&control.failure),
        };
        unproven.map(told).collect()
    }
}

fn summary(run: &Run, configuration: Option<&str>, cells: usize, proof: &Proof) -> SideSummary {
    let record = &run.record;
    SideSummary {
        run: record.id.clone(),
        configuration: configuration.map(str::to_owned),
        started: record.started.clone(),
        seed: record.seed,
        rig_version: record.rig_version.clone(),
        profile: record.profile.clone(),
        complete: run.complete,
        rehearsed: record.environment.rehearsed,
        cells: cells as u64,
        again_differs: proof.again.as_ref().map(AaPair::differs),
    }
}

/// What is asked of two sides.
struct Asked<'j, 'm, 'a> {
    sides: Sides,
    /// Every cell of the runs: they tell together how much blocks differ.
    all: &'m [Measured<'a>],
    proofs: [&'j Proof; 2],
    stopping: [&'j Stopping; 2],
    rules: Rules,
    seed: u64,
}

impl<'m, 'a> Asked<'_, 'm, 'a> {
    /// Without what changed and the cautions, from which nothing follows.
    fn compare(&self, [first, second]: [SideSummary; 2], paired: Paired<'m, 'a>) -> RunComparison {
        let names = match self.sides {
            Sides::Runs => ComparedNames::RUNS,
            Sides::Configurations => ComparedNames::CONFIGURATIONS,
        };
        let is_timed = !first.rehearsed && !second.rehearsed;
        let found = self.found(&paired.pairs, is_timed);
        RunComparison {
            format: COMPARISON_FORMAT,
            format_minor: COMPARISON_FORMAT_MINOR,
            sides: self.sides,
            first,
            second,
            confidence: self.rules.confidence.get(),
            margin: self.rules.margin,
            margins: self.rules.margins(),
            icc: self.rules.icc.get(),
            conclusion: ComparisonConclusion::NoDifference,
            answer: Vec::new(),
            changes: Vec::new(),
            pairs: figures::of_pairs(&paired.pairs, found, names),
            controls: self.unproven(&paired.pairs),
            not_compared: paired.not_compared,
            cautions: Vec::new(),
        }
    }

    fn found(&self, pairs: &[Pair<'m, 'a>], is_timed: bool) -> Found {
        let Self { all, rules, seed, .. } = *self;
        let families = &Question::ALL.map(|question| Families::of(all, |tally| question.count(tally), rules));
        let judging = Judging {
            families,
            sights: self.proofs.map(|proof| &proof.sight),
            stopping: self.stopping,
            rules,
        };
        let mut errnos = comparisons::compare(seed, pairs, &judging);
        let again: Vec<AaPair> = self.proofs.iter().flat_map(|proof| proof.again.clone()).collect();
        again.iter().for_each(|pair| twins::blind(Some(pair), &mut errnos));
        let outcomes = outcomes::compare(seed, pairs, all, &again, rules);
        let latencies = if is_timed { latencies::compare(seed, pairs, rules) } else { Vec::new() };
        Found { errnos, outcomes, latencies }
    }

    fn unproven(&self, pairs: &[Pair<'_, '_>]) -> Vec<UnprovenControl> {
        let of_first: Vec<Place> = pairs.iter().filter_map(|pair| pair.first).map(place).collect();
        let of_second: Vec<Place> = pairs.iter().map(|pair| place(pair.second)).collect();
        let sides = [("first", of_first), ("second", of_second)];
        let sides = sides.into_iter().zip(self.proofs);
        sides.flat_map(|((side, places), proof)| proof.unproven(side, &places)).collect()
    }
}

/// With what it comes to, and its answer.
fn concluded(mut compared: RunComparison) -> RunComparison {
    compared.conclusion = conclusion(&compared);
    compared.answer = answer::compose(&compared);
    compared
}

/// A difference stands whatever else is missing.
fn conclusion(compared: &RunComparison) -> ComparisonConclusion {
    if compared.pairs.iter().any(CellPair::is_news) {
        return ComparisonConclusion::Differs;
    }
    let is_judged =
        |verdict: ComparisonVerdict| !matches!(verdict, ComparisonVerdict::Blind | ComparisonVerdict::NotRun);
    let says_something = |pair: &CellPair| {
        is_judged(pair.outcomes.verdict) || pair.errnos.iter().any(|one| is_judged(one.verdict))
    };
    let is_unproven = |control: &UnprovenControl| match control.status {
        ControlStatus::Failed | ControlStatus::NotExercised => true,
        ControlStatus::Passed | ControlStatus::NotRun => false,
    };
    let lacks = |side: &SideSummary| !side.complete || side.again_differs == Some(true);
    let is_short = !compared.pairs.iter().any(says_something)
        || compared.controls.iter().any(is_unproven)
        || lacks(&compared.first)
        || lacks(&compared.second);
    if is_short { ComparisonConclusion::Short } else { ComparisonConclusion::NoDifference }
}
