//! Times of which some were cut before they ended.
//!
//! Holds the survival curve, and the test of two sides whose trials come in blocks. Must not know what is waited for. Units: those of the times (rig's are
//! nanoseconds), shares of 1. Errors: none; what cannot be tested gives nothing.
//! Tests: below (published trial, counts by hand); `tests/oracle` against SciPy.

use crate::relabel::{Relabelled, permuted};
use crate::special::normal_quantile;
use crate::{Confidence, Count, Interval, clopper_pearson};

/// What one block waited for: times with numbers of trials, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Waits {
    /// When it happened.
    pub events: Vec<(f64, u64)>,
    /// When nobody waited any longer, and it had not happened.
    pub censored: Vec<(f64, u64)>,
}

/// A time at which something happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The time.
    pub time: f64,
    /// Trials that were still waiting just before.
    pub at_risk: u64,
    /// Trials that ended then.
    pub events: u64,
    /// Share that waits longer.
    pub survival: f64,
    /// Greenwood's sum of `d / (n (n - d))` up to here: the variance of the logarithm of `survival`. Infinite where that is 0.
    pub variance: f64,
}

/// The share that still waits, over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Times at which waits ended, one way or the other, and how many had not before.
    at_risk: Vec<(f64, u64)>,
    steps: Vec<Step>,
}

/// The product-limit estimate of E. L. Kaplan and P. Meier, JASA 53 (1958): events and censored waits are times with numbers of trials, in any order. A wait
/// that was cut when something happened was still at risk then.
pub fn kaplan_meier(events: &[(f64, u64)], censored: &[(f64, u64)]) -> Curve {
    let ends = Ends::of(events, censored);
    let (mut survival, mut variance) = (1.0, 0.0);
    let steps = ends.0.iter().filter(|end| end.events > 0).map(|end| {
        let (d, n) = (end.events as f64, end.at_risk as f64);
        survival *= (n - d) / n;
        variance += d / (n * (n - d));
        Step { time: end.time, at_risk: end.at_risk, events: end.events, survival, variance }
    });
    let steps = steps.collect();
    Curve { at_risk: ends.0.iter().map(|end| (end.time, end.at_risk)).collect(), steps }
}

impl Curve {
    /// The times at which something happened, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Share that waits longer than `time`; 1 of no trials.
    pub fn at(&self, time: f64) -> f64 {
        self.step(time).map_or(1.0, |step| step.survival)
    }

    fn step(&self, time: f64) -> Option<&Step> {
        self.steps[..self.steps.partition_point(|step| step.time <= time)].last()
    }

    /// An interval of [`Self::at`] for independent trials: `S^exp(+-z sqrt(variance) / ln S)`, which stays within 0..1 (J. D. Kalbfleisch and R. L. Prentice,
    /// The Statistical Analysis of Failure Time Data, 1980, section 1.3). Before the first event it is the exact one of no event among
    /// those that still wait; where nothing is left,
    /// the upper bound of the step before.
    pub fn interval(&self, time: f64, confidence: Confidence) -> Interval {
        let exact = |hits: u64, trials: u64| {
            clopper_pearson(Count::new(hits, trials).unwrap_or(Count::NONE), confidence)
        };
        let z = -normal_quantile(confidence.alpha() / 2.0);
        let of = |step: &Step| {
            let spread = (z * step.variance.sqrt() / step.survival.ln()).abs();
            Interval { low: step.survival.powf(spread.exp()), high: step.survival.powf((-spread).exp()) }
        };
        let reached = &self.steps[..self.steps.partition_point(|step| step.time <= time)];
        match reached {
            [] => {
                let waiting = self.at_risk.get(self.at_risk.partition_point(|(end, _)| *end < time));
                let waiting = waiting.map_or(0, |(_, at_risk)| *at_risk);
                Interval { low: exact(waiting, waiting).low, high: 1.0 }
            }
            [.., last] if last.survival > 0.0 => of(last),
            [only] => exact(0, only.at_risk),
            [.., before, _] => Interval { low: 0.0, high: of(before).high },
        }
    }

    /// The first time that no more than half wait longer; `None` where more than half do to the end.
    pub fn median(&self) -> Option<f64> {
        self.steps.iter().find(|step| step.survival <= 0.5).map(|step| step.time)
    }

    /// Between which times the median lies, for independent trials: where [`Self::interval`] holds 1/2 (R. Brookmeyer and J. Crowley, Biometrics 38, 1982). A
    /// bound that no time reaches is `None`.
    pub fn median_interval(&self, confidence: Confidence) -> (Option<f64>, Option<f64>) {
        let first = |beyond: fn(Interval) -> bool| {
            let found = self.steps.iter().find(|step| beyond(self.interval(step.time, confidence)));
            found.map(|step| step.time)
        };
        (first(|interval| interval.low <= 0.5), first(|interval| interval.high < 0.5))
    }
}

/// Do two sides wait equally long? The log-rank test (N. Mantel, Cancer Chemotherapy Reports 50, 1966), whose p-value comes from permuting whole blocks, so
/// that trials inside a block may depend on each other: `statistic` is the squared difference of the first side's events from what is expected,
/// by its hypergeometric variance. Blocks without trials are left out; `None` where a side has none.
pub fn log_rank(first: &[Waits], second: &[Waits], seed: u64) -> Option<Relabelled> {
    let waited = |waits: &Waits| waits.events.iter().chain(&waits.censored).any(|(_, n)| *n > 0);
    let played = |side: &[Waits]| side.iter().filter(|waits| waited(waits)).count();
    let blocks: Vec<&Waits> = first.iter().chain(second).filter(|waits| waited(waits)).collect();
    let all = |of: fn(&Waits) -> &[(f64, u64)]| -> Vec<(f64, u64)> {
        blocks.iter().flat_map(|waits| of(waits)).copied().collect()
    };
    let pooled = Ends::of(&all(|waits| &waits.events), &all(|waits| &waits.censored));
    let times: Vec<End> = pooled.0.into_iter().filter(|end| end.events > 0).collect();
    // Of each block at each of these times: still waiting, and ended then.
    let rows: Vec<Vec<(f64, f64)>> = blocks
        .iter()
        .map(|waits| {
            let own = Ends::of(&waits.events, &waits.censored).0;
            let at = |end: &End| {
                let next = own.partition_point(|one| one.time < end.time);
                let events = own.get(next).filter(|one| one.time == end.time).map_or(0, |one| one.events);
                (own.get(next).map_or(0, |one| one.at_risk) as f64, events as f64)
            };
            times.iter().map(at).collect()
        })
        .collect();
    permuted(blocks.len(), played(first), seed, |labelled| {
        let (mut apart, mut variance) = (0.0, 0.0);
        for (i, end) in times.iter().enumerate() {
            let (n1, d1) = labelled.iter().fold((0.0, 0.0), |(n, d), block| {
                let (at_risk, events) = rows[*block][i];
                (n + at_risk, d + events)
            });
            let (n, d) = (end.at_risk as f64, end.events as f64);
            apart += d1 - d * n1 / n;
            if n > 1.0 {
                variance += d * (n1 / n) * ((n - n1) / n) * ((n - d) / (n - 1.0));
            }
        }
        if variance > 0.0 { apart * apart / variance } else { 0.0 }
    })
}

/// A time at which waits ended, one way or the other.
struct End {
    time: f64,
    /// Waits that had not ended before.
    at_risk: u64,
    events: u64,
}

/// In the order of time.
struct Ends(Vec<End>);

impl Ends {
    fn of(events: &[(f64, u64)], censored: &[(f64, u64)]) -> Self {
        let happened = events.iter().map(|(time, n)| (*time, *n, *n));
        let cut = censored.iter().map(|(time, n)| (*time, *n, 0));
        let mut all: Vec<(f64, u64, u64)> = happened.chain(cut).filter(|(_, n, _)| *n > 0).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut at_risk: u64 = all.iter().map(|(_, n, _)| n).sum();
        let same_time = all.chunk_by(|a, b| a.0 == b.0);
        Self(
            same_time
                .map(|ends| {
                    let end = End { time: ends[0].0, at_risk, events: ends.iter().map(|(.., d)| d).sum() };
                    at_risk -= ends.iter().map(|(_, n, _)| n).sum::<u64>();
                    end
                })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weeks of remission of acute leukemia, 6-MP and placebo: E. J. Freireich and others, Blood 21 (1963) 699.
    const TREATED: [(f64, u64); 7] =
        [(6.0, 3), (7.0, 1), (10.0, 1), (13.0, 1), (16.0, 1), (22.0, 1), (23.0, 1)];
    const CUT: [(f64, u64); 11] = [
        (6.0, 1),
        (9.0, 1),
        (10.0, 1),
        (11.0, 1),
        (17.0, 1),
        (19.0, 1),
        (20.0, 1),
        (25.0, 1),
        (32.0, 2),
        (34.0, 1),
        (35.0, 1),
    ];
    const PLACEBO: [(f64, u64); 12] = [
        (1.0, 2),
        (2.0, 2),
        (3.0, 1),
        (4.0, 2),
        (5.0, 2),
        (8.0, 4),
        (11.0, 2),
        (12.0, 2),
        (15.0, 1),
        (17.0, 1),
        (22.0, 1),
        (23.0, 1),
    ];

    fn confidence() -> Confidence {
        Confidence::new(0.95).expect("between 0 and 1")
    }

    #[test]
    fn the_curve_of_a_published_trial() {
        let curve = kaplan_meier(&TREATED, &CUT);
        // J. P. Klein and M. L. Moeschberger, Survival Analysis (2003), table 4.1B: survival and its standard error.
        for (time, survival, error) in [
            (6.0, 0.857, 0.076),
            (7.5, 0.807, 0.087),
            (10.0, 0.753, 0.096),
            (13.0, 0.690, 0.107),
            (16.0, 0.627, 0.114),
            (22.0, 0.538, 0.128),
            (34.0, 0.448, 0.135),
        ] {
            let step = curve.step(time).expect("after the first");
            assert!((curve.at(time) - survival).abs() < 6e-4, "{step:?}");
            assert!((step.survival * step.variance.sqrt() - error).abs() < 6e-4, "{step:?}");
        }
        assert_eq!((curve.at(5.9), curve.median()), (1.0, Some(23.0)));
        let placebo = kaplan_meier(&PLACEBO, &[]);
        assert_eq!((placebo.median(), placebo.at(23.0)), (Some(8.0), 0.0));
        // R: survfit(..., conf.type = "log-log"): medians 23 (13 to NA) and 8 (4 to 11).
        assert_eq!(curve.median_interval(confidence()), (Some(13.0), None));
        assert_eq!(placebo.median_interval(confidence()), (Some(4.0), Some(11.0)));
    }

    #[test]
    fn an_interval_has_ends_everywhere() {
        let curve = kaplan_meier(&[(5.0, 10)], &[(7.0, 90)]);
        let before = curve.interval(1.0, confidence());
        assert!((before.low - 0.025_f64.powf(0.01)).abs() < 1e-12 && before.high == 1.0, "{before:?}");
        let cut = kaplan_meier(&[], &[(5.0, 60), (7.0, 40)]);
        assert!((cut.interval(6.0, confidence()).low - 0.025_f64.powf(1.0 / 40.0)).abs() < 1e-12);
        assert_eq!(cut.interval(8.0, confidence()).low, 0.0, "nobody waited that long");
        let after = curve.interval(6.0, confidence());
        assert!(after.low > 0.8 && after.high < 0.96 && after.contains(0.9), "{after:?}");
        let all = kaplan_meier(&[(5.0, 100)], &[]);
        assert_eq!(
            all.interval(5.0, confidence()),
            clopper_pearson(Count::new(0, 100).expect("a count"), confidence())
        );
        let nothing = kaplan_meier(&[], &[]);
        assert_eq!((nothing.at(1.0), nothing.median()), (1.0, None));
        assert_eq!(nothing.interval(1.0, confidence()), Interval { low: 0.0, high: 1.0 });
        let two = kaplan_meier(&[(5.0, 50), (6.0, 50)], &[]);
        assert_eq!(
            two.interval(6.0, confidence()),
            Interval { low: 0.0, high: two.interval(5.0, confidence()).high }
        );
    }

    fn waits(events: &[(f64, u64)], censored: &[(f64, u64)]) -> Waits {
        Waits { events: events.to_vec(), censored: censored.to_vec() }
    }

    #[test]
    fn the_log_rank_statistic_of_a_published_trial() {
        let found = log_rank(&[waits(&TREATED, &CUT)], &[waits(&PLACEBO, &[])], 1).expect("trials");
        // R: survdiff has chi-square 16.8; 16.793.
        assert!((found.statistic - 16.793).abs() < 5e-4, "{found:?}");
        assert_eq!((found.p_value, found.smallest_p, found.labellings), (1.0, 1.0, 2), "one block a side");
        // Cut into blocks it is the same statistic.
        let [early, late] = [waits(&PLACEBO[..5], &[]), waits(&PLACEBO[5..], &[])];
        let cut = log_rank(&[waits(&TREATED, &[]), waits(&[], &CUT)], &[early, late], 1).expect("trials");
        assert!((cut.statistic - found.statistic).abs() < 1e-9, "{cut:?}");
    }

    #[test]
    fn blocks_are_permuted_as_wholes() {
        let slow = |by: f64| waits(&[(10.0 + by, 20), (30.0 + by, 20)], &[(50.0, 10)]);
        let fast = |by: f64| waits(&[(5.0 + by, 25), (9.0 + by, 20)], &[(50.0, 5)]);
        let sides: [Vec<Waits>; 2] = [
            (0..4).map(|i| slow(f64::from(i))).collect(),
            (0..4).map(|i| fast(f64::from(i) / 2.0)).collect(),
        ];
        let found = log_rank(&sides[0], &sides[1], 1).expect("trials");
        assert_eq!((found.p_value, found.labellings, found.all), (2.0 / 70.0, 70, true));
        let mirrored = log_rank(&sides[1], &sides[0], 1).expect("trials");
        assert!((found.statistic - mirrored.statistic).abs() < 1e-9 * found.statistic);
        let none = Waits::default();
        assert_eq!(log_rank(std::slice::from_ref(&none), &sides[0], 1), None);
        let with_empty = log_rank(&[sides[0].clone(), vec![none]].concat(), &sides[1], 1).expect("trials");
        assert_eq!(with_empty, found);
    }
}
