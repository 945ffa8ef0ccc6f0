//! How a part of a claim is decided: from counts of outcomes, returns, states and times to a verdict and a sentence.
//!
//! Holds the closed list of rules, one file each, applied to whatever cells may decide. Must not know which claim it decides.
//! Units: shares of 1, nanoseconds. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/fair` (every rule both ways), `tests/golden/claims.rs`.

mod differs;
mod ends;
mod latency;
mod order;
mod per_trial;
mod returns;
mod said;
mod strata;
mod takes;

use crate::claims::{Part, Rule};

use super::evidence::{Evidence, Finding};
use super::model::{Because, HypothesisVerdict};

pub(super) use ends::outcomes_by_path;
pub(super) use per_trial::is_counted;

/// Decides a part by its rule.
pub(super) fn judge(part: &Part, evidence: &Evidence<'_>) -> Finding {
    match &part.rule {
        Rule::Ends(rule) => ends::judge(rule, evidence),
        Rule::Returns(rule) => returns::judge(rule, evidence),
        Rule::Differs(rule) => differs::judge(rule, evidence),
        Rule::PerTrial(rule) => per_trial::judge(rule, evidence),
        Rule::Order(rule) => order::judge(rule, evidence),
        Rule::Said(rule) => said::judge(rule, evidence),
        Rule::Takes(rule) => takes::judge(rule, evidence),
        Rule::Documented { reason, source } => Finding {
            verdict: HypothesisVerdict::Documented,
            because: Because::Documented { reason: reason.clone(), source: source.clone() },
            trials: 0,
            bound: None,
        },
    }
}
