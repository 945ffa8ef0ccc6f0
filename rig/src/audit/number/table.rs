//! Exact tests of tables of two rows, by their whole distribution.
//!
//! Must not know what is counted. Units: counts, shares of 1. Errors: none. Tests: below, against published values.

use super::Tries;
use super::special::normal_beyond;

/// Tables up to this much more probable than the observed one count as equally probable.
const TIE: f64 = 1.0 + 1e-7;
/// Above this standard deviation of the sum of hits the normal distribution is taken.
const NORMAL_FROM: f64 = 200.0;
/// A table this much less probable than the most probable one is left out: a p-value is told to 1e-12.
const LEAST: f64 = 1e-250;

/// The chance of each number of hits of the second sample, given the total: from the most probable one outwards by the ratio of neighbours, and over their sum.
struct Chances {
    from: u64,
    of: Vec<f64>,
}

impl Chances {
    fn of(first: Tries, second: Tries) -> Self {
        let (n1, n2, hits) = (first.of, second.of, first.hits + second.hits);
        let (least, most) = (hits.saturating_sub(n1), hits.min(n2));
        let middle = (hits as f64 * n2 as f64 / (n1 + n2) as f64) as u64;
        let middle = middle.clamp(least, most);
        // P(x + 1) / P(x)
        let ratio = |x: u64| {
            let (up, down) = ((n2 - x) as f64 * (hits - x) as f64, (x + 1) as f64);
            up / (down * (n1 + x + 1 - hits) as f64)
        };
        let (mut above, mut weight) = (Vec::new(), 1.0);
        for x in middle..most {
            weight *= ratio(x);
            if weight < LEAST {
                break;
            }
            above.push(weight);
        }
        let mut below = Vec::new();
        weight = 1.0;
        for x in (least..middle).rev() {
            weight /= ratio(x);
            if weight < LEAST {
                break;
            }
            below.push(weight);
        }
        let from = middle - below.len() as u64;
        let of: Vec<f64> = below.into_iter().rev().chain([1.0]).chain(above).collect();
        Self { from, of }.of_one()
    }

    fn of_one(mut self) -> Self {
        let all: f64 = self.of.iter().sum();
        self.of.iter_mut().for_each(|chance| *chance /= all);
        self
    }

    /// Of the sum of two that do not depend on each other.
    fn plus(&self, other: &Self) -> Self {
        let mut of = vec![0.0; self.of.len() + other.of.len() - 1];
        for (at, chance) in self.of.iter().enumerate() {
            other.of.iter().enumerate().for_each(|(more, its)| of[at + more] += chance * its);
        }
        let most = of.iter().copied().fold(0.0, f64::max);
        let is_felt = |chance: &f64| *chance >= most * 1e-40;
        let before = of.iter().position(is_felt).unwrap_or(0);
        let behind = of.iter().rposition(is_felt).unwrap_or(0);
        Self { from: self.from + other.from + before as u64, of: of[before..=behind].to_vec() }
    }

    /// All that are not more probable than `seen`.
    fn at_most_as_probable(&self, seen: u64) -> f64 {
        let at = seen.checked_sub(self.from).and_then(|at| self.of.get(usize::try_from(at).ok()?));
        let Some(limit) = at.map(|chance| chance * TIE) else { return 0.0 };
        let mut all: Vec<f64> = self.of.iter().copied().filter(|chance| *chance <= limit).collect();
        all.sort_by(f64::total_cmp);
        all.iter().sum::<f64>().min(1.0)
    }
}

/// Fisher's exact test, two-sided by Irwin's rule, and the smallest p-value that these totals allow. 1 and 1 where a sample is empty.
pub(in crate::audit) fn fisher(first: Tries, second: Tries) -> (f64, f64) {
    if first.of == 0 || second.of == 0 {
        return (1.0, 1.0);
    }
    let chances = Chances::of(first, second);
    let hits = first.hits + second.hits;
    let ends = [hits.saturating_sub(first.of), hits.min(second.of)];
    let smallest = ends.map(|end| chances.at_most_as_probable(end));
    (chances.at_most_as_probable(second.hits), smallest[0].min(smallest[1]))
}

/// The same in several tables: the sum of the second samples' hits, given each table's total (J. J. Gart, Biometrika 57, 1970). 1 where no table can tell anything.
pub(in crate::audit) fn strata_alike(tables: &[(Tries, Tries)]) -> f64 {
    let telling: Vec<&(Tries, Tries)> = tables
        .iter()
        .filter(|(first, second)| first.of > 0 && second.of > 0)
        .filter(|(first, second)| first.hits + second.hits > 0 && first.misses() + second.misses() > 0)
        .collect();
    if let [(first, second)] = telling.as_slice() {
        return fisher(*first, *second).0;
    }
    let (mut seen, mut mean, mut variance) = (0, 0.0, 0.0);
    for (first, second) in &telling {
        let (n1, n2, hits) = (first.of as f64, second.of as f64, (first.hits + second.hits) as f64);
        let all = n1 + n2;
        seen += second.hits;
        mean += hits * n2 / all;
        variance += hits * (all - hits) * n1 * n2 / (all * all * (all - 1.0));
    }
    if variance == 0.0 {
        return 1.0;
    }
    let deviation = variance.sqrt();
    if deviation > NORMAL_FROM {
        return normal_beyond(((seen as f64 - mean).abs() - 0.5).max(0.0) / deviation);
    }
    let mut sum = Chances { from: 0, of: vec![1.0] };
    for (first, second) in telling {
        sum = sum.plus(&Chances::of(*first, *second));
    }
    sum.at_most_as_probable(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(hits: u64, of: u64) -> Tries {
        Tries::new(hits, of)
    }

    #[test]
    fn published_values() {
        // Fisher's tea; the smallest p of its totals is that of all in one cup's row.
        let (p, smallest) = fisher(tries(3, 4), tries(1, 4));
        assert!((p - 34.0 / 70.0).abs() < 1e-14 && (smallest - 2.0 / 70.0).abs() < 1e-14, "{p} {smallest}");
        assert_eq!(fisher(tries(0, 2_000), tries(0, 2_000)), (1.0, 1.0));
        assert_eq!(fisher(tries(0, 0), tries(3, 5)), (1.0, 1.0));
        // All 6 hits on one side: 2 C(2000, 6) / C(4000, 6).
        let one_side: f64 = (0..6_u32).map(|i| f64::from(2_000 - i) / f64::from(4_000 - i)).product();
        let (p, smallest) = fisher(tries(0, 2_000), tries(6, 2_000));
        assert!((p - 2.0 * one_side).abs() < 1e-14 && (smallest - p).abs() < 1e-16, "{p} {one_side}");
        // A. Agresti, Categorical Data Analysis (3rd edition), table 6.9.
        let strata = [(tries(4, 20), tries(0, 7)), (tries(4, 17), tries(0, 7)), (tries(2, 15), tries(0, 8))];
        assert!((strata_alike(&strata) - 0.056).abs() < 5e-4);
        assert_eq!(strata_alike(&[(tries(0, 9), tries(0, 9)); 3]), 1.0);
    }
}
