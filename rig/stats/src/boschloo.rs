//! An unconditional exact test of two shares that is never worse than Fisher's.
//!
//! Holds Boschloo's test, over all common shares and over those that the data allow. Must not know what is counted. Units: shares of 1. Errors: none.
//! Tests: below (all tables of small samples, exact size, beside Fisher's); `tests/oracle` against SciPy and rationals.

use crate::binomial::ln_pmf_pair;
use crate::contingency::{Hypergeometric, TIE};
use crate::special::peak;
use crate::{Confidence, Count, Interval, clopper_pearson, fisher};

/// Work beyond which Fisher's p-value is given: additions of probabilities.
const MOST_WORK: f64 = 1e7;
/// A probability this small beside the p-value is not felt.
const NOT_FELT: f64 = 1e-17;
/// So many standard deviations from the mean, the binomial distribution has nothing left that is felt; and, where it has few hits, so many more.
const DEVIATIONS: f64 = 9.0;
const FEW: f64 = 45.0;
/// Points of the grid below this part of the highest are not looked at more closely: within a quarter of a standard deviation the mean changes less.
const NEAR_THE_TOP: f64 = 0.95;

/// The two-sided p-value of R. D. Boschloo, "Raised conditional level of significance for the 2 x 2-table when testing the equality of two
/// probabilities", Statistica Neerlandica 24 (1970): the largest chance, over every common share, of a table whose [`fisher`] p-value is at most this one's.
///
/// Never larger than Fisher's, so never less powerful. What it gains is lost as samples grow, since the largest chance is then found near a share of 1/2,
/// where Fisher's test wastes little: 0 of 20 against 5 of 20 has 0.023 and not 0.047, but 0 of 2000 against 6 of 2000 has 0.0295 and not 0.0311. For rare
/// hits see [`boschloo_near`]. Where it would take over 1e7 additions (above about 13,000 trials a side) it is Fisher's p-value itself. 1 where one sample
/// is empty.
pub fn boschloo(first: Count, second: Count) -> f64 {
    largest_chance(first, second, Interval { low: 0.0, high: 1.0 })
}

/// [`boschloo`] over the shares of an interval of confidence 1 - `beyond` only, plus `beyond` for those outside: R. L. Berger and D. D. Boos, "P values
/// maximized over a confidence set for the nuisance parameter", JASA 89 (1994). Valid at every share, and for rare hits of any number of trials about two
/// thirds of Fisher's (0 against 6 of 2000: 0.0194), because only totals of hits near the one that was seen matter. `beyond` is chosen before looking:
/// 1e-6 costs next to nothing. Never larger than Fisher's plus `beyond`.
pub fn boschloo_near(first: Count, second: Count, beyond: f64) -> f64 {
    let near = Confidence::new(1.0 - beyond).zip(first.plus(second));
    match near {
        Some((confidence, both)) if beyond > 0.0 => {
            (largest_chance(first, second, clopper_pearson(both, confidence)) + beyond).min(1.0)
        }
        _ => boschloo(first, second),
    }
}

/// The largest chance over common shares in `shares`; Fisher's p-value where that is too much work.
fn largest_chance(first: Count, second: Count, shares: Interval) -> f64 {
    let seen = fisher(first, second);
    let (n1, n2) = (first.trials(), second.trials());
    if n1 == 0 || n2 == 0 || seen >= 1.0 {
        return 1.0_f64.min(seen);
    }
    let n = n1 + n2;
    // Turning hits into misses mirrors everything: of all shares, the half with fewer hits says it all.
    let shares =
        if (shares.low, shares.high) == (0.0, 1.0) { Interval { low: 0.0, high: 0.5 } } else { shares };
    let (from, to) = (felt(n, shares.low).0, felt(n, shares.high).1);
    let deviation = |total: u64| {
        let (n, total) = (n as f64, total as f64);
        (total / n * (1.0 - total / n) * (n1 as f64) * (n2 as f64) / n).sqrt()
    };
    let widest = deviation(to.min(n / 2).max(from));
    if (to - from + 1) as f64 * (2.0 * DEVIATIONS * widest).min((n1.min(n2) + 1) as f64) > MOST_WORK {
        return seen;
    }
    let sizes: Vec<f64> = (from..=to).map(|total| size(n1, n2, total, seen * TIE)).collect();
    highest(n, from, &sizes, shares).min(seen)
}

/// Totals of hits of `n` trials that are felt at this share.
fn felt(n: u64, share: f64) -> (u64, u64) {
    let mean = n as f64 * share;
    let reach = DEVIATIONS * (mean * (1.0 - share)).sqrt() + FEW;
    ((mean - reach).max(0.0) as u64, ((mean + reach).ceil() as u64).min(n))
}

/// Given the total of hits: the chance of all tables whose Fisher p-value is at most `most`. It adds tables in the order of their probability, from the
/// least, as long as the sum is not over it.
fn size(n1: u64, n2: u64, total: u64, most: f64) -> f64 {
    let in_first = total.min(n1);
    let counts = Count::new(in_first, n1).zip(Count::new(total - in_first, n2));
    let (first, second) = counts.expect("a total of hits is at most that of trials");
    let tables = Hypergeometric::of(first, second);
    let limit = (most * NOT_FELT).ln();
    let (low, high) = (first_felt(&tables, tables.low, limit), first_felt(&tables, tables.high, limit));
    let mut probable = tables.ln_pmf(low).exp();
    let mut chances = vec![probable];
    for x in low..high {
        probable *= tables.ratio(x);
        chances.push(probable);
    }
    let (mut sum, mut rest) = (0.0, chances.as_slice());
    while let (Some(left), Some(right)) = (rest.first(), rest.last()) {
        // Equally probable tables belong together.
        let least = left.min(*right) * TIE;
        let (from_left, from_right) =
            (usize::from(*left <= least), usize::from(*right <= least && rest.len() > 1));
        let step = from_left as f64 * left + from_right as f64 * right;
        if sum + step > most {
            break;
        }
        sum += step;
        rest = &rest[from_left..rest.len() - from_right];
    }
    sum
}

/// From an end of the tables towards the mode: the first whose probability is over the limit, or the mode.
fn first_felt(tables: &Hypergeometric, end: u64, limit: f64) -> u64 {
    let (mut outer, mut inner) = (end, tables.mode());
    if tables.ln_pmf(outer) > limit {
        return outer;
    }
    while outer.abs_diff(inner) > 1 {
        let middle = outer.min(inner) + outer.abs_diff(inner) / 2;
        if tables.ln_pmf(middle) > limit { inner = middle } else { outer = middle }
    }
    inner
}

/// The largest value over shares of [`mean`]: a polynomial, looked at on a grid of a quarter of its standard deviation, and between the neighbours of its
/// highest points.
fn highest(n: u64, from: u64, sizes: &[f64], shares: Interval) -> f64 {
    let at = |angle: f64| mean(n, from, sizes, angle.sin().powi(2));
    let (low, high) = (shares.low.sqrt().asin(), shares.high.sqrt().asin());
    let steps = (((high - low) * 8.0 * (n as f64).sqrt()).ceil()).max(8.0);
    let angle = |i: f64| low + (high - low) * i / steps;
    let grid: Vec<f64> = (0..=steps as u32).map(|i| at(angle(f64::from(i)))).collect();
    let top = grid.iter().copied().fold(0.0, f64::max);
    (1..grid.len() - 1)
        .filter(|i| grid[*i] >= grid[i - 1] && grid[*i] >= grid[i + 1] && grid[*i] > NEAR_THE_TOP * top)
        .map(|i| at(peak(at, angle(i as f64 - 1.0), angle(i as f64 + 1.0), 1e-9)))
        .fold(top, f64::max)
}

/// The mean of `sizes`, the first of which belongs to `from` hits, over the hits of `n` trials at this share.
fn mean(n: u64, from: u64, sizes: &[f64], share: f64) -> f64 {
    let last = from + sizes.len() as u64 - 1;
    let mode = ((n as f64 * share) as u64).clamp(from, last);
    let odds = share / (1.0 - share);
    let size = |hits: u64| sizes[(hits - from) as usize];
    let at_mode = ln_pmf_pair(mode, n, share, 1.0 - share).exp();
    let mut sum = at_mode * size(mode);
    let mut chance = at_mode;
    for hits in mode..last {
        chance *= (n - hits) as f64 / (hits + 1) as f64 * odds;
        sum += chance * size(hits + 1);
        if chance < NOT_FELT * at_mode {
            break;
        }
    }
    chance = at_mode;
    for hits in (from..mode).rev() {
        chance *= (hits + 1) as f64 / (n - hits) as f64 / odds;
        sum += chance * size(hits);
        if chance < NOT_FELT * at_mode {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    /// Every table of two samples with what `test` says of it.
    fn tables(n1: u64, n2: u64, test: impl Fn(Count, Count) -> f64) -> Vec<(u64, u64, f64)> {
        let pairs = (0..=n1).flat_map(|x1| (0..=n2).map(move |x2| (x1, x2)));
        pairs.map(|(x1, x2)| (x1, x2, test(count(x1, n1), count(x2, n2)))).collect()
    }

    /// The chance, at a common share, of a table of which the test says at most so much.
    fn chance(tables: &[(u64, u64, f64)], (n1, n2): (u64, u64), most: f64, share: f64) -> f64 {
        let at =
            |n: u64| -> Vec<f64> { (0..=n).map(|x| ln_pmf_pair(x, n, share, 1.0 - share).exp()).collect() };
        let (first, second) = (at(n1), at(n2));
        let extreme = tables.iter().filter(|(.., p)| *p <= most);
        extreme.map(|(x1, x2, _)| first[*x1 as usize] * second[*x2 as usize]).sum()
    }

    /// Nothing of the code above but Fisher's test.
    #[test]
    fn small_samples_agree_with_the_sum_over_all_tables() {
        for (n1, n2) in [(1, 1), (3, 7), (10, 10), (12, 5), (20, 21)] {
            let fishers = tables(n1, n2, fisher);
            for (x1, x2, seen) in fishers.iter().step_by(3) {
                let found = boschloo(count(*x1, n1), count(*x2, n2));
                let shares = (0..=300).map(|i| f64::from(i) / 300.0);
                let wanted =
                    shares.map(|share| chance(&fishers, (n1, n2), seen * TIE, share)).fold(0.0, f64::max);
                // The grid of the sum may miss the top by a little.
                assert!(
                    found >= wanted * (1.0 - 1e-9) && found <= wanted * 1.002 && found <= *seen,
                    "{x1}/{n1} {x2}/{n2}: {found} {wanted}"
                );
            }
        }
    }

    #[test]
    fn known_values() {
        // The sum over all tables with SciPy's fisher_exact, on a grid of 4,001 shares.
        let found = boschloo(count(0, 20), count(5, 20));
        assert!((found - 0.022_527_786).abs() < 1e-8, "{found}");
        let found = boschloo(count(4, 20), count(0, 20));
        assert!((found - 0.060_986_769).abs() < 1e-8, "{found}");
        assert_eq!(boschloo(count(0, 0), count(3, 5)), 1.0);
        assert_eq!(boschloo(count(0, 2_000), count(0, 2_000)), 1.0);
        // Too much work: Fisher's.
        let (first, second) = (count(30, 10_000_000), count(60, 10_000_000));
        assert_eq!(boschloo(first, second), fisher(first, second));
        let near = boschloo_near(first, second, 1e-6);
        assert!(near < fisher(first, second) && near > 0.5 * fisher(first, second), "{near}");
    }

    #[test]
    fn it_does_not_care_which_sample_is_the_first_or_what_a_hit_is() {
        for (x1, n1, x2, n2) in [(0, 2_000, 6, 2_000), (3, 50, 20, 90), (40, 41, 7, 13), (1, 600, 9, 800)] {
            let p = boschloo(count(x1, n1), count(x2, n2));
            let swapped = boschloo(count(x2, n2), count(x1, n1));
            let turned = boschloo(count(n1 - x1, n1), count(n2 - x2, n2));
            assert!(
                (p - swapped).abs() < 1e-8 * p && (p - turned).abs() < 1e-8 * p,
                "{p} {swapped} {turned}"
            );
            let near = boschloo_near(count(x1, n1), count(x2, n2), 1e-6);
            assert!(near <= p + 1.000_001e-6, "{near} {p}");
        }
    }

    /// At every share: the chance of a p-value of at most alpha is at most alpha.
    #[test]
    fn the_size_is_at_most_the_level() {
        let (n1, n2, alpha) = (15, 22, 0.05);
        for test in [boschloo, |first, second| boschloo_near(first, second, 1e-3)] {
            let said = tables(n1, n2, test);
            let sizes = (1..200).map(|i| chance(&said, (n1, n2), alpha, f64::from(i) / 200.0));
            let largest = sizes.fold(0.0, f64::max);
            assert!((0.6 * alpha..=alpha * (1.0 + 1e-9)).contains(&largest), "{largest}");
        }
    }

    #[test]
    fn for_rare_hits_of_many_trials_it_gains_near_what_was_seen() {
        for n in [2_000, 1_000_000, 1_000_000_000] {
            let (none, some) = (count(0, n), count(6, n));
            let (near, exact) = (boschloo_near(none, some, 1e-6), fisher(none, some));
            assert!(near < 0.7 * exact, "{n}: {near} {exact}");
        }
    }
}
