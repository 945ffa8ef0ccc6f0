//! How many hits a sample will have: the distribution of a count before it is counted.
//!
//! Binomial where trials are independent; where those of a block are alike, the sum over blocks of beta-binomials. Holds probabilities of counts; must not
//! know what is made of a count. Units: hits, shares of 1. Errors: none.
//! Tests: here, against closed forms, moments and a sum over the share itself.

use crate::binomial::ln_pmf;
use crate::{Count, Probability};

/// So many trials in so many blocks of equal size (to within one trial).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Design {
    /// Trials over all blocks, at most [`Count::MAX_TRIALS`].
    pub trials: u64,
    /// Blocks: boots, where each is played on a fresh guest. None counts as one; more than there are trials, as many as trials.
    pub blocks: u32,
}

impl Design {
    /// Blocks that have a trial.
    fn filled(self) -> u64 {
        u64::from(self.blocks).clamp(1, self.trials.max(1))
    }

    /// Trials of a block, on average.
    pub fn block_size(self) -> f64 {
        self.trials as f64 / self.filled() as f64
    }

    /// How many trials each block has: the first ones have one more where they do not divide evenly.
    pub fn block_sizes(self) -> Vec<u64> {
        let (size, longer) = (self.trials / self.filled(), self.trials % self.filled());
        (0..self.filled()).map(|block| size + u64::from(block < longer)).collect()
    }

    /// By what the variance of the hits is larger than that of independent trials: `1 + (m - 1) icc` with `m` trials in a block (L. Kish, Survey Sampling,
    /// 1965, section 5.4).
    pub fn effect(self, icc: Probability) -> f64 {
        1.0 + (self.block_size() - 1.0).max(0.0) * icc.get()
    }
}

/// The chances of the counts that matter: what is left out has less than 1e-12 of all.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hits {
    /// The least count that matters.
    least: u64,
    /// Of `least`, `least + 1`, ...
    chances: Vec<f64>,
    /// `below[i]`: that the count is less than `least + i`.
    below: Vec<f64>,
}

/// A chance this small beside the largest is left out.
const NOT_FELT: f64 = 1e-17;

/// Up to so many counts the blocks are added one by one; above, the sum has so many hits that a single beta-binomial of the same mean and variance stands for it.
const MOST_ADDED: usize = 4_000;

impl Hits {
    pub(crate) fn of(design: Design, share: Probability, icc: Probability) -> Self {
        let n = design.trials;
        if share.get() <= 0.0 || n == 0 {
            return Self::from_chances(0, vec![1.0]);
        }
        if share.get() >= 1.0 {
            return Self::from_chances(n, vec![1.0]);
        }
        if icc.get() <= 0.0 || design.effect(icc) <= 1.0 {
            return binomial(n, share);
        }
        let blocks = design.filled();
        let (size, longer) = (n / blocks, n % blocks);
        let longer = power(&beta_binomial(size + 1, share, icc), longer);
        let shorter = power(&beta_binomial(size, share, icc), blocks - n % blocks);
        let sum = longer.zip(shorter).and_then(|(longer, shorter)| longer.plus(&shorter));
        sum.unwrap_or_else(|| matched(design, share, icc))
    }

    /// From chances that are known up to a common factor.
    fn from_chances(least: u64, mut chances: Vec<f64>) -> Self {
        let most = chances.iter().copied().fold(0.0, f64::max);
        let felt = |chance: &f64| *chance > most * NOT_FELT;
        let from = chances.iter().position(felt).unwrap_or(0);
        let to = chances.iter().rposition(felt).map_or(chances.len(), |last| last + 1);
        chances.truncate(to);
        chances.drain(..from);
        let sum: f64 = chances.iter().sum();
        chances.iter_mut().for_each(|chance| *chance /= sum);
        let mut below = Vec::with_capacity(chances.len() + 1);
        let mut so_far = 0.0;
        below.push(0.0);
        for chance in &chances {
            so_far += chance;
            below.push(so_far);
        }
        Self { least: least + from as u64, chances, below }
    }

    /// The counts that matter, with their chances.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        (self.least..).zip(self.chances.iter().copied())
    }

    /// How many counts matter.
    pub(crate) fn len(&self) -> usize {
        self.chances.len()
    }

    /// The least count that matters, and the first beyond them.
    pub(crate) fn range(&self) -> (u64, u64) {
        (self.least, self.least + self.chances.len() as u64)
    }

    /// The chance of fewer hits than `count`.
    pub(crate) fn fewer_than(&self, count: u64) -> f64 {
        let at = usize::try_from(count.saturating_sub(self.least)).unwrap_or(usize::MAX);
        self.below.get(at).copied().unwrap_or(1.0)
    }

    /// The chance of `from..to` hits; 0 where `to` is not above `from`.
    pub(crate) fn between(&self, from: u64, to: u64) -> f64 {
        (self.fewer_than(to) - self.fewer_than(from)).max(0.0)
    }

    /// Of the hits of both together; `None` where too many counts matter.
    fn plus(&self, other: &Self) -> Option<Self> {
        if self.len() + other.len() > MOST_ADDED {
            return None;
        }
        let mut chances = vec![0.0; self.len() + other.len() - 1];
        for (i, a) in self.chances.iter().enumerate() {
            for (sum, b) in chances[i..].iter_mut().zip(&other.chances) {
                *sum += a * b;
            }
        }
        Some(Self::from_chances(self.least + other.least, chances))
    }
}

fn binomial(n: u64, share: Probability) -> Hits {
    let odds = share.get() / (1.0 - share.get());
    let mode = (((n + 1) as f64 * share.get()) as u64).min(n);
    let at_mode = Count::new(mode, n).map_or(0.0, |count| ln_pmf(count, share).exp());
    let mut down = Vec::new();
    let mut chance = at_mode;
    for x in (0..mode).rev() {
        chance *= (x + 1) as f64 / (n - x) as f64 / odds;
        if chance <= at_mode * NOT_FELT {
            break;
        }
        down.push(chance);
    }
    let least = mode - down.len() as u64;
    let mut chances: Vec<f64> = down.into_iter().rev().collect();
    chances.push(at_mode);
    chance = at_mode;
    for x in mode..n {
        chance *= (n - x) as f64 / (x + 1) as f64 * odds;
        if chance <= at_mode * NOT_FELT {
            break;
        }
        chances.push(chance);
    }
    Hits::from_chances(least, chances)
}

/// Hits of one block of `m` trials whose share is a draw of its own from the beta distribution with this mean and correlation
/// (J. G. Skellam, J. R. Stat. Soc. B 10, 1948): the ratio of neighbours from 0 on, made to add up to 1.
fn beta_binomial(m: u64, share: Probability, icc: Probability) -> Hits {
    let spread = (1.0 - icc.get()).max(1e-9) / icc.get();
    let (a, b) = (share.get() * spread, (1.0 - share.get()) * spread);
    let mean = m as f64 * share.get();
    let mut logs = vec![0.0_f64];
    let (mut ln, mut most) = (0.0_f64, 0.0_f64);
    for k in 0..m {
        let k = k as f64;
        ln += ((m as f64 - k) * (k + a) / ((k + 1.0) * (m as f64 - k - 1.0 + b))).ln();
        logs.push(ln);
        most = most.max(ln);
        // Beyond the mean it falls, but for a last rise towards "all" where blocks are nearly all or nothing.
        if k > mean && b >= 1.0 && ln < most + NOT_FELT.ln() {
            break;
        }
    }
    Hits::from_chances(0, logs.into_iter().map(|ln| (ln - most).exp()).collect())
}

/// Of the hits of so many blocks that are each like this one: by squaring. `None` where too many counts matter.
fn power(block: &Hits, blocks: u64) -> Option<Hits> {
    let mut sum = Hits::from_chances(0, vec![1.0]);
    let mut doubled = block.clone();
    let mut left = blocks;
    while left > 0 {
        if left % 2 == 1 {
            sum = sum.plus(&doubled)?;
        }
        left /= 2;
        if left > 0 {
            doubled = doubled.plus(&doubled)?;
        }
    }
    Some(sum)
}

/// One beta-binomial over all trials, with the variance that the blocks have.
fn matched(design: Design, share: Probability, icc: Probability) -> Hits {
    let extra = (design.effect(icc) - 1.0) / (design.trials as f64 - 1.0).max(1.0);
    beta_binomial(design.trials, share, Probability::new(extra.clamp(1e-15, 1.0)).unwrap_or(icc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    fn moments(hits: &Hits) -> (f64, f64) {
        let mean: f64 = hits.iter().map(|(x, chance)| x as f64 * chance).sum();
        (mean, hits.iter().map(|(x, chance)| (x as f64 - mean).powi(2) * chance).sum())
    }

    #[test]
    fn blocks_share_the_trials_as_evenly_as_can_be() {
        assert_eq!(Design { trials: 11, blocks: 3 }.block_sizes(), [4, 4, 3]);
        assert_eq!(Design { trials: 2, blocks: 5 }.block_sizes(), [1, 1]);
        assert_eq!(Design { trials: 0, blocks: 0 }.block_sizes(), [0]);
        assert_eq!(Design { trials: 2_000, blocks: 2 }.effect(share(0.001)), 1.999);
        assert_eq!(Design { trials: 1, blocks: 1 }.effect(share(0.5)), 1.0);
    }

    #[test]
    fn mean_and_variance_are_those_of_the_design() {
        for (trials, blocks, p, icc) in [
            (2_000, 2, 0.001, 0.0),
            (2_000, 2, 0.001, 0.01),
            (2_001, 7, 0.2, 0.1),
            (1_000_000, 5, 1e-5, 0.001),
            (1_000_000, 10, 0.5, 0.001),
            (300, 300, 0.3, 0.5),
            (500, 5, 0.5, 0.9),
        ] {
            let design = Design { trials, blocks };
            let (mean, variance) = moments(&Hits::of(design, share(p), share(icc)));
            let n = trials as f64;
            // Unequal blocks: the mean of the effects, weighted by trials.
            let effect: f64 =
                design.block_sizes().iter().map(|m| *m as f64 * (1.0 + (*m as f64 - 1.0) * icc)).sum::<f64>()
                    / n;
            let wanted = n * p * (1.0 - p) * effect;
            assert!((mean / (n * p) - 1.0).abs() < 1e-9, "{design:?} {p} {icc}: {mean}");
            assert!((variance / wanted - 1.0).abs() < 1e-6, "{design:?} {p} {icc}: {variance} {wanted}");
        }
    }

    /// P(0) of a block is the product of (b + j) / (a + b + j).
    #[test]
    fn no_hit_at_all_is_as_likely_as_the_closed_form_says() {
        let (p, icc, m) = (0.002, 0.01, 500);
        let spread = (1.0 - icc) / icc;
        let one: f64 =
            (0..m).map(|j| (((1.0 - p) * spread + f64::from(j)) / (spread + f64::from(j))).ln()).sum();
        let hits = Hits::of(Design { trials: 1_500, blocks: 3 }, share(p), share(icc));
        assert!((hits.fewer_than(1) / (3.0 * one).exp() - 1.0).abs() < 1e-10);
        assert!((hits.between(0, 1_501) - 1.0).abs() < 1e-12);
        assert_eq!(hits.between(5, 5), 0.0);
        let point = Hits::of(Design { trials: 9, blocks: 2 }, share(1.0), share(icc));
        assert_eq!((point.range(), point.fewer_than(9), point.fewer_than(10)), ((9, 10), 0.0, 1.0));
    }

    /// A beta-binomial is a binomial whose share is drawn: summed over a fine grid of shares.
    #[test]
    fn a_block_is_a_mixture_of_binomials() {
        let (m, p, icc) = (12_u64, 0.3, 0.25);
        let (a, b) = (p * 3.0, 0.7 * 3.0);
        let hits = beta_binomial(m, share(p), share(icc));
        let steps = 200_000;
        let mut mixed = [0.0; 13];
        let mut all = 0.0;
        for step in 0..steps {
            // Simpson would need the ends; the substitution u^(1/a) removes the pole at 0.
            let x = ((f64::from(step) + 0.5) / f64::from(steps)).powf(1.0 / a);
            let weight = (1.0 - x).powf(b - 1.0);
            all += weight;
            for (k, sum) in mixed.iter_mut().enumerate() {
                let count = Count::new(k as u64, m).expect("hits are at most trials");
                *sum += weight * ln_pmf(count, share(x)).exp();
            }
        }
        for (k, chance) in hits.iter() {
            assert!((mixed[k as usize] / all - chance).abs() < 1e-6, "{k}: {chance}");
        }
    }
}
