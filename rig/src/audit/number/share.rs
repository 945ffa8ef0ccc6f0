//! The interval of one share.
//!
//! Must not know what is counted. Units: counts (also over a design effect), shares of 1. Errors: none. Tests: below, against published values.

use super::Bounds;
use super::special::beta_quantile;

/// Clopper and Pearson's interval by the beta distribution, of whole counts or of counts over a design effect (E. L. Korn and B. I. Graubard, Survey Methodology 24,
/// 1998). 0 to 1 of no trials.
pub(in crate::audit) fn share_interval(hits: f64, misses: f64, alpha: f64) -> Bounds {
    if hits + misses <= 0.0 {
        return Bounds { low: 0.0, high: 1.0 };
    }
    let low = if hits == 0.0 { 0.0 } else { beta_quantile(hits, misses + 1.0, alpha / 2.0).0 };
    // The upper bound of hits is what the lower bound of misses leaves.
    let high = if misses == 0.0 { 1.0 } else { beta_quantile(misses, hits + 1.0, alpha / 2.0).1 };
    Bounds { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        let of = |hits: f64, misses: f64| share_interval(hits, misses, 0.05);
        // R: binom.test(3, 20)$conf.int
        let three = of(3.0, 17.0);
        assert!(
            (three.low - 0.032_070_94).abs() < 1e-8 && (three.high - 0.378_926_8).abs() < 1e-7,
            "{three:?}"
        );
        let none = of(0.0, 2_000.0);
        assert!(
            (none.high - -(0.025_f64.ln() / 2_000.0).exp_m1()).abs() < 1e-12 && none.low == 0.0,
            "{none:?}"
        );
        assert_eq!(of(0.0, 0.0), Bounds { low: 0.0, high: 1.0 });
        assert_eq!(of(5.0, 0.0).high, 1.0);
    }
}
