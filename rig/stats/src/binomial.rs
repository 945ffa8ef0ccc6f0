//! The binomial distribution: probabilities and tails, in logarithms.
//!
//! Holds nothing but functions of (hits, trials, share). Must not know what is counted.
//! Units: natural logarithms of shares of 1. Errors: none.
//! Tests: `tests/exact.rs` compares with exact rationals and with values of 30 digits at a billion trials.

use std::f64::consts::PI;

use crate::special::{deviance, ln_one_minus_exp, stirling_error};
use crate::{Count, Probability};

/// `ln P(X = hits)` for `X ~ Binomial(trials, p)`. Loader's saddle-point expansion: the relative error does not grow with
/// the number of trials, as it does with differences of log-gammas.
pub fn ln_pmf(count: Count, p: Probability) -> f64 {
    ln_pmf_pair(count.hits(), count.trials(), p.get(), 1.0 - p.get())
}

/// [`ln_pmf`] with `q = 1 - p` given apart, for a `p` so near to 1 that the subtraction would lose it.
pub(crate) fn ln_pmf_pair(hits: u64, trials: u64, p: f64, q: f64) -> f64 {
    if p <= 0.0 {
        return if hits == 0 { 0.0 } else { f64::NEG_INFINITY };
    }
    if q <= 0.0 {
        return if hits == trials { 0.0 } else { f64::NEG_INFINITY };
    }
    let (n, x) = (trials as f64, hits as f64);
    if hits == 0 {
        return n * ln_of_pair(q, p);
    }
    if hits == trials {
        return n * ln_of_pair(p, q);
    }
    let m = n - x;
    let corrections = stirling_error(n) - stirling_error(x) - stirling_error(m);
    let scale = 0.5 * (n / (2.0 * PI * x * m)).ln();
    corrections - deviance(x, n * p) - deviance(m, n * q) + scale
}

/// `ln p` from whichever of `p` and `1 - p` is the smaller and so the more exact one.
fn ln_of_pair(p: f64, q: f64) -> f64 {
    if q < 0.5 { (-q).ln_1p() } else { p.ln() }
}

/// `ln P(X >= hits)`.
pub fn ln_at_least(count: Count, p: Probability) -> f64 {
    ln_at_least_pair(count, p.get(), 1.0 - p.get())
}

/// `ln P(X <= hits)`.
pub fn ln_at_most(count: Count, p: Probability) -> f64 {
    ln_at_most_pair(count, p.get(), 1.0 - p.get())
}

/// The tail that lies on its own side of the mean is added up, the other is its complement. All terms are positive and come
/// from the ratio of neighbours, so nothing cancels, as it does in the continued fraction of the incomplete beta function
/// where `p` is 1e-9; and the sum ends a few standard deviations out: about 1e5 terms at a billion trials, often under 20.
pub(crate) fn ln_at_least_pair(count: Count, p: f64, q: f64) -> f64 {
    let (hits, trials) = (count.hits(), count.trials());
    if hits == 0 {
        0.0
    } else if hits as f64 > trials as f64 * p {
        ln_tail_up(hits, trials, p, q)
    } else {
        ln_one_minus_exp(ln_tail_down(hits - 1, trials, p, q))
    }
}

/// See [`ln_at_least_pair`]: hits of one kind are misses of the other.
pub(crate) fn ln_at_most_pair(count: Count, p: f64, q: f64) -> f64 {
    let (hits, trials) = (count.hits(), count.trials());
    if hits == trials {
        0.0
    } else if (hits as f64) < trials as f64 * p {
        ln_tail_down(hits, trials, p, q)
    } else {
        ln_one_minus_exp(ln_tail_up(hits + 1, trials, p, q))
    }
}

/// `ln P(X >= hits)` for `hits` right of the mean.
fn ln_tail_up(hits: u64, trials: u64, p: f64, q: f64) -> f64 {
    let (n, odds) = (trials as f64, p / q);
    let (mut term, mut sum) = (1.0, 1.0);
    for x in hits..trials {
        term *= (n - x as f64) / (x as f64 + 1.0) * odds;
        sum += term;
        if term < sum * NOT_FELT {
            break;
        }
    }
    (ln_pmf_pair(hits, trials, p, q) + f64::ln(sum)).min(0.0)
}

/// `ln P(X <= hits)` for `hits` left of the mean.
fn ln_tail_down(hits: u64, trials: u64, p: f64, q: f64) -> f64 {
    ln_tail_up(trials - hits, trials, q, p)
}

/// A term this small beside the sum, of terms that only get smaller, no longer changes it.
const NOT_FELT: f64 = 1e-17;
