//! Whether a rate that is watched night after night has become another one, with a budget of false alarms that holds without asymptotics.
//!
//! Holds an e-detector: a sum of e-processes, one for each night with which the rate may have changed (J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework
//! for sequential change detection", arXiv 2203.03532, 2022). Must not know what is counted, nor what a night is. Units: trials, shares of 1, natural logarithms.
//! Errors: none; what cannot be a rule gives nothing. Tests: below (the guarantee by enumeration, a direct double sum, simulated years); `rig/tests/golden/history.rs`.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::beta_binomial::ln_likelihood_ratio;
use crate::special::peak;
use crate::{Count, Probability};

/// Rates of the mixture beside 0: their log odds lie this far apart,
const STEP: f64 = 0.125;
/// from this rate on (1 in a million),
const LEAST: f64 = -13.815_510_557_964_274;
/// and there are so many of them, up to 98.4 %.
const RATES: usize = 144;
/// All likelihoods are relative to that of this rate.
const REFERENCE: f64 = 1e-3;
/// Log odds beyond which a likelihood no longer changes.
const FURTHEST: f64 = 37.0;

/// Which way a rate is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Whether it rises.
    Up,
    /// Whether it falls.
    Down,
}

/// Evidence that a rate has changed in one direction since some night, night after night.
///
/// The rate before the change is not known, and nobody estimates it. For each night `v` let `R(v, t)` be the likelihood of the nights 1 to t under "one rate before v, a higher one
/// from v on", averaged over pairs of rates, divided by the *largest* likelihood that any constant rate gives them. Under a constant rate, whatever it is, `R(v, t)` is at most
/// a likelihood ratio to it: a nonnegative martingale that begins at no more than 1 (L. Wasserman, A. Ramdas, S. Balakrishnan, "Universal inference", PNAS 117, 2020). The
/// evidence is `M(t) = sum over v <= t of R(v, t)`, a Shiryaev-Roberts sum.
///
/// **What holds.** Over the first T nights the evidence reaches `c` with a chance of at most `T / c`, for every constant rate and every T: `M / T` is at most an average of T such
/// processes, and Ville's inequality is about those. So N series that do not change raise, on the average, at most `N T / c` alarms in T nights, whatever their dependence
/// ([`limit`]); and the mean time to a false alarm is at least `c / 2`.
///
/// **What is assumed.** The trials of a block share one chance, drawn from a beta distribution around the rate with the intraclass correlation that is given with its night; blocks are
/// independent, also those of one night. The correlation may be another one each night, if it is known before that night is played. If blocks vary more than that, or nights as a
/// whole do, the guarantee is not given.
///
/// The mixture: before the change half of its weight on rate 0 and the rest even over 144 log odds from 1 in a million to 98.4 %; after it even over those above (watching for a
/// fall: half on 0, the rest even over those below). No choice of it touches the guarantee, only how soon a change is seen.
#[derive(Debug, Clone)]
pub struct Detector {
    direction: Direction,
    /// The logarithm of each rate's likelihood over all nights; rate 0 first.
    all: Vec<f64>,
    /// The logarithm of the sum over `v`, by the rate since the change.
    since: Vec<f64>,
    /// Each night's own logarithms, for [`Detector::change`].
    nights: Vec<Rc<[f64]>>,
    /// Equal blocks are kept once: hits, trials and the bits of the correlation.
    blocks: BTreeMap<(u64, u64, u64), f64>,
    known: HashMap<(u64, u64, u64), Rc<[f64]>>,
}

/// The evidence at which an alarm is raised, as a logarithm: that of `series * nights / alarms`. So many series that do not change then raise, on the average, at most `alarms` false
/// alarms in so many nights. `None` unless all are above 0.
pub fn limit(series: usize, nights: f64, alarms: f64) -> Option<f64> {
    let limit = (series as f64 * nights / alarms).ln();
    (series > 0 && nights > 0.0 && alarms > 0.0 && limit.is_finite()).then_some(limit.max(0.0))
}

impl Detector {
    /// Before the first night.
    pub fn new(direction: Direction) -> Self {
        Self {
            direction,
            all: vec![0.0; RATES + 1],
            since: vec![f64::NEG_INFINITY; RATES + 1],
            nights: Vec::new(),
            blocks: BTreeMap::new(),
            known: HashMap::new(),
        }
    }

    /// After one more night, whose trials have this intraclass correlation within their blocks; of 1 it is taken as just below. A night without a trial counts as one, and says nothing.
    pub fn observe(&mut self, night: &[Count], icc: Probability) {
        let icc = icc.get().min(1.0 - f64::EPSILON);
        let mut own = vec![0.0; RATES + 1];
        for block in night.iter().filter(|block| block.trials() > 0) {
            let key = (block.hits(), block.trials(), icc.to_bits());
            *self.blocks.entry(key).or_default() += 1.0;
            let ratios = self.known.entry(key).or_insert_with(|| ratios(*block, icc));
            own.iter_mut().zip(ratios.iter()).for_each(|(sum, ratio)| *sum += ratio);
        }
        let starts = starts(self.direction, &self.all);
        for (rate, (since, start)) in self.since.iter_mut().zip(starts).enumerate() {
            *since = ln_add(*since, start) + own[rate];
        }
        self.all.iter_mut().zip(&own).for_each(|(sum, own)| *sum += own);
        self.nights.push(own.into());
    }

    /// The logarithm of the evidence after the last night; minus infinity before the first.
    pub fn ln_evidence(&self) -> f64 {
        ln_sum(&self.since) - self.ln_most_likely()
    }

    /// Whether the evidence is at `ln_limit` or above: the same as asking [`Detector::ln_evidence`], and quicker where it is far below.
    pub fn reaches(&self, ln_limit: f64) -> bool {
        // The likeliest constant rate is at least as likely as the likeliest of the mixture.
        let at_most = ln_sum(&self.since) - self.all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        at_most >= ln_limit && self.ln_evidence() >= ln_limit
    }

    /// The night (from 0) with which the rate most likely changed: the one whose term of the sum is largest. `None` before the first night.
    pub fn change(&self) -> Option<usize> {
        let mut before = vec![0.0; RATES + 1];
        let mut rest = self.all.clone();
        let mut best: Option<(f64, usize)> = None;
        for (night, own) in self.nights.iter().enumerate() {
            let starts = starts(self.direction, &before);
            let terms: Vec<f64> = starts.iter().zip(&rest).map(|(start, rest)| start + rest).collect();
            let term = ln_sum(&terms);
            if best.is_none_or(|(most, _)| term > most) {
                best = Some((term, night));
            }
            for rate in 0..=RATES {
                before[rate] += own[rate];
                // What was impossible before the change may be possible after it.
                rest[rate] = self.nights[night + 1..].iter().map(|own| own[rate]).sum();
            }
        }
        best.map(|(_, night)| night)
    }

    /// The logarithm of the largest likelihood of a constant rate.
    fn ln_most_likely(&self) -> f64 {
        let hits: u64 = self.blocks.keys().map(|(hits, _, _)| hits).sum();
        let misses: u64 = self.blocks.keys().map(|(hits, trials, _)| trials - hits).sum();
        let at = |rate: f64| -> f64 {
            let of = |((hits, trials, icc), times): (&(u64, u64, u64), &f64)| {
                times * ln_likelihood_ratio(*hits, trials - hits, rate, REFERENCE, f64::from_bits(*icc))
            };
            self.blocks.iter().map(of).sum()
        };
        // Without a hit, or without a miss, it has no peak: it rises to the end.
        match (hits, misses) {
            (0, _) => at(0.0),
            (_, 0) => at(1.0),
            _ => at(share(peak(|odds| at(share(odds)), -FURTHEST, FURTHEST, 1e-7))),
        }
    }
}

/// One of the rates of the mixture; the first is 0.
fn rate(at: usize) -> f64 {
    if at == 0 { 0.0 } else { share(LEAST + STEP * (at - 1) as f64) }
}

fn share(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

fn ratios(block: Count, icc: f64) -> Rc<[f64]> {
    (0..=RATES)
        .map(|at| ln_likelihood_ratio(block.hits(), block.misses(), rate(at), REFERENCE, icc))
        .collect()
}

/// For each rate since a change that comes now: the logarithm of the average likelihood of what was before, over the rates from which one comes to it.
fn starts(direction: Direction, before: &[f64]) -> Vec<f64> {
    let most = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let even = 1.0 / RATES as f64;
    let mut sum = 0.0;
    let mut starts = vec![0.0; before.len()];
    match direction {
        Direction::Up => {
            for at in 0..RATES {
                let weight = if at == 0 { 0.5 } else { 0.5 * even };
                sum += weight / (RATES - at) as f64 * (before[at] - most).exp();
                starts[at + 1] = sum;
            }
        }
        Direction::Down => {
            for at in (1..=RATES).rev() {
                let likely = even * (before[at] - most).exp();
                starts[at] = sum;
                // From the least of them only 0 is below.
                starts[0] += if at == 1 { likely } else { 0.5 * likely };
                sum += if at == 1 { 0.0 } else { 0.5 * likely / (at - 1) as f64 };
            }
        }
    }
    starts.into_iter().map(|start| start.ln() + most).collect()
}

fn ln_add(a: f64, b: f64) -> f64 {
    let (less, more) = if a < b { (a, b) } else { (b, a) };
    if more == f64::NEG_INFINITY { more } else { more + (less - more).exp().ln_1p() }
}

fn ln_sum(terms: &[f64]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most.is_infinite() {
        most
    } else {
        most + terms.iter().map(|term| (term - most).exp()).sum::<f64>().ln()
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

    fn watched(direction: Direction, nights: &[Vec<Count>], icc: f64) -> Detector {
        let mut detector = Detector::new(direction);
        nights.iter().for_each(|night| detector.observe(night, p(icc)));
        detector
    }

    fn binomial(hits: u64, trials: u64, rate: f64) -> f64 {
        let ways = (0..hits).fold(1.0, |ways, k| ways * (trials - k) as f64 / (k + 1) as f64);
        ways * rate.powi(hits as i32) * (1.0 - rate).powi((trials - hits) as i32)
    }

    /// The definition, term by term: every night of a change, every pair of rates, plain products.
    fn by_definition(direction: Direction, nights: &[(u64, u64)]) -> f64 {
        let likely = |nights: &[(u64, u64)], rate: f64| -> f64 {
            nights.iter().map(|(hits, trials)| binomial(*hits, *trials, rate)).product()
        };
        let mut sum = 0.0;
        for v in 0..nights.len() {
            for before in 0..=RATES {
                for since in 0..=RATES {
                    let weight = match direction {
                        Direction::Up if since > before => {
                            let first = if before == 0 { 0.5 } else { 0.5 / 144.0 };
                            first / (144 - before) as f64
                        }
                        Direction::Down if since < before => {
                            let lower = match (since, before) {
                                (0, 1) => 1.0,
                                (0, _) => 0.5,
                                _ => 0.5 / (before - 1) as f64,
                            };
                            lower / 144.0
                        }
                        _ => continue,
                    };
                    sum += weight * likely(&nights[..v], rate(before)) * likely(&nights[v..], rate(since));
                }
            }
        }
        let (hits, trials) = nights.iter().fold((0, 0), |sum, night| (sum.0 + night.0, sum.1 + night.1));
        sum / likely(nights, hits as f64 / trials as f64)
    }

    #[test]
    fn the_recursion_is_the_double_sum_of_the_definition() {
        let series: [&[(u64, u64)]; 4] = [
            &[(0, 30), (0, 30), (2, 30), (3, 30)],
            &[(5, 20), (6, 25), (0, 30), (1, 20), (0, 20)],
            &[(0, 10)],
            &[(3, 3), (2, 3), (3, 3)],
        ];
        for nights in series {
            for direction in [Direction::Up, Direction::Down] {
                let counts: Vec<Vec<Count>> = nights.iter().map(|(x, n)| vec![count(*x, *n)]).collect();
                let (found, wanted) =
                    (watched(direction, &counts, 0.0).ln_evidence().exp(), by_definition(direction, nights));
                assert!((found / wanted - 1.0).abs() < 1e-9, "{nights:?}: {found} {wanted}");
            }
        }
    }

    /// Every series of nights, with its chance under one constant rate: nothing is drawn.
    #[test]
    fn under_every_constant_rate_the_expected_evidence_is_at_most_the_number_of_nights() {
        const TRIALS: u64 = 4;
        const LIMITS: [f64; 3] = [5.5, 8.0, 20.0];
        for direction in [Direction::Up, Direction::Down] {
            for rate in [0.0, 1e-4, 0.02, 0.3, 0.5, 0.9, 1.0] {
                // Alarms at a small evidence happen, so that the chance of one can be held against its bound.
                let mut alive = vec![(1.0, Detector::new(direction), [false; 3])];
                for night in 1..=5 {
                    let (mut expected, mut next) = (0.0, Vec::new());
                    for (before, detector, raised) in &alive {
                        for hits in 0..=TRIALS {
                            let chance = before * binomial(hits, TRIALS, rate);
                            if chance == 0.0 {
                                continue;
                            }
                            let mut later = detector.clone();
                            later.observe(&[count(hits, TRIALS)], p(0.0));
                            expected += chance * later.ln_evidence().exp();
                            let mut raised = *raised;
                            for (raised, limit) in raised.iter_mut().zip(LIMITS) {
                                *raised |= later.reaches(limit.ln());
                            }
                            next.push((chance, later, raised));
                        }
                    }
                    assert!(
                        expected <= f64::from(night) * (1.0 + 1e-9),
                        "{rate}: {expected} in night {night}"
                    );
                    for (at, limit) in LIMITS.into_iter().enumerate() {
                        let ever: f64 = next.iter().filter(|one| one.2[at]).map(|one| one.0).sum();
                        assert!(ever <= f64::from(night) / limit + 1e-9, "{rate}: {ever} over {limit}");
                    }
                    alive = next;
                }
            }
        }
    }

    fn uniform(draws: &mut SplitMix64) -> f64 {
        ((draws.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Hits of a block by Polya's urn, hit by hit where hits are rare.
    fn block(draws: &mut SplitMix64, size: u64, rate: f64, icc: f64) -> Count {
        let hits = (0..size).fold(0_u64, |hits, trial| {
            let chance = (rate * (1.0 - icc) + hits as f64 * icc) / (1.0 - icc + trial as f64 * icc);
            hits + u64::from(uniform(draws) < chance)
        });
        count(hits, size)
    }

    #[test]
    fn years_without_a_change_keep_the_chance_of_an_alarm() {
        // So low a limit that alarms happen: at 40 nights and c = 80 at most half of the series may raise one.
        const NIGHTS: usize = 40;
        let series = scale(300, 10_000);
        let mut draws = SplitMix64(20_261_127);
        for (rate, icc) in [(0.0005, 0.01), (0.05, 0.02), (0.6, 0.001)] {
            let mut raised = 0_u64;
            for _ in 0..series {
                let mut detector = Detector::new(Direction::Up);
                let fires = (0..NIGHTS).any(|_| {
                    let night = [block(&mut draws, 60, rate, icc), block(&mut draws, 60, rate, icc)];
                    detector.observe(&night, p(icc));
                    detector.reaches(80.0_f64.ln())
                });
                raised += u64::from(fires);
            }
            assert!(raised as f64 <= 0.5 * series as f64, "{raised} of {series} at {rate}");
        }
    }

    #[test]
    fn a_rise_is_seen_within_nights_and_its_night_is_found_and_a_fall_is_none() {
        let quiet = vec![count(0, 1_000); 3];
        let limit = limit(2_000, 365.0, 1.0).expect("a limit");
        assert!((limit.exp() - 730_000.0).abs() < 1e-6);
        let mut nights = vec![quiet.clone(); 40];
        nights.extend([
            vec![count(1, 1_000), count(0, 1_000), count(2, 1_000)],
            vec![count(1, 1_000); 3],
            vec![count(1, 1_000); 3],
        ]);
        let first = |direction, nights: &[Vec<Count>]| {
            (1..=nights.len()).find(|n| watched(direction, &nights[..*n], 0.001).reaches(limit))
        };
        assert_eq!(
            first(Direction::Up, &nights[..42]),
            None,
            "three hits in each of two nights may be chance"
        );
        assert_eq!(first(Direction::Up, &nights), Some(43));
        assert_eq!(watched(Direction::Up, &nights, 0.001).change(), Some(40));
        // The same nights backwards: what was bad is good again.
        nights.reverse();
        nights.splice(0..0, vec![vec![count(1, 1_000); 3]; 20]);
        assert_eq!(first(Direction::Up, &nights), None);
        assert!(
            first(Direction::Down, &nights).is_some_and(|n| n > 23),
            "{:?}",
            first(Direction::Down, &nights)
        );
        assert_eq!(watched(Direction::Down, &nights, 0.001).change(), Some(23));
    }

    #[test]
    fn hits_that_come_in_one_block_are_less_evidence_than_the_same_hits_apart() {
        let history = vec![vec![count(0, 1_000); 3]; 20];
        let with = |last: Vec<Count>, icc: f64| {
            let nights: Vec<Vec<Count>> = history.iter().cloned().chain([last]).collect();
            watched(Direction::Up, &nights, icc).ln_evidence()
        };
        let (together, apart) =
            (vec![count(9, 1_000), count(0, 1_000), count(0, 1_000)], vec![count(3, 1_000); 3]);
        assert!((with(together.clone(), 0.0) - with(apart.clone(), 0.0)).abs() < 1e-9);
        assert!(with(together, 0.01) + 2.0 < with(apart, 0.01));
    }

    #[test]
    fn what_is_no_budget_is_refused_and_an_empty_night_says_nothing() {
        assert_eq!(limit(0, 365.0, 1.0), None);
        assert_eq!(limit(5, 365.0, 0.0), None);
        assert_eq!(limit(5, 365.0, f64::NAN), None);
        assert_eq!(limit(1, 1.0, 9.0), Some(0.0), "an evidence of 1 is none");
        let detector = watched(Direction::Up, &[vec![], vec![Count::NONE]], 0.001);
        assert!(detector.ln_evidence() <= 2.0_f64.ln() + 1e-9);
        assert_eq!(Detector::new(Direction::Up).ln_evidence(), f64::NEG_INFINITY);
        assert_eq!(Detector::new(Direction::Up).change(), None);
    }
}
