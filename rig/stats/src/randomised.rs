//! Does a side make a difference, over several strata, where trials come in boots or blocks?
//!
//! A randomisation test: the order of blocks was drawn by chance, so if the side makes no difference, every other way to label them was as likely as the one
//! that was played (R. A. Fisher, The Design of Experiments, 1935; for clusters of trials: M. H. Gail et al., Statistics in Medicine 15, 1996). Trials of one unit may
//! depend on each other as they like, in one stratum and across strata. Must not know what a unit or a stratum is, nor where a seed comes from.
//! Units: counts, shares of 1. Errors: none; what cannot be tested gives nothing.
//! Tests: here (hand values by enumeration, determinism); `simulated.rs` (size).

use std::collections::BTreeMap;

use crate::Count;
use crate::labellings::{SplitMix64, each_choice, ways};

/// Up to so many ways to label the units all of them are looked at.
pub const MOST_ENUMERATED: u64 = 100_000;
/// Where there are more, so many are drawn.
pub const DRAWN: u64 = 99_999;

/// Values of the statistic that differ by less than this part of what all units add to it are equal: rounding must not decide whether a mirror image is as extreme.
const TIE: f64 = 1e-12;

/// What is labelled as a whole: a boot, or a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Whether it was played as the second side.
    pub second: bool,
    /// What it counted, by the index of a stratum. A stratum that is named twice is the sum of both.
    pub counts: Vec<(usize, Count)>,
}

/// What the labels of the units say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Randomised {
    /// The absolute value of the sum over strata of `n1 n2 / (n1 + n2)` times the difference of both shares (N. Mantel and W. Haenszel 1959), as it was played: the hits of
    /// the second side less those that the totals let expect.
    pub statistic: f64,
    /// Share of the labellings whose statistic is at least as large; of drawn ones (1 + hits) / (1 + drawn), which is never 0: B. Phipson and
    /// G. K. Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010), article 39.
    pub p_value: f64,
    /// No p-value of so many units can be smaller, whatever their trials end as.
    pub smallest_p: f64,
    /// Number of labellings that were looked at.
    pub labellings: u64,
    /// Whether these are all that there are; otherwise they were drawn.
    pub all: bool,
}

/// Units that may change places: what each adds to the statistic if it is of the second side, and how many are.
#[derive(Default)]
struct Group {
    scores: Vec<f64>,
    second: usize,
    /// Sum of the scores of those that were played as the second side.
    played: f64,
}

impl Group {
    fn is_fixed(&self) -> bool {
        self.second == 0 || self.second == self.scores.len()
    }

    fn sum(&self, labelled: &[usize]) -> f64 {
        labelled.iter().map(|unit| self.scores[*unit]).sum()
    }

    /// The sum of every labelling.
    fn sums(&self) -> Vec<f64> {
        let mut sums = vec![];
        each_choice(self.scores.len(), self.second, |labelled| sums.push(self.sum(labelled)));
        sums
    }
}

/// Tests whether both sides have the same shares in all strata, exactly, whatever the clustering inside of units: units are labelled anew among those that were played
/// in the same strata, as many on each side as were.
///
/// All labellings are looked at if there are at most [`MOST_ENUMERATED`], otherwise [`DRAWN`] of them with this seed. Strata without trials and units without strata are left
/// out. `None` where no unit could have been of the other side: no group has units of both.
///
/// It holds where the labels of units that may change places could have been the other way round, which an order of blocks by chance is for
/// (one that is drawn within rounds: where a drift over the run is feared, give each round a stratum of its own). It fails,
/// as every permutation does, where sides have units of unequal size and unequal spread: then "the same share" is not "the same distribution". It has no
/// power with few units: 2 against 2 in one stratum cannot have a p-value below 1/3.
pub fn randomised(units: &[Unit], seed: u64) -> Option<Randomised> {
    let groups = groups(units);
    let ways: f64 = groups.iter().map(|group| ways(group.scores.len(), group.second)).product();
    if ways <= 1.0 {
        return None;
    }
    let played: f64 = groups.iter().map(|group| group.played).sum();
    let (free, fixed): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| !group.is_fixed());
    let constant: f64 = fixed.iter().map(|group| group.played).sum();
    let seen = played.abs();
    let weight: f64 =
        free.iter().chain(&fixed).flat_map(|group| &group.scores).map(|score| score.abs()).sum();
    let is_extreme = |sum: f64| (constant + sum).abs() >= seen - TIE * weight;
    // Equal numbers on both sides: the mirror image of a labelling has the same statistic.
    let is_mirrored = fixed.is_empty() && free.iter().all(|group| group.second * 2 == group.scores.len());
    let smallest = if is_mirrored { 2.0 } else { 1.0 } / ways;
    if ways <= MOST_ENUMERATED as f64 {
        let sums: Vec<Vec<f64>> = free.iter().map(Group::sums).collect();
        let p_value = extreme(&sums, 0.0, &is_extreme) as f64 / ways;
        return Some(Randomised {
            statistic: seen,
            p_value,
            smallest_p: smallest,
            labellings: ways as u64,
            all: true,
        });
    }
    let of = (1 + DRAWN) as f64;
    Some(Randomised {
        statistic: seen,
        p_value: (1 + drawn(&free, seed, is_extreme)) as f64 / of,
        smallest_p: smallest.max(1.0 / of),
        labellings: DRAWN,
        all: false,
    })
}

/// Hits and trials by stratum.
type Strata = BTreeMap<usize, (f64, f64)>;

/// By the strata that they were played in.
fn groups(units: &[Unit]) -> Vec<Group> {
    let played: Vec<(bool, Strata)> = units
        .iter()
        .map(|unit| {
            let mut strata = Strata::new();
            unit.counts.iter().for_each(|(stratum, count)| add(&mut strata, *stratum, *count));
            (unit.second, strata)
        })
        .collect();
    let mut totals = Strata::new();
    units
        .iter()
        .flat_map(|unit| &unit.counts)
        .for_each(|(stratum, count)| add(&mut totals, *stratum, *count));
    let mut groups = BTreeMap::<Vec<usize>, Group>::new();
    for (second, strata) in played.into_iter().filter(|(_, strata)| !strata.is_empty()) {
        let score: f64 = strata
            .iter()
            .map(|(stratum, (hits, trials))| {
                let (all_hits, all) = totals[stratum];
                // Its hits less those that the stratum's total lets expect of it.
                (hits * (all - trials) - trials * (all_hits - hits)) / all
            })
            .sum();
        let group = groups.entry(strata.into_keys().collect()).or_default();
        group.scores.push(score);
        if second {
            group.second += 1;
            group.played += score;
        }
    }
    groups.into_values().collect()
}

fn add(strata: &mut Strata, stratum: usize, count: Count) {
    if count.trials() > 0 {
        let (hits, trials) = strata.entry(stratum).or_default();
        *hits += count.hits() as f64;
        *trials += count.trials() as f64;
    }
}

/// How many combinations of one sum of each group, with what is there already, are extreme.
fn extreme(groups: &[Vec<f64>], so_far: f64, is_extreme: &impl Fn(f64) -> bool) -> u64 {
    match groups {
        [] => u64::from(is_extreme(so_far)),
        [sums, rest @ ..] => sums.iter().map(|sum| extreme(rest, so_far + sum, is_extreme)).sum(),
    }
}

/// How many of [`DRAWN`] labellings, drawn with this seed, are extreme.
fn drawn(groups: &[Group], seed: u64, is_extreme: impl Fn(f64) -> bool) -> u64 {
    let mut draws = SplitMix64(seed);
    let mut orders: Vec<Vec<usize>> = groups.iter().map(|group| (0..group.scores.len()).collect()).collect();
    let mut label = || -> f64 {
        let places = groups.iter().zip(&mut orders);
        places.map(|(group, order)| group.sum(draws.choose(order, group.second))).sum()
    };
    (0..DRAWN).filter(|_| is_extreme(label())).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weighted_difference;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    /// Units of one stratum: hits of 100 trials.
    fn units(stratum: usize, first: &[u64], second: &[u64]) -> Vec<Unit> {
        let unit =
            |second: bool| move |hits: &u64| Unit { second, counts: vec![(stratum, count(*hits, 100))] };
        first.iter().map(unit(false)).chain(second.iter().map(unit(true))).collect()
    }

    fn test(units: &[Unit]) -> Randomised {
        randomised(units, 7).expect("both sides have units")
    }

    #[test]
    fn one_stratum_by_hand() {
        // 2 against 2: the labelling that was played and its mirror image, of 6.
        let apart = test(&units(0, &[0, 1], &[10, 11]));
        assert_eq!(
            (apart.p_value, apart.smallest_p, apart.labellings, apart.all),
            (2.0 / 6.0, 2.0 / 6.0, 6, true)
        );
        // 200 x 200 / 400 x 0.1 = 10.
        assert!((apart.statistic - 10.0).abs() < 1e-12, "{apart:?}");
        // 1 against 3: sums of one unit less their mean 5: -5, -4, 3, 6.
        let one = test(&units(0, &[1, 8, 11], &[0]));
        assert_eq!((one.p_value, one.smallest_p), (2.0 / 4.0, 1.0 / 4.0));
        assert_eq!(test(&units(0, &[1, 8, 0], &[11])).p_value, 1.0 / 4.0);
        assert_eq!(test(&units(0, &[3, 3, 3], &[3, 3])).p_value, 1.0);
        assert_eq!(test(&units(0, &[0; 3], &[0; 3])).statistic, 0.0);
    }

    #[test]
    fn strata_multiply_their_labellings_and_keep_their_units() {
        let two = [units(0, &[0; 2], &[5; 8]), units(1, &[0; 2], &[5; 8])].concat();
        let found = test(&two);
        assert_eq!((found.labellings, found.p_value), (2_025, 1.0 / 2_025.0));
        let three = [units(0, &[0; 2], &[5; 4]), units(1, &[0; 2], &[5; 4]), units(2, &[0], &[5])].concat();
        assert_eq!((test(&three).labellings, test(&three).smallest_p), (450, 1.0 / 450.0));
        // Opposite effects cancel, equal shares in unequal strata are no effect (Simpson).
        let opposite = [units(0, &[0; 2], &[9; 2]), units(1, &[9; 2], &[0; 2])].concat();
        assert!(test(&opposite).statistic < 1e-12 && test(&opposite).p_value == 1.0);
        let unequal = [units(0, &[0; 4], &[0; 4]), units(1, &[20; 4], &[20; 1])].concat();
        assert!(test(&unequal).statistic < 1e-12 && test(&unequal).p_value == 1.0);
    }

    /// A boot that was played in two strata moves as one: 2 against 2 of them have 6 labellings, not 36.
    #[test]
    fn a_unit_in_several_strata_is_labelled_once() {
        let both = |second: bool, a: u64, b: u64| Unit {
            second,
            counts: vec![(4, count(a, 100)), (9, count(b, 50))],
        };
        let boots = [both(false, 1, 2), both(false, 0, 3), both(true, 9, 8), both(true, 7, 7)];
        let found = test(&boots);
        assert_eq!((found.labellings, found.p_value), (6, 2.0 / 6.0));
        // A unit of one of the two strata may not change places with one of both.
        let lone = Unit { second: true, counts: vec![(4, count(3, 100))] };
        let with = [boots.as_slice(), std::slice::from_ref(&lone)].concat();
        assert_eq!((test(&with).labellings, test(&with).smallest_p), (6, 1.0 / 6.0));
        let strata = [(count(1, 200), count(19, 300)), (count(5, 100), count(15, 100))];
        let weights = 200.0 * 300.0 / 500.0 + 100.0 * 100.0 / 200.0;
        assert!((test(&with).statistic - weighted_difference(&strata) * weights).abs() < 1e-12);
        // The same stratum twice is its sum.
        let split =
            Unit { second: false, counts: vec![(9, count(1, 25)), (4, count(1, 100)), (9, count(1, 25))] };
        assert_eq!(test(&[&[split], &boots[1..]].concat()), found);
    }

    #[test]
    fn what_cannot_be_labelled_otherwise_gives_nothing() {
        assert_eq!(randomised(&[], 7), None);
        assert_eq!(randomised(&units(0, &[1, 2], &[]), 7), None);
        let apart = [units(0, &[1, 2], &[]), units(1, &[], &[3, 4])].concat();
        assert_eq!(randomised(&apart, 7), None, "no stratum has both sides");
        let empty = Unit { second: true, counts: vec![(0, Count::NONE)] };
        assert_eq!(randomised(&[units(0, &[1, 2], &[]), vec![empty]].concat(), 7), None);
    }

    #[test]
    fn many_labellings_are_drawn_and_the_same_seed_draws_the_same() {
        // 12,870 x 12,870 labellings.
        let side = |from: u64| (0..8).map(|i| from + 3 * i).collect::<Vec<u64>>();
        let many = [units(0, &side(0), &side(5)), units(1, &side(10), &side(14))].concat();
        let found = test(&many);
        assert_eq!((found.all, found.labellings, found.smallest_p), (false, DRAWN, 1e-5));
        assert_eq!(randomised(&many, 7), Some(found));
        let other = randomised(&many, 8).expect("both sides").p_value;
        // Three standard deviations of a difference of two draws.
        let apart = (found.p_value - other).abs();
        assert!(apart < 3.0 * (2.0 * other * (1.0 - other) / 1e5).sqrt(), "{found:?} {other}");
        let certain = [units(0, &[0; 8], &[50; 8]), units(1, &[0; 8], &[50; 8])].concat();
        assert!(test(&certain).p_value <= 2e-5, "{:?}", test(&certain));
    }
}
