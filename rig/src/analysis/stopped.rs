//! Cells that stopped because the run's rule was met, and what can be said of them although somebody looked after every block.
//!
//! Must not judge the rest, nor word anything. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/stopped.rs`; the rule in `stopping`.

use rig_stats::Count;

use crate::matrix::StopRule;
use crate::record::Run;
use crate::stopping::{Looked, Stopping};

use super::blocks::of_cell;
use super::measured::Measured;
use super::model::{CellStop, Question, Rate};
use super::rates::rate_at;
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
        let found = Count::new(hits, tally.returned_calls()).unwrap_or(Count::NONE);
        let plain = rate_at(found, rules.confidence);
        Rate { low: interval.low, high: interval.high, method: METHOD.into(), ..plain }
    });
    Some(CellStop { rule: rule.to_string(), errno, trials: met.trials, blocks: met.blocks, rate })
}

/// Where one of two cells was stopped by looking, each by the rule of its own run: an interval and a p-value that allow for it, of the first and the second cell.
pub(super) fn looked(
    stopping: [&Stopping; 2],
    pair: [&Measured<'_>; 2],
    question: Question,
    rules: Rules,
) -> Option<Looked> {
    let mut stopped = stopping.into_iter().zip(pair).map(|(of, cell)| of.was_stopped(&cell.cell().id));
    stopped.any(|stopped| stopped).then(|| {
        let [first, second] = pair.map(|cell| of_cell(cell, |tally| question.count(tally)));
        Looked::of((&first, &second), rules.margin_of(question), rules.icc, rules.confidence)
    })
}
