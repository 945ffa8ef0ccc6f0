//! Claims about how a script ends: judged by its outcomes.
//!
//! Holds shares of outcomes, and what each path's trials ended as. Must not know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use crate::path::{Direction, FirewallCount, MiddleboxCounter, PathCounter, ResetCount, Resetter};
use std::collections::BTreeMap;

use rig_protocol::matches_outcome;
use rig_stats::{Count, Interval, clopper_pearson};

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::count;

/// "The script ends so on such a path": by the share of outcomes that are what the claim says, and of those that contradict it. Decided
/// where the lower bound of one of the two is within the margin of all trials.
pub(in crate::analysis) fn ends_as(evidence: &Evidence<'_>, claimed: &[&str], otherwise: &[&str]) -> Finding {
    let trials: u64 = evidence.cells.iter().map(|cell| cell.tally.trials).sum();
    let share = |patterns: &[&str]| {
        let fits = |(outcome, _): &(&String, &u64)| patterns.iter().any(|p| matches_outcome(p, outcome));
        let outcomes = evidence.cells.iter().flat_map(|cell| &cell.tally.outcomes);
        let hits: u64 = outcomes.filter(fits).map(|(_, n)| n).sum();
        (hits, bounds(hits, trials, evidence))
    };
    let nearly_all = |bounds: Interval| bounds.low >= 1.0 - evidence.rules.margin;
    let (as_claimed, of_claimed) = share(claimed);
    let (contrary, of_contrary) = share(otherwise);
    let said = outcomes_by_path(evidence);
    if nearly_all(of_claimed) {
        Finding::measured(Supported, said)
    } else if nearly_all(of_contrary) {
        Finding::measured(Refuted, said)
    } else {
        let few = if as_claimed == trials || contrary == trials { ", too few for the margin" } else { "" };
        let mixed = format!(
            "{} of {} trials are as claimed and {} are not{few}; {said}",
            count(as_claimed),
            count(trials),
            count(contrary)
        );
        Finding::measured(Undecided, mixed)
    }
}

fn bounds(hits: u64, trials: u64, evidence: &Evidence<'_>) -> Interval {
    clopper_pearson(Count::new(hits, trials).unwrap_or(Count::NONE), evidence.rules.confidence)
}

/// The most frequent outcome of each path, the claim's own paths first, then those that a reader should compare.
pub(in crate::analysis) fn outcomes_by_path(evidence: &Evidence<'_>) -> String {
    let mut paths: Vec<(&str, u64, BTreeMap<&str, u64>)> = Vec::new();
    for cell in evidence.cells.iter().chain(&evidence.beside) {
        let name = cell.cell().subject.path.name.as_str();
        let at = paths.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            paths.push((name, 0, BTreeMap::new()));
            paths.len() - 1
        });
        let (_, trials, outcomes) = &mut paths[at];
        *trials += cell.tally.trials;
        for (outcome, n) in &cell.tally.outcomes {
            *outcomes.entry(outcome).or_default() += n;
        }
    }
    let most = |(name, trials, outcomes): &(&str, u64, BTreeMap<&str, u64>)| {
        let (outcome, n) = outcomes.iter().max_by_key(|(_, n)| **n)?;
        Some(format!("{outcome} in {} of {} on {name}", count(*n), count(*trials)))
    };
    paths.iter().filter_map(most).collect::<Vec<_>>().join("; ")
}

/// "The RST throws away what was received": refuted where the data was still readable although TCP_INFO said CLOSE before the call.
pub(in crate::analysis) fn data_is_discarded(evidence: &Evidence<'_>) -> Finding {
    // Only where every trial had its RST before the call is the order of data and RST known for every outcome.
    let processed = |cell: &&&Measured<'_>| cell.rst_before_call() == cell.tally.trials;
    let cells: Vec<_> = evidence.cells.iter().filter(processed).collect();
    let trials: u64 = cells.iter().map(|cell| cell.tally.trials).sum();
    if trials == 0 {
        return Missing::EarlyResets.into();
    }
    let with_data = |(outcome, _): &(&String, &u64)| outcome.split(',').any(|label| label == "data");
    let kept: u64 =
        cells.iter().flat_map(|cell| cell.tally.outcomes.iter().filter(with_data)).map(|(_, n)| n).sum();
    let bounds = clopper_pearson(Count::new(kept, trials).unwrap_or(Count::NONE), evidence.rules.confidence);
    let said = format!(
        "the data was still readable in {} of {} trials whose RST had been processed before the call",
        count(kept),
        count(trials)
    );
    if bounds.low >= 1.0 - evidence.rules.margin {
        Finding::measured(Refuted, said)
    } else if bounds.high <= evidence.rules.margin {
        Finding::measured(Supported, said)
    } else {
        Finding::measured(Undecided, said)
    }
}

/// "It purges, closes, sets the error and shuts down": false where its first part is. Were that true, the others would still be open.
pub(in crate::analysis) fn queues_are_purged(evidence: &Evidence<'_>) -> Finding {
    let finding = data_is_discarded(evidence);
    match finding.verdict {
        Supported => {
            let finding = finding.reworded(|said| format!("{said}; its other parts were not tested"));
            Finding { verdict: Undecided, ..finding }
        }
        Refuted | Undecided => finding,
    }
}

/// "A firewall resets both ends of an idle session": whether a product does is not for a rig to say; what the ends then see is.
pub(in crate::analysis) fn firewall_resets(evidence: &Evidence<'_>) -> Finding {
    let counter = |counter: MiddleboxCounter| -> u64 {
        let counter = PathCounter::from(counter);
        evidence.cells.iter().map(|cell| cell.path_counter(&counter)).sum()
    };
    let resets = |to| counter(MiddleboxCounter::Reset(Resetter::Firewall, ResetCount::Injected, to));
    let said = format!(
        "this run assumes that some product does so (Linux connection tracking never does); rig's own firewall ended {} idle sessions \
         with {} RSTs to the client and {} to the peer: {}",
        count(counter(MiddleboxCounter::Firewall(FirewallCount::Expired))),
        count(resets(Direction::ToTarget)),
        count(resets(Direction::ToPeer)),
        outcomes_by_path(evidence)
    );
    Finding::measured(Undecided, said)
}
