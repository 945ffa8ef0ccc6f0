//! Claims that select() fails: judged by how often it returned -1 with the errno.
//!
//! Holds the pooled rates of a claim's cells against the margin. Must not know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use crate::path::PathCounter;
use std::collections::BTreeMap;

use rig_stats::{Count, clopper_pearson};

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::{Missing, Question};
use super::super::words::{Rounding, count, list, percent};
use super::outcomes::outcomes_by_path;

/// "A RST makes select() return -1 with this errno": refuted where the upper bound of its rate over all cells lies within the margin,
/// supported by a single one that nobody injected.
pub(in crate::analysis) fn never_returned(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let mut said = Vec::new();
    let mut wide = Vec::new();
    for &question in questions {
        let margin = evidence.rules.margin_of(question);
        let counts = evidence.seeing(question).into_iter().map(|cell| question.count(&cell.tally));
        let pooled = counts.fold(Count::NONE, |sum, one| sum.plus(one).unwrap_or(sum));
        let (hits, trials) = (count(pooled.hits()), count(pooled.trials()));
        if pooled.trials() == 0 {
            return Missing::Sight(question).into();
        }
        if pooled.hits() > 0 {
            let seen = format!("{question} was seen in {hits} of {trials} trials without injection");
            return Finding::measured(Supported, seen);
        }
        let high = clopper_pearson(pooled, evidence.rules.confidence).high;
        if high > margin {
            wide.push(percent(margin, Rounding::Nearest));
        }
        let most = percent(high, Rounding::Up);
        said.push(format!("{question} was never seen in {trials} trials (at most {most})"));
    }
    wide.dedup();
    if wide.is_empty() {
        return Finding::measured(Refuted, said.join("; "));
    }
    said.push(format!("the upper bound is not below the margin of {}", list(&wide)));
    Finding::measured(Undecided, said.join("; "))
}

/// As [`never_returned`], in the cells in which a parameter has this value.
pub(in crate::analysis) fn never_returned_where(
    evidence: &Evidence<'_>,
    (name, value): (&'static str, &'static str),
    questions: &[Question],
) -> Finding {
    let has =
        |cell: &&Measured<'_>| cell.cell().subject.parameters.get(name).is_some_and(|given| given == value);
    let cells: Vec<_> = evidence.cells.iter().copied().filter(has).collect();
    if cells.is_empty() {
        return Missing::Parameter { name, value }.into();
    }
    never_returned(&evidence.with(cells), questions).reworded(|said| format!("with {name}={value} {said}"))
}

/// "select() fails there": as [`never_returned`], with what it did instead.
pub(in crate::analysis) fn fails_on_path(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    never_returned(evidence, questions).reworded(|said| format!("{said}; {}", outcomes_by_path(evidence)))
}

/// "select() fails in a KVM guest": only blocks that really ran on KVM can say.
pub(in crate::analysis) fn fails_in_kvm(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let cells = evidence.on_kvm();
    if cells.is_empty() {
        return Missing::KvmGuests.into();
    }
    never_returned(&evidence.with(cells), questions).reworded(|said| format!("in KVM guests {said}"))
}

/// "A REJECT rule reproduces the failure": as [`fails_on_path`], with how often each placement's rule matched.
pub(in crate::analysis) fn reject_reproduces(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let mut matched: BTreeMap<&str, u64> = BTreeMap::new();
    for cell in &evidence.cells {
        let counters = cell.blocks.iter().flat_map(|block| &block.path.counters);
        let of_rules: u64 = counters.filter(|(name, _)| PathCounter::is_of_rule(name)).map(|(_, n)| n).sum();
        *matched.entry(&cell.cell().subject.path.name).or_default() += of_rules;
    }
    let matched: Vec<String> = matched.iter().map(|(path, n)| format!("{} on {path}", count(*n))).collect();
    fails_on_path(evidence, questions)
        .reworded(|said| format!("{said}; packets that matched the rule: {}", list(&matched)))
}
