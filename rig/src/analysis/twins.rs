//! Whether the instrument finds a difference where there is none: the A/A pair.
//!
//! Holds the comparison of the two, and what follows for the others where they differ. Must not know how the pair was planned.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/twins.rs`.

use rig_protocol::Tally;
use rig_stats::{Count, holm};

use super::blocks::{Family, Sides, compare, of_cell};
use super::labels::Columns;
use super::measured::Measured;
use super::model::{AaPair, Comparison, ComparisonReason, ComparisonVerdict, PairVerdict, Question};
use super::rules::Rules;

/// A pair fails by chance in one run of a thousand.
const LEVEL: f64 = 0.001;

/// What came of the run's pair, if it has one. Where a merged run has several, the worst, which decides, and all of them.
pub(super) fn judge(seed: u64, measured: &[Measured<'_>], rules: Rules) -> (Option<AaPair>, Vec<AaPair>) {
    let seconds = measured.iter().filter(|cell| cell.is_repeat());
    let pairs: Vec<AaPair> = seconds.filter_map(|second| judge_pair(seed, measured, second, rules)).collect();
    let worst = worst(&pairs);
    (worst, if pairs.len() > 1 { pairs } else { Vec::new() })
}

/// The pair that decides: one that failed, or else one that was not run, or else the one with the smallest p-value.
fn worst(pairs: &[AaPair]) -> Option<AaPair> {
    let gravity = |pair: &AaPair| match pair.verdict {
        PairVerdict::Failed => 0,
        PairVerdict::NotRun => 1,
        PairVerdict::Passed => 2,
    };
    let p = |pair: &AaPair| pair.p_adjusted.unwrap_or(1.0);
    pairs.iter().min_by(|a, b| gravity(a).cmp(&gravity(b)).then(p(a).total_cmp(&p(b)))).cloned()
}

fn judge_pair(seed: u64, measured: &[Measured<'_>], second: &Measured<'_>, rules: Rules) -> Option<AaPair> {
    let id = second.cell().repeats.as_ref()?;
    let first = measured.iter().find(|cell| cell.cell().id == *id)?;
    let subject = &second.cell().subject;
    let pair = AaPair {
        cell: second.cell().id.0.clone(),
        repeats: id.0.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        verdict: PairVerdict::NotRun,
        tests: 0,
        most: None,
        p_adjusted: None,
        reason: first.not_run().or_else(|| second.not_run()),
    };
    if pair.reason.is_some() {
        return Some(pair);
    }
    let asked = questions(first, second, seed, rules);
    let adjusted = holm(&asked.iter().map(|(_, p)| *p).collect::<Vec<_>>());
    let least = asked.iter().zip(adjusted).min_by(|(_, a), (_, b)| a.total_cmp(b));
    let differs = least.as_ref().is_some_and(|(_, p)| *p <= LEVEL);
    Some(AaPair {
        verdict: if differs { PairVerdict::Failed } else { PairVerdict::Passed },
        tests: u32::try_from(asked.len()).unwrap_or(u32::MAX),
        most: least.as_ref().map(|((what, _), _)| what.clone()),
        p_adjusted: least.map(|(_, p)| p),
        ..pair
    })
}

/// What is asked of the two, each with the p-value of the test of equal rates in which the block is the unit: trials of one boot may depend on each other, and two boots
/// may differ where two names do not.
fn questions(first: &Measured<'_>, second: &Measured<'_>, seed: u64, rules: Rules) -> Vec<(String, f64)> {
    let ask = |of: &dyn Fn(&Tally) -> Count| {
        let blocks = [of_cell(first, of), of_cell(second, of)];
        let family = Family::of(&blocks, rules);
        compare(Sides { first: &blocks[0], second: &blocks[1] }, &family, seed, rules.confidence).p
    };
    let of_errnos = Question::ALL
        .map(|question| (question.key().to_owned(), ask(&move |tally: &Tally| question.count(tally))));
    let columns = Columns::of(&first.tally, &second.tally);
    let of_outcome = |(place, name): (usize, &&str)| {
        let count = |tally: &Tally| {
            let hits = columns.row(tally).get(place).copied().unwrap_or(0);
            Count::new(hits, tally.trials).unwrap_or(Count::NONE)
        };
        ((*name).to_owned(), ask(&count))
    };
    let of_outcomes = columns.names().iter().enumerate().map(of_outcome);
    of_errnos.into_iter().chain(of_outcomes).collect()
}

/// Where the pair differs, no comparison counts.
pub(super) fn blind(pair: Option<&AaPair>, comparisons: &mut [Comparison]) {
    if !pair.is_some_and(AaPair::differs) {
        return;
    }
    for comparison in comparisons.iter_mut().filter(|c| c.verdict != ComparisonVerdict::NotRun) {
        comparison.verdict = ComparisonVerdict::Blind;
        comparison.reason = Some(ComparisonReason::PairDiffers);
        comparison.trials_needed = None;
    }
}
