//! `order`: judged by how trials end after each TCP state before the verdict call.
//!
//! Holds the two halves of such a claim. Must not know which claim it decides. Units: shares of 1. Errors: none. Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use rig_protocol::Tally;
use rig_stats::Count;

use crate::claims::Order;

use super::super::evidence::{Evidence, Finding};
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::count;
use super::ends::in_outcomes;
use super::returns::sum;

/// Supported where after each of the two surely all trials but the margin end as claimed, refuted where after one of them surely none but the margin does. The table of states and outcomes of
/// each trial is asked, not how often each occurred.
pub(super) fn judge(rule: &Order, evidence: &Evidence<'_>) -> Finding {
    let of = |after: bool, patterns: &[String]| {
        let count = |tally: &Tally| in_half(rule, after, patterns, tally);
        let sum: Count = sum(&evidence.cells, count);
        (sum.hits(), sum.trials(), evidence.bounds(|block| count(&block.tally)))
    };
    let (then, then_of, then_bounds) = of(true, &rule.claimed);
    let (else_, else_of, else_bounds) = of(false, &rule.else_claimed);
    if then_of == 0 && else_of == 0 {
        return Missing::State(rule.when.to_string()).into();
    }
    let margin = evidence.rules.margin;
    let said = format!(
        "after {} {} of {} trials ended as claimed, after another state {} of {}",
        rule.when,
        count(then),
        count(then_of),
        count(else_),
        count(else_of)
    );
    let (trials, bounds) =
        (then_of + else_of, if then_bounds.high <= else_bounds.high { then_bounds } else { else_bounds });
    let none = |bounds: rig_stats::Interval| bounds.high <= margin;
    let all = |bounds: rig_stats::Interval| bounds.low >= 1.0 - margin;
    let verdict = if none(then_bounds) || none(else_bounds) {
        Refuted
    } else if all(then_bounds) && all(else_bounds) {
        Supported
    } else {
        Undecided
    };
    Finding::measured(verdict, said).of(trials, bounds)
}

/// How many of the trials after the state, or after another one, end as one of these patterns.
fn in_half(rule: &Order, after: bool, patterns: &[String], tally: &Tally) -> Count {
    let half = tally.outcomes_by_state.iter().filter(|(state, _)| (**state == rule.when.0) == after);
    let (hits, trials) = half.fold((0, 0), |(hits, trials), (_, outcomes)| {
        (hits + in_outcomes(outcomes, patterns), trials + outcomes.values().sum::<u64>())
    });
    Count::new(hits, trials).unwrap_or(Count::NONE)
}
