//! How far the blocks of two sides are apart: ranks of their quantiles.
//!
//! The distribution of U is counted by its recursion, which follows the largest of all values. Must not know what is timed. Units: those of the values; a shift is second minus
//! first. Errors: none; a side without values gives nothing. Tests: below, against published values.

use super::special::normal_beyond;
use super::{Bounds, Level};

/// Up to so many pairs of blocks all orders are counted; beyond, U is taken as normal, as `rig docs measurement` says.
const MOST_COUNTED: usize = 40_000;

/// J. L. Hodges and E. L. Lehmann's shift (1963), with the interval and the test of H. B. Mann and D. R. Whitney (1947).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::audit) struct Shift {
    pub(in crate::audit) estimate: f64,
    /// Where so many blocks give one.
    pub(in crate::audit) bounds: Option<Bounds>,
    pub(in crate::audit) p: f64,
    /// No p-value of so many blocks can be smaller.
    pub(in crate::audit) smallest: f64,
}

/// Of one quantile. A block is its values from the smallest, each with how often it was.
pub(in crate::audit) fn shift(
    first: &[Vec<(f64, u64)>],
    second: &[Vec<(f64, u64)>],
    quantile: f64,
    level: Level,
) -> Option<Shift> {
    let of = |side: &[Vec<(f64, u64)>]| -> Vec<f64> {
        side.iter().filter_map(|block| at(block, quantile)).collect()
    };
    let (first, second) = (of(first), of(second));
    let (m, n) = (first.len(), second.len());
    if m == 0 || n == 0 {
        return None;
    }
    let mut apart: Vec<f64> = first.iter().flat_map(|a| second.iter().map(move |b| b - a)).collect();
    apart.sort_by(f64::total_cmp);
    let middle = (apart[(apart.len() - 1) / 2] + apart[apart.len() / 2]) / 2.0;
    let below = below(m, n);
    // Equal values speak against a difference.
    let against = |speaks: fn(f64) -> bool| apart.iter().filter(|one| !speaks(**one)).count();
    let least = against(|one| one > 0.0).min(against(|one| one < 0.0));
    let outside = (0..=m * n / 2).take_while(|u| 2.0 * below(*u) <= level.alpha * (1.0 + 1e-12)).count();
    let bounds =
        (outside > 0).then(|| Bounds { low: apart[outside - 1], high: apart[apart.len() - outside] });
    Some(Shift { estimate: middle, bounds, p: (2.0 * below(least)).min(1.0), smallest: 2.0 / orders(m, n) })
}

/// The middle of the values at the places `q n` from below and from above.
fn at(block: &[(f64, u64)], q: f64) -> Option<f64> {
    let n: u64 = block.iter().map(|(_, times)| times).sum();
    let place = |place: u64| {
        let mut so_far = 0;
        block.iter().find_map(|(value, times)| {
            so_far += times;
            (place < so_far).then_some(*value)
        })
    };
    let exact = q * n as f64;
    let upper = (exact.floor() as u64).min(n.checked_sub(1)?);
    let lower = if exact == exact.floor() { upper.min((exact as u64).saturating_sub(1)) } else { upper };
    Some((place(lower)? + place(upper)?) / 2.0)
}

/// In how many orders `m` and `n` blocks can come.
fn orders(m: usize, n: usize) -> f64 {
    (1..=m).map(|i| (n + i) as f64 / i as f64).product()
}

/// The chance that U is at most so large, up to its mean, where nothing is apart.
fn below(m: usize, n: usize) -> impl Fn(usize) -> f64 {
    let pairs = (m * n) as f64;
    let (middle, deviation) = (pairs / 2.0, (pairs * (m + n + 1) as f64 / 12.0).sqrt());
    let ways = if m * n > MOST_COUNTED { Vec::new() } else { ranks(m, n) };
    let mut sum = 0.0;
    let sums: Vec<f64> = ways
        .iter()
        .map(|count| {
            sum += count;
            sum
        })
        .collect();
    move |u| match sums.get(u) {
        Some(up_to) => up_to / sum,
        None if (u as f64) + 0.5 < middle => normal_beyond((middle - u as f64 - 0.5) / deviation) / 2.0,
        None => 0.5,
    }
}

/// In how many orders of `m` and `n` blocks U is 0, 1, ...: the largest of all is of the one side, or of the other.
fn ranks(m: usize, n: usize) -> Vec<f64> {
    let mut rows: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for i in 1..=m {
        // No block of the second side: U is 0.
        let mut next = vec![vec![1.0]];
        for j in 1..=n {
            let mut ways = vec![0.0; i * j + 1];
            for (u, count) in rows[j].iter().enumerate() {
                ways[u + j] += count;
            }
            for (u, count) in next[j - 1].iter().enumerate() {
                ways[u] += count;
            }
            next.push(ways);
        }
        rows = next;
    }
    rows.swap_remove(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn singles(values: &[f64]) -> Vec<Vec<(f64, u64)>> {
        values.iter().map(|value| vec![(*value, 1)]).collect()
    }

    #[test]
    fn the_published_example() {
        // R: wilcox.test of M. Hollander and D. A. Wolfe's permeabilities (1973, p. 69): 0.305, -0.15 to 0.76, one-sided p 0.1272.
        let first = singles(&[1.15, 0.88, 0.90, 0.74, 1.21]);
        let second = singles(&[0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]);
        let found = shift(&first, &second, 0.5, Level::new(0.05)).expect("values");
        let bounds = found.bounds.expect("enough blocks");
        assert!((found.estimate - 0.305).abs() < 1e-12 && (found.p / 2.0 - 0.1272).abs() < 5e-5, "{found:?}");
        assert!((bounds.low + 0.15).abs() < 1e-12 && (bounds.high - 0.76).abs() < 1e-12, "{found:?}");
        assert_eq!(shift(&first[..2], &second[..2], 0.5, Level::new(0.05)).expect("values").bounds, None);
        assert_eq!(ranks(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
    }

    #[test]
    fn a_quantile_between_two_values_is_their_middle() {
        let block = [(10.0, 3), (20.0, 1), (30.0, 4)];
        let found = [0.0, 0.375, 0.4, 0.5, 0.51, 1.0].map(|q| at(&block, q).expect("values"));
        assert_eq!(found, [10.0, 15.0, 20.0, 25.0, 30.0, 30.0]);
        assert_eq!(at(&[], 0.5), None);
    }
}
