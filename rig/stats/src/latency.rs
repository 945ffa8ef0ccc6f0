//! How much later: times of two sides, compared block by block.
//!
//! Trials of one block share a boot, so a block gives one figure, its median or another quantile, and blocks are compared by their ranks. Holds the shift
//! and its exact interval; must not know what is timed. Units: those of the values (rig's are nanoseconds); a shift is second minus first. Errors: none; a side
//! without values gives nothing. Tests: below (published values and tables, coverage by enumeration); `tests/oracle` against SciPy.

use crate::special::{chi_square_tail, normal_quantile};
use crate::{Confidence, Interval, Probability};

/// Up to that many pairs of blocks the distribution of ranks is counted exactly; above, it is the normal one to more digits than matter.
const MOST_COUNTED: usize = 40_000;

/// How far the second side is from the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The median of the differences of all pairs of blocks.
    pub estimate: f64,
    /// Where the shift lies; `None` where so few blocks give no interval at the confidence that was asked for.
    pub interval: Option<Interval>,
    /// Number of blocks with a value, of each side.
    pub blocks: (usize, usize),
    /// The largest confidence at which so many blocks give an interval: from the smallest to the largest difference.
    pub most_confidence: f64,
    /// Are the blocks of one side further on? The two-sided test of Mann and Whitney that the interval belongs to: it excludes 0 exactly where this is at most
    /// alpha. Equal values count against a difference.
    pub p_value: f64,
}

impl Shift {
    /// The smallest p-value that so many blocks can have.
    pub fn smallest_p(&self) -> f64 {
        1.0 - self.most_confidence
    }
}

/// The shift of the blocks' medians: [`quantile_difference`] at 1/2.
pub fn hodges_lehmann(
    first: &[Vec<(f64, u64)>],
    second: &[Vec<(f64, u64)>],
    confidence: Confidence,
) -> Option<Shift> {
    quantile_difference(first, second, Probability(0.5), confidence)
}

/// The shift of the blocks' `q` quantiles: J. L. Hodges and E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34
/// (1963), with the interval that belongs to the test of H. B. Mann and D. R. Whitney (1947): from the (c + 1)th smallest to the (c + 1)th largest
/// difference, where twice the chance of a U of at most c is not over alpha. It is exact where a block's quantile has the same distribution on both
/// sides but for the shift, however trials depend on each other within blocks; with equal values its confidence is higher.
///
/// A side is a list of blocks, a block a list of values from the smallest to the largest with their numbers of trials; a block without trials is none. `None`
/// where a side has no block.
pub fn quantile_difference(
    first: &[Vec<(f64, u64)>],
    second: &[Vec<(f64, u64)>],
    q: Probability,
    confidence: Confidence,
) -> Option<Shift> {
    let of = |side: &[Vec<(f64, u64)>]| -> Vec<f64> {
        side.iter().filter_map(|block| quantile(block, q.get())).collect()
    };
    let (first, second) = (of(first), of(second));
    let mut apart: Vec<f64> =
        second.iter().flat_map(|second| first.iter().map(move |first| second - first)).collect();
    apart.sort_by(f64::total_cmp);
    let middle = apart.len().checked_sub(1)? / 2;
    let estimate =
        if apart.len() % 2 == 1 { apart[middle] } else { f64::midpoint(apart[middle], apart[middle + 1]) };
    let (m, n) = (first.len(), second.len());
    let at_most_0 = apart.partition_point(|one| *one <= 0.0);
    let at_least_0 = apart.len() - apart.partition_point(|one| *one < 0.0);
    let p_value = (2.0 * tail(m, n, at_most_0.min(at_least_0))).min(1.0);
    let interval = left_out(m, n, confidence.alpha())
        .map(|out| Interval { low: apart[out], high: apart[apart.len() - 1 - out] });
    let most_confidence = 1.0 - 2.0 / labellings(m, n);
    Some(Shift { estimate, interval, blocks: (m, n), most_confidence, p_value })
}

/// The value that has at most the part `q` of the trials below it and at most the rest above; the middle of two that do (R's type 2).
fn quantile(block: &[(f64, u64)], q: f64) -> Option<f64> {
    debug_assert!(block.is_sorted_by(|a, b| a.0 <= b.0), "values from the smallest to the largest");
    let trials: u64 = block.iter().map(|(_, n)| *n).sum();
    let last = trials.checked_sub(1)?;
    let rank = q * trials as f64;
    let above = (rank as u64).min(last);
    let below = if rank.fract() == 0.0 { above.min((rank as u64).saturating_sub(1)) } else { above };
    // The value of this place in the order of trials, counted from 0.
    let at = |place: u64| {
        let mut before = 0;
        let holds = block.iter().find(|(_, n)| {
            before += n;
            place < before
        });
        holds.map(|(value, _)| *value)
    };
    Some(f64::midpoint(at(below)?, at(above)?))
}

/// In how many ways `m` of `m + n` blocks can be the first.
fn labellings(m: usize, n: usize) -> f64 {
    (1..=m.min(n)).fold(1.0, |ways, i| ways * (m.max(n) + i) as f64 / i as f64)
}

/// How many differences at each end lie outside: the largest c for which twice the chance of a U of at most c is at most alpha. `None` where there is none.
fn left_out(m: usize, n: usize, alpha: f64) -> Option<usize> {
    let pairs = m * n;
    if pairs > MOST_COUNTED {
        let (mean, deviation) = (pairs as f64 / 2.0, (pairs as f64 * (m + n + 1) as f64 / 12.0).sqrt());
        let last = mean - 0.5 + normal_quantile(alpha / 2.0) * deviation;
        return (last >= 0.0).then_some(last as usize);
    }
    let most = alpha / 2.0 * labellings(m, n) * (1.0 + 1e-12);
    let mut sum = 0.0;
    let within = rank_sums(m, n).into_iter().take_while(|ways| {
        sum += ways;
        sum <= most
    });
    within.count().checked_sub(1)
}

/// The chance of a U of at most `u`, were the sides alike; 1 beyond its mean.
fn tail(m: usize, n: usize, u: usize) -> f64 {
    let pairs = m * n;
    if u > pairs / 2 {
        return 1.0;
    }
    if pairs > MOST_COUNTED {
        let (mean, deviation) = (pairs as f64 / 2.0, (pairs as f64 * (m + n + 1) as f64 / 12.0).sqrt());
        let below = (u as f64 + 0.5 - mean) / deviation;
        // The two tails of a normal variable are that of its square.
        return if below < 0.0 { chi_square_tail(below * below, 1) / 2.0 } else { 0.5 };
    }
    rank_sums(m, n).iter().take(u + 1).sum::<f64>() / labellings(m, n)
}

/// In how many labellings U is 0, 1, ... up to its mean: E. F. Harding, "An efficient, minimal-storage procedure for calculating the Mann-Whitney U,
/// generalized U and similar distributions", Applied Statistics 33 (1984).
fn rank_sums(m: usize, n: usize) -> Vec<f64> {
    let half = m * n / 2;
    let mut ways = vec![0.0; half + 1];
    ways[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..=half).rev() {
            ways[u] -= ways[u - n - i];
        }
        for u in i..=half {
            ways[u] += ways[u - i];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(value: f64) -> Confidence {
        Confidence::new(value).expect("between 0 and 1")
    }

    fn singles(values: &[f64]) -> Vec<Vec<(f64, u64)>> {
        values.iter().map(|value| vec![(*value, 1)]).collect()
    }

    #[test]
    fn the_known_example() {
        // M. Hollander and D. A. Wolfe (1973), p. 69: permeability. R: wilcox.test(y, x, conf.int = TRUE) has 0.305 and -0.15 to 0.76.
        let first = singles(&[1.15, 0.88, 0.90, 0.74, 1.21]);
        let second = singles(&[0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]);
        let found = hodges_lehmann(&first, &second, confidence(0.95)).expect("values");
        let interval = found.interval.expect("enough blocks");
        assert!((found.estimate - 0.305).abs() < 1e-12, "{found:?}");
        assert!((interval.low + 0.15).abs() < 1e-12 && (interval.high - 0.76).abs() < 1e-12, "{found:?}");
        assert_eq!(found.blocks, (5, 10));
        // R: wilcox.test(x, y, alternative = "greater") has p-value = 0.1272.
        assert!((found.p_value / 2.0 - 0.1272).abs() < 5e-5, "{found:?}");
        let mirrored = hodges_lehmann(&second, &first, confidence(0.95)).expect("values");
        assert_eq!(mirrored.interval, Some(Interval { low: -interval.high, high: -interval.low }));
    }

    #[test]
    fn critical_values_are_those_of_the_published_tables() {
        // D. Auble (1953), two-sided 5 %: the largest U that is significant.
        for (m, n, largest) in [
            (4, 4, Some(0)),
            (3, 3, None),
            (3, 4, None),
            (3, 5, Some(0)),
            (5, 5, Some(2)),
            (5, 8, Some(6)),
            (10, 10, Some(23)),
            (20, 20, Some(127)),
            (13, 20, Some(76)),
        ] {
            assert_eq!(left_out(m, n, 0.05), largest, "{m} {n}");
            assert_eq!(left_out(n, m, 0.05), largest, "{n} {m}");
        }
        // Where the normal distribution takes over both agree.
        let (exact, normal) = (left_out(200, 200, 0.05), left_out(200, 201, 0.05));
        let apart = exact.zip(normal).map(|(exact, normal)| normal - exact);
        assert!(apart.is_some_and(|apart| (60..=120).contains(&apart)), "{exact:?} {normal:?}");
        for u in [17_000, 18_500, 19_900] {
            let (exact, normal) = (tail(200, 200, u), tail(200, 201, u + 100));
            assert!((exact - normal).abs() < 0.003, "{u}: {exact} {normal}");
        }
    }

    #[test]
    fn so_few_blocks_say_what_they_could_give() {
        let found = hodges_lehmann(&singles(&[1.0, 2.0]), &singles(&[4.0, 6.0]), confidence(0.95));
        let found = found.expect("values");
        assert_eq!((found.estimate, found.interval), (3.5, None));
        assert!((found.p_value - found.smallest_p()).abs() < 1e-15, "all of one side are further on");
        assert!((found.most_confidence - (1.0 - 2.0 / 6.0)).abs() < 1e-15);
        let at_most = confidence(found.most_confidence);
        let found = hodges_lehmann(&singles(&[1.0, 2.0]), &singles(&[4.0, 6.0]), at_most).expect("values");
        assert_eq!(found.interval, Some(Interval { low: 2.0, high: 5.0 }), "all differences");
        assert_eq!(hodges_lehmann(&singles(&[]), &singles(&[1.0]), confidence(0.5)), None);
        assert_eq!(hodges_lehmann(&singles(&[1.0]), &[vec![], vec![(5.0, 0)]], confidence(0.5)), None);
    }

    #[test]
    fn quantiles_of_blocks_count_their_trials() {
        let block = vec![(10.0, 3), (20.0, 1), (30.0, 4)];
        for (q, wanted) in [
            (0.0, 10.0),
            (0.25, 10.0),
            (0.375, 15.0),
            (0.4, 20.0),
            (0.5, 25.0),
            (0.51, 30.0),
            (0.99, 30.0),
            (1.0, 30.0),
        ] {
            assert_eq!(quantile(&block, q), Some(wanted), "{q}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        let (first, second) = (vec![block.clone(); 4], vec![vec![(10.0, 3), (25.0, 1), (90.0, 4)]; 4]);
        let at = |q| {
            let q = Probability::new(q).expect("a share");
            quantile_difference(&first, &second, q, confidence(0.95)).expect("values")
        };
        assert_eq!(at(0.1).estimate, 0.0);
        assert_eq!((at(0.9).estimate, at(0.9).interval), (60.0, Some(Interval { low: 60.0, high: 60.0 })));
    }

    /// Every order of 4 and 5 blocks is equally likely where nothing shifts: the interval leaves 0 out in no more than alpha of them.
    #[test]
    fn all_orders_are_covered_as_often_as_it_says() {
        for level in [0.8, 0.9, 0.95, 0.98] {
            let (mut out, mut all) = (0_u32, 0_u32);
            for labels in (0_u32..1 << 9).filter(|labels| labels.count_ones() == 4) {
                let side = |first: bool| -> Vec<f64> {
                    (0..9).filter(|i| (labels >> i & 1 == 1) == first).map(|i| f64::from(i).exp()).collect()
                };
                let found = hodges_lehmann(&singles(&side(true)), &singles(&side(false)), confidence(level));
                let interval = found.and_then(|found| found.interval).expect("enough blocks");
                let p_value = found.map_or(0.0, |found| found.p_value);
                assert_eq!(interval.contains(0.0), p_value > 1.0 - level + 1e-12, "{level} {p_value}");
                out += u32::from(!interval.contains(0.0));
                all += 1;
            }
            let (share, alpha) = (f64::from(out) / f64::from(all), 1.0 - level);
            assert!(share <= alpha && share > 0.4 * alpha, "{level}: {out} of {all}");
        }
    }
}
