//! What a comparison of two samples can show, before anything is played.
//!
//! Holds the chance of each verdict, and the smallest change that is shown. Must not know what is counted.
//! Units: shares of 1. Errors: none; what nothing can show is `None`, or 1.
//! Tests: here, and `tests/power.rs` (50 designs against a sum over every pair of counts, written apart from this code).

use crate::contingency::restricted_shares;
use crate::hits::{Design, Hits};
use crate::special::{chi_square_tail, normal_quantile};
use crate::unseen::{effective_trials, unseen};
use crate::{Confidence, Count, Effective, Judgement, Probability, fisher};

/// By what a verdict falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// A p-value is small enough up to this: alpha, over the number of comparisons where it is corrected (Holm's first step).
    pub level: f64,
    /// Confidence of the interval of the difference.
    pub confidence: Confidence,
    /// Differences up to this do not matter.
    pub margin: f64,
    /// The intraclass correlation of the trials of a block. At 0 a verdict falls by Fisher's test and the score interval of the counts. Above, by the
    /// score test and the interval of counts over the [`Design::effect`] (J. N. K. Rao and A. J. Scott, Biometrics 48, 1992), as in a family whose
    /// dispersion is known to be that; where neither sample has a hit, by the interval of [`effective_trials`].
    pub icc: Probability,
}

/// The chance of each verdict of [`judge`](crate::judge): they add up to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdicts {
    /// [`Judgement::Same`]
    pub same: f64,
    /// [`Judgement::Differs`]
    pub differs: f64,
    /// [`Judgement::DiffersWithinTheMargin`]
    pub differs_within: f64,
    /// [`Judgement::Undecided`]
    pub undecided: f64,
}

impl Verdicts {
    /// That a difference is shown, however small.
    pub fn shown(self) -> f64 {
        self.differs + self.differs_within
    }

    /// That of one verdict.
    pub fn of(self, judgement: Judgement) -> f64 {
        match judgement {
            Judgement::Same => self.same,
            Judgement::Differs => self.differs,
            Judgement::DiffersWithinTheMargin => self.differs_within,
            Judgement::Undecided => self.undecided,
        }
    }
}

/// The smallest change of the second share that is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shift {
    /// It is higher than the first by this share of 1.
    Rise(f64),
    /// It is lower by this: a rise to 1 would not be shown.
    Fall(f64),
}

impl Shift {
    /// How far, whichever way.
    pub fn size(self) -> f64 {
        match self {
            Self::Rise(size) | Self::Fall(size) => size,
        }
    }
}

/// The chance of each verdict on two samples with these shares: the exact (beta-)binomial probabilities of both counts, summed over what
/// [`judge`](crate::judge) says of them.
///
/// Counts whose chance is below 1e-17 of the likeliest are left out. Where more than [`MOST_ROWS`] counts of the first sample matter, the middle one of
/// every few stands for its neighbours.
pub fn power_of(
    (first, p1): (Design, Probability),
    (second, p2): (Design, Probability),
    criteria: &Criteria,
) -> Verdicts {
    if first.trials == 0 || second.trials == 0 {
        return Verdicts { undecided: 1.0, ..Verdicts::default() };
    }
    let judge = Judge::new(first, second, criteria);
    let of_second = Hits::of(second, p2, criteria.icc);
    let mut sum = Verdicts::default();
    let mut last = None;
    for (hits, chance) in rows(&Hits::of(first, p1, criteria.icc)) {
        let row = judge.row(hits, of_second.range(), last);
        last = Some(row);
        let (up, down) = (of_second.between(row.up, u64::MAX), of_second.fewer_than(row.down));
        let within = of_second.between(row.within.0, row.within.1);
        let within_up = of_second.between(row.within.0.max(row.up), row.within.1);
        let within_down = of_second.between(row.within.0, row.within.1.min(row.down));
        let shown_within = within_up + within_down;
        sum.differs_within += chance * shown_within;
        sum.differs += chance * (up + down - shown_within).max(0.0);
        sum.same += chance * (within - shown_within).max(0.0);
    }
    sum.undecided = (1.0 - sum.same - sum.differs - sum.differs_within).max(0.0);
    sum
}

/// The smallest rise of the second share over `baseline` that is shown (verdict `differs`, within the margin or not) with probability `power`; where
/// not even a rise to 1 is, the smallest fall; `None` where no fall is either.
pub fn least_shown(
    first: Design,
    second: Design,
    baseline: Probability,
    criteria: &Criteria,
    power: f64,
) -> Option<Shift> {
    if first.trials == 0 || second.trials == 0 || criteria.level <= 0.0 {
        return None;
    }
    let judge = Judge::new(first, second, criteria);
    let mut rows: Vec<(f64, Row)> = Vec::new();
    for (hits, chance) in rows_of(first, baseline, criteria) {
        let last = rows.last().map(|(_, row)| *row);
        rows.push((chance, judge.row(hits, (0, second.trials + 1), last)));
    }
    let shown = |share: f64| {
        let of_second =
            Hits::of(second, Probability::new(share.clamp(0.0, 1.0)).expect("clamped"), criteria.icc);
        let of_row = |row: &Row| of_second.between(row.up, u64::MAX) + of_second.fewer_than(row.down);
        rows.iter().map(|(chance, row)| chance * of_row(row)).sum::<f64>() >= power
    };
    let rise = |size: f64| shown(baseline.get() + size);
    let fall = |size: f64| shown(baseline.get() - size);
    let up = smallest(1.0 - baseline.get(), &rise).map(Shift::Rise);
    up.or_else(|| smallest(baseline.get(), &fall).map(Shift::Fall))
}

/// The size of [`least_shown`], and 1 where there is none.
pub fn detectable(
    first: Design,
    second: Design,
    baseline: Probability,
    criteria: &Criteria,
    power: f64,
) -> f64 {
    least_shown(first, second, baseline, criteria, power).map_or(1.0, Shift::size)
}

/// Whether two samples without a hit are shown to be the same within the margin.
pub fn shows_same(first: Design, second: Design, criteria: &Criteria) -> bool {
    first.trials > 0 && second.trials > 0 && Judge::new(first, second, criteria).zeros_within
}

/// How many trials a side, in blocks of this size, show that two rates of 0 are the same within the margin: the fewest whole blocks. `None` where not
/// even a million blocks do.
pub fn enough_blocks(block_size: u64, criteria: &Criteria) -> Option<Design> {
    const MOST: u32 = 1_000_000;
    let design = |blocks: u32| Design { trials: block_size.saturating_mul(blocks.into()), blocks };
    fewest(MOST, |blocks| shows_same(design(blocks), design(blocks), criteria)).map(design)
}

/// The fewest trials, in whole blocks of this size, that bound a share by `below` where they have no hit ([`unseen`] at the declared correlation); fewer than a
/// block where one is enough. `None` where not even 100,000 blocks do.
pub fn unseen_blocks(
    block_size: u64,
    below: f64,
    icc: Probability,
    confidence: Confidence,
) -> Option<Design> {
    const MOST: u32 = 100_000;
    let is_bounded = |sizes: &[u64]| unseen(sizes, icc, confidence).at_icc <= below;
    let blocks = fewest(MOST, |blocks| is_bounded(&vec![block_size; blocks as usize]))?;
    let one = u32::try_from(block_size).ok().filter(|_| blocks == 1);
    let trials = one.and_then(|most| fewest(most, |trials| is_bounded(&[trials.into()])));
    Some(Design { trials: trials.map_or(block_size * u64::from(blocks), u64::from), blocks })
}

/// The least number from 1 to `most` for which something holds that holds for all larger ones.
pub fn fewest(most: u32, holds: impl Fn(u32) -> bool) -> Option<u32> {
    let powers = (0..u32::BITS).map(|power| 1_u32 << power).take_while(|power| *power < most);
    let mut enough = powers.chain([most]).find(|number| holds(*number))?;
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if holds(middle) { enough = middle } else { too_few = middle }
    }
    Some(enough)
}

/// The least size up to `room` that is enough, to 1e-4 of itself.
fn smallest(room: f64, enough: &dyn Fn(f64) -> bool) -> Option<f64> {
    if room <= 0.0 || !enough(room) {
        return None;
    }
    let (mut short, mut long) = (0.0, room);
    while long - short > 1e-4 * long && long > 1e-15 {
        let middle = short + (long - short) / 2.0;
        if enough(middle) { long = middle } else { short = middle }
    }
    Some(long)
}

/// So many counts of the first sample are looked at one by one.
pub const MOST_ROWS: usize = 500;

fn rows_of(design: Design, share: Probability, criteria: &Criteria) -> Vec<(u64, f64)> {
    rows(&Hits::of(design, share, criteria.icc))
}

/// Counts with their chances; where there are too many, the middle one of each few neighbours with the chance of all of them.
fn rows(hits: &Hits) -> Vec<(u64, f64)> {
    let few = hits.len().div_ceil(MOST_ROWS).max(1);
    let all: Vec<(u64, f64)> = hits.iter().collect();
    all.chunks(few)
        .map(|chunk| (chunk[chunk.len() / 2].0, chunk.iter().map(|(_, chance)| chance).sum()))
        .collect()
}

/// What is said of the second sample's counts beside one count of the first.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// From here on a rise is shown.
    up: u64,
    /// Below this a fall is shown.
    down: u64,
    /// From here on, and below this, the interval lies within the margin.
    within: (u64, u64),
}

/// The verdict on two counts, without the search for the ends of an interval: a bound is beyond a value exactly where the score test rejects the value.
struct Judge<'c> {
    first: Design,
    second: Design,
    criteria: &'c Criteria,
    /// Design effects.
    effects: (f64, f64),
    /// The quantile of the interval.
    z: f64,
    zeros_within: bool,
}

impl<'c> Judge<'c> {
    fn new(first: Design, second: Design, criteria: &'c Criteria) -> Self {
        let z = -normal_quantile(criteria.confidence.alpha() / 2.0);
        let effects = (first.effect(criteria.icc), second.effect(criteria.icc));
        let mut judge = Self { first, second, criteria, effects, z, zeros_within: false };
        judge.zeros_within = judge.are_zeros_within();
        judge
    }

    /// 0 of n twice: the score interval ends at z^2 c / (n + z^2 c), c = N / (N - 1).
    fn are_zeros_within(&self) -> bool {
        let worth = |design: Design| effective_trials(&design.block_sizes(), self.criteria.icc);
        let (n1, n2) = (worth(self.first), worth(self.second));
        if n1 + n2 <= 1.0 {
            return self.criteria.margin >= 1.0;
        }
        let c = self.z * self.z * (n1 + n2) / (n1 + n2 - 1.0);
        [n1, n2].into_iter().all(|n| c / (n + c) <= self.criteria.margin)
    }

    fn worth(&self, hits: (u64, u64)) -> (Effective, Effective) {
        let of = |hits, design: Design, effect| {
            Effective::over(Count::new(hits, design.trials).unwrap_or(Count::NONE), effect)
        };
        (of(hits.0, self.first, self.effects.0), of(hits.1, self.second, self.effects.1))
    }

    /// The score statistic of "the difference is `d`": positive where what was seen is above it (Miettinen and Nurminen 1985).
    fn score(&self, hits: (u64, u64), d: f64) -> f64 {
        let (first, second) = self.worth(hits);
        let (first, second) = if first.hits() + second.hits() > first.misses() + second.misses() {
            (second.mirrored(), first.mirrored())
        } else {
            (first, second)
        };
        let (n1, n2) = (first.trials(), second.trials());
        if n1 + n2 <= 1.0 {
            return 0.0;
        }
        let apart = second.share() - first.share() - d;
        let (p1, q1, p2, q2) = restricted_shares(first, second, d);
        let variance = (p1 * q1 / n1 + p2 * q2 / n2) * (n1 + n2) / (n1 + n2 - 1.0);
        if apart == 0.0 { 0.0 } else { apart / variance.max(0.0).sqrt() }
    }

    fn is_small(&self, hits: (u64, u64)) -> bool {
        let p = if self.criteria.icc.get() > 0.0 {
            let score = self.score(hits, 0.0);
            chi_square_tail(score * score, 1)
        } else {
            let count = |hits, design: Design| Count::new(hits, design.trials).unwrap_or(Count::NONE);
            fisher(count(hits.0, self.first), count(hits.1, self.second))
        };
        p <= self.criteria.level
    }

    fn shows_rise(&self, hits: (u64, u64)) -> bool {
        self.score(hits, 0.0) > self.z && self.is_small(hits)
    }

    fn shows_fall(&self, hits: (u64, u64)) -> bool {
        self.score(hits, 0.0) < -self.z && self.is_small(hits)
    }

    /// The lower end of the interval is not below the margin.
    fn is_low_enough(&self, hits: (u64, u64)) -> bool {
        let margin = self.criteria.margin;
        margin >= 1.0 || self.none_at_all(hits).unwrap_or_else(|| self.score(hits, -margin) >= self.z)
    }

    /// The upper end is above it.
    fn is_too_high(&self, hits: (u64, u64)) -> bool {
        let margin = self.criteria.margin;
        margin < 1.0 && !self.none_at_all(hits).unwrap_or_else(|| self.score(hits, margin) <= -self.z)
    }

    fn none_at_all(&self, hits: (u64, u64)) -> Option<bool> {
        let all = (self.first.trials, self.second.trials);
        (hits == (0, 0) || hits == all).then_some(self.zeros_within)
    }

    /// For one count of the first sample: where each answer changes within `range` of the second's. `near` is the row of a neighbour.
    fn row(&self, hits: u64, range: (u64, u64), near: Option<Row>) -> Row {
        let range = (range.0, range.1.min(self.second.trials + 1));
        let search = |guess: Option<u64>, holds: &dyn Fn((u64, u64)) -> bool| {
            first_that(range, guess, &|other| holds((hits, other)))
        };
        let low = search(near.map(|row| row.within.0), &|both| self.is_low_enough(both));
        let high = search(near.map(|row| row.within.1), &|both| self.is_too_high(both));
        Row {
            up: search(near.map(|row| row.up), &|both| self.shows_rise(both)),
            down: search(near.map(|row| row.down), &|both| !self.shows_fall(both)),
            within: (low, high),
        }
    }
}

/// The first of `range` for which something holds that holds for all later ones; its end where it never does. Looked for around `guess` first.
fn first_that((start, end): (u64, u64), guess: Option<u64>, holds: &dyn Fn(u64) -> bool) -> u64 {
    // Invariant: it does not hold below `no`, and holds from `yes` on.
    let (mut no, mut yes) = (start, end);
    if let Some(guess) = guess.filter(|guess| (start..end).contains(guess)) {
        let mut step = 1;
        if holds(guess) {
            yes = guess;
            while yes > no {
                let next = yes.saturating_sub(step).max(no);
                if !holds(next) {
                    no = next + 1;
                    break;
                }
                yes = next;
                step *= 2;
            }
        } else {
            no = guess + 1;
            while no < yes {
                let next = no.saturating_add(step).min(yes) - 1;
                if holds(next) {
                    yes = next;
                    break;
                }
                no = next + 1;
                step *= 2;
            }
        }
    }
    while no < yes {
        let middle = no + (yes - no) / 2;
        if holds(middle) { yes = middle } else { no = middle + 1 }
    }
    yes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    fn independent(trials: u64) -> Design {
        Design { trials, blocks: 1 }
    }

    fn criteria(level: f64, margin: f64, icc: f64) -> Criteria {
        let confidence = Confidence::new(0.95).expect("between 0 and 1");
        Criteria { level, confidence, margin, icc: share(icc) }
    }

    /// 2000 against 2000, nothing in the first: Fisher rejects at 5 % from 6 hits on. P(X >= 6) = 0.8 at lambda = 7.906.
    #[test]
    fn against_zeros_it_is_the_share_that_reaches_the_rejection_limit() {
        let n = independent(2_000);
        let found = detectable(n, n, share(0.0), &criteria(0.05, 0.005, 0.0), 0.8);
        assert!((found * 2000.0 - 7.9).abs() < 0.05, "{found}");
        let p = |hits| fisher(Count::new(0, 2000).expect("none"), Count::new(hits, 2000).expect("fewer"));
        assert!(p(6) <= 0.05 && p(5) > 0.05);
    }

    #[test]
    fn more_trials_see_less_and_too_few_see_nothing() {
        let rules = criteria(0.01, 0.005, 0.0);
        let mut last = 1.0;
        for n in [50, 500, 5_000, 50_000, 500_000, 5_000_000] {
            let found = detectable(independent(n), independent(n), share(0.001), &rules, 0.8);
            assert!(found < last, "{n}: {found}");
            last = found;
        }
        assert_eq!(
            detectable(independent(2), independent(2), share(0.0), &criteria(0.05, 0.1, 0.0), 0.8),
            1.0
        );
        assert_eq!(least_shown(independent(0), independent(9), share(0.0), &rules, 0.8), None);
    }

    /// What is always seen cannot be seen more often: the mirror image of what is never seen.
    #[test]
    fn where_nothing_can_rise_it_is_the_smallest_fall() {
        let rules = criteria(0.05 / 33.0, 0.005, 0.0);
        let (n, m) = (independent(2_000), independent(3_000));
        let Some(Shift::Fall(fall)) = least_shown(n, m, share(1.0), &rules, 0.8) else { panic!("a fall") };
        let Some(Shift::Rise(rise)) = least_shown(n, m, share(0.0), &rules, 0.8) else { panic!("a rise") };
        assert!((fall / rise - 1.0).abs() < 1e-3, "{fall} {rise}");
        assert!(matches!(least_shown(n, m, share(0.999), &rules, 0.8), Some(Shift::Fall(_))));
        assert!(matches!(least_shown(n, m, share(0.94), &rules, 0.8), Some(Shift::Rise(_))));
    }

    /// Computed apart from this code (exact arithmetic): the chance of `same` where the second share is 0.1 % and the margin 0.5 %, and that no verdict
    /// but `differs within` names the effect where it is certain.
    #[test]
    fn an_effect_of_a_fifth_of_the_margin() {
        let chance = |n| {
            power_of(
                (independent(n), share(0.0)),
                (independent(n), share(1e-3)),
                &criteria(0.05 / 33.0, 0.005, 0.0),
            )
        };
        for n in [1_000, 2_000, 10_000, 100_000] {
            let found = chance(n);
            assert!(found.differs < 5e-4, "{n}: {found:?}");
            let sum: f64 = [
                Judgement::Same,
                Judgement::Differs,
                Judgement::DiffersWithinTheMargin,
                Judgement::Undecided,
            ]
            .map(|judgement| found.of(judgement))
            .iter()
            .sum();
            assert!((sum - 1.0).abs() < 1e-9, "{found:?}");
        }
        assert!((chance(1_000).same - 0.37).abs() < 0.01, "{:?}", chance(1_000));
        assert!(
            (chance(2_000).same + chance(2_000).differs_within - 0.86).abs() < 0.01,
            "{:?}",
            chance(2_000)
        );
        assert!(chance(100_000).differs_within > 0.9999, "{:?}", chance(100_000));
    }

    #[test]
    fn trials_of_a_block_that_are_alike_are_worth_fewer() {
        let rules = |icc| criteria(0.05, 0.005, icc);
        let two = Design { trials: 2_000, blocks: 2 };
        let ten = Design { trials: 2_000, blocks: 10 };
        let found = |design, icc| detectable(design, design, share(0.0), &rules(icc), 0.8);
        assert!(found(two, 0.0) == found(ten, 0.0));
        assert!(found(two, 0.01) > found(ten, 0.01) && found(ten, 0.01) > found(ten, 0.0));
        // Where the rates are the same, a difference is shown no more often than the level says, whatever the clustering.
        for icc in [0.0, 0.001, 0.01] {
            let design = Design { trials: 20_000, blocks: 20 };
            let chance = power_of((design, share(0.05)), (design, share(0.05)), &rules(icc)).shown();
            assert!((0.02..0.06).contains(&chance), "{icc}: {chance}");
        }
    }

    /// 765, 3,839 and 38,412 as in `equivalence.rs`; with clustering the trials that are worth as many.
    #[test]
    fn zeros_are_shown_to_be_the_same_by_as_many_trials_as_are_needed() {
        for (n, margin) in [(765, 0.005), (3_839, 0.001), (38_412, 0.000_1)] {
            let rules = criteria(0.05, margin, 0.0);
            assert!(shows_same(independent(n), independent(n), &rules), "{n}");
            assert!(!shows_same(independent(n - 1), independent(n), &rules), "{n}");
            let one = power_of((independent(n), share(0.0)), (independent(n), share(0.0)), &rules);
            assert_eq!(one.same, 1.0);
        }
        let rules = criteria(0.05, 0.001, 0.001);
        let found = enough_blocks(1_000, &rules).expect("some number is");
        assert_eq!(found, Design { trials: 6_000, blocks: 6 });
        assert_eq!(enough_blocks(1_000, &criteria(0.05, 0.0, 0.001)), None);
        assert_eq!(
            (fewest(9, |n| n >= 7), fewest(9, |n| n >= 1), fewest(9, |_| false)),
            (Some(7), Some(1), None)
        );
    }

    /// 29,956 trials (exact binomial, one-sided 95 %) are two-sided 90 %; in blocks of 1,000 as many as hold them.
    #[test]
    fn trials_without_a_hit_bound_a_share() {
        let at_90 = Confidence::new(0.9).expect("between 0 and 1");
        let found = |m, below, icc| unseen_blocks(m, below, share(icc), at_90);
        assert_eq!(found(1, 1e-2, 0.0), Some(Design { trials: 299, blocks: 299 }));
        assert_eq!(found(1_000, 1e-4, 0.0), Some(Design { trials: 30_000, blocks: 30 }));
        assert_eq!(found(100_000, 1e-4, 0.0), Some(Design { trials: 29_956, blocks: 1 }));
        assert_eq!(found(1_000, 1e-4, 1e-3), Some(Design { trials: 44_000, blocks: 44 }));
        assert_eq!(found(1_000, 0.0, 1e-3), None);
    }

    #[test]
    fn a_search_finds_the_first_from_wherever_it_begins() {
        for wanted in 10..=20 {
            for guess in [None, Some(0), Some(10), Some(13), Some(19), Some(20), Some(99)] {
                assert_eq!(first_that((10, 20), guess, &|n| n >= wanted), wanted, "{guess:?}");
            }
        }
        assert_eq!(first_that((10, 20), Some(15), &|_| false), 20);
        assert_eq!(first_that((10, 20), Some(15), &|_| true), 10);
    }
}
