//! `ends`: judged by how the trials end.
//!
//! Holds the shares of what is as claimed and of what contradicts it, and where they disagree. Must not know which claim it decides.
//! Units: shares of 1. Errors: none. Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use std::collections::BTreeMap;

use rig_protocol::{Tally, matches_outcome};
use rig_stats::Count;

use crate::claims::{self, Ends};
use crate::record::format::BlockRecord;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::words::{Rounding, count, list, percent};

/// So many outcomes are named.
const NAMED: usize = 3;

/// Supported where surely all trials but the margin are as claimed, refuted where as many contradict it; of a claim with a share of its own, where surely so many are or are
/// not. A place (a kernel on a path) in which more than half surely end
/// the other way leaves it undecided: then the place decides.
pub(super) fn judge(rule: &Ends, evidence: &Evidence<'_>) -> Finding {
    let trials = evidence.trials();
    let shares = Shares::of(rule, &evidence.cells);
    let (of_claimed, of_contrary) =
        (evidence.bounds(|block| claimed(rule, block)), evidence.bounds(|block| contrary(rule, block)));
    let all_but = 1.0 - evidence.rules.margin;
    let (enough, too_few) = match rule.at_least {
        Some(share) => (share, 1.0 - share),
        None => (all_but, all_but),
    };
    let said = outcomes_by_path(evidence);
    let apart = places_apart(rule, evidence);
    if let Some(apart) = apart {
        let said = format!("the place decides: {apart}; {said}");
        return Finding::measured(Undecided, said).of(trials, of_claimed);
    }
    if of_claimed.low >= enough {
        let said = format!(
            "as claimed in {} of {} trials (at least {}): {said}",
            count(shares.claimed),
            count(trials),
            at_least(of_claimed.low)
        );
        return Finding::measured(Supported, said).of(trials, of_claimed);
    }
    if of_contrary.low >= too_few {
        let said = format!(
            "otherwise in {} of {} trials (at least {}): {said}",
            count(shares.contrary),
            count(trials),
            at_least(of_contrary.low)
        );
        return Finding::measured(Refuted, said).of(trials, of_contrary);
    }
    let few = too_few_trials(rule, evidence, &shares, trials);
    let mixed = format!(
        "{} of {} trials are as claimed and {} are not{few}{}; {said}",
        count(shares.claimed),
        count(trials),
        count(shares.contrary),
        neither(rule, evidence, trials - shares.claimed - shares.contrary)
    );
    Finding::measured(Undecided, mixed).of(trials, of_claimed)
}

/// How many trials would do, where all went one way.
fn too_few_trials(rule: &Ends, evidence: &Evidence<'_>, shares: &Shares, trials: u64) -> String {
    let all_claimed = shares.claimed == trials;
    if !all_claimed && shares.contrary != trials {
        return String::new();
    }
    let (most, of) = match rule.at_least {
        Some(share) if all_claimed => (1.0 - share, claims::share(share)),
        Some(share) => (share, claims::share(share)),
        None => (evidence.rules.margin, "the margin".to_owned()),
    };
    match evidence.zeros_needed(most) {
        Some(needed) => format!(", too few for {of}: {} in blocks of this size would do", count(needed)),
        None => format!(", too few for {of}"),
    }
}

/// The outcomes that neither list of the rule has, the most frequent first.
fn neither(rule: &Ends, evidence: &Evidence<'_>, trials: u64) -> String {
    if trials == 0 {
        return String::new();
    }
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    for (outcome, n) in evidence.cells.iter().flat_map(|cell| &cell.tally.outcomes) {
        let mut patterns = rule.claimed.iter().chain(&rule.otherwise);
        if !patterns.any(|pattern| matches_outcome(pattern, outcome)) {
            *outcomes.entry(outcome).or_default() += n;
        }
    }
    let mut outcomes: Vec<_> = outcomes.into_iter().collect();
    outcomes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let more =
        if outcomes.len() > NAMED { format!(" and {} more", outcomes.len() - NAMED) } else { String::new() };
    let named: Vec<&str> = outcomes.iter().take(NAMED).map(|(outcome, _)| *outcome).collect();
    format!(", {} are in neither list of the claim ({}{more})", count(trials), named.join("; "))
}

fn at_least(low: f64) -> String {
    percent(low, Rounding::Down)
}

/// Trials with an outcome that fits to one of these patterns.
pub(super) fn in_outcomes(outcomes: &BTreeMap<String, u64>, patterns: &[String]) -> u64 {
    let fits =
        |(outcome, _): &(&String, &u64)| patterns.iter().any(|pattern| matches_outcome(pattern, outcome));
    outcomes.iter().filter(fits).map(|(_, n)| n).sum()
}

struct Shares {
    claimed: u64,
    contrary: u64,
}

impl Shares {
    /// An outcome that is as claimed contradicts nothing.
    fn of(rule: &Ends, cells: &[&Measured<'_>]) -> Self {
        let none = Self { claimed: 0, contrary: 0 };
        cells.iter().map(|cell| Self::of_tally(rule, &cell.tally)).fold(none, |sum, one| Self {
            claimed: sum.claimed + one.claimed,
            contrary: sum.contrary + one.contrary,
        })
    }

    fn of_tally(rule: &Ends, tally: &Tally) -> Self {
        let (mut claimed, mut contrary) = (0, 0);
        for (outcome, n) in &tally.outcomes {
            let fits = |patterns: &[String]| patterns.iter().any(|pattern| matches_outcome(pattern, outcome));
            if fits(&rule.claimed) {
                claimed += n;
            } else if fits(&rule.otherwise) {
                contrary += n;
            }
        }
        Self { claimed, contrary }
    }
}

fn claimed(rule: &Ends, block: &BlockRecord) -> Count {
    Count::new(Shares::of_tally(rule, &block.tally).claimed, block.tally.trials).unwrap_or(Count::NONE)
}

fn contrary(rule: &Ends, block: &BlockRecord) -> Count {
    Count::new(Shares::of_tally(rule, &block.tally).contrary, block.tally.trials).unwrap_or(Count::NONE)
}

/// Kernels and paths of which some surely end as claimed in most trials, and others surely do not.
fn places_apart(rule: &Ends, evidence: &Evidence<'_>) -> Option<String> {
    let mut places: BTreeMap<(&str, &str), Vec<&Measured<'_>>> = BTreeMap::new();
    for cell in &evidence.cells {
        let subject = &cell.cell().subject;
        places.entry((&subject.kernel, &subject.path.name)).or_default().push(cell);
    }
    let (mut as_claimed, mut otherwise) = (Vec::new(), Vec::new());
    for ((kernel, path), cells) in places {
        let place = format!("kernel {kernel} over {path}");
        if evidence.bounds_of(&cells, |block| claimed(rule, block)).low > 0.5 {
            as_claimed.push(place);
        } else if evidence.bounds_of(&cells, |block| contrary(rule, block)).low > 0.5 {
            otherwise.push(place);
        }
    }
    let both = !as_claimed.is_empty() && !otherwise.is_empty();
    both.then(|| format!("as claimed with {}, otherwise with {}", list(&as_claimed), list(&otherwise)))
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
