//! Nothing was seen: how often could it have happened all the same?
//!
//! Holds upper bounds of a share from blocks without a hit, under three assumptions on how alike the trials of a block are. Must not know what a block is.
//! Units: shares of 1, trials. Errors: none; no trials say nothing: bounds of 1.
//! Tests: here (published table, sums over every trial); `simulated.rs` (simulated chance of nothing).

use crate::beta_binomial::ln_rising_ratio;
use crate::special::bracketed_root;
use crate::{Confidence, Probability};

/// Upper bounds of a share of which nothing was seen, each missed by at most half of alpha, as that of [`crate::clopper_pearson`] is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unseen {
    /// Of the trials, where all are independent: `1 - (alpha/2)^(1/n)`.
    pub independent: f64,
    /// Of the trials, where the share differs between blocks as a beta distribution with the intraclass correlation that was declared.
    pub at_icc: f64,
    /// Of the blocks, those in which it can be seen at all, whatever happens inside: `1 - (alpha/2)^(1/blocks)`.
    pub share_of_blocks: f64,
}

/// The bounds of blocks of these numbers of trials, none of them a hit; blocks without a trial are left out.
///
/// [`Unseen::at_icc`] is the root of `sum over blocks of ln P(0 of m) = ln(alpha/2)` with the beta-binomial chance (J. G. Skellam, J. R. Stat. Soc. B 10, 1948)
/// `P(0 of m) = product over j < m of 1 - p (1 - r) / (1 - r + j r)`. It holds for that correlation: nothing in blocks without a hit can tell
/// whether it is the right one, and a larger one allows larger shares, up to [`Unseen::share_of_blocks`] at 1.
pub fn unseen(block_sizes: &[u64], icc: Probability, confidence: Confidence) -> Unseen {
    let played = || block_sizes.iter().copied().filter(|trials| *trials > 0);
    let (blocks, trials) = played().fold((0.0, 0.0), |(blocks, trials), m| (blocks + 1.0, trials + m as f64));
    let ln_half = (confidence.alpha() / 2.0).ln();
    // Of 0 trials the quotient is minus infinity, and the bound 1.
    let (independent, share_of_blocks) = (-(ln_half / trials).exp_m1(), -(ln_half / blocks).exp_m1());
    let at_icc = if icc.get() == 0.0 || blocks == 0.0 {
        independent
    } else if icc.get() == 1.0 {
        share_of_blocks
    } else {
        let mut sizes: Vec<u64> = played().collect();
        sizes.sort_unstable();
        let sizes: Vec<(u64, f64)> =
            sizes.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect();
        let miss = |ln_p: f64| {
            let all = sizes.iter().map(|(m, times)| times * ln_none_of(*m, ln_p, icc.get())).sum::<f64>();
            all - ln_half
        };
        // The share lies between the bounds of independent trials and of blocks that are of one kind.
        let (low, high) = (independent.ln(), share_of_blocks.ln());
        if miss(low) <= 0.0 || miss(high) >= 0.0 {
            // One trial in each block: all three are one.
            if blocks == trials { share_of_blocks } else { independent }
        } else {
            bracketed_root(miss, low, high).exp()
        }
    };
    Unseen { independent, at_icc, share_of_blocks }
}

/// How many independent trials these blocks are worth where hits are rare: the sum over blocks of `sum over j < m of (1 - r) / (1 - r + j r)`, which is
/// `B (1 - r)/r ln(1 + m r/(1 - r))` to a few percent. The sum of all at intraclass correlation 0, the number of blocks at 1.
///
/// `1 - (alpha/2)^(1/this)` is the bound [`Unseen::at_icc`] in the limit of rare hits (`ln P(0 of m)` to the first order in the share). At 95 % it is at most 2 % below
/// it with two or more blocks and a correlation up to 0.1, 4 % with a single block. Blocks without a trial count nothing.
pub fn effective_trials(block_sizes: &[u64], icc: Probability) -> f64 {
    let r = icc.get();
    let of = |m: u64| {
        if r == 0.0 || m <= 1 {
            return m as f64;
        }
        // s (psi(s + m) - psi(s)), the first terms one at a time and the rest where the asymptotic series holds.
        let s = (1.0 - r) / r;
        if s == 0.0 {
            return 1.0;
        }
        let first = m.min((16.0 - s).ceil().max(0.0) as u64);
        let few: f64 = (0..first).map(|j| s / (s + j as f64)).sum();
        few + s * rise_of_digamma(s + first as f64, (m - first) as f64)
    };
    block_sizes.iter().copied().map(of).sum()
}

/// `psi(t + m) - psi(t)` for `t >= 16` (DLMF 5.11.2; the first term left out is below 1e-15 of it).
fn rise_of_digamma(t: f64, m: f64) -> f64 {
    let rest = |t: f64| {
        let tt = t * t;
        -0.5 / t
            - (1.0 / 12.0 - (1.0 / 120.0 - (1.0 / 252.0 - (1.0 / 240.0 - 1.0 / 132.0 / tt) / tt) / tt) / tt)
                / tt
    };
    (m / t).ln_1p() + (rest(t + m) - rest(t))
}

/// `ln P(0 of m)` of the beta-binomial distribution with mean `p` and intraclass correlation `r`, strictly between 0 and 1: the product of
/// `(b + j) / (s + j)` over `j < m`, with `s = (1 - r)/r` and `b = (1 - p) s`.
fn ln_none_of(m: u64, ln_p: f64, r: f64) -> f64 {
    let s = (1.0 - r) / r;
    ln_rising_ratio(-ln_p.exp_m1() * s, s, -ln_p.exp() * s, m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Count, clopper_pearson};

    fn share(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    fn at_95() -> Confidence {
        Confidence::new(0.95).expect("between 0 and 1")
    }

    /// Computed apart from this code: sums over every trial, with 50 digits. In percent, as printed there.
    #[test]
    fn the_table_of_blocks_of_a_thousand() {
        for (blocks, at, share_of_blocks) in [
            (2, [0.184, 0.193, 0.266, 0.771, 4.27], 84.0),
            (3, [0.123, 0.129, 0.177, 0.515, 2.85], 71.0),
            (5, [0.074, 0.077, 0.106, 0.309, 1.71], 52.0),
            (10, [0.037, 0.039, 0.053, 0.154, 0.86], 31.0),
            (20, [0.018, 0.019, 0.027, 0.077, 0.43], 17.0),
        ] {
            for (icc, wanted) in [0.0, 1e-4, 1e-3, 0.01, 0.1].into_iter().zip(at) {
                let found = unseen(&vec![1_000; blocks], share(icc), at_95());
                let off = 100.0 * found.at_icc - wanted;
                assert!(off.abs() <= 0.006 * wanted + 0.000_51, "{blocks} at {icc}: {found:?}");
                assert!((100.0 * found.share_of_blocks - share_of_blocks).abs() < 0.51, "{found:?}");
                assert_eq!(
                    found.independent,
                    clopper_pearson(Count::new(0, 1_000 * blocks as u64).expect("none"), at_95()).high
                );
            }
        }
    }

    #[test]
    fn the_root_is_where_the_product_over_all_trials_is_half_of_alpha() {
        for sizes in [vec![1_000, 1_000], vec![1, 7, 200, 1_000, 13], vec![100_000; 3], vec![2]] {
            for icc in [1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.5, 0.97, 1.0 - 1e-9] {
                let found = unseen(&sizes, share(icc), at_95());
                let term = |j: u64| (-found.at_icc * (1.0 - icc) / (1.0 - icc + j as f64 * icc)).ln_1p();
                let sum: f64 = sizes.iter().flat_map(|m| 0..*m).map(term).sum();
                assert!((sum / 0.025_f64.ln() - 1.0).abs() < 1e-8, "{sizes:?} at {icc}: {found:?} {sum}");
                assert!(found.independent <= found.at_icc && found.at_icc <= found.share_of_blocks);
                let worth: f64 = sizes
                    .iter()
                    .flat_map(|m| 0..*m)
                    .map(|j| (1.0 - icc) / (1.0 - icc + j as f64 * icc))
                    .sum();
                let trials = effective_trials(&sizes, share(icc));
                assert!((trials / worth - 1.0).abs() < 1e-9, "{sizes:?} at {icc}: {trials} {worth}");
            }
        }
    }

    #[test]
    fn the_ends_of_the_scale() {
        let sizes = [500, 0, 1_500];
        let [none, full] = [0.0, 1.0].map(|icc| unseen(&sizes, share(icc), at_95()));
        assert_eq!((none.at_icc, full.at_icc), (none.independent, full.share_of_blocks));
        assert_eq!([0.0, 1.0].map(|icc| effective_trials(&sizes, share(icc))), [2_000.0, 2.0]);
        let nothing = Unseen { independent: 1.0, at_icc: 1.0, share_of_blocks: 1.0 };
        assert_eq!(unseen(&[0, 0], share(0.01), at_95()), nothing);
        assert_eq!(effective_trials(&[], share(0.01)), 0.0);
        let single = unseen(&[1; 9], share(0.3), at_95());
        assert!(
            (single.at_icc - single.independent).abs() < 1e-12
                && single.share_of_blocks == single.independent
        );
    }

    #[test]
    fn the_effective_trials_give_the_bound_to_two_percent() {
        for blocks in [2, 5, 20] {
            for m in [200, 1_000, 100_000] {
                for icc in [1e-4, 1e-3, 0.01, 0.1] {
                    let sizes = vec![m; blocks];
                    let exact = unseen(&sizes, share(icc), at_95()).at_icc;
                    let near = -(0.025_f64.ln() / effective_trials(&sizes, share(icc))).exp_m1();
                    let ratio = near / exact;
                    assert!((0.978..=1.000_01).contains(&ratio), "{blocks} x {m} at {icc}: {ratio}");
                }
            }
        }
    }
}
