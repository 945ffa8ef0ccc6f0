//! The score interval of a difference of two shares, of one table or common to several (O. Miettinen and M. Nurminen, Statistics in Medicine 4, 1985).
//!
//! Must not know what is counted. Units: counts (also over a design effect), shares of 1. Errors: none. Tests: below, against published values.

use super::special::bisect;
use super::{Bounds, Tries};

/// One sample: hits and misses, over a design effect.
#[derive(Debug, Clone, Copy)]
pub(in crate::audit) struct Side {
    hits: f64,
    misses: f64,
}

impl Side {
    pub(in crate::audit) fn over(tries: Tries, effect: f64) -> Self {
        let by = effect.max(1.0);
        Self { hits: tries.hits as f64 / by, misses: tries.misses() as f64 / by }
    }

    fn of(self) -> f64 {
        self.hits + self.misses
    }
}

/// Second minus first, at `z` standard deviations, weighted by `n1 n2 / (n1 + n2)`. -1 to 1 where no table has trials on both sides, or one table is worth one trial or less.
pub(in crate::audit) fn score_interval(tables: &[(Side, Side)], z: f64) -> Bounds {
    let tables: Vec<(Side, Side)> =
        tables.iter().copied().filter(|(first, second)| first.of() > 0.0 && second.of() > 0.0).collect();
    let is_nothing = match tables.as_slice() {
        [] => true,
        [(first, second)] => first.of() + second.of() <= 1.0,
        _ => false,
    };
    if is_nothing {
        return Bounds::ANY_DIFFERENCE;
    }
    let turned: Vec<(Side, Side)> = tables.iter().map(|(first, second)| (*second, *first)).collect();
    Bounds { low: -highest(&turned, z), high: highest(&tables, z) }
}

/// The largest difference that is not rejected.
fn highest(tables: &[(Side, Side)], z: f64) -> f64 {
    let weight = |(first, second): &(Side, Side)| first.of() * second.of() / (first.of() + second.of());
    let weights: f64 = tables.iter().map(weight).sum();
    let apart = |table @ (first, second): &(Side, Side)| {
        // x2/n2 - x1/n1 over one denominator: shares near 1 keep their digits.
        weight(table)
            * ((second.hits * first.misses - first.hits * second.misses) / (first.of() * second.of()))
    };
    let observed = tables.iter().map(apart).sum::<f64>() / weights;
    let kept = |difference: f64| {
        let variance: f64 =
            tables.iter().map(|table| (weight(table) / weights).powi(2) * variance(table, difference)).sum();
        let beyond = difference - observed;
        beyond <= 0.0 || beyond * beyond <= z * z * variance
    };
    if kept(1.0) { 1.0 } else { bisect(observed, 1.0, kept) }
}

/// Of the difference of a table's shares, if that is `difference`: with the likeliest shares that have it.
fn variance((first, second): &(Side, Side), difference: f64) -> f64 {
    let (n1, n2) = (first.of(), second.of());
    let [p1, q1, p2, q2] = likeliest(*first, *second, difference);
    let all = n1 + n2;
    let correction = if all > 1.0 { all / (all - 1.0) } else { f64::INFINITY };
    (p1 * q1 / n1 + p2 * q2 / n2) * correction
}

/// The likeliest `[p1, 1 - p1, p2, 1 - p2]` with `p2 - p1 = difference`: where the slope of the log-likelihood is 0, on a logistic scale of the range that is left.
fn likeliest(first: Side, second: Side, difference: f64) -> [f64; 4] {
    let room = 1.0 - difference.abs();
    let (below1, below2) = ((-difference).max(0.0), difference.max(0.0));
    let shares = |logit: f64| {
        let (up, down) = (room / (1.0 + (-logit).exp()), room / (1.0 + logit.exp()));
        [below1 + up, below2 + down, below2 + up, below1 + down]
    };
    let quotient = |count: f64, share: f64| if count == 0.0 { 0.0 } else { count / share };
    shares(bisect(-80.0, 80.0, |logit| {
        let [p1, q1, p2, q2] = shares(logit);
        quotient(first.hits, p1) + quotient(second.hits, p2)
            > quotient(first.misses, q1) + quotient(second.misses, q2)
    }))
}

/// How many trials a side show that two equal shares are the same within `margin`, where each sample has this share of hits, rounded up; nothing where 2^53 are too few.
/// First the power of two that is enough, then between it and the one before.
pub(in crate::audit) fn enough_trials(share: f64, margin: f64, z: f64) -> Option<u64> {
    let is_enough = |trials: u64| {
        let hits = ((share * trials as f64).ceil() as u64).min(trials);
        let side = Side::over(Tries::new(hits, trials), 1.0);
        let bounds = score_interval(&[(side, side)], z);
        bounds.low >= -margin && bounds.high <= margin
    };
    let mut most = (0..=53).map(|power| 1_u64 << power).find(|trials| is_enough(*trials))?;
    let mut least = most / 2;
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        if is_enough(middle) { most = middle } else { least = middle }
    }
    Some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(hits: u64, of: u64) -> Side {
        Side::over(Tries::new(hits, of), 1.0)
    }

    #[test]
    fn published_values() {
        let z = 1.959_963_984_540_054;
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 6: 56 of 70 and 48 of 80.
        let found = score_interval(&[(side(48, 80), side(56, 70))], z);
        assert!((found.low - 0.0528).abs() < 5e-5 && (found.high - 0.3382).abs() < 5e-5, "{found:?}");
        // It mirrors when the samples change places, and when hits and misses do.
        let turned = score_interval(&[(side(56, 70), side(48, 80))], z);
        assert!((turned.low + found.high).abs() < 1e-12 && (turned.high + found.low).abs() < 1e-12);
        let misses = score_interval(&[(side(14, 70), side(32, 80))], z);
        assert!((misses.low - found.low).abs() < 1e-12 && (misses.high - found.high).abs() < 1e-12);
        assert_eq!(score_interval(&[(side(0, 0), side(1, 5))], z), Bounds::ANY_DIFFERENCE);
    }

    #[test]
    fn so_many_trials_are_enough_and_one_fewer_is_not() {
        let z = 1.959_963_984_540_054;
        let enough = enough_trials(0.0, 0.005, z).expect("some are");
        let high = |n: u64| score_interval(&[(side(0, n), side(0, n))], z).high;
        assert!(high(enough) <= 0.005 && high(enough - 1) > 0.005, "{enough}");
        assert_eq!(enough_trials(0.5, 0.0, z), None);
    }
}
