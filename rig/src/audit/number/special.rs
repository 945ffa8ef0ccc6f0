//! The functions behind the distributions: log-gamma, the incomplete beta and gamma functions, and where they reach a value.
//!
//! Must not know what is distributed. Units: none. Errors: none. Tests: below, against tables.

use std::f64::consts::PI;

/// Halvings of an interval: 120 logits are known to 2e-12 then, a difference of shares to 3e-14.
const HALVINGS: u32 = 46;
/// Where a continued fraction or a series has all digits of a double.
const CLOSE: f64 = 1e-16;
/// More terms than any argument takes that counts of trials lead to.
const MOST_TERMS: u32 = 2_000_000;

/// The logarithm of the gamma function of a number above 0: Stirling's series (DLMF 5.11.1), small numbers shifted upwards first.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 12.0 {
        product *= x;
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1_260.0 - r * (1.0 / 1_680.0 - r / 1_188.0)))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - product.ln()
}

/// `ln x`, where `y` is `1 - x`.
fn ln_share(x: f64, y: f64) -> f64 {
    if x < 0.5 { x.ln() } else { (-y).ln_1p() }
}

/// The share of the beta distribution of `a` and `b` below `x`, where `y` is `1 - x`: the continued fraction DLMF 8.17.22 by Lentz's method.
pub(super) fn beta_below(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * ln_share(x, y) + b * ln_share(y, x);
    if x < (a + 1.0) / (a + b + 2.0) {
        front.exp() * beta_fraction(a, b, x) / a
    } else {
        1.0 - front.exp() * beta_fraction(b, a, y) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..MOST_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() <= 4.0 * CLOSE {
            break;
        }
    }
    fraction
}

/// Where the beta distribution of `a` and `b` has this share below: `x`, and `1 - x` with digits of its own.
pub(super) fn beta_quantile(a: f64, b: f64, share: f64) -> (f64, f64) {
    let at = |logit: f64| (1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp()));
    at(bisect(-60.0, 60.0, |logit| {
        let (x, y) = at(logit);
        beta_below(a, b, x, y) < share
    }))
}

/// Where `is_below` turns from true to false between two numbers.
pub(super) fn bisect(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}

/// The share of the gamma distribution of `a` above `x`: its series below `a + 1`, its continued fraction above (DLMF 8.7.1, 8.9.2).
fn gamma_above(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..MOST_TERMS {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * CLOSE {
                break;
            }
        }
        return 1.0 - front * sum;
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut fraction = d;
    for n in 1..MOST_TERMS {
        let n = f64::from(n);
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        fraction *= d * c;
        if (d * c - 1.0).abs() <= 4.0 * CLOSE {
            break;
        }
    }
    front * fraction
}

/// The chance of a chi-square of so many degrees of freedom beyond `x`.
pub(in crate::audit) fn chi_square_beyond(x: f64, freedom: f64) -> f64 {
    gamma_above(freedom / 2.0, x / 2.0)
}

/// The chance of a normal variable beyond plus or minus `z`.
pub(in crate::audit) fn normal_beyond(z: f64) -> f64 {
    gamma_above(0.5, z * z / 2.0)
}

/// Beyond plus or minus this a normal variable lies with the chance `alpha`.
pub(super) fn normal_two_sided(alpha: f64) -> f64 {
    bisect(0.0, 38.0, |z| normal_beyond(z) > alpha)
}

/// Beyond plus or minus this Student's variable lies with the chance `alpha` (Abramowitz and Stegun 26.5.27).
pub(super) fn student_two_sided(freedom: f64, alpha: f64) -> f64 {
    let (x, y) = beta_quantile(freedom / 2.0, 0.5, alpha);
    (freedom * y / x).sqrt()
}

/// The chance of an F of 1 and `freedom` degrees of freedom beyond `f` (Abramowitz and Stegun 26.6.2).
pub(super) fn f_beyond(f: f64, freedom: f64) -> f64 {
    if f <= 0.0 { 1.0 } else { beta_below(freedom / 2.0, 0.5, freedom / (freedom + f), f / (freedom + f)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 2e-9 * wanted.abs(), "{found} {wanted}");
    }

    #[test]
    fn values_of_tables() {
        close(ln_gamma(0.5), PI.sqrt().ln());
        close(ln_gamma(101.0), 363.739_375_555_563_5);
        close(normal_two_sided(0.05), 1.959_963_984_540_054);
        close(student_two_sided(1.0, 0.05), 12.706_204_736_174_7);
        close(student_two_sided(10.0, 0.05), 2.228_138_851_986_27);
        close(chi_square_beyond(3.841_458_820_694_124, 1.0), 0.05);
        close(chi_square_beyond(18.307_038_053_275_14, 10.0), 0.05);
        // F of 1 and n degrees is the square of Student's t.
        close(f_beyond(2.228_138_851_986_27_f64.powi(2), 10.0), 0.05);
        close(beta_below(2.0, 3.0, 0.4, 0.6), 0.5248);
    }
}
