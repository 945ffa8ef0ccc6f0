//! Cells taken together: the host's against the guests', stratum by stratum.
//!
//! Holds the strata, and the verdict on them. Must not word it, nor choose the cells.
//! Units: shares of 1; a difference is guests minus host. Errors: none.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/verdicts.rs`; the arithmetic in `rig-stats`.

use std::collections::BTreeMap;

use rig_stats::{
    Count, Interval, Judgement, Probability, Stratum, enough_trials, judge, stratified_difference,
    stratified_fisher, weighted_difference,
};

use super::comparisons::{Subject, subject_of};
use super::measured::Measured;
use super::model::Question;
use super::rules::Rules;

/// What the strata say together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pooled {
    /// How many strata have trials on both sides.
    pub(super) strata: usize,
    /// Weighted over the strata.
    pub(super) difference: f64,
    pub(super) interval: Interval,
    /// Of the exact test, times the number of questions (Bonferroni): each is asked of the same trials.
    pub(super) p_adjusted: f64,
    pub(super) judgement: Judgement,
    /// How many trials a side would show that equal rates are the same; none where no number would.
    pub(super) trials_needed: Option<u64>,
}

/// Compares what both sides played, each with its like: another mix of scenarios or parameters would look like an effect.
pub(super) fn compare(
    host: &[&Measured<'_>],
    guests: &[&Measured<'_>],
    question: Question,
    rules: Rules,
) -> Pooled {
    let strata = strata(host, guests, question);
    let interval = stratified_difference(&strata, rules.confidence);
    let p_adjusted = (stratified_fisher(&strata) * Question::ALL.len() as f64).min(1.0);
    let margin = rules.margin_of(question);
    let all = strata.iter().flat_map(|(metal, virtual_)| [*metal, *virtual_]).fold(Count::NONE, plus);
    let share = Probability::new(all.share()).expect("hits over trials is a share");
    Pooled {
        strata: strata.len(),
        difference: weighted_difference(&strata),
        interval,
        p_adjusted,
        judgement: judge(interval, p_adjusted, rules.alpha(), margin),
        trials_needed: enough_trials(share, margin, rules.confidence),
    }
}

/// The sum of some cells.
pub(super) fn pool(cells: &[&Measured<'_>], question: Question) -> Count {
    cells.iter().map(|cell| question.count(&cell.tally)).fold(Count::NONE, plus)
}

fn plus(sum: Count, one: Count) -> Count {
    sum.plus(one).unwrap_or(sum)
}

/// What was played alike, on both sides: the host's counts and the guests'.
fn strata(host: &[&Measured<'_>], guests: &[&Measured<'_>], question: Question) -> Vec<Stratum> {
    let mut strata: BTreeMap<Subject<'_>, Stratum> = BTreeMap::new();
    for cell in host {
        let (metal, _) = strata.entry(subject_of(cell)).or_insert((Count::NONE, Count::NONE));
        *metal = plus(*metal, question.count(&cell.tally));
    }
    for cell in guests {
        if let Some((_, virtual_)) = strata.get_mut(&subject_of(cell)) {
            *virtual_ = plus(*virtual_, question.count(&cell.tally));
        }
    }
    strata.into_values().filter(|(metal, virtual_)| metal.trials() > 0 && virtual_.trials() > 0).collect()
}
