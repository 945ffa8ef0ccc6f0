//! One rate, at the level of trials and at that of boots.
//!
//! Holds which interval is judged by. Must not know what a hit is. Units: shares of 1. Errors: none. Tests: `tests/golden/boots.rs`.

use rig_stats::{Confidence, Count, Effective, Interval, Unseen, clopper_pearson, unseen};

use super::effect::effect;
use super::{Family, Method, sum};

/// A rate with what its blocks say of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Estimate {
    pub(in crate::analysis) count: Count,
    /// What is judged by; never narrower than the interval of independent trials.
    pub(in crate::analysis) judged: Interval,
    pub(in crate::analysis) method: Method,
    /// Variance between blocks over that of independent trials, and its degrees of freedom, where the family tells.
    pub(in crate::analysis) dispersion: Option<(f64, f64)>,
    /// Where there was no hit.
    pub(in crate::analysis) unseen: Option<Unseen>,
}

/// Estimates the rate of these blocks.
pub(in crate::analysis) fn estimate(blocks: &[Count], family: &Family, confidence: Confidence) -> Estimate {
    let count = sum(blocks);
    let trial = clopper_pearson(count, confidence);
    let unvaried = count.hits() == 0 || count.misses() == 0;
    let effect = effect(blocks, unvaried, family, confidence);
    let sizes: Vec<u64> = blocks.iter().map(|block| block.trials()).collect();
    let never = (count.hits() == 0 && count.trials() > 0).then(|| unseen(&sizes, family.icc, confidence));
    let judged = match effect.method {
        Method::Nothing => trial,
        Method::BetaBinomial | Method::QuasiBinomial | Method::WholeBlocks => {
            Effective::over(count, effect.by).interval(confidence)
        }
    };
    // Of nothing seen the bound is exact, where effective counts are so to 2 %.
    let exact = never.map_or(judged, |never| Interval { low: 0.0, high: judged.high.max(never.at_icc) });
    Estimate {
        count,
        judged: wider(exact, trial),
        method: effect.method,
        dispersion: family.dispersion(),
        unseen: never,
    }
}

/// What both allow. Bounds that only rounding keeps from the end of the scale lie on it.
pub(in crate::analysis) fn wider(one: Interval, other: Interval) -> Interval {
    const NOTHING: f64 = 1e-15;
    let (low, high) = (one.low.min(other.low), one.high.max(other.high));
    let low = if low.abs() < NOTHING { 0.0 } else { low };
    Interval { low, high: if 1.0 - high < NOTHING { 1.0 } else { high } }
}
