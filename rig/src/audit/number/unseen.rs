//! What was never seen: bounds by the beta-binomial chance of nothing, multiplied out trial by trial.
//!
//! Must not know what a block is. Units: trials, shares of 1. Errors: none. Tests: below.

use std::collections::BTreeMap;

use super::special::bisect;

/// Of trials if they were independent; of trials at this correlation; of blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::audit) struct Unseen {
    pub(in crate::audit) independent: f64,
    pub(in crate::audit) at_icc: f64,
    pub(in crate::audit) share_of_blocks: f64,
}

/// Bounds of blocks of these numbers of trials, at half of `alpha`. `P(0 of m)` is the product over `j < m` of `1 - p (1 - r) / (1 - r + j r)` (J. G. Skellam, J. R. Stat.
/// Soc. B 10, 1948).
pub(super) fn unseen(sizes: &[u64], icc: f64, alpha: f64) -> Unseen {
    let sizes: Vec<u64> = sizes.iter().copied().filter(|size| *size > 0).collect();
    let half = (alpha / 2.0).ln();
    let trials: f64 = sizes.iter().map(|size| *size as f64).sum();
    let bound = |of: f64| -(half / of).exp_m1();
    let (independent, share_of_blocks) = (bound(trials), bound(sizes.len() as f64));
    let at_icc = if icc <= 0.0 || sizes.is_empty() || independent >= share_of_blocks {
        independent
    } else if icc >= 1.0 {
        share_of_blocks
    } else {
        let mut alike: BTreeMap<u64, f64> = BTreeMap::new();
        sizes.iter().for_each(|size| *alike.entry(*size).or_default() += 1.0);
        let likely = |ln_share: f64| {
            let share = ln_share.exp();
            alike.iter().map(|(size, times)| times * ln_nothing(*size, share, icc)).sum::<f64>() > half
        };
        bisect(independent.ln(), share_of_blocks.ln(), likely).exp()
    };
    Unseen { independent, at_icc, share_of_blocks }
}

/// So many terms of a sum over the trials of a block are added one by one; from there on they change so little that an integral is the sum to 1 part in 1e9.
const ONE_BY_ONE: u64 = 1 << 14;

fn ln_nothing(trials: u64, share: f64, icc: f64) -> f64 {
    let mut sum = 0.0;
    // Factors are multiplied in sixteens: a logarithm costs more than they do.
    let mut product = 1.0;
    let singly = trials.min(ONE_BY_ONE);
    for trial in 0..singly {
        product *= 1.0 - share * (1.0 - icc) / (1.0 - icc + trial as f64 * icc);
        if trial % 16 == 15 {
            sum += product.ln();
            product = 1.0;
        }
    }
    let s = (1.0 - icc) / icc;
    let rest = integral(s, singly, trials, |place| place * (-share * s / place).ln_1p());
    sum + product.ln() + rest
}

/// The sum of `f(s + j)` over `from <= j < to` as the integral from `from - 1/2` to `to - 1/2`, by Simpson's rule on a logarithmic scale; `of` is `f` times its place.
fn integral(s: f64, from: u64, to: u64, of: impl Fn(f64) -> f64) -> f64 {
    const STEPS: u32 = 512;
    if from >= to {
        return 0.0;
    }
    let (begin, end) = ((s + from as f64 - 0.5).ln(), (s + to as f64 - 0.5).ln());
    let step = (end - begin) / f64::from(STEPS);
    let weighted = |point: u32| {
        let weight = match point {
            0 | STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * of((begin + f64::from(point) * step).exp())
    };
    (0..=STEPS).map(weighted).sum::<f64>() * step / 3.0
}

/// How many independent trials blocks of these sizes are worth where hits are rare: the sum over blocks and `j < m` of `(1 - r) / (1 - r + j r)`.
pub(super) fn worth(sizes: &[u64], icc: f64) -> f64 {
    let mut alike: BTreeMap<u64, f64> = BTreeMap::new();
    sizes.iter().for_each(|size| *alike.entry(*size).or_default() += 1.0);
    let of = |size: u64| -> f64 {
        if icc >= 1.0 {
            return size.min(1) as f64;
        }
        if icc <= 0.0 {
            return size as f64;
        }
        let (s, singly) = ((1.0 - icc) / icc, size.min(ONE_BY_ONE));
        let first: f64 = (0..singly).map(|j| s / (s + j as f64)).sum();
        first + integral(s, singly, size, |_| s)
    };
    alike.into_iter().map(|(size, times)| times * of(size)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_documentation() {
        // rig docs measurement: 0 of 10 boots of 1,000 trials.
        let found = unseen(&[1_000; 10], 0.001, 0.05);
        let rounded =
            [found.independent, found.at_icc, found.share_of_blocks].map(|bound| (bound * 1e5).round());
        assert_eq!(rounded, [37.0, 53.0, 30_850.0]);
        // A correlation of 1 leaves the blocks, one of 0 the trials.
        assert_eq!(unseen(&[50; 4], 1.0, 0.05).at_icc, found_blocks(4.0));
        assert_eq!(unseen(&[50; 4], 0.0, 0.05).at_icc, found_blocks(200.0));
        assert!((worth(&[2, 2], 0.5) - 3.0).abs() < 1e-15, "1 + 1/2 in each block");
    }

    #[test]
    fn long_blocks_are_integrals_of_short_ones() {
        let (trials, share, icc) = (100_000_u64, 1e-4, 1e-3);
        let s = (1.0 - icc) / icc;
        let singly = |of: &dyn Fn(f64) -> f64| (0..trials).map(|j| of(s + j as f64)).sum::<f64>();
        let nothing = singly(&|place| (-share * s / place).ln_1p());
        assert!((ln_nothing(trials, share, icc) / nothing - 1.0).abs() < 1e-9, "{nothing}");
        let all = singly(&|place| s / place);
        assert!((worth(&[trials], icc) / all - 1.0).abs() < 1e-9, "{all}");
    }

    fn found_blocks(of: f64) -> f64 {
        -(0.025_f64.ln() / of).exp_m1()
    }
}
