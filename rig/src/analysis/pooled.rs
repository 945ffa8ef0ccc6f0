//! Cells taken together: the sum of the host's against the sum of the guests'.
//!
//! Holds the pooling, and the verdict on two sums. Must not word it, nor choose the cells.
//! Units: shares of 1; a difference is guests minus host. Errors: none.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/verdicts.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_stats::{Count, Interval, Judgement, Probability, difference, enough_trials, fisher, judge};

use crate::configuration::Arm;

use super::measured::Measured;
use super::model::Question;
use super::rules::Rules;

/// Two sums, and what they say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooled {
    pub(super) interval: Interval,
    /// Of the exact test, times the number of questions (Bonferroni): each is asked of the same trials.
    pub(super) p_adjusted: f64,
    pub(super) judgement: Judgement,
    /// How many trials a side would show that equal rates are the same; none where no number would.
    pub(super) trials_needed: Option<u64>,
}

/// Compares what both sides played: another mix of scenarios or parameters would look like an effect.
pub(super) fn compare(
    host: &[&Measured<'_>],
    guests: &[&Measured<'_>],
    question: Question,
    rules: Rules,
) -> Pooled {
    let subjects = |cells: &[&Measured<'_>]| cells.iter().map(|cell| stratum(cell)).collect::<BTreeSet<_>>();
    let common: BTreeSet<_> = subjects(host).intersection(&subjects(guests)).cloned().collect();
    let shared = |cells: &[&Measured<'_>]| {
        let kept: Vec<&Measured<'_>> =
            cells.iter().copied().filter(|cell| common.contains(&stratum(cell))).collect();
        pool(&kept, question)
    };
    let (metal, virtual_) = (shared(host), shared(guests));
    let interval = difference(metal, virtual_, rules.confidence);
    let p_adjusted = (fisher(metal, virtual_) * Question::ALL.len() as f64).min(1.0);
    let margin = rules.margin_of(question);
    let both = metal.plus(virtual_).unwrap_or(metal);
    let share = Probability::new(both.share()).expect("hits over trials is a share");
    Pooled {
        interval,
        p_adjusted,
        judgement: judge(interval, p_adjusted, rules.alpha(), margin),
        trials_needed: enough_trials(share, margin, rules.confidence),
    }
}

/// The sum of some cells.
pub(super) fn pool(cells: &[&Measured<'_>], question: Question) -> Count {
    cells
        .iter()
        .map(|cell| question.count(&cell.tally))
        .fold(Count::NONE, |sum, one| sum.plus(one).unwrap_or(sum))
}

fn stratum(cell: &Measured<'_>) -> (String, BTreeMap<String, String>, String, Arm) {
    let subject = &cell.cell().subject;
    let arm = subject.configuration.target.arm();
    (subject.scenario.clone(), subject.parameters.clone(), subject.path.name.clone(), arm)
}
