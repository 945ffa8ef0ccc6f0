//! How far hits run ahead of what a rate lets expect: the cumulative sum of a Bernoulli rate, looked at after each night.
//!
//! Holds the one-sided CUSUM of M. R. Reynolds and Z. G. Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting continuously", Journal of Quality Technology 31
//! (1999), and its exact chance of a false alarm. Must not know what is counted. Units: trials, shares of 1. Errors: none; what is no chart gives nothing.
//! Tests: below (every series by enumeration, the published rule for its step).

use crate::binomial::ln_pmf;
use crate::special::bracketed_root;
use crate::{Count, Probability};

/// A chart for one rate, against one that is worse.
///
/// With `r1 = -ln((1 - p1) / (1 - p0))` and `r2 = ln(p1 (1 - p0) / (p0 (1 - p1)))` each hit adds `1 - r1 / r2` and each other trial takes `r1 / r2` away, never below 0 at the end of
/// a night. As they propose, `p1` is moved so that `r2 / r1` is a whole number `m`: then the sum is one too, in units of `1 / m`, and what follows from it is exact.
///
/// It takes the rate as known and trials as independent. A history has neither, so its alarms are [`crate::Detector`]'s, and this is the picture beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BernoulliCusum {
    before: f64,
    worse: f64,
    step: u64,
}

impl BernoulliCusum {
    /// The largest step: a rate below 1 in so many trials is taken as this.
    const MOST: f64 = 1e9;

    /// A chart that soonest sees the rate `worse` where it was `before`. `None` unless `0 < before < worse < 1`.
    pub fn new(before: Probability, worse: Probability) -> Option<Self> {
        let (before, asked) = (before.get(), worse.get());
        if !(before > 0.0 && before < asked && asked < 1.0) {
            return None;
        }
        let ratio = |worse: f64| {
            let r1 = -((before - worse) / (1.0 - before)).ln_1p();
            let r2 = (worse / before).ln() + r1;
            r2 / r1
        };
        let step = ratio(asked).round().clamp(2.0, Self::MOST);
        // From 1 / before, where both rates are the same, the ratio falls to 1.
        if step >= 1.0 / before {
            return None;
        }
        let (low, high) = (before * (1.0 + 1e-12), 1.0 - 1e-15);
        let worse = bracketed_root(|worse| ratio(worse) - step, low, high);
        Some(Self { before, worse, step: step as u64 })
    }

    /// The rate that it is made to see, moved so that [`Self::step`] is whole.
    pub fn worse(&self) -> f64 {
        self.worse
    }

    /// By how many trials without a hit a hit is undone, itself one of them.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The sum after a night, from that before it: 0 before the first. In units of `1 / step` of a hit.
    pub fn after(&self, sum: u64, night: Count) -> u64 {
        let more = self.step.saturating_mul(night.hits());
        sum.saturating_add(more).saturating_sub(night.trials())
    }

    /// The chance that the sum is at `limit` or above at the end of any of so many nights of so many trials each, if the rate is what it was: by recursion over all sums, nothing is
    /// approximated. 1 at a limit of 0.
    pub fn chance_of_alarm(&self, limit: u64, nights: u32, trials: u64) -> f64 {
        if limit == 0 {
            return 1.0;
        }
        let rate = Probability::new(self.before).expect("it was made of one");
        // More hits than these alarm from every sum.
        let most = limit.saturating_add(trials).div_ceil(self.step).min(trials);
        let of = |hits: u64| ln_pmf(Count::new(hits, trials).expect("at most all"), rate).exp();
        let chances: Vec<f64> = (0..=most).map(of).collect();
        let mut alive = vec![0.0; usize::try_from(limit).expect("a limit of a few hits")];
        alive[0] = 1.0;
        for _ in 0..nights {
            let mut next = vec![0.0; alive.len()];
            for (sum, there) in alive.iter().enumerate().filter(|(_, there)| **there > 0.0) {
                for (hits, chance) in chances.iter().enumerate() {
                    let reached = (sum as u64 + self.step * hits as u64).saturating_sub(trials);
                    match next.get_mut(reached as usize) {
                        Some(place) => *place += there * chance,
                        None => break,
                    }
                }
            }
            alive = next;
        }
        (1.0 - alive.iter().sum::<f64>()).max(0.0)
    }

    /// The lowest limit whose [`Self::chance_of_alarm`] is at most `chance`. `None` where `chance` is not above 0, or no limit of up to `most` hits has it.
    pub fn limit(&self, chance: f64, nights: u32, trials: u64, most: u64) -> Option<u64> {
        let enough = |limit: u64| self.chance_of_alarm(limit, nights, trials) <= chance;
        let mut high = self.step.saturating_mul(most);
        if chance.is_nan() || chance <= 0.0 || !enough(high) {
            return None;
        }
        let mut low = 0;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    #[test]
    fn the_step_is_whole_and_belongs_to_the_rate() {
        for (before, worse) in [(0.001, 0.002), (0.01, 0.02), (0.01, 0.1), (0.2, 0.3), (1e-6, 1e-5)] {
            let chart = BernoulliCusum::new(p(before), p(worse)).expect("a chart");
            let (p0, p1) = (before, chart.worse());
            let (r1, r2) = (-f64::ln((1.0 - p1) / (1.0 - p0)), f64::ln(p1 * (1.0 - p0) / (p0 * (1.0 - p1))));
            assert!((r2 / r1 / chart.step() as f64 - 1.0).abs() < 1e-6, "{chart:?}: {}", r2 / r1);
            assert!((p1 / worse - 1.0).abs() < 0.2, "{chart:?}");
        }
        for (before, worse) in [(0.0, 0.1), (0.1, 0.1), (0.2, 0.1), (0.5, 1.0)] {
            assert_eq!(BernoulliCusum::new(p(before), p(worse)), None);
        }
    }

    #[test]
    fn a_hit_is_undone_by_as_many_trials_as_the_step_says() {
        let chart = BernoulliCusum::new(p(0.01), p(0.03)).expect("a chart");
        let step = chart.step();
        assert_eq!(chart.after(0, count(0, 50)), 0);
        assert_eq!(chart.after(0, count(1, 1)), step - 1);
        assert_eq!(chart.after(chart.after(0, count(1, 1)), count(0, step - 1)), 0);
        assert_eq!(chart.after(7, count(2, 20)), 7 + 2 * step - 20);
    }

    /// Every series of nights, one after the other.
    fn by_enumeration(chart: &BernoulliCusum, limit: u64, nights: u32, trials: u64, sum: u64) -> f64 {
        if nights == 0 {
            return 0.0;
        }
        let of = |hits: u64| {
            let ways = (0..hits).fold(1.0, |ways, k| ways * (trials - k) as f64 / (k + 1) as f64);
            let chance =
                ways * chart.before.powi(hits as i32) * (1.0 - chart.before).powi((trials - hits) as i32);
            let reached = chart.after(sum, count(hits, trials));
            let rest = if reached >= limit {
                1.0
            } else {
                by_enumeration(chart, limit, nights - 1, trials, reached)
            };
            chance * rest
        };
        (0..=trials).map(of).sum()
    }

    #[test]
    fn the_chance_of_a_false_alarm_is_that_of_all_series() {
        for (before, worse, trials, limit) in [(0.05, 0.2, 6, 9), (0.3, 0.5, 5, 4), (0.02, 0.06, 8, 30)] {
            let chart = BernoulliCusum::new(p(before), p(worse)).expect("a chart");
            for nights in 0..=4 {
                let (found, wanted) = (
                    chart.chance_of_alarm(limit, nights, trials),
                    by_enumeration(&chart, limit, nights, trials, 0),
                );
                assert!((found - wanted).abs() < 1e-12, "{chart:?} {nights}: {found} {wanted}");
            }
        }
    }

    #[test]
    fn the_limit_is_the_lowest_that_keeps_the_chance() {
        let chart = BernoulliCusum::new(p(0.001), p(0.003)).expect("a chart");
        let limit = chart.limit(0.001, 365, 1_000, 40).expect("a limit");
        assert!(chart.chance_of_alarm(limit, 365, 1_000) <= 0.001);
        assert!(chart.chance_of_alarm(limit - 1, 365, 1_000) > 0.001);
        assert_eq!(chart.limit(0.0, 365, 1_000, 40), None);
        assert_eq!(chart.limit(1e-9, 365, 1_000, 1), None, "one hit is no limit");
        assert_eq!(chart.chance_of_alarm(0, 5, 10), 1.0);
    }
}
