//! Hits of a block whose trials share one chance: the beta-binomial distribution, as ratios of likelihoods.
//!
//! Holds what sequential rules need of it. Must not know what a block is. Units: natural logarithms; an intraclass correlation (ICC) is a share of 1.
//! Errors: none; arguments outside the domains that the docs state are bugs of the caller.
//! Tests: below (sums term by term, the binomial limit); `tests/oracle` against 60-digit arithmetic.

use crate::special::stirling_error;

/// Factors below this are multiplied one by one; from here on Stirling's series has all digits of a double.
const ONE_BY_ONE: f64 = 16.0;
/// A product over a range this short, beside where it begins, is its middle factor to the power of its length, to 1 part in 1e11.
const SHORT: f64 = 1e-5;

/// `ln L(over) - ln L(under)` of a block of `hits` and `misses` whose chance of a hit has the mean `over` or `under` and between blocks the intraclass
/// correlation `icc`: `P(x of m) ~ B(x + p s, m - x + (1 - p) s) / B(p s, (1 - p) s)` with `s = (1 - icc) / icc` (J. G. Skellam, J. R. Stat. Soc. B 10,
/// 1948). At `icc` 0 it is the binomial distribution's. `over` is 0 to 1, `under` between them, `icc` at least 0 and below 1.
pub(crate) fn ln_likelihood_ratio(hits: u64, misses: u64, over: f64, under: f64, icc: f64) -> f64 {
    let apart = over - under;
    let (above, below) = (1.0 - over, 1.0 - under);
    if icc == 0.0 {
        return times(hits, ln_quotient(over, under, apart))
            + times(misses, ln_quotient(above, below, -apart));
    }
    let s = (1.0 - icc) / icc;
    ln_rising_ratio(over * s, under * s, apart * s, hits)
        + ln_rising_ratio(above * s, below * s, -apart * s, misses)
}

/// Nothing where it did not happen, even if it was impossible.
fn times(n: u64, ln: f64) -> f64 {
    if n == 0 { 0.0 } else { n as f64 * ln }
}

/// `ln(u / v)`, where `apart` is `u - v` with more digits than that subtraction would leave.
fn ln_quotient(u: f64, v: f64, apart: f64) -> f64 {
    if apart.abs() < 0.5 * v { (apart / v).ln_1p() } else { (u / v).ln() }
}

/// `sum of ln((u + j) / (v + j))` over `j < n`: the quotient of two rising factorials. `u >= 0`, `v > 0`, `apart = u - v`.
pub(crate) fn ln_rising_ratio(u: f64, v: f64, apart: f64, n: u64) -> f64 {
    let length = n as f64;
    if length < SHORT * v.min(u) {
        let middle = (length - 1.0) / 2.0;
        return times(n, ln_quotient(u + middle, v + middle, apart));
    }
    let single = ((ONE_BY_ONE - u.min(v)).ceil().max(0.0) as u64).min(n);
    let first: f64 = (0..single).map(|j| ln_quotient(u + j as f64, v + j as f64, apart)).sum();
    if single == n {
        return first;
    }
    let (begin, rest) = (single as f64, (n - single) as f64);
    let (u, v) = (u + begin, v + begin);
    let (u_end, v_end) = (u + rest, v + rest);
    // ln Gamma(x) = (x - 1/2) ln x - x + ln(2 pi)/2 + stirling_error(x) at the four ends; what is large in it cancels on paper.
    let main = (u_end - 0.5) * ln_quotient(u_end, v_end, apart) - (u - 0.5) * ln_quotient(u, v, apart)
        + apart * (rest / v).ln_1p();
    first + main + (stirling_error(u_end) - stirling_error(v_end)) - (stirling_error(u) - stirling_error(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_by_one(u: f64, v: f64, n: u64) -> f64 {
        (0..n).map(|j| ((u + j as f64) / (v + j as f64)).ln()).sum()
    }

    #[test]
    fn a_ratio_of_rising_factorials_is_its_sum() {
        for (u, v) in [(0.01, 0.02), (0.5, 3.0), (3.0, 0.5), (100.0, 99.0), (1e-9, 1e-3), (999.9, 1e-7)] {
            for n in [0, 1, 2, 15, 16, 17, 40, 1_000, 20_000] {
                let (found, wanted) = (ln_rising_ratio(u, v, u - v, n), one_by_one(u, v, n));
                assert!(
                    (found - wanted).abs() <= 1e-12 * wanted.abs().max(1.0),
                    "{u} {v} {n}: {found} {wanted}"
                );
            }
        }
        assert_eq!(ln_rising_ratio(0.0, 1.0, -1.0, 3), f64::NEG_INFINITY, "a factor is 0");
        assert_eq!(ln_rising_ratio(0.0, 1.0, -1.0, 0), 0.0);
    }

    #[test]
    fn with_hardly_any_correlation_it_is_the_binomial_ratio() {
        for (hits, misses) in [(0, 1_000), (3, 997), (1_000, 0), (400, 600)] {
            let binomial = ln_likelihood_ratio(hits, misses, 0.01, 0.3, 0.0);
            for icc in [1e-9, 1e-12, 1e-15] {
                let found = ln_likelihood_ratio(hits, misses, 0.01, 0.3, icc);
                // To first order in icc the difference is at most m^2 icc over the smaller mean.
                assert!(
                    (found - binomial).abs() <= 1e8 * icc + 1e-9 * binomial.abs(),
                    "{icc}: {found} {binomial}"
                );
            }
        }
    }

    #[test]
    fn one_trial_knows_nothing_of_its_block() {
        for icc in [0.0, 0.001, 0.5, 0.99] {
            let hit = ln_likelihood_ratio(1, 0, 0.2, 0.1, icc);
            let miss = ln_likelihood_ratio(0, 1, 0.2, 0.1, icc);
            assert!((hit - 2f64.ln()).abs() < 1e-13 && (miss - (0.8 / 0.9_f64).ln()).abs() < 1e-13, "{icc}");
        }
    }
}
