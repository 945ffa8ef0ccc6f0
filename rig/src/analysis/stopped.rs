//! Cells that stopped because the run's rule was met, and what can be said of them although somebody looked after every block.
//!
//! Must not judge the rest, nor word anything. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/stopped.rs`; the rule in `stopping`.

use crate::matrix::{CellId, StopRule};
use crate::record::Run;
use crate::stopping::Stopping;

use super::measured::Measured;
use super::model::{CellStop, Comparison, ComparisonVerdict, Question, Rate};
use super::rules::Rules;

/// How the intervals that hold at every look are made.
const METHOD: &str = "beta-binomial-mixture";

/// The run's rule, with every block that counts.
pub(super) fn of(run: &Run) -> Stopping {
    Stopping::after(&run.record, &run.blocks)
}

/// When and why a cell stopped, if it did.
pub(super) fn summarise(measured: &Measured<'_>, stopping: &Stopping, rules: Rules) -> Option<CellStop> {
    let id = &measured.cell().id;
    let (met, rule) = (stopping.met(id)?, stopping.rule()?);
    let errno = match rule {
        StopRule::Below { errno, .. } | StopRule::Width { errno, .. } => Some(errno.clone()),
        StopRule::Decided { errno } => errno.clone(),
    };
    let rate = stopping.share(id).map(|(errno, interval)| {
        let question = Question::ALL.into_iter().find(|question| question.key() == errno);
        let tally = &measured.tally;
        let hits = match (question, errno.parse()) {
            (Some(question), _) => question.hits(tally),
            (None, Ok(errno)) => tally.returned(errno),
            (None, Err(())) => 0,
        };
        Rate {
            count: hits,
            n: tally.returned_calls(),
            low: interval.low,
            high: interval.high,
            confidence: rules.confidence.get(),
            method: METHOD.into(),
        }
    });
    Some(CellStop { rule: rule.to_string(), errno, trials: met.trials, blocks: met.blocks, rate })
}

/// Where one of two cells was stopped by looking, an interval and a p-value that allow for it take the place of those of a number of trials that was
/// fixed before.
pub(super) fn allow_for_looks(comparisons: &mut [Comparison], stopping: &Stopping) {
    for comparison in comparisons.iter_mut().filter(|one| one.verdict != ComparisonVerdict::NotRun) {
        let (metal, virtual_) = (CellId(comparison.baseline.clone()), CellId(comparison.cell.clone()));
        if stopping.met(&metal).is_none() && stopping.met(&virtual_).is_none() {
            continue;
        }
        if let Some(looked) = stopping.looked((&metal, &virtual_), comparison.errno.key()) {
            (comparison.low, comparison.high) = (looked.interval.low, looked.interval.high);
            comparison.p_value = looked.p_value;
            comparison.at_every_look = true;
        }
    }
}
