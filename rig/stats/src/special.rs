//! Functions under the distributions: Stirling's error, the deviance term, the normal quantile, the beta distribution and its kin, a root.
//!
//! Everything works in logarithms, so that neither 1e-300 nor a billion trials are out of reach.
//! Units: none. Errors: none; arguments outside the domains that the docs state are bugs of the caller.
//! Tests: here against closed forms and values of 30 digits; `tests/exact.rs` against exact rationals.

use std::f64::consts::{LN_2, PI};

/// `ln n! - ln(sqrt(2 pi n) (n/e)^n)`: what Stirling's formula leaves out. C. Loader, "Fast and Accurate Computation of
/// Binomial Probabilities" (2000), section 4. `n! = Gamma(n + 1)`, for every `n > 0`.
pub fn stirling_error(n: f64) -> f64 {
    if n <= 15.0 && n.fract() != 0.0 {
        // One factor of n! at a time, up to where the series below holds.
        let up = (16.0 - n).floor();
        let steps = (0..up as u32).map(|i| n + f64::from(i));
        return stirling_error(n + up) + steps.map(|n| (n + 0.5) * n.recip().ln_1p() - 1.0).sum::<f64>();
    }
    // DLMF 5.11.1: Bernoulli numbers over 2k(2k-1); at n = 16 the first term left out is below 2e-16.
    if n <= 15.0 {
        let ln_factorial = (2..=n as u64).map(|k| k as f64).product::<f64>().ln();
        return ln_factorial - (n + 0.5) * n.ln() + n - 0.5 * (2.0 * PI).ln();
    }
    let nn = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / nn) / nn) / nn) / nn) / n
}

/// `x ln(x/m) + m - x`, without the cancellation near `x = m` (Loader's `bd0`). `x > 0`, `m > 0`.
pub fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() < 0.1 * (x + m) {
        let v = (x - m) / (x + m);
        let mut sum = (x - m) * v;
        let mut power = 2.0 * x * v;
        // A geometric series in v^2 <= 0.01: at most 9 terms are felt.
        for j in 1..1000 {
            power *= v * v;
            let next = sum + power / f64::from(2 * j + 1);
            if next == sum {
                break;
            }
            sum = next;
        }
        return sum;
    }
    x * (x / m).ln() + m - x
}

/// `ln(1 - e^v)` for `v <= 0`. M. Maechler, "Accurately computing log(1 - exp(-|a|))" (2012).
pub fn ln_one_minus_exp(v: f64) -> f64 {
    if v > -LN_2 { (-v.exp_m1()).ln() } else { (-v.exp()).ln_1p() }
}

/// The chance that a chi-square variable of `freedom` degrees exceeds `x`: the regularised upper incomplete gamma function Q(freedom/2, x/2), by its series
/// (DLMF 8.7.1) below the mean and its continued fraction (DLMF 8.9.2, by Lentz's method) above. `freedom` is at least 1; `x` is not negative.
pub fn chi_square_tail(x: f64, freedom: u32) -> f64 {
    let (a, x) = (f64::from(freedom) / 2.0, x / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    // x^a e^-x / Gamma(a)
    let front = (a * x.ln() - x - ln_gamma_of_half(freedom)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * f64::EPSILON {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - front * sum).max(0.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let numerator = i * (a - i);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    front * fraction
}

/// `ln Gamma(twice / 2)`, from Gamma(1/2) and Gamma(1) upwards. `twice` is at least 1.
fn ln_gamma_of_half(twice: u32) -> f64 {
    let (first, begin) = if twice % 2 == 1 { (0.5 * PI.ln(), 1) } else { (0.0, 2) };
    (begin..twice).step_by(2).fold(first, |sum, twice| sum + (f64::from(twice) / 2.0).ln())
}

/// The beta distribution's parameters with what does not depend on where it is asked.
struct Beta {
    a: f64,
    b: f64,
    /// The logarithm of `sqrt(a b / (2 pi (a + b)))` and Stirling's errors.
    ln_scale: f64,
}

impl Beta {
    fn new(a: f64, b: f64) -> Self {
        debug_assert!(
            a > 0.0 && b > 0.0 && (a + b).is_finite(),
            "parameters of a beta distribution: {a}, {b}"
        );
        let errors = stirling_error(a + b) - stirling_error(a) - stirling_error(b);
        Self { a, b, ln_scale: errors + 0.5 * (a / (2.0 * PI) * (b / (a + b))).ln() }
    }

    fn mirrored(&self) -> Self {
        Self { a: self.b, b: self.a, ln_scale: self.ln_scale }
    }

    /// Natural logarithms of the chances of at most `x`, and of more, with `y = 1 - x` given apart. The smaller side of the mean is computed, the other is
    /// its complement.
    fn ln_tails(&self, x: f64, y: f64) -> (f64, f64) {
        if x <= 0.0 {
            return (f64::NEG_INFINITY, 0.0);
        }
        if y <= 0.0 {
            return (0.0, f64::NEG_INFINITY);
        }
        if self.a * y >= self.b * x {
            let lower = self.ln_lower(x, y);
            (lower, ln_one_minus_exp(lower))
        } else {
            let upper = self.mirrored().ln_lower(y, x);
            (ln_one_minus_exp(upper), upper)
        }
    }

    /// The logarithm of the regularised incomplete beta function for an `x` that is not above the mean: A. R. DiDonato and A. H. Morris, "Significant
    /// digit computation of the incomplete beta function ratios", ACM Transactions on Mathematical Software 18 (1992), equation 9: the continued fraction
    /// (the even part of DLMF 8.17.22, by Lentz's method), whose terms are positive up to b and so cancel nothing. Before it stands
    /// `x^a y^b / B(a, b)` in Loader's form.
    fn ln_lower(&self, x: f64, y: f64) -> f64 {
        let Self { a, b, .. } = *self;
        let all = a + b;
        let front = self.ln_scale - deviance(a, all * x) - deviance(b, all * y);
        let away = a * y - b * x + 1.0;
        let mut fraction = a * away / (a + 1.0);
        let (mut c, mut d) = (fraction, 0.0);
        // About sqrt(max(a, b)) terms near the mean, few elsewhere.
        for m in 1..1_000_000 {
            let m = f64::from(m);
            let odd = a + 2.0 * m - 1.0;
            let above = (a + m - 1.0) / odd * ((all + m - 1.0) / odd) * m * (b - m) * x * x;
            let below = m + m * (b - m) * x / odd + (a + m) * (away + m * (2.0 - x)) / (odd + 2.0);
            d = 1.0 / (below + above * d);
            c = below + above / c;
            fraction *= c * d;
            if (c * d - 1.0).abs() <= f64::EPSILON {
                break;
            }
        }
        (front - fraction.ln()).min(0.0)
    }
}

/// The beta distribution's cumulative share at `x`, the regularised incomplete beta function I_x(a, b) (DLMF 8.17.2), of real `a > 0` and `b > 0`. Below
/// 0 it is 0, above 1 it is 1. About 13 digits to a = b = 1e7.
pub fn beta_cdf(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { Beta::new(a, b).ln_tails(x, 1.0 - x).0.exp() }
}

/// The `x` at which [`beta_cdf`] is `p`; 0 where that is below 1e-307. `a > 0` and `b > 0` are real, `p` is a share.
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    beta_quantile_pair(a, b, p, 1.0 - p).0
}

/// [`beta_quantile`] and what it lacks of 1, of the share below and the share above: each of the four with all its digits.
pub(crate) fn beta_quantile_pair(a: f64, b: f64, below: f64, above: f64) -> (f64, f64) {
    if below <= 0.0 {
        return (0.0, 1.0);
    }
    if above <= 0.0 {
        return (1.0, 0.0);
    }
    let beta = Beta::new(a, b);
    // How far x is too large, by whichever tail is the smaller one.
    let excess = |beta: &Beta, (below, above): (f64, f64), x: f64, y: f64| {
        let (lower, upper) = beta.ln_tails(x, y);
        if below <= above { lower - below.ln() } else { above.ln() - upper }
    };
    // The half that is looked into is that near 0, of the distribution or of its mirror image.
    let is_low = excess(&beta, (below, above), 0.5, 0.5) >= 0.0;
    let (beta, tails) = if is_low { (beta, (below, above)) } else { (beta.mirrored(), (above, below)) };
    let miss = |ln_x: f64| excess(&beta, tails, ln_x.exp(), -ln_x.exp_m1());
    let mut inner = -LN_2;
    let mut outer = (beta.a / (beta.a + beta.b)).ln().min(-LN_2);
    while miss(outer) > 0.0 {
        (inner, outer) = (outer, outer * 1.5);
    }
    let ln_x = bracketed_root(miss, outer, inner);
    // What no double holds is 0.
    let near = if ln_x < f64::MIN_POSITIVE.ln() { 0.0 } else { ln_x.exp() };
    let far = -ln_x.exp_m1();
    if is_low { (near, far) } else { (far, near) }
}

/// Student's distribution: the `t` below which lies the share `p`, strictly between 0 and 1, at `nu > 0` degrees of freedom, not
/// necessarily a whole number of them. By I_{nu/(nu+t^2)}(nu/2, 1/2) = P(|T| > t) (Abramowitz and Stegun 26.5.27).
pub fn student_quantile(nu: f64, p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    student_beyond(nu, 2.0 * tail).copysign(p - 0.5)
}

/// The `t` that the absolute value of a variable of Student's distribution exceeds with the chance `alpha`.
pub(crate) fn student_beyond(nu: f64, alpha: f64) -> f64 {
    let (x, y) = beta_quantile_pair(nu / 2.0, 0.5, alpha, 1.0 - alpha);
    (nu * y / x).sqrt()
}

/// The chance that a variable of the F distribution with 1 and `nu > 0` degrees of freedom exceeds `f`: I_{nu/(nu+f)}(nu/2, 1/2) (Abramowitz and Stegun 26.6.2).
/// `f` is not negative.
pub fn f_tail(f: f64, nu: f64) -> f64 {
    if f <= 0.0 {
        return 1.0;
    }
    let all = nu + f;
    if all.is_infinite() { 0.0 } else { Beta::new(nu / 2.0, 0.5).ln_tails(nu / all, f / all).0.exp() }
}

/// The normal distribution's quantile: M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988); about 1 part in
/// 1e16. `p` is strictly between 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE_ABOVE, r) / polynomial(&CENTRE_BELOW, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-tail.ln()).sqrt();
    let x = if r <= 5.0 {
        polynomial(&NEAR_ABOVE, r - 1.6) / polynomial(&NEAR_BELOW, r - 1.6)
    } else {
        polynomial(&FAR_ABOVE, r - 5.0) / polynomial(&FAR_BELOW, r - 5.0)
    };
    x.copysign(q)
}

/// Coefficients from the highest power down.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const CENTRE_ABOVE: [f64; 8] = [
    2.509_080_928_730_122_672_7e+3,
    3.343_057_558_358_812_810_5e+4,
    6.726_577_092_700_870_085_3e+4,
    4.592_195_393_154_987_145_7e+4,
    1.373_169_376_550_946_112_5e+4,
    1.971_590_950_306_551_442_7e+3,
    1.331_416_678_917_843_774_5e+2,
    3.387_132_872_796_366_608_0e+0,
];
#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const CENTRE_BELOW: [f64; 8] = [
    5.226_495_278_852_854_561_0e+3,
    2.872_908_573_572_194_267_4e+4,
    3.930_789_580_009_271_061_0e+4,
    2.121_379_430_158_659_586_7e+4,
    5.394_196_021_424_751_107_7e+3,
    6.871_870_074_920_579_083_0e+2,
    4.231_333_070_160_091_125_2e+1,
    1.0,
];
#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const NEAR_ABOVE: [f64; 8] = [
    7.745_450_142_783_414_076_40e-4,
    2.272_384_498_926_918_458_33e-2,
    2.417_807_251_774_506_117_70e-1,
    1.270_458_252_452_368_382_58e+0,
    3.647_848_324_763_204_605_04e+0,
    5.769_497_221_460_691_405_50e+0,
    4.630_337_846_156_545_295_90e+0,
    1.423_437_110_749_683_577_34e+0,
];
#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const NEAR_BELOW: [f64; 8] = [
    1.050_750_071_644_416_843_24e-9,
    5.475_938_084_995_344_946_00e-4,
    1.519_866_656_361_645_719_66e-2,
    1.481_039_764_274_800_745_90e-1,
    6.897_673_349_851_000_045_50e-1,
    1.676_384_830_183_803_849_40e+0,
    2.053_191_626_637_758_821_87e+0,
    1.0,
];
#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const FAR_ABOVE: [f64; 8] = [
    2.010_334_399_292_288_132_65e-7,
    2.711_555_568_743_487_578_15e-5,
    1.242_660_947_388_078_438_60e-3,
    2.653_218_952_657_612_309_30e-2,
    2.965_605_718_285_048_912_30e-1,
    1.784_826_539_917_291_335_80e+0,
    5.463_784_911_164_114_369_90e+0,
    6.657_904_643_501_103_777_20e+0,
];
#[expect(clippy::excessive_precision, reason = "as published, so that they can be compared")]
const FAR_BELOW: [f64; 8] = [
    2.044_263_103_389_939_785_64e-15,
    1.421_511_758_316_445_888_70e-7,
    1.846_318_317_510_054_681_80e-5,
    7.868_691_311_456_132_591_00e-4,
    1.487_536_129_085_061_485_25e-2,
    1.369_298_809_227_358_053_10e-1,
    5.998_322_065_558_879_376_90e-1,
    1.0,
];

/// A root of `f` between `a` and `b`, where `f(a)` and `f(b)` have opposite signs (a zero counts as either).
///
/// T. R. Chandrupatla, "A new hybrid quadratic/bisection algorithm" (1997): never slower than bisection by more than a small
/// factor, so it returns for every bracket; that is why it is here and no open method.
pub fn bracketed_root(mut f: impl FnMut(f64) -> f64, a: f64, b: f64) -> f64 {
    let (mut a, mut b) = (b, a);
    let (mut fa, mut fb) = (f(a), f(b));
    if fa == 0.0 {
        return a;
    }
    if fb == 0.0 {
        return b;
    }
    let (mut c, mut fc);
    let mut t = 0.5;
    for _ in 0..400 {
        let x = a + t * (b - a);
        let fx = f(x);
        if (fx > 0.0) == (fa > 0.0) {
            (c, fc) = (a, fa);
        } else {
            (c, fc, b, fb) = (b, fb, a, fa);
        }
        (a, fa) = (x, fx);
        let (best, f_best) = if fa.abs() < fb.abs() { (a, fa) } else { (b, fb) };
        let tolerance = 2.0 * f64::EPSILON * best.abs();
        let relative = tolerance / (b - a).abs();
        if relative > 0.5 || f_best == 0.0 {
            return best;
        }
        let xi = (a - b) / (c - b);
        let phi = (fa - fb) / (fc - fb);
        // Inverse quadratic interpolation only where it is monotone between the three points.
        t = if phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi {
            fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        } else {
            0.5
        };
        t = t.clamp(relative, 1.0 - relative);
        if t.is_nan() {
            t = 0.5;
        }
    }
    if fa.abs() < fb.abs() { a } else { b }
}

/// Where `f`, which has one peak between `low` and `high`, is largest, to within `width`: golden sections (J. Kiefer, Proc. AMS 4, 1953).
pub(crate) fn peak(f: impl Fn(f64) -> f64, mut low: f64, mut high: f64, width: f64) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut left, mut right) = (high - golden * (high - low), low + golden * (high - low));
    let (mut at_left, mut at_right) = (f(left), f(right));
    while high - low > width {
        if at_left < at_right {
            (low, left, at_left) = (left, right, at_right);
            right = low + golden * (high - low);
            at_right = f(right);
        } else {
            (high, right, at_right) = (right, left, at_left);
            left = high - golden * (high - low);
            at_left = f(left);
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64, relative: f64) {
        assert!((found - wanted).abs() <= relative * wanted.abs(), "{found:e} is not {wanted:e}");
    }

    #[test]
    fn stirling_error_joins_at_the_seam() {
        // ln(16!) by its definition.
        let ln_factorial = (2..=16u64).product::<u64>() as f64;
        let defined = ln_factorial.ln() - 16.5 * 16f64.ln() + 16.0 - 0.5 * (2.0 * PI).ln();
        assert!((stirling_error(16.0) - defined).abs() < 2e-14);
        close(stirling_error(1.0), 1.0 - 0.5 * (2.0 * PI).ln(), 1e-14);
    }

    #[test]
    fn deviance_near_its_zero_keeps_its_digits() {
        // x = m(1+e): m((1+e)ln(1+e) - e) = m(e^2/2 - e^3/6 + e^4/12 - ...)
        let (m, e) = (1e9, 1e-5);
        close(deviance(m * (1.0 + e), m), m * (e * e / 2.0 - e * e * e / 6.0 + e.powi(4) / 12.0), 1e-9);
        assert_eq!(deviance(7.0, 7.0), 0.0);
    }

    #[test]
    fn quantiles_of_the_normal_distribution() {
        // 30-digit values.
        close(normal_quantile(0.975), 1.959_963_984_540_054_2, 1e-15);
        close(normal_quantile(0.8), 0.841_621_233_572_914_2, 1e-15);
        close(normal_quantile(1e-10), -6.361_340_902_404_056, 1e-15);
        close(normal_quantile(1e-20), -9.262_340_089_798_409, 1e-15);
        assert_eq!(normal_quantile(0.5), 0.0);
    }

    #[test]
    fn roots_are_found_in_ugly_brackets() {
        close(bracketed_root(|x| x * x - 2.0, 0.0, 1e6), 2f64.sqrt(), 1e-14);
        close(bracketed_root(|x: f64| x.exp() - 1e-9, -1e3, 1.0), 1e-9f64.ln(), 1e-12);
        close(bracketed_root(|x| if x > 0.3 { 1.0 } else { -1.0 }, -7.0, 5.0), 0.3, 1e-14);
        assert_eq!(bracketed_root(|x| x, -1.0, 0.0), 0.0);
    }

    #[test]
    fn the_tail_of_an_even_chi_square_is_a_finite_sum() {
        // Q(m, x) = e^-x sum x^j / j!, j < m (DLMF 8.4.10).
        for m in [1_u32, 2, 5, 31, 200] {
            for x in [0.01_f64, 0.5, 3.0, 20.0, 60.0, 250.0] {
                let mut term: f64 = (-x).exp();
                let mut sum = 0.0;
                for j in 0..m {
                    sum += term;
                    term *= x / f64::from(j + 1);
                }
                let found = chi_square_tail(2.0 * x, 2 * m);
                assert!((found - sum).abs() <= 1e-11 * sum, "Q({m}, {x}): {found} {sum}");
            }
        }
    }

    #[test]
    fn the_tail_of_an_odd_chi_square_follows_from_the_normal_distribution() {
        // One degree: the square of a normal variable. Then Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1) (DLMF 8.8.6).
        for tail in [0.2, 0.05, 1e-3, 1e-9] {
            let z = -normal_quantile(tail / 2.0);
            let x = z * z;
            let mut right = tail;
            for freedom in (1..60).step_by(2) {
                let found = chi_square_tail(x, freedom);
                assert!((found - right).abs() <= 1e-8 * right, "{freedom} degrees at {x}: {found} {right}");
                let a = f64::from(freedom) / 2.0;
                right += (a * (x / 2.0).ln() - x / 2.0 - ln_gamma_of_half(freedom + 2)).exp();
            }
        }
        assert_eq!(chi_square_tail(0.0, 7), 1.0);
    }

    #[test]
    fn the_beta_distribution_of_real_parameters() {
        // 40-digit values; the last two by the series of positive terms (DLMF 8.17.8).
        for (a, b, x, wanted) in [
            (0.01, 3.7, 1e-5, 0.906_873_605_885_662_8),
            (0.3, 0.02, 0.9, 0.096_153_775_812_179_12),
            (0.5, 0.5, 0.3, 0.369_010_119_565_545_4),
            (1e-3, 250.5, 1e-9, 0.985_481_022_888_140_6),
            (2.5, 1_998.25, 0.002_1, 0.864_699_238_055_077_4),
            (47.62, 905.1, 0.031, 0.001_089_938_857_036_713_9),
            (1_234.5, 4_321.75, 0.24, 0.999_163_815_823_129_3),
            (40.5, 9_999_959.75, 2.9e-6, 0.025_008_908_180_020_116),
            (3_000_000.25, 6_999_999.5, 0.299_9, 0.245_021_124_367_498_8),
        ] {
            close(beta_cdf(a, b, x), wanted, 2e-13);
            close(beta_cdf(b, a, 1.0 - x), 1.0 - wanted, 1e-8);
            // At a = 0.001 the last digit of the share is worth a thousand of the quantile.
            close(beta_quantile(a, b, wanted), x, 1e-11);
            let (near, far) = beta_quantile_pair(b, a, 1.0 - wanted, wanted);
            assert!(
                (far / x - 1.0).abs() < 1e-11 && (near + far - 1.0).abs() < 1e-15,
                "{a} {b}: {near} {far}"
            );
        }
        // Closed forms: x^a and 1 - (1 - x)^b.
        close(beta_quantile(0.02, 1.0, 0.025), 0.025_f64.powi(50), 1e-12);
        close(beta_quantile(1.0, 7.5, 0.3), -(0.7_f64.ln() / 7.5).exp_m1(), 1e-13);
        assert_eq!([-1.0, 0.0, 1.0, 2.0].map(|x| beta_cdf(2.5, 0.7, x)), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!([0.0, 1.0].map(|p| beta_quantile(2.5, 0.7, p)), [0.0, 1.0]);
        assert_eq!(beta_quantile(0.001, 5.0, 0.1), 0.0, "1e-1000");
    }

    #[test]
    fn student_and_f_of_real_degrees_of_freedom() {
        // One degree: tan(pi (p - 1/2)); two: (2p - 1) / sqrt(2 p (1 - p)); the others 40-digit values.
        close(student_quantile(1.0, 0.975), (PI * 0.475).tan(), 1e-12);
        close(student_quantile(2.0, 0.999), 0.998 / f64::sqrt(2.0 * 0.999 * 0.001), 1e-12);
        close(student_quantile(2.5, 0.975), 3.574_654_842_003_683, 1e-12);
        close(student_quantile(5.4, 0.025), -2.514_352_014_985_601_4, 1e-12);
        close(student_quantile(33.3, 0.999), 3.353_759_480_147_865, 1e-12);
        close(student_quantile(1e9, 0.975), normal_quantile(0.975), 1e-8);
        assert_eq!(student_quantile(3.0, 0.5), 0.0);
        for (f, nu, wanted) in [
            (4.2, 1.0, 0.289_000_708_639_711_15),
            (9.5, 3.4, 0.045_772_822_450_109_975),
            (40.0, 17.5, 6.656_042_582_827_252e-6),
            (900.0, 60.2, 6.617_581_268_007_372e-38),
        ] {
            close(f_tail(f, nu), wanted, 1e-12);
        }
        assert_eq!([f_tail(0.0, 3.0), f_tail(f64::INFINITY, 3.0)], [1.0, 0.0]);
    }
}
