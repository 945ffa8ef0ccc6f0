//! Permutation tests: what is labelled as a whole changes places, in all ways or in many drawn ones.
//!
//! All ways are walked depth first, with sums carried along; drawn ones follow the published generator, so the same seed gives the same labellings. Must not know what a
//! label means. Units: counts, shares of 1. Errors: none; what cannot be tested gives nothing. Tests: below, by hand.

use std::collections::BTreeMap;

use super::Tries;

/// Rows: up to so many ways all are looked at, otherwise so many are drawn.
const ROWS: (f64, u64) = (5_000.0, 4_999);
/// Units in strata: the same.
const UNITS: (f64, u64) = (100_000.0, 99_999);

/// What the labels say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::audit) struct Labelled {
    pub(in crate::audit) statistic: f64,
    pub(in crate::audit) p: f64,
    /// No p-value of so many can be smaller.
    pub(in crate::audit) smallest: f64,
    pub(in crate::audit) labellings: u64,
    /// Whether these are all that there are.
    pub(in crate::audit) all: bool,
}

impl Labelled {
    fn of(statistic: f64, extreme: u64, looked: (f64, bool), least: f64) -> Self {
        let (ways, all) = looked;
        let (hits, of) = if all { (extreme as f64, ways) } else { (extreme as f64 + 1.0, ways + 1.0) };
        let smallest = if all { least } else { least.max(1.0 / of) };
        Self { statistic, p: hits / of, smallest, labellings: ways as u64, all }
    }
}

/// In how many ways so many of them can be chosen.
fn ways(of: usize, chosen: usize) -> f64 {
    (1..=chosen.min(of - chosen)).fold(1.0, |ways, i| (ways * (of + 1 - i) as f64 / i as f64).round())
}

/// Calls `look` with every choice of `chosen` of `of` places.
fn walk(of: usize, chosen: usize, so_far: &mut Vec<usize>, look: &mut impl FnMut(&[usize])) {
    if so_far.len() == chosen {
        look(so_far);
        return;
    }
    let next = so_far.last().map_or(0, |last| last + 1);
    for place in next..=of - (chosen - so_far.len()) {
        so_far.push(place);
        walk(of, chosen, so_far, look);
        so_far.pop();
    }
}

/// SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014), and the first places of a Fisher-Yates shuffle that goes on from where it was.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * most as u128) >> 64) as usize
    }

    fn shuffle(&mut self, order: &mut [usize], places: usize) {
        for place in 0..places {
            let with = place + self.below(order.len() - place);
            order.swap(place, with);
        }
    }
}

/// Whether blocks of two sides end alike: a row is a block, a column an outcome. The statistic is the likelihood ratio of the table of the sums of those that are called
/// first and of the others (S. S. Wilks 1938).
pub(in crate::audit) fn rows_relabelled(
    first: &[Vec<u64>],
    second: &[Vec<u64>],
    seed: u64,
) -> Option<Labelled> {
    let has_trials = |row: &&Vec<u64>| row.iter().sum::<u64>() > 0;
    let chosen = first.iter().filter(has_trials).count();
    let rows: Vec<&Vec<u64>> = first.iter().chain(second).filter(has_trials).collect();
    if chosen == 0 || chosen == rows.len() {
        return None;
    }
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let sum = |places: &[usize]| -> Vec<f64> {
        let of =
            |column| places.iter().map(|at| rows[*at].get(column).copied().unwrap_or(0)).sum::<u64>() as f64;
        (0..columns).map(of).collect()
    };
    let totals = sum(&(0..rows.len()).collect::<Vec<_>>());
    Some(relabelled(rows.len(), chosen, seed, |places| likelihood_ratio(&sum(places), &totals)))
}

/// `chosen` of `of` blocks are called first, in all ways or in as many drawn ones: how often is the statistic at least what it is of the first `chosen`?
pub(in crate::audit) fn relabelled(
    of: usize,
    chosen: usize,
    seed: u64,
    statistic: impl Fn(&[usize]) -> f64,
) -> Labelled {
    let seen = statistic(&(0..chosen).collect::<Vec<_>>());
    let least = seen - 1e-9 * seen.abs().max(1.0);
    let ways = ways(of, chosen);
    let smallest = if chosen * 2 == of { 2.0 } else { 1.0 } / ways;
    let mut extreme = 0;
    if ways <= ROWS.0 {
        walk(of, chosen, &mut Vec::new(), &mut |places| extreme += u64::from(statistic(places) >= least));
        return Labelled::of(seen, extreme, (ways, true), smallest);
    }
    let (mut draws, mut order) = (Draws(seed), (0..of).collect::<Vec<_>>());
    for _ in 0..ROWS.1 {
        draws.shuffle(&mut order, chosen);
        extreme += u64::from(statistic(&order[..chosen]) >= least);
    }
    Labelled::of(seen, extreme, (ROWS.1 as f64, false), smallest)
}

/// Twice the sum of observed times the logarithm of observed over expected.
fn likelihood_ratio(part: &[f64], all: &[f64]) -> f64 {
    let (of_part, of_all): (f64, f64) = (part.iter().sum(), all.iter().sum());
    let mut sum = 0.0;
    for (seen, column) in part.iter().zip(all) {
        for (seen, row) in [(*seen, of_part), (column - seen, of_all - of_part)] {
            if seen > 0.0 {
                sum += seen * (seen / (row / of_all * column)).ln();
            }
        }
    }
    (2.0 * sum).max(0.0)
}

/// What is labelled as a whole: on which side it was played, and what it counted in each stratum.
#[derive(Debug, Clone)]
pub(in crate::audit) struct Unit {
    pub(in crate::audit) second: bool,
    pub(in crate::audit) counts: BTreeMap<usize, Tries>,
}

/// Units that were played in the same strata: the score of each, and how many are second.
#[derive(Default)]
struct Alike {
    scores: Vec<f64>,
    second: usize,
    played: f64,
}

impl Alike {
    fn is_fixed(&self) -> bool {
        self.second == 0 || self.second == self.scores.len()
    }
}

/// Whether the side makes a difference in any stratum: the statistic is the hits of second units less those that each stratum's total lets expect (N. Mantel and W. Haenszel
/// 1959); units change places among those of the same strata. Nothing where no unit could have been of the other side.
pub(in crate::audit) fn units_relabelled(units: &[Unit], seed: u64) -> Option<Labelled> {
    let groups = alike(units);
    let all_ways: f64 = groups.iter().map(|group| ways(group.scores.len(), group.second)).product();
    if all_ways <= 1.0 {
        return None;
    }
    let seen = groups.iter().map(|group| group.played).sum::<f64>().abs();
    let scale: f64 = groups.iter().flat_map(|group| &group.scores).map(|score| score.abs()).sum();
    let least = seen - 1e-12 * scale;
    let constant: f64 = groups.iter().filter(|group| group.is_fixed()).map(|group| group.played).sum();
    let free: Vec<&Alike> = groups.iter().filter(|group| !group.is_fixed()).collect();
    let mirrors =
        free.len() == groups.len() && free.iter().all(|group| group.second * 2 == group.scores.len());
    let smallest = if mirrors { 2.0 } else { 1.0 } / all_ways;
    if all_ways <= UNITS.0 {
        let mut sums = vec![constant];
        for group in free {
            let mut of_group = Vec::new();
            walk(group.scores.len(), group.second, &mut Vec::new(), &mut |places| {
                of_group.push(places.iter().map(|at| group.scores[*at]).sum::<f64>());
            });
            sums = sums.iter().flat_map(|sum| of_group.iter().map(move |more| sum + more)).collect();
        }
        let extreme = sums.iter().filter(|sum| sum.abs() >= least).count() as u64;
        return Some(Labelled::of(seen, extreme, (all_ways, true), smallest));
    }
    let mut draws = Draws(seed);
    let mut orders: Vec<Vec<usize>> = free.iter().map(|group| (0..group.scores.len()).collect()).collect();
    let mut extreme = 0;
    for _ in 0..UNITS.1 {
        let mut sum = constant;
        for (group, order) in free.iter().zip(&mut orders) {
            draws.shuffle(order, group.second);
            sum += order[..group.second].iter().map(|at| group.scores[*at]).sum::<f64>();
        }
        extreme += u64::from(sum.abs() >= least);
    }
    Some(Labelled::of(seen, extreme, (UNITS.1 as f64, false), smallest))
}

fn alike(units: &[Unit]) -> Vec<Alike> {
    let mut totals: BTreeMap<usize, Tries> = BTreeMap::new();
    for (stratum, tries) in units.iter().flat_map(|unit| &unit.counts) {
        let total = totals.entry(*stratum).or_default();
        *total = Tries::sum(&[*total, *tries]);
    }
    let mut groups: BTreeMap<Vec<usize>, Alike> = BTreeMap::new();
    for unit in units {
        let score = |(stratum, tries): (&usize, &Tries)| {
            let total = totals[stratum];
            tries.hits as f64 - tries.of as f64 * total.share()
        };
        let score: f64 = unit.counts.iter().map(score).sum();
        let group = groups.entry(unit.counts.keys().copied().collect()).or_default();
        group.scores.push(score);
        if unit.second {
            group.second += 1;
            group.played += score;
        }
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let rows = |side: &[[u64; 2]]| side.iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        // 2 against 2: 6 labellings, and the mirror image is as extreme.
        let apart = rows_relabelled(&rows(&[[10, 0]; 2]), &rows(&[[0, 10]; 2]), 7).expect("both sides");
        assert_eq!((apart.p, apart.smallest, apart.labellings, apart.all), (2.0 / 6.0, 2.0 / 6.0, 6, true));
        assert!((apart.statistic - 80.0 * std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(rows_relabelled(&rows(&[[0, 0]]), &rows(&[[1, 0]]), 7), None, "no trial, no block");
        let same = rows_relabelled(&rows(&[[9, 0]; 20]), &rows(&[[9, 0]; 20]), 7).expect("both sides");
        assert_eq!((same.p, same.all), (1.0, false));
    }

    fn units(first: &[u64], second: &[u64]) -> Vec<Unit> {
        let unit = |second| move |hits: &u64| Unit { second, counts: [(0, Tries::new(*hits, 100))].into() };
        first.iter().map(unit(false)).chain(second.iter().map(unit(true))).collect()
    }

    #[test]
    fn units_by_hand() {
        let apart = units_relabelled(&units(&[0, 1], &[10, 11]), 7).expect("both sides");
        assert_eq!((apart.p, apart.smallest, apart.labellings), (2.0 / 6.0, 2.0 / 6.0, 6));
        assert!((apart.statistic - 10.0).abs() < 1e-12, "{apart:?}");
        assert_eq!(units_relabelled(&units(&[1, 8, 0], &[11]), 7).expect("both sides").p, 1.0 / 4.0);
        assert_eq!(units_relabelled(&units(&[1, 8], &[]), 7), None);
    }
}
