//! Looking after every block, and stopping when enough is known.
//!
//! Holds a rule that shows a rate to be below a bound, and intervals that hold at all looks together: however often one looks, and whenever one stops,
//! the level is kept (J. Ville 1939; H. Robbins, Annals of Mathematical Statistics 41, 1970). Must not know what is counted, nor who stops.
//! Units: shares of 1, trials. Errors: none; what cannot be a rule gives nothing.
//! Tests: below (exact stopping chances by recursion, simulated nights, known stops); `tests/oracle` against 60-digit arithmetic.

use std::collections::BTreeMap;

use crate::beta_binomial::{ln_likelihood_ratio, ln_rising_ratio};
use crate::special::{bracketed_root, peak};
use crate::{Confidence, Count, Interval, Probability};

/// Rates of the mixture beside the one at 0: `below / 2` to `below / 64`.
const HALVINGS: usize = 6;
/// Weight of rate 0, and of each of the others.
const AT_ZERO: f64 = 0.5;
const AT_EACH: f64 = 0.5 / HALVINGS as f64;

/// Evidence that a rate is below a bound, after each block: a mixture of likelihood ratios with half of its weight at rate 0.
///
/// With `q` the bound, `S` hits in `n` independent trials: `E = 1/2 [S = 0] (1-q)^-n + 1/12 sum over k = 1..6 of 2^-kS ((1 - q 2^-k) / (1-q))^(n-S)`. Under
/// every rate of `q` or more its expectation never rises, so the chance that it *ever* reaches `1 / alpha` is at most alpha (Ville's inequality). That
/// holds for trials whose chances vary from block to block too: each ratio is then that of beta-binomial blocks at the declared intraclass correlation,
/// which also falls as hits rise. If blocks vary more than was declared, it does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct HalfAtom {
    below: f64,
    icc: f64,
    hits: u64,
    trials: u64,
    /// Sum over blocks of the logarithm of each ratio, that of rate 0 first. Not used at ICC 0, where the counts say it all.
    ln_ratios: [f64; HALVINGS + 1],
    /// The largest logarithm of the evidence after any block.
    most: f64,
}

impl HalfAtom {
    /// Before the first block. `None` unless `below` is strictly between 0 and 1 and `icc` is below 1 (where a block is no more than one trial).
    pub fn new(below: Probability, icc: Probability) -> Option<Self> {
        let (below, icc) = (below.get(), icc.get());
        (below > 0.0 && below < 1.0 && icc < 1.0).then_some(Self {
            below,
            icc,
            hits: 0,
            trials: 0,
            ln_ratios: [0.0; HALVINGS + 1],
            most: 0.0,
        })
    }

    /// After one more block. At ICC 0 it does not matter how trials are cut into blocks, except for when one looks.
    pub fn observe(&mut self, block: Count) {
        self.hits = self.hits.saturating_add(block.hits());
        self.trials = self.trials.saturating_add(block.trials());
        if self.icc > 0.0 {
            let ratios = self.ratios_of(block.hits(), block.misses());
            self.ln_ratios.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += ratio);
        }
        self.most = self.most.max(self.ln_evidence());
    }

    /// The evidence after the last block: 1 before the first, above `f64::MAX` infinite.
    pub fn evidence(&self) -> f64 {
        self.ln_evidence().exp()
    }

    /// Whether the evidence has reached `1 / alpha` after any block: then the rate is below the bound at level alpha. Blocks after that do not take it back.
    pub fn shows(&self, alpha: f64) -> bool {
        self.most >= -alpha.ln()
    }

    fn ln_evidence(&self) -> f64 {
        mixed(&if self.icc > 0.0 {
            self.ln_ratios
        } else {
            self.ratios_of(self.hits, self.trials - self.hits)
        })
    }

    fn ratios_of(&self, hits: u64, misses: u64) -> [f64; HALVINGS + 1] {
        std::array::from_fn(|k| {
            let rate = if k == 0 { 0.0 } else { self.below * 0.5_f64.powi(k as i32) };
            ln_likelihood_ratio(hits, misses, rate, self.below, self.icc)
        })
    }
}

/// The logarithm of the mixture of ratios with these logarithms.
fn mixed(ln_ratios: &[f64; HALVINGS + 1]) -> f64 {
    let weighted = ln_ratios
        .iter()
        .enumerate()
        .map(|(k, ratio)| ratio + if k == 0 { AT_ZERO.ln() } else { AT_EACH.ln() });
    ln_sum_exp(weighted)
}

/// `ln(sum of e^x)`, without overflow; minus infinity of nothing.
fn ln_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    if most.is_infinite() { most } else { most + terms.map(|term| (term - most).exp()).sum::<f64>().ln() }
}

/// After how many trials without a hit [`HalfAtom`] shows a rate below `below`, in blocks of `block_size`: a multiple of it. `None` where it never does
/// so within [`Count::MAX_TRIALS`], where `alpha` is not strictly between 0 and 1, a block is empty, or there is no such rule.
pub fn zero_trials(below: Probability, icc: Probability, block_size: u64, alpha: f64) -> Option<u64> {
    let rule = HalfAtom::new(below, icc)?;
    if !(alpha > 0.0 && alpha < 1.0) || block_size == 0 {
        return None;
    }
    let each = rule.ratios_of(0, block_size);
    let enough = |blocks: u64| mixed(&each.map(|ratio| ratio * blocks as f64)) >= -alpha.ln();
    let most = Count::MAX_TRIALS / block_size;
    let mut for_sure =
        (0..u64::BITS).map(|power| 1_u64 << power).take_while(|n| *n <= most).find(|n| enough(*n))?;
    let mut too_few = for_sure / 2;
    while for_sure - too_few > 1 {
        let middle = too_few + (for_sure - too_few) / 2;
        if enough(middle) { for_sure = middle } else { too_few = middle }
    }
    Some(for_sure * block_size)
}

/// Nodes of the mixture on the scale of log odds lie this far apart.
const STEP: f64 = 1.0 / 32.0;
/// They begin that far below the log odds of `scale`, where less than 1e-4 of the prior is left, and end where a rate rounds to 1.
const BEFORE: f64 = 20.0;
const LAST: f64 = 37.0;
/// Log odds beyond which a rate cannot be told from 0 or 1.
const FURTHEST: f64 = 700.0;

/// An interval of the mean rate that holds at every look, all looks together with this confidence: all rates whose likelihood is more than alpha times
/// the mixture's, where the mixture is over Beta(1/2, 1 / (2 scale)) (Robbins 1970; S. R. Howard and others, Annals of Statistics 49, 2021, section 3.2). It
/// is tightest where the rate is about `scale`, and holds wherever it is. Blocks are beta-binomial at `icc`; if they vary more, it does not hold.
///
/// At ICC 0 the mixture has a closed form, and only the sums count. Otherwise it is one over fixed rates, which depend on `scale` alone: so it is a
/// mixture itself, and no error of an approximation touches the level. 0 to 1 without a trial, at `scale` 0 or at ICC 1.
pub fn anytime_interval(
    blocks: &[Count],
    scale: Probability,
    icc: Probability,
    confidence: Confidence,
) -> Interval {
    let Some(looks) = Looks::of(blocks, scale, icc) else { return Interval { low: 0.0, high: 1.0 } };
    let limit = -confidence.alpha().ln();
    let excess = |odds: f64| looks.against(odds) - limit;
    let root = |outer: f64| {
        let crossed = excess(outer) > 0.0;
        share(if crossed { bracketed_root(excess, outer, looks.best) } else { outer })
    };
    Interval {
        low: if looks.hits == 0 { 0.0 } else { root(-FURTHEST) },
        high: if looks.misses == 0 { 1.0 } else { root(FURTHEST) },
    }
}

/// An interval of the difference second minus first that holds at every look at either side: from two [`anytime_interval`] at half of alpha each, so it
/// does not matter which side is looked at when.
pub fn anytime_difference(
    first: &[Count],
    second: &[Count],
    scale: Probability,
    icc: Probability,
    confidence: Confidence,
) -> Interval {
    let each = confidence.for_each_of(2);
    let [first, second] = [first, second].map(|side| anytime_interval(side, scale, icc, each));
    Interval { low: second.low - first.high, high: second.high - first.low }
}

/// A p-value of "both mean rates are the same" that is valid at every look at either side: the smallest alpha at which [`anytime_difference`] leaves 0 out.
/// Of the evidence against a common rate the larger of both sides' counts; the common rate is the one against which that is least. 1 where a side has none.
pub fn anytime_p(first: &[Count], second: &[Count], scale: Probability, icc: Probability) -> f64 {
    let [Some(first), Some(second)] = [first, second].map(|side| Looks::of(side, scale, icc)) else {
        return 1.0;
    };
    let more = |odds: f64| first.against(odds) - second.against(odds);
    // Between the peaks one side's evidence rises where the other's falls.
    if more(first.best) >= 0.0 || more(second.best) <= 0.0 {
        return 1.0;
    }
    let common = bracketed_root(more, first.best, second.best);
    (2.0 * (-first.against(common)).exp()).min(1.0)
}

/// What the blocks of one side say against each rate.
struct Looks {
    hits: u64,
    misses: u64,
    /// The logarithm of the mixture's likelihood, relative to the same as `likelihood`.
    mixture: f64,
    likelihood: Likelihood,
    /// The log odds of the peak of `likelihood`.
    best: f64,
}

impl Looks {
    fn of(blocks: &[Count], scale: Probability, icc: Probability) -> Option<Self> {
        let hits: u64 = blocks.iter().map(|block| block.hits()).sum();
        let misses: u64 = blocks.iter().map(|block| block.misses()).sum();
        if hits + misses == 0 || scale.get() == 0.0 || icc.get() == 1.0 {
            return None;
        }
        let (a, b) = (0.5, 0.5 / scale.get());
        if icc.get() == 0.0 {
            let (x, y) = (hits as f64, misses as f64);
            // B(a + hits, b + misses) / B(a, b), the hits as if they came last.
            let mixture =
                ln_rising_ratio(b, a + b, -a, misses) + ln_rising_ratio(a, a + b + y, -(b + y), hits);
            let best = (x.ln() - y.ln()).clamp(-FURTHEST, FURTHEST);
            return Some(Self { hits, misses, mixture, likelihood: Likelihood::Independent(x, y), best });
        }
        let pooled = (hits as f64 + 0.5) / ((hits + misses) as f64 + 1.0);
        let clustered = Clustered::of(blocks, pooled, icc.get());
        let from = (scale.get().ln() - (-scale.get()).ln_1p()).min(0.0) - BEFORE;
        let nodes: Vec<(f64, f64)> = (0..=((LAST - from) / STEP) as u32)
            .map(|i| from + STEP * f64::from(i))
            .map(|odds| (odds, a * ln_share(odds) + b * ln_share(-odds)))
            .collect();
        let whole = ln_sum_exp(nodes.iter().map(|(_, weight)| *weight));
        let terms: Vec<f64> =
            nodes.iter().map(|(odds, weight)| weight - whole + clustered.ln_likelihood(*odds)).collect();
        let mixture = ln_sum_exp(terms.iter().copied());
        // Without a hit, or without a miss, it has no peak: it rises to the end.
        let best = match (hits, misses) {
            (0, _) => -FURTHEST,
            (_, 0) => FURTHEST,
            _ => clustered.most_likely(),
        };
        Some(Self { hits, misses, mixture, likelihood: Likelihood::Clustered(clustered), best })
    }

    /// The logarithm of the evidence against the rate with these log odds.
    fn against(&self, odds: f64) -> f64 {
        self.mixture
            - match &self.likelihood {
                Likelihood::Independent(hits, misses) => hits * ln_share(odds) + misses * ln_share(-odds),
                Likelihood::Clustered(blocks) => blocks.ln_likelihood(odds),
            }
    }
}

/// The logarithm of the likelihood of a mean rate.
enum Likelihood {
    /// Of so many hits and misses.
    Independent(f64, f64),
    Clustered(Clustered),
}

/// The natural logarithm of the share with these log odds.
fn ln_share(odds: f64) -> f64 {
    if odds < 0.0 { odds - odds.exp().ln_1p() } else { -(-odds).exp().ln_1p() }
}

fn share(odds: f64) -> f64 {
    ln_share(odds).exp()
}

/// Blocks whose chances vary, as a likelihood of the mean rate.
struct Clustered {
    /// Equal blocks are looked at once.
    blocks: Vec<(Count, f64)>,
    /// Likelihoods are relative to that of this rate.
    reference: f64,
    icc: f64,
}

impl Clustered {
    fn of(blocks: &[Count], reference: f64, icc: f64) -> Self {
        let mut times: BTreeMap<Count, f64> = BTreeMap::new();
        blocks.iter().for_each(|block| *times.entry(*block).or_default() += 1.0);
        Self { blocks: times.into_iter().collect(), reference, icc }
    }

    /// In the mean rate it has one peak: it is a sum of logarithms of linear functions, so concave.
    fn ln_likelihood(&self, odds: f64) -> f64 {
        let s = (1.0 - self.icc) / self.icc;
        let (rate, rest) = (share(odds), share(-odds));
        let (reference, other) = (self.reference, 1.0 - self.reference);
        let apart = if odds < 0.0 { rate - reference } else { other - rest };
        let of = |block: &Count| {
            ln_rising_ratio(rate * s, reference * s, apart * s, block.hits())
                + ln_rising_ratio(rest * s, other * s, -apart * s, block.misses())
        };
        self.blocks.iter().map(|(block, times)| times * of(block)).sum()
    }

    /// The log odds of the peak: near it is near enough, the roots are looked for on either side.
    fn most_likely(&self) -> f64 {
        peak(|odds| self.ln_likelihood(odds), -LAST, LAST, 1e-7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labellings::SplitMix64;
    use crate::scale::scale;

    fn p(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    fn confidence() -> Confidence {
        Confidence::new(0.95).expect("between 0 and 1")
    }

    fn rule(below: f64, icc: f64) -> HalfAtom {
        HalfAtom::new(p(below), p(icc)).expect("a rule")
    }

    struct Draws(SplitMix64);

    impl Draws {
        /// Strictly between 0 and 1.
        fn uniform(&mut self) -> f64 {
            ((self.0.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        }

        /// Trials without a hit before the next one.
        fn gap(&mut self, rate: f64) -> u64 {
            (self.uniform().ln() / (-rate).ln_1p()) as u64
        }

        /// Hits of a block by Polya's urn: each trial's chance depends on those before it in its block.
        fn block(&mut self, size: u64, rate: f64, icc: f64) -> Count {
            let hits = (0..size).fold(0_u64, |hits, trial| {
                let chance = (rate * (1.0 - icc) + hits as f64 * icc) / (1.0 - icc + trial as f64 * icc);
                hits + u64::from(self.uniform() < chance)
            });
            count(hits, size)
        }
    }

    /// The numbers of trials come from 50-digit arithmetic of the formula, apart from this code.
    #[test]
    fn without_a_hit_it_stops_where_the_formula_says() {
        for (below, trials) in [(1e-4, 31_774), (1e-5, 317_753), (1e-6, 3_177_537)] {
            assert_eq!(zero_trials(p(below), p(0.0), 1, 0.05), Some(trials), "{below}");
            let mut looking = rule(below, 0.0);
            looking.observe(count(0, trials - 1));
            assert!(!looking.shows(0.05));
            looking.observe(count(0, 1));
            assert!(looking.shows(0.05), "{}", looking.evidence());
        }
        assert_eq!(zero_trials(p(1e-4), p(0.0), 1_000, 0.05), Some(32_000));
        // At an ICC of 0.001 a block of 1000 tells as much as 693 independent trials: (1-r)/r ln(1 + m r/(1-r)).
        assert_eq!(zero_trials(p(1e-4), p(0.001), 1_000, 0.05), Some(46_000));
    }

    #[test]
    fn blocks_and_trials_tell_the_same_at_no_correlation() {
        let (mut trials, mut blocks) = (rule(0.01, 0.0), rule(0.01, 0.0));
        for i in 0..3_000_u64 {
            trials.observe(count(u64::from(i % 500 == 499), 1));
        }
        (0..6).for_each(|_| blocks.observe(count(1, 500)));
        assert_eq!(trials.evidence(), blocks.evidence());
        // The formula of the docstring.
        let (q, n, hits) = (0.01_f64, 3_000.0_f64, 6.0_f64);
        let formula: f64 = (1..=6)
            .map(|k| q / 2f64.powi(k))
            .map(|rate| (rate / q).powf(hits) * ((1.0 - rate) / (1.0 - q)).powf(n - hits) / 12.0)
            .sum();
        assert!((trials.evidence() / formula - 1.0).abs() < 1e-11, "{} {formula}", trials.evidence());
        // What was shown once stays shown.
        let mut once = rule(0.01, 0.0);
        once.observe(count(0, 400));
        assert!(once.shows(0.05));
        once.observe(count(40, 40));
        assert!(once.shows(0.05) && once.evidence() < 1.0);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        assert_eq!(HalfAtom::new(p(0.0), p(0.0)), None);
        assert_eq!(HalfAtom::new(p(1.0), p(0.0)), None);
        assert_eq!(HalfAtom::new(p(0.1), p(1.0)), None);
        assert_eq!(zero_trials(p(0.1), p(0.0), 0, 0.05), None);
        assert_eq!(zero_trials(p(0.1), p(0.0), 1, 0.0), None);
        assert_eq!(zero_trials(p(0.1), p(0.0), 1, 1.0), None);
        assert_eq!(zero_trials(p(1e-16), p(0.0), 1, 0.05), None, "more trials than a count holds");
        let everything = Interval { low: 0.0, high: 1.0 };
        for (blocks, scale, icc) in
            [(vec![], 0.1, 0.0), (vec![count(0, 9)], 0.0, 0.0), (vec![count(0, 9)], 0.1, 1.0)]
        {
            assert_eq!(anytime_interval(&blocks, p(scale), p(icc), confidence()), everything);
        }
    }

    /// The chance that the rule ever stops within so many trials, at a rate and looking after every trial: by recursion over hits, nothing drawn.
    fn chance_of_a_stop(below: f64, rate: f64, trials: usize) -> f64 {
        let shows = |hits: usize, n: usize| {
            let mut looking = rule(below, 0.0);
            looking.observe(count(hits as u64, n as u64));
            looking.shows(0.05)
        };
        let mut alive = vec![1.0];
        let mut stopped = 0.0;
        for n in 1..=trials {
            let mut next = vec![0.0; alive.len() + 1];
            for (hits, chance) in alive.iter().enumerate() {
                next[hits] += chance * (1.0 - rate);
                next[hits + 1] += chance * rate;
            }
            // Fewer hits are more evidence.
            for hits in (0..next.len()).take_while(|hits| shows(*hits, n)) {
                stopped += std::mem::take(&mut next[hits]);
            }
            while next.last().is_some_and(|chance| *chance < 1e-18) {
                next.pop();
            }
            alive = next;
        }
        stopped
    }

    #[test]
    fn the_exact_chance_of_a_false_stop_is_at_most_the_level() {
        for (below, trials) in scale([(0.05, 600), (0.02, 1_500)], [(0.05, 6_000), (0.005, 50_000)]) {
            let at = chance_of_a_stop(below, below, trials);
            assert!((0.035..=0.05).contains(&at), "{below}: {at}");
            let above = chance_of_a_stop(below, below * 1.5, trials);
            assert!(above < at, "{below}: {above} at a higher rate");
            let under = chance_of_a_stop(below, below / 10.0, trials);
            assert!(under > 0.95, "{below}: it stops at a low rate, {under}");
        }
    }

    /// Nights at the rate itself, looking just before every hit, when the evidence is largest.
    #[test]
    fn nights_at_the_bound_stop_as_often_as_the_level_says() {
        let (below, nights) = (1e-4, scale(1_000, 20_000));
        let mut draws = Draws(SplitMix64(2));
        let mut stops = 0_u32;
        for _ in 0..nights {
            let mut looking = rule(below, 0.0);
            while !looking.shows(0.05) && looking.trials < 2_500_000 {
                looking.observe(count(0, draws.gap(below)));
                if !looking.shows(0.05) {
                    looking.observe(count(1, 1));
                }
            }
            stops += u32::from(looking.shows(0.05));
        }
        let most = 0.05 + 3.0 * (0.05 * 0.95 / f64::from(nights)).sqrt();
        let share = f64::from(stops) / f64::from(nights);
        println!("{stops} of {nights}");
        assert!((0.02..=most).contains(&share), "{stops} of {nights}");
    }

    #[test]
    fn nights_of_clustered_blocks_stop_as_often_as_the_level_says() {
        let nights = scale(400, 20_000);
        for (below, icc) in [(0.01, 0.001), (0.01, 0.02), (0.01, 0.2)] {
            let mut draws = Draws(SplitMix64(5));
            let stops = (0..nights)
                .filter(|_| {
                    let mut looking = rule(below, icc);
                    (0..60).for_each(|_| looking.observe(draws.block(50, below, icc)));
                    looking.shows(0.05)
                })
                .count() as f64;
            let share = stops / f64::from(nights);
            println!("icc {icc}: {share}");
            let most = 0.05 + 3.0 * (0.05 * 0.95 / f64::from(nights)).sqrt();
            assert!(share <= most, "icc {icc}: {stops} of {nights}");
        }
    }

    #[test]
    fn an_interval_ends_where_the_formula_says() {
        // From 50-digit arithmetic, apart from this code: the first number of trials without a hit whose upper bound is below the scale.
        for (scale, trials) in [(1e-4, 41_058), (1e-5, 410_597), (1e-6, 4_105_982)] {
            let high = |n| anytime_interval(&[count(0, n)], p(scale), p(0.0), confidence()).high;
            assert!(high(trials) < scale && high(trials - 1) >= scale, "{scale}: {}", high(trials));
        }
        let all = anytime_interval(&[count(500, 500)], p(0.5), p(0.0), confidence());
        let none = anytime_interval(&[count(0, 500)], p(0.5), p(0.0), confidence());
        assert_eq!(all.high, 1.0);
        assert_eq!(none.low, 0.0);
        // Beta(1/2, 1) is no mirror of itself, Beta(1/2, 1/2) is.
        let [all, none] = [500, 0].map(|x| anytime_interval(&[count(x, 500)], p(1.0), p(0.0), confidence()));
        assert!((all.low - (1.0 - none.high)).abs() < 1e-12, "{all:?} {none:?}");
    }

    #[test]
    fn fixed_rates_come_near_the_closed_form() {
        for (blocks, scale) in [
            (vec![count(0, 1_000); 40], 1e-4),
            (vec![count(1, 1_000), count(0, 1_000), count(3, 1_000)], 1e-3),
            (vec![count(400, 1_000); 5], 0.1),
            (vec![count(1_000, 1_000); 3], 0.5),
        ] {
            let exact = anytime_interval(&blocks, p(scale), p(0.0), confidence());
            let fixed = anytime_interval(&blocks, p(scale), p(1e-9), confidence());
            let near = |a: f64, b: f64| (a - b).abs() <= 2e-3 * a.abs();
            assert!(near(exact.low, fixed.low) && near(exact.high, fixed.high), "{exact:?} {fixed:?}");
            let wider = anytime_interval(&blocks, p(scale), p(0.01), confidence());
            assert!(wider.low <= exact.low && wider.high >= exact.high, "{exact:?} {wider:?}");
        }
    }

    /// All looks of a night together: how often one of them leaves the rate out.
    #[test]
    fn an_interval_holds_at_all_looks_together() {
        let (nights, most) = scale((60, 8), (400, 20));
        for (rate, scale, icc) in [(0.01, 0.01, 0.0), (0.3, 0.01, 0.0), (0.01, 0.01, 0.02), (0.3, 0.1, 0.05)]
        {
            let mut draws = Draws(SplitMix64(9));
            let lost = (0..nights)
                .filter(|_| {
                    let blocks: Vec<Count> = (0..most).map(|_| draws.block(50, rate, icc)).collect();
                    (1..=blocks.len()).any(|look| {
                        !anytime_interval(&blocks[..look], p(scale), p(icc), confidence()).contains(rate)
                    })
                })
                .count() as f64;
            let share = lost / f64::from(nights);
            println!("rate {rate} icc {icc}: {share}");
            assert!(
                share <= 0.05 + 3.0 * (0.05 * 0.95 / f64::from(nights)).sqrt(),
                "{rate} {icc}: {lost} of {nights}"
            );
        }
    }

    #[test]
    fn a_difference_is_as_wide_as_both_intervals() {
        let (first, second) = ([count(2, 1_000); 3], [count(0, 1_000); 8]);
        let found = anytime_difference(&first, &second, p(0.001), p(0.001), confidence());
        let each = Confidence::new(0.975).expect("between 0 and 1");
        let [a, b] = [&first[..], &second[..]].map(|side| anytime_interval(side, p(0.001), p(0.001), each));
        assert!(
            (found.low - (b.low - a.high)).abs() < 1e-12 && (found.high - (b.high - a.low)).abs() < 1e-12
        );
        let mirrored = anytime_difference(&second, &first, p(0.001), p(0.001), confidence());
        assert_eq!((mirrored.low, mirrored.high), (-found.high, -found.low));
        assert!(found.contains(-0.002));
    }

    #[test]
    fn a_p_value_is_the_level_at_which_the_difference_leaves_zero_out() {
        for (first, second, scale, icc) in [
            (vec![count(0, 1_000); 5], vec![count(9, 1_000); 5], 0.001, 0.0),
            (
                vec![count(0, 1_000); 5],
                vec![count(9, 1_000), count(3, 1_000), count(14, 1_000)],
                0.001,
                0.001,
            ),
            (vec![count(1_000, 1_000); 2], vec![count(950, 1_000); 2], 0.5, 0.001),
        ] {
            let value = anytime_p(&first, &second, p(scale), p(icc));
            let swapped = anytime_p(&second, &first, p(scale), p(icc));
            assert!(value > 0.0 && value < 0.05 && (value / swapped - 1.0).abs() < 1e-6, "{value} {swapped}");
            let leaves_out = |alpha: f64| {
                let confidence = Confidence::new(1.0 - alpha).expect("between 0 and 1");
                !anytime_difference(&first, &second, p(scale), p(icc), confidence).contains(0.0)
            };
            assert!(leaves_out(value * 1.001) && !leaves_out(value * 0.999), "{value}");
        }
        let same = [count(3, 1_000); 4];
        assert_eq!(anytime_p(&same, &same, p(0.001), p(0.001)), 1.0);
        assert_eq!(anytime_p(&[], &same, p(0.001), p(0.001)), 1.0);
        assert_eq!(anytime_p(&[count(0, 10)], &[count(0, 99)], p(0.001), p(0.001)), 1.0);
    }
}
