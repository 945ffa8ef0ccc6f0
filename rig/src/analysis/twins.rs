//! Whether the instrument finds a difference where there is none: the A/A pair.
//!
//! Holds the comparison of the two, and what follows for the others where they differ. Must not know how the pair was planned.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/twins.rs`.

use rig_stats::{Count, fisher, holm};

use super::labels::Columns;
use super::measured::Measured;
use super::model::{AaPair, Comparison, ComparisonReason, ComparisonVerdict, PairVerdict, Question};

/// A pair fails by chance in one run of a thousand.
const LEVEL: f64 = 0.001;

/// What came of the run's pair, if it has one.
pub(super) fn judge(measured: &[Measured<'_>]) -> Option<AaPair> {
    let second = measured.iter().find(|cell| cell.is_repeat())?;
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
    let asked = questions(first, second);
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

/// What is asked of the two, each with the p-value of Fisher's exact test of equal rates.
fn questions(first: &Measured<'_>, second: &Measured<'_>) -> Vec<(String, f64)> {
    let of_errnos = Question::ALL.map(|question| {
        (question.key().to_owned(), fisher(question.count(&first.tally), question.count(&second.tally)))
    });
    let columns = Columns::of(&first.tally, &second.tally);
    let counts = |cell: &Measured<'_>| {
        let of = |hits| Count::new(hits, cell.tally.trials).unwrap_or(Count::NONE);
        columns.row(&cell.tally).into_iter().map(of).collect::<Vec<Count>>()
    };
    let pairs = counts(first).into_iter().zip(counts(second));
    let of_outcomes =
        columns.names().iter().zip(pairs).map(|(name, (a, b))| ((*name).to_owned(), fisher(a, b)));
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
