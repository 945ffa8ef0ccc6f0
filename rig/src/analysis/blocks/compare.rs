//! Two rates, at the level of trials and at that of boots.
//!
//! Holds which interval and which test judge, and why a difference of trials may be none of boots. Must not know what a hit is, nor how many comparisons a run has.
//! Units: shares of 1; a difference is second minus first. Errors: none. Tests: `tests/golden/boots.rs`.

use rig_stats::{
    Confidence, Count, Effective, Interval, difference, difference_effective, fisher, relabel, smallest_p,
};

use super::super::model::{ComparedCell, ComparisonReason};
use super::effect::{Effect, effect};
use super::estimate::wider;
use super::{Family, Method, sum};

/// The blocks of the two sides that are compared.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Sides<'b> {
    pub(in crate::analysis) first: &'b [Count],
    pub(in crate::analysis) second: &'b [Count],
}

/// What two sides say.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Compared {
    /// As if trials were independent: the score interval (Miettinen and Nurminen), and Fisher's exact test.
    pub(in crate::analysis) trial: Interval,
    pub(in crate::analysis) trial_p: f64,
    /// What is judged by; never narrower, and never smaller, than those of trials.
    pub(in crate::analysis) judged: Interval,
    pub(in crate::analysis) p: f64,
    /// No p-value of so many hits in so many blocks can be smaller.
    pub(in crate::analysis) smallest_p: f64,
    pub(in crate::analysis) method: Method,
    /// So many trials of blocks like these say as much as one independent trial: of the side where it takes more.
    pub(in crate::analysis) inflation: f64,
    /// Variance between blocks over that of independent trials, and its degrees of freedom, where the family tells.
    pub(in crate::analysis) dispersion: Option<(f64, f64)>,
}

/// Compares. `seed` is that of relabelled blocks, where they are too many to be enumerated.
pub(in crate::analysis) fn compare(
    sides: Sides<'_>,
    family: &Family,
    seed: u64,
    confidence: Confidence,
) -> Compared {
    let (first, second) = (sum(sides.first), sum(sides.second));
    let trial_p = fisher(first, second);
    let Bounds { trial, judged, of_first, of_second } = bounds(sides, family, confidence);
    let is_empty = first.trials() == 0 || second.trials() == 0;
    let method = if is_empty { Method::Nothing } else { of_second.method };
    let least = smallest_p(first, second);
    let (p, smallest_p) = match (method, family.clustering) {
        (Method::QuasiBinomial, Some(clustering)) => (clustering.p_value(first, second), least),
        (Method::WholeBlocks, _) => {
            let found = relabel(&rows(sides.first), &rows(sides.second), seed);
            found.map_or((1.0, 1.0), |found| (found.p_value, found.smallest_p.max(least)))
        }
        (Method::Nothing | Method::BetaBinomial | Method::QuasiBinomial, _) => (1.0, 1.0),
    };
    Compared {
        trial,
        trial_p,
        judged,
        p: p.max(trial_p),
        smallest_p,
        method,
        inflation: of_first.by.max(of_second.by),
        dispersion: family.dispersion(),
    }
}

/// The bounds of [`compare`] that are judged by, at another confidence.
pub(in crate::analysis) fn judged(sides: Sides<'_>, family: &Family, confidence: Confidence) -> Interval {
    bounds(sides, family, confidence).judged
}

/// The intervals of a difference, and what made them.
struct Bounds {
    trial: Interval,
    judged: Interval,
    of_first: Effect,
    of_second: Effect,
}

fn bounds(sides: Sides<'_>, family: &Family, confidence: Confidence) -> Bounds {
    let (first, second) = (sum(sides.first), sum(sides.second));
    let trial = difference(first, second, confidence);
    let (hits, misses) = (first.hits() + second.hits(), first.misses() + second.misses());
    let unvaried = hits == 0 || misses == 0;
    let of = |blocks| effect(blocks, unvaried, family, confidence);
    let (of_first, of_second) = (of(sides.first), of(sides.second));
    let effective = |count, of: &Effect| Effective::over(count, of.by);
    let interval =
        difference_effective(effective(first, &of_first), effective(second, &of_second), confidence);
    let is_empty = first.trials() == 0 || second.trials() == 0;
    Bounds { trial, judged: if is_empty { trial } else { wider(interval, trial) }, of_first, of_second }
}

impl Compared {
    /// With an interval and a p-value that hold although somebody looked after every block, where these are the weaker ones.
    pub(in crate::analysis) fn at_every_look(self, interval: Interval, p: f64) -> Self {
        Self { judged: wider(self.judged, interval), p: self.p.max(p), ..self }
    }

    /// Why a difference that single trials show is none of boots, where that is so. `alpha` is the level of a single question.
    pub(in crate::analysis) fn not_borne_out(
        &self,
        sides: &Sides<'_>,
        alpha: f64,
    ) -> Option<ComparisonReason> {
        if !is_of_trials_alone((self.trial, self.trial_p), (self.judged, self.p), alpha) {
            return None;
        }
        let (first, second) = (sides.first.len() as u64, sides.second.len() as u64);
        Some(match event(sides) {
            Some(event) => event,
            None if first.min(second) < 2 || self.smallest_p > alpha => {
                ComparisonReason::FewBlocks { first, second }
            }
            None => ComparisonReason::BlocksDifferToo { p_value: self.p },
        })
    }
}

/// Whether single trials show a difference at this level that boots do not: each with an interval and a p-value.
pub(in crate::analysis) fn is_of_trials_alone(
    trials: (Interval, f64),
    boots: (Interval, f64),
    alpha: f64,
) -> bool {
    let shown = |(interval, p): (Interval, f64)| !interval.contains(0.0) && p <= alpha;
    shown(trials) && !shown(boots)
}

/// Whether all that makes the difference lies in one block of several: all hits of the side that has more of them, or all misses of the other.
fn event(sides: &Sides<'_>) -> Option<ComparisonReason> {
    let more = sum(sides.second).share() > sum(sides.first).share();
    let of = [(ComparedCell::Second, sides.second, more), (ComparedCell::First, sides.first, !more)];
    of.into_iter().find_map(|(of, blocks, hits)| {
        let has = |block: &&Count| if hits { block.hits() > 0 } else { block.misses() > 0 };
        let hit = blocks.iter().filter(has).count();
        (blocks.len() > 1 && hit == 1)
            .then_some(ComparisonReason::OneBlock { blocks: blocks.len() as u64, of })
    })
}

fn rows(blocks: &[Count]) -> Vec<Vec<u64>> {
    blocks.iter().map(|block| vec![block.hits(), block.misses()]).collect()
}
