//! `differs` of latencies: judged by the medians of the recorded histograms.
//!
//! Holds the bounds of a median by ranks. Must not know which claim it decides. Units: nanoseconds. Errors: none. Tests: here, `tests/golden/fair`.

use rig_protocol::Histogram;
use rig_stats::Interval;

use crate::claims::{Differs, Direction};

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::{about_time, count};
use super::strata::Strata;

/// The sum of the cells' histograms of the verdict call.
pub(super) fn calls(cells: &[&Measured<'_>]) -> Histogram {
    let mut sum = Histogram::default();
    cells.iter().filter_map(|cell| cell.tally.latency.get("call")).for_each(|one| sum.absorb(one));
    sum
}

/// The bounds of the difference of two medians: those of each median by ranks (n/2 -+ z sqrt(n)/2, W. J. Conover, Practical Nonparametric Statistics, 3.2), as exact
/// as the histogram's classes, each at half the level.
pub(super) fn judge(rule: &Differs, strata: &Strata<'_>, evidence: &Evidence<'_>) -> Finding {
    if evidence.run.record.environment.rehearsed {
        return Missing::Timings.into();
    }
    let (a, b) = (calls(&strata.side(true)), calls(&strata.side(false)));
    if a.count == 0 || b.count == 0 {
        return Missing::Side("calls that returned".to_owned()).into();
    }
    let alpha = evidence.rules.alpha() / 2.0;
    let (of_a, of_b) = (median(&a, alpha), median(&b, alpha));
    let bounds = Interval { low: of_a.low - of_b.high, high: of_a.high - of_b.low };
    let margin = rule.margin.unwrap_or(0.0);
    let verdict = match rule.claimed {
        Direction::AMore if bounds.low > margin => Supported,
        Direction::AMore if bounds.high <= margin => Refuted,
        Direction::BMore if bounds.high < -margin => Supported,
        Direction::BMore if bounds.low >= -margin => Refuted,
        Direction::Differs if bounds.low > margin || bounds.high < -margin => Supported,
        Direction::Differs if bounds.within(margin) => Refuted,
        Direction::Same if bounds.within(margin) => Supported,
        Direction::Same if bounds.low > margin || bounds.high < -margin => Refuted,
        Direction::AMore | Direction::BMore | Direction::Differs | Direction::Same => Undecided,
    };
    let said = format!(
        "the median of the call is {} with {} and {} with {} ({} and {} calls); the difference lies between {} and {} us, by the recorded histograms",
        about_time(a.quantile(0.5)),
        rule.a,
        about_time(b.quantile(0.5)),
        rule.b,
        count(a.count),
        count(b.count),
        (bounds.low / 1e3).floor(),
        (bounds.high / 1e3).ceil()
    );
    Finding::measured(verdict, said).of(a.count + b.count, bounds)
}

/// The bounds of a median: the lower end of the class in which the lower rank lies, and the upper end of that of the upper rank.
fn median(histogram: &Histogram, alpha: f64) -> Interval {
    let n = histogram.count as f64;
    let half = rig_stats::special::normal_quantile(1.0 - alpha / 2.0) * n.sqrt() / 2.0;
    let (low, high) = ((n / 2.0 - half).max(0.0), (n / 2.0 + half + 1.0).min(n));
    let mut seen = 0_u64;
    let mut bounds = Interval { low: 0.0, high: histogram.max as f64 };
    let mut low_found = false;
    for (class, count) in &histogram.buckets {
        seen = seen.saturating_add(*count);
        if !low_found && seen as f64 >= low {
            let below = class.checked_sub(1).map_or(0, Histogram::largest_in);
            (bounds.low, low_found) = (below as f64, true);
        }
        if seen as f64 >= high {
            bounds.high = Histogram::largest_in(*class).min(histogram.max) as f64;
            break;
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_of_a_median_hold_it_and_close_in_on_it() {
        let of = |n: u64| {
            let mut histogram = Histogram::default();
            (0..n).for_each(|at| histogram.record(100_000 + at * 100_000 / n));
            median(&histogram, 0.05)
        };
        let (few, many) = (of(20), of(20_000));
        for bounds in [few, many] {
            assert!(bounds.contains(150_000.0), "{bounds:?}");
        }
        assert!(
            many.high - many.low < 20_000.0 && many.high - many.low < few.high - few.low,
            "{few:?} {many:?}"
        );
        assert!(of(1).contains(100_000.0));
    }
}
