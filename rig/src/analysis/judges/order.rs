//! `order`: judged by how trials end after each TCP state before the verdict call.
//!
//! Holds the two halves of such a claim. Must not know which claim it decides. Units: shares of 1. Errors: none. Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use std::collections::BTreeMap;

use crate::claims::Order;

use super::super::evidence::{Evidence, Finding};
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::count;
use super::ends::in_outcomes;

/// Supported where after each of the two surely all trials but the margin end as claimed, refuted where after one of them surely none but the margin does. The table of states and outcomes of
/// each trial is asked, not how often each occurred.
pub(super) fn judge(rule: &Order, evidence: &Evidence<'_>) -> Finding {
    let (mut when, mut other) = (BTreeMap::new(), BTreeMap::new());
    for (state, outcomes) in evidence.cells.iter().flat_map(|cell| &cell.tally.outcomes_by_state) {
        let half = if *state == rule.when.0 { &mut when } else { &mut other };
        for (outcome, n) in outcomes {
            *half.entry(outcome.clone()).or_insert(0_u64) += n;
        }
    }
    let of = |half: &BTreeMap<String, u64>, patterns: &[String]| {
        let trials: u64 = half.values().sum();
        let hits = in_outcomes(half, patterns);
        (hits, trials, evidence.bounds(hits, trials))
    };
    let (then, then_of, then_bounds) = of(&when, &rule.claimed);
    let (else_, else_of, else_bounds) = of(&other, &rule.else_claimed);
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
