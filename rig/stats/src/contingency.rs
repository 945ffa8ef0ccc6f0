//! Two samples: is the share the same, and how far apart can it be?
//!
//! Holds Fisher's exact test and the score interval of a difference. Must not know what is counted.
//! Units: shares of 1; a difference is second minus first. Errors: none.
//! Tests: here and `tests/exact.rs` (full enumeration, symmetry, coverage).

use crate::binomial::ln_pmf_pair;
use crate::special::normal_quantile;
use crate::{Confidence, Count, Effective, Interval};

/// Tables whose probability is within this factor of the observed one count as equally probable (R's `fisher.test` uses
/// the same): otherwise rounding would decide whether the mirror image of a table belongs to the tail.
pub(crate) const TIE: f64 = 1.0 + 1e-7;

/// The exact two-sided p-value of "both shares are the same", given the total: the sum of all tables that are not more probable
/// than this one (R. A. Fisher; Irwin's two-sided rule). 1 where one sample is empty.
///
/// Probabilities come from three binomial ones (Loader 2000, section 5), tails from the ratio of neighbours until a term is no
/// longer felt: the time is a few standard deviations, not the number of trials.
pub fn fisher(first: Count, second: Count) -> f64 {
    let table = Hypergeometric::of(first, second);
    let seen = first.hits();
    let mode = table.mode();
    if seen == mode || table.low == table.high {
        return 1.0;
    }
    let limit = table.ln_pmf(seen) + TIE.ln();
    let (below, above) = if seen < mode {
        // From the mode on (which may have an equal neighbour on its left) probabilities fall: the first that is not over the
        // limit, by bisection.
        let (mut inside, mut outside) = (table.high + 1, mode - 1);
        while inside - outside > 1 {
            let middle = outside + (inside - outside) / 2;
            if table.ln_pmf(middle) <= limit { inside = middle } else { outside = middle }
        }
        (Some(seen), (inside <= table.high).then_some(inside))
    } else {
        let mut low = table.low;
        let mut high = mode;
        // The last left of the mode that is not over the limit lies in low..high, if there is one.
        let found = (low < high && table.ln_pmf(low) <= limit).then(|| {
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if table.ln_pmf(middle) <= limit { low = middle } else { high = middle }
            }
            low
        });
        (found, Some(seen))
    };
    let sum = below.map_or(0.0, |x| table.tail_down(x)) + above.map_or(0.0, |x| table.tail_up(x));
    sum.min(1.0)
}

/// Hits of the first sample, given the total of both.
pub(crate) struct Hypergeometric {
    first: u64,
    second: u64,
    hits: u64,
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl Hypergeometric {
    pub(crate) fn of(first: Count, second: Count) -> Self {
        let hits = first.hits() + second.hits();
        Self {
            first: first.trials(),
            second: second.trials(),
            hits,
            low: hits.saturating_sub(second.trials()),
            high: hits.min(first.trials()),
        }
    }

    pub(crate) fn mode(&self) -> u64 {
        let (first, hits, all) =
            (u128::from(self.first), u128::from(self.hits), u128::from(self.first) + u128::from(self.second));
        let mode = (first + 1) * (hits + 1) / (all + 2);
        u64::try_from(mode).expect("the mode is at most the number of trials").clamp(self.low, self.high)
    }

    pub(crate) fn ln_pmf(&self, x: u64) -> f64 {
        let all = (self.first + self.second) as f64;
        let p = self.hits as f64 / all;
        let q = (self.first + self.second - self.hits) as f64 / all;
        ln_pmf_pair(x, self.first, p, q) + ln_pmf_pair(self.hits - x, self.second, p, q)
            - ln_pmf_pair(self.hits, self.first + self.second, p, q)
    }

    /// P(X = x + 1) / P(X = x)
    pub(crate) fn ratio(&self, x: u64) -> f64 {
        let (x, n, m, k) = (x as f64, self.first as f64, self.second as f64, self.hits as f64);
        (n - x) / (x + 1.0) * ((k - x) / (m - k + x + 1.0))
    }

    /// P(X >= x), for an x right of the mode.
    fn tail_up(&self, x: u64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for x in x..self.high {
            term *= self.ratio(x);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        (self.ln_pmf(x) + f64::ln(sum)).exp()
    }

    /// P(X <= x), for an x left of the mode.
    fn tail_down(&self, x: u64) -> f64 {
        let (mut term, mut sum) = (1.0, 1.0);
        for x in (self.low..x).rev() {
            term /= self.ratio(x);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        (self.ln_pmf(x) + f64::ln(sum)).exp()
    }
}

/// The score interval of the difference of two shares, second minus first: O. Miettinen and M. Nurminen, "Comparative analysis
/// of two rates", Statistics in Medicine 4 (1985). -1 to 1 where one sample is empty.
///
/// Chosen because it stays honest with 0 hits in both samples (a Wald interval would be 0 wide; this one is as wide as the rule of
/// three asks for), never leaves -1..1, mirrors when the samples are swapped, and needs no simulation. It is not an exact
/// interval: `tests/exact.rs` enumerates its coverage in the rare-count region that this project lives in. The exact interval that
/// combines two Clopper-Pearson bounds never falls below its confidence, but with rare hits it excludes 0 only at nearly three
/// times as many hits as Fisher's test needs, so it would hide the very effect that is looked for; the verdict `differs` asks for
/// the exact test besides this interval instead.
pub fn difference(first: Count, second: Count, confidence: Confidence) -> Interval {
    difference_effective(Effective::of(first), Effective::of(second), confidence)
}

/// [`difference`] of counts that are worth fewer trials than were played (J. N. K. Rao and A. J. Scott, Biometrics 48, 1992: counts over their
/// design effect). -1 to 1 where a sample is empty, or both together are worth one trial or less.
pub fn difference_effective(first: Effective, second: Effective, confidence: Confidence) -> Interval {
    if first.trials() <= 0.0 || second.trials() <= 0.0 || first.trials() + second.trials() <= 1.0 {
        return Interval { low: -1.0, high: 1.0 };
    }
    let z = -normal_quantile(confidence.alpha() / 2.0);
    let (first, second) = if first.hits() + second.hits() > first.misses() + second.misses() {
        // A share near 1 has no room for its digits: what is compared is the rarer kind.
        (second.mirrored(), first.mirrored())
    } else {
        (first, second)
    };
    let high = upper_difference(first, second, z);
    let low = -upper_difference(second, first, z);
    Interval { low, high }
}

/// The largest difference second minus first that the score test at `z` does not reject.
fn upper_difference(first: Effective, second: Effective, z: f64) -> f64 {
    let (n1, n2) = (first.trials(), second.trials());
    let observed = second.share() - first.share();
    // Miettinen and Nurminen's variance is that of Farrington and Manning times N / (N - 1).
    let correction = (n1 + n2) / (n1 + n2 - 1.0);
    let rejected = |d: f64| {
        let (p1, q1, p2, q2) = restricted_shares(first, second, d);
        let variance = (p1 * q1 / n1 + p2 * q2 / n2) * correction;
        d - observed > z * variance.sqrt()
    };
    // At the observed difference itself nothing is rejected; at the largest possible one the variance is 0.
    let (mut kept, mut out) = (observed, 1.0);
    if !rejected(out) {
        return out;
    }
    loop {
        let middle = kept + (out - kept) / 2.0;
        if middle <= kept || middle >= out || out - kept < 1e-17 {
            return out;
        }
        if rejected(middle) { out = middle } else { kept = middle }
    }
}

/// The most likely shares `(p1, 1-p1, p2, 1-p2)` under `p2 - p1 = d`: the zero of the log-likelihood's derivative, which falls
/// strictly, so bisection finds it without the cancellation of the closed cubic.
pub(crate) fn restricted_shares(first: Effective, second: Effective, d: f64) -> (f64, f64, f64, f64) {
    let (base1, base2) = ((-d).max(0.0), d.max(0.0));
    let width = 1.0 - d.abs();
    let at = |t: f64| (base1 + t, base2 + (width - t), base2 + t, base1 + (width - t));
    let term = |n: f64, p: f64| if n == 0.0 { 0.0 } else { n / p };
    let rising = |t: f64| {
        let (p1, q1, p2, q2) = at(t);
        term(first.hits(), p1) + term(second.hits(), p2)
            > term(first.misses(), q1) + term(second.misses(), q2)
    };
    let (mut low, mut high) = (0.0, width.max(0.0));
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if rising(middle) {
            low = middle
        } else {
            high = middle
        }
        if high - low <= 1e-14 * high {
            break;
        }
    }
    at(low + (high - low) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    #[test]
    fn fisher_of_known_tables() {
        // Fisher's tea: 3 of 4 against 1 of 4. R: fisher.test(matrix(c(3,1,1,3),2))$p.value = 0.4857143
        assert!((fisher(count(3, 4), count(1, 4)) - 34.0 / 70.0).abs() < 1e-14);
        assert_eq!(fisher(count(0, 2000), count(0, 2000)), 1.0);
        assert_eq!(fisher(count(0, 0), count(3, 5)), 1.0);
        assert_eq!(fisher(count(5, 5), count(7, 7)), 1.0);
        // All of 6 hits on one side of equal halves: 2 / 2^6 in the limit of many trials.
        let p = fisher(count(0, 1_000_000_000), count(6, 1_000_000_000));
        assert!((p - 2.0 / 64.0).abs() < 1e-9, "{p}");
    }

    #[test]
    fn the_interval_of_known_tables() {
        // R. G. Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 5 (Miettinen and Nurminen):
        // 56/70 - 48/80 = 0.0528 to 0.3382; 9/10 - 3/10 = 0.1700 to 0.8406; 5/56 - 0/29 = -0.0326 to 0.1933;
        // 0/10 - 0/20 = -0.1658 to 0.2844; 10/10 - 0/20 = 0.7156 to 1.
        for (x2, n2, x1, n1, low, high) in [
            (56, 70, 48, 80, 0.0528, 0.3382),
            (9, 10, 3, 10, 0.1700, 0.8406),
            (5, 56, 0, 29, -0.0326, 0.1933),
            (0, 10, 0, 20, -0.1658, 0.2844),
            (10, 10, 0, 20, 0.7156, 1.0),
        ] {
            let found =
                difference(count(x1, n1), count(x2, n2), Confidence::new(0.95).expect("between 0 and 1"));
            assert!(
                (found.low - low).abs() < 5.1e-5 && (found.high - high).abs() < 5.1e-5,
                "{x2}/{n2} - {x1}/{n1}: {found:?}"
            );
        }
    }

    #[test]
    fn nothing_seen_in_both_is_as_wide_as_a_rule_of_four() {
        let found =
            difference(count(0, 2000), count(0, 4000), Confidence::new(0.95).expect("between 0 and 1"));
        // z^2 / (n + z^2), to first order: the other sample has no say.
        assert!((found.high - 3.8415 / 4003.84).abs() < 2e-6, "{found:?}");
        assert!((found.low + 3.8415 / 2003.84).abs() < 2e-6, "{found:?}");
    }
}
