//! `returns`: judged by how often the verdict call returned -1 with an errno.
//!
//! Holds the pooled rate of the cells against the largest that refutes. Must not know which claim it decides.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use rig_protocol::{Errno, Tally};
use rig_stats::Count;

use crate::claims::Returns;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Question;
use super::super::words::{Rounding, count, one_in, percent};
use super::ends::outcomes_by_path;

/// How often a tally has one of these errnos, of the calls that returned. None is any.
pub(super) fn failures(tally: &Tally, errnos: &[Errno]) -> Count {
    let hits = match errnos {
        [] => tally.returned_any_errno(),
        some => some.iter().map(|errno| tally.returned(*errno)).sum(),
    };
    Count::new(hits, tally.returned_calls()).unwrap_or(Count::NONE)
}

/// The question of which a control must prove that it would be answered.
pub(super) fn question(errno: Option<Errno>) -> Option<Question> {
    match errno {
        None => Some(Question::AnyError),
        Some(Errno::EBADF) => Some(Question::Ebadf),
        Some(Errno::ENOENT) => Some(Question::Enoent),
        Some(_) => None,
    }
}

/// The sum over cells.
pub(super) fn sum(cells: &[&Measured<'_>], of: impl Fn(&Tally) -> Count) -> Count {
    cells.iter().map(|cell| of(&cell.tally)).fold(Count::NONE, |sum, one| sum.plus(one).unwrap_or(sum))
}

/// Supported by a single one that nobody injected: its lower bound is over 0. Refuted where none was seen in so many trials that the rate is surely not above what the claim's
/// file, or the run, allows. Each errno is asked for itself.
pub(super) fn judge(rule: &Returns, evidence: &Evidence<'_>) -> Finding {
    let asked: Vec<Option<Errno>> = match rule.errnos.as_slice() {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let (mut said, mut open, mut bound) = (Vec::new(), None, Evidence::nothing());
    let mut trials = 0;
    for errno in asked {
        let most = rule.at_most.unwrap_or_else(|| match question(errno) {
            Some(question) => evidence.rules.margin_of(question),
            None => evidence.rules.margin,
        });
        let found = sum(&evidence.cells, |tally| failures(tally, errno.as_slice()));
        let name = errno.map_or("-1".to_owned(), |errno| errno.to_string());
        let (hits, of) = (count(found.hits()), count(found.trials()));
        bound = evidence.bounds(|block| failures(&block.tally, errno.as_slice()));
        trials = found.trials();
        if found.hits() > 0 {
            let low = percent(bound.low, Rounding::Down);
            let said = format!(
                "{name} was seen in {hits} of {of} trials, and nobody injected it (at least {low}); {}",
                outcomes_by_path(evidence)
            );
            return Finding::measured(Supported, said).of(trials, bound);
        }
        said.push(format!(
            "{name} was never seen in {of} trials: its rate is not above {}",
            one_in(bound.high)
        ));
        if bound.high > most {
            open = Some(most);
        }
    }
    let outcomes = outcomes_by_path(evidence);
    let Some(most) = open else {
        return Finding::measured(Refuted, format!("{}; {outcomes}", said.join("; "))).of(trials, bound);
    };
    let would = match evidence.zeros_needed(most) {
        Some(needed) => format!(", which {} trials could show", count(needed)),
        None => String::new(),
    };
    said.push(format!("the claim is refuted by a rate not above {}{would}", one_in(most)));
    Finding::measured(Undecided, format!("{}; {outcomes}", said.join("; "))).of(trials, bound)
}
