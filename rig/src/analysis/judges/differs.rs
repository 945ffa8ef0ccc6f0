//! `differs`: judged by the difference of two selections that were played alike but for what is claimed.
//!
//! Holds what a difference of shares says of each claim of a direction. Must not know which claim it decides. Units: shares of 1; a difference is a minus b.
//! Errors: none. Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use rig_protocol::Tally;
use rig_stats::{Count, Interval, Judgement};

use crate::claims::{Differs, Direction, What};

use super::super::evidence::{Evidence, Finding};
use super::super::measured::rst_before_call;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::{HypothesisVerdict, Missing};
use super::super::pooled::How;
use super::super::words::{Rounding, count, percent};
use super::ends::in_outcomes;
use super::latency;
use super::returns::{failures, question};
use super::strata::{Difference, Strata, side};

pub(super) fn judge(rule: &Differs, evidence: &Evidence<'_>) -> Finding {
    let (a, b) = (side(&evidence.cells, &rule.a), side(&evidence.cells, &rule.b));
    for (cells, selection) in [(&a, &rule.a), (&b, &rule.b)] {
        if cells.is_empty() {
            return Missing::Side(selection.to_string()).into();
        }
    }
    let strata = Strata::of(rule, &a, &b);
    if strata.pairs.is_empty() {
        return Missing::Alike.into();
    }
    if evidence.again.is_some_and(super::super::model::AaPair::differs) {
        return Missing::Pair.into();
    }
    match &rule.what {
        What::Latency => latency::judge(rule, &strata, evidence),
        What::Rate(_) | What::Share(_) | What::ClosedBeforeCall => shares(rule, &strata, evidence),
    }
}

/// How often a tally has what is compared.
fn counted(what: &What, tally: &Tally) -> Count {
    let of_trials = |hits| Count::new(hits, tally.trials).unwrap_or(Count::NONE);
    match what {
        What::Rate(errnos) => failures(tally, errnos),
        What::Share(pattern) => of_trials(in_outcomes(&tally.outcomes, std::slice::from_ref(pattern))),
        What::ClosedBeforeCall => of_trials(rst_before_call(tally)),
        What::Latency => Count::NONE,
    }
}

fn shares(rule: &Differs, strata: &Strata<'_>, evidence: &Evidence<'_>) -> Finding {
    let margin = rule.margin.unwrap_or_else(|| match &rule.what {
        // Of several errnos the narrowest margin.
        What::Rate(errnos) => {
            let asked: Vec<_> =
                if errnos.is_empty() { vec![None] } else { errnos.iter().copied().map(Some).collect() };
            let margins = asked.into_iter().map(|errno| {
                question(errno).map_or(evidence.rules.margin, |question| evidence.rules.margin_of(question))
            });
            margins.fold(f64::INFINITY, f64::min)
        }
        What::Share(_) | What::ClosedBeforeCall | What::Latency => evidence.rules.margin,
    });
    let how = How { seed: evidence.run.record.seed, rules: evidence.rules };
    let found = strata.compare(|tally| counted(&rule.what, tally), margin, how);
    let (b, a) = found.pooled.sums;
    let seen = found.pooled.sums.0.hits() + found.pooled.sums.1.hits();
    let trials = a.trials() + b.trials();
    if seen < rule.least {
        return Finding { trials, ..Missing::Least(seen, rule.least).into() };
    }
    let verdict = verdict(rule.claimed, &found, margin);
    let mut said = sentence(rule, &found, margin);
    if verdict == Undecided && found.pooled.is_of_trials_alone(evidence.rules.alpha()) {
        said.push_str(
            "; single trials differ, and whole boots are too few, or differ as much among themselves",
        );
    } else if verdict == Undecided
        && found.judgement == Judgement::Undecided
        && let Some(needed) = found.pooled.enough(margin, evidence.rules.confidence)
    {
        said.push_str(&format!("; {} trials a side would do", count(needed)));
    }
    Finding::measured(verdict, said).of(trials, found.pooled.judged)
}

/// A direction is supported where it is shown at all, and refuted where it surely is not by more than the margin; a difference and its absence must pass the margin both ways.
fn verdict(claimed: Direction, found: &Difference, margin: f64) -> HypothesisVerdict {
    let shown = matches!(found.judgement, Judgement::Differs | Judgement::DiffersWithinTheMargin);
    let Interval { low, high } = found.pooled.judged;
    match (claimed, found.judgement) {
        (Direction::AMore, _) if shown && low > 0.0 => Supported,
        (Direction::AMore, _) if high <= margin => Refuted,
        (Direction::BMore, _) if shown && high < 0.0 => Supported,
        (Direction::BMore, _) if low >= -margin => Refuted,
        (Direction::Differs, Judgement::Differs) | (Direction::Same, Judgement::Same) => Supported,
        (Direction::Differs, Judgement::Same) | (Direction::Same, Judgement::Differs) => Refuted,
        (Direction::AMore | Direction::BMore | Direction::Differs | Direction::Same, _) => Undecided,
    }
}

fn sentence(rule: &Differs, found: &Difference, margin: f64) -> String {
    let of = |share: Count| format!("in {} of {}", count(share.hits()), count(share.trials()));
    let what = match &rule.what {
        What::Rate(errnos) if errnos.is_empty() => "-1 was returned".to_owned(),
        What::Rate(errnos) => {
            let names: Vec<String> = errnos.iter().map(ToString::to_string).collect();
            format!("{} was returned", names.join(" or "))
        }
        What::Share(pattern) => format!("trials ended as {pattern}"),
        What::ClosedBeforeCall | What::Latency => "the RST had been processed before the call".to_owned(),
    };
    let judged = match found.judgement {
        Judgement::Same => format!("the same within the margin of {}", percent(margin, Rounding::Nearest)),
        Judgement::Differs => "they differ".to_owned(),
        Judgement::DiffersWithinTheMargin => {
            format!("they differ, by less than the margin of {}", percent(margin, Rounding::Nearest))
        }
        Judgement::Undecided => "no difference is shown, and one is not excluded".to_owned(),
    };
    format!(
        "{what} {} with {}, and {} with {}: {judged} (difference {} to {})",
        of(found.pooled.sums.1),
        rule.a,
        of(found.pooled.sums.0),
        rule.b,
        percent(found.pooled.judged.low, Rounding::Down),
        percent(found.pooled.judged.high, Rounding::Up)
    )
}
