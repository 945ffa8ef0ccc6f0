//! Intervals and tests in which the boot is the unit: dispersion, design effects, and which of the methods is used.
//!
//! Must not know what a hit is. Units: counts, shares of 1, ratios of variances. Errors: none. Tests: below, by hand.

use super::relabel::rows_relabelled;
use super::score::{Side, score_interval};
use super::share::share_interval;
use super::special::{f_beyond, student_two_sided};
use super::table::fisher;
use super::unseen::{Unseen, unseen, worth};
use super::{Bounds, Level, Tries};

/// How much the blocks of some cells differ.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Clustered {
    /// Pearson's statistic over its expectation for independent trials, 1 or more.
    pub(in crate::audit) phi: f64,
    /// Its degrees of freedom (Satterthwaite).
    pub(in crate::audit) nu: f64,
}

/// What a family of cells tells.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Family {
    pub(in crate::audit) clustered: Option<Clustered>,
    pub(in crate::audit) icc: f64,
}

impl Family {
    /// Of the blocks of each cell; `declared` is the correlation of the run's own rules.
    pub(in crate::audit) fn of(cells: &[Vec<Tries>], declared: f64) -> Self {
        let clustered = clustered(cells);
        let sizes: Vec<f64> = cells.iter().flatten().map(|block| block.of as f64).collect();
        let mean = sizes.iter().sum::<f64>() / sizes.len().max(1) as f64;
        let measured =
            clustered.map_or(0.0, |found| if mean > 1.0 { (found.phi - 1.0) / (mean - 1.0) } else { 0.0 });
        Self { clustered, icc: measured.clamp(0.0, 1.0).max(declared) }
    }
}

/// `phi = max(1, sum (x - n p)^2 / n over sum (B - 1) p q)` and `nu = (sum e)^2 / sum e^2/(B - 1)`, over cells with hits and misses in two blocks or more.
fn clustered(cells: &[Vec<Tries>]) -> Option<Clustered> {
    let (mut above, mut below, mut squares) = (0.0, 0.0, 0.0);
    for cell in cells {
        let blocks: Vec<Tries> = cell.iter().copied().filter(|block| block.of > 0).collect();
        let sum = Tries::sum(&blocks);
        if blocks.len() < 2 || sum.hits == 0 || sum.misses() == 0 {
            continue;
        }
        let (p, q) = (sum.share(), sum.misses() as f64 / sum.of as f64);
        let expected = (blocks.len() - 1) as f64 * p * q;
        let apart = |block: &Tries| (block.hits as f64 - block.of as f64 * p).powi(2) / block.of as f64;
        above += blocks.iter().map(apart).sum::<f64>();
        below += expected;
        squares += expected * p * q;
    }
    (below > 0.0).then(|| Clustered { phi: (above / below).max(1.0), nu: below * below / squares })
}

/// How blocks are taken into account on one side.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Effect {
    pub(in crate::audit) method: &'static str,
    pub(in crate::audit) by: f64,
}

/// Of these blocks; `unvaried`: all trials that are asked about ended alike.
pub(in crate::audit) fn effect(blocks: &[Tries], unvaried: bool, family: &Family, level: Level) -> Effect {
    let trials = Tries::sum(blocks).of as f64;
    let inflation = family
        .clustered
        .map(|found| found.phi * (student_two_sided(found.nu, level.alpha) / level.z).powi(2));
    let (method, by) = if trials == 0.0 {
        ("none", 1.0)
    } else if unvaried {
        let sizes: Vec<u64> = blocks.iter().map(|block| block.of).collect();
        ("beta-binomial", (trials / worth(&sizes, family.icc)).max(inflation.unwrap_or(1.0)))
    } else if let Some(inflation) = inflation {
        ("quasi-binomial", inflation)
    } else {
        ("whole-blocks", trials / blocks.len() as f64)
    };
    Effect { method, by: by.max(1.0) }
}

/// One rate.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Estimate {
    pub(in crate::audit) sum: Tries,
    pub(in crate::audit) judged: Bounds,
    pub(in crate::audit) trial: Bounds,
    pub(in crate::audit) method: &'static str,
    pub(in crate::audit) unseen: Option<Unseen>,
}

pub(in crate::audit) fn estimate(blocks: &[Tries], family: &Family, level: Level) -> Estimate {
    let sum = Tries::sum(blocks);
    let interval = |by: f64| share_interval(sum.hits as f64 / by, sum.misses() as f64 / by, level.alpha);
    let trial = interval(1.0);
    let Effect { method, by } = effect(blocks, sum.hits == 0 || sum.misses() == 0, family, level);
    let sizes: Vec<u64> = blocks.iter().map(|block| block.of).collect();
    let unseen = (sum.hits == 0 && sum.of > 0).then(|| unseen(&sizes, family.icc, level.alpha));
    let mut judged = if sum.of == 0 { trial } else { interval(by).or(trial) };
    if let Some(bounds) = unseen {
        judged = Bounds { low: 0.0, high: judged.high.max(bounds.at_icc) };
    }
    Estimate { sum, judged, trial, method, unseen }
}

/// Two rates.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Compared {
    pub(in crate::audit) trial: Bounds,
    pub(in crate::audit) trial_p: f64,
    pub(in crate::audit) judged: Bounds,
    pub(in crate::audit) p: f64,
    pub(in crate::audit) smallest: f64,
    pub(in crate::audit) method: &'static str,
    /// So many trials say as much as one independent trial.
    pub(in crate::audit) inflation: f64,
}

impl Compared {
    /// Whether single trials show a difference that boots do not.
    pub(in crate::audit) fn is_of_trials_alone(&self, alpha: f64) -> bool {
        trials_alone((self.trial, self.trial_p), (self.judged, self.p), alpha)
    }
}

/// The same of any bounds with their p-values: of single trials, and of boots.
pub(in crate::audit) fn trials_alone(trials: (Bounds, f64), boots: (Bounds, f64), alpha: f64) -> bool {
    let shown = |(bounds, p): (Bounds, f64)| !bounds.has(0.0) && p <= alpha;
    shown(trials) && !shown(boots)
}

/// What is judged by, and how blocks are taken into account.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Judged {
    pub(in crate::audit) bounds: Bounds,
    method: &'static str,
    /// So many trials say as much as one independent trial: of the side where it takes more.
    inflation: f64,
}

pub(in crate::audit) fn judged(first: &[Tries], second: &[Tries], family: &Family, level: Level) -> Judged {
    let sums = (Tries::sum(first), Tries::sum(second));
    let trial = score_interval(&[(Side::over(sums.0, 1.0), Side::over(sums.1, 1.0))], level.z);
    let unvaried = sums.0.hits + sums.1.hits == 0 || sums.0.misses() + sums.1.misses() == 0;
    let of = |blocks| effect(blocks, unvaried, family, level);
    let (of_first, of_second) = (of(first), of(second));
    let inflation = of_first.by.max(of_second.by);
    if sums.0.of == 0 || sums.1.of == 0 {
        return Judged { bounds: trial, method: "none", inflation };
    }
    let sides = (Side::over(sums.0, of_first.by), Side::over(sums.1, of_second.by));
    let bounds = score_interval(&[sides], level.z).or(trial);
    Judged { bounds, method: of_second.method, inflation }
}

/// Compares; `seed` is that of blocks that are labelled anew.
pub(in crate::audit) fn compare(
    first: &[Tries],
    second: &[Tries],
    family: &Family,
    seed: u64,
    level: Level,
) -> Compared {
    let sums = (Tries::sum(first), Tries::sum(second));
    let trial = score_interval(&[(Side::over(sums.0, 1.0), Side::over(sums.1, 1.0))], level.z);
    let (trial_p, least) = fisher(sums.0, sums.1);
    let Judged { bounds, method, inflation } = judged(first, second, family, level);
    let (p, smallest) = match (method, family.clustered) {
        ("quasi-binomial", Some(found)) => (f_test(sums.0, sums.1, found), least),
        ("whole-blocks", _) => {
            let rows = |side: &[Tries]| -> Vec<Vec<u64>> {
                side.iter().map(|block| vec![block.hits, block.misses()]).collect()
            };
            let found = rows_relabelled(&rows(first), &rows(second), seed);
            found.map_or((1.0, 1.0), |found| (found.p, found.smallest.max(least)))
        }
        _ => (1.0, 1.0),
    };
    Compared { trial, trial_p, judged: bounds, p: p.max(trial_p), smallest, method, inflation }
}

/// The score test of equal shares over the dispersion, as F.
fn f_test(first: Tries, second: Tries, found: Clustered) -> f64 {
    let (n1, n2) = (first.of as f64, second.of as f64);
    let all = n1 + n2;
    let (hits, misses) = ((first.hits + second.hits) as f64, (first.misses() + second.misses()) as f64);
    if n1 == 0.0 || n2 == 0.0 || hits == 0.0 || misses == 0.0 {
        return 1.0;
    }
    let apart =
        (second.hits as f64 * first.misses() as f64 - first.hits as f64 * second.misses() as f64) / (n1 * n2);
    let variance = hits * misses / (all * all) * (1.0 / n1 + 1.0 / n2) * all / (all - 1.0);
    f_beyond(apart * apart / variance / found.phi, found.nu)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(hits: &[u64]) -> Vec<Tries> {
        hits.iter().map(|hits| Tries::new(*hits, 100)).collect()
    }

    #[test]
    fn dispersion_by_hand() {
        // p = 0.1: (5^2 + 5^2) / 100 over 0.09.
        let one = clustered(&[blocks(&[5, 15])]).expect("hits and misses in two blocks");
        assert!((one.phi - 0.5 / 0.09).abs() < 1e-12 && (one.nu - 1.0).abs() < 1e-12, "{one:?}");
        // Two alike cells have two degrees of freedom; one without a hit lends none.
        let two = clustered(&[blocks(&[5, 15]), blocks(&[15, 5]), blocks(&[0, 0])]).expect("two cells tell");
        assert!((two.phi - one.phi).abs() < 1e-12 && (two.nu - 2.0).abs() < 1e-12, "{two:?}");
        assert!(clustered(&[blocks(&[5]), blocks(&[0, 0])]).is_none());
        assert_eq!(clustered(&[blocks(&[10, 10])]).map(|found| found.phi), Some(1.0), "never below 1");
    }

    #[test]
    fn which_method() {
        let (alone, level) = (Family::of(&[], 0.001), Level::new(0.05));
        let by = |blocks: &[Tries]| estimate(blocks, &alone, level).method;
        assert_eq!(
            [by(&[]), by(&blocks(&[0, 0])), by(&blocks(&[1, 0]))],
            ["none", "beta-binomial", "whole-blocks"]
        );
        let family = Family::of(&[blocks(&[1, 4])], 0.001);
        assert_eq!(estimate(&blocks(&[1, 0]), &family, level).method, "quasi-binomial");
        let nothing = estimate(&blocks(&[0, 0]), &alone, level);
        assert!(nothing.unseen.is_some_and(|bounds| bounds.at_icc <= nothing.judged.high));
    }
}
