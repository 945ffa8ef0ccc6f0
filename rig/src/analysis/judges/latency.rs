//! `differs` of latencies: judged by how far the blocks' medians are apart.
//!
//! Must not know which claim it decides. Units: nanoseconds. Errors: none. Tests: `tests/golden/fair`; the arithmetic in `rig-stats`.

use rig_protocol::Histogram;
use rig_stats::{Interval, hodges_lehmann};

use crate::claims::{Differs, Direction};

use super::super::evidence::{Evidence, Finding};
use super::super::latencies::{Times, times};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{self, Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::{about_time, count};
use super::strata::Strata;

/// What a side played.
struct Side {
    blocks: Vec<Times>,
    calls: u64,
    median_ns: u64,
}

impl Side {
    fn of(cells: &[&Measured<'_>]) -> Self {
        let sum = calls(cells);
        let blocks = cells.iter().flat_map(|cell| times(cell)).collect();
        Self { blocks, calls: sum.count, median_ns: sum.quantile(0.5) }
    }
}

/// The sum of the cells' histograms of the verdict call.
pub(super) fn calls(cells: &[&Measured<'_>]) -> Histogram {
    let mut sum = Histogram::default();
    cells.iter().filter_map(|cell| cell.tally.latency.get("call")).for_each(|one| sum.absorb(one));
    sum
}

/// By the exact interval of the shift of the blocks' medians (Hodges and Lehmann), a minus b.
pub(super) fn judge(rule: &Differs, strata: &Strata<'_>, evidence: &Evidence<'_>) -> Finding {
    if evidence.run.record.environment.rehearsed {
        return Missing::Timings.into();
    }
    let (a, b) = (Side::of(&strata.side(true)), Side::of(&strata.side(false)));
    let Some(shift) = hodges_lehmann(&b.blocks, &a.blocks, evidence.rules.confidence) else {
        return Missing::Side("calls that returned".to_owned()).into();
    };
    let said = format!(
        "the median of the call is {} with {} and {} with {} ({} and {} calls in {} and {} boots)",
        about_time(a.median_ns),
        rule.a,
        about_time(b.median_ns),
        rule.b,
        count(a.calls),
        count(b.calls),
        shift.blocks.1,
        shift.blocks.0,
    );
    let Some(bounds) = shift.interval else {
        let said = format!("{said}; so few boots give no bounds of the difference");
        return Finding::measured(Undecided, said);
    };
    let said = format!(
        "{said}; the difference of their boots lies between {} and {} us",
        (bounds.low / 1e3).floor(),
        (bounds.high / 1e3).ceil()
    );
    let verdict = verdict(rule.claimed, bounds, rule.margin.unwrap_or(0.0));
    Finding::measured(verdict, said).of(a.calls + b.calls, bounds)
}

fn verdict(claimed: Direction, bounds: Interval, margin: f64) -> HypothesisVerdict {
    match claimed {
        Direction::AMore if bounds.low > margin => Supported,
        Direction::AMore if bounds.high <= margin => Refuted,
        Direction::BMore if bounds.high < -margin => Supported,
        Direction::BMore if bounds.low >= -margin => Refuted,
        Direction::Differs if bounds.low > margin || bounds.high < -margin => Supported,
        Direction::Differs if bounds.within(margin) => Refuted,
        Direction::Same if bounds.within(margin) => Supported,
        Direction::Same if bounds.low > margin || bounds.high < -margin => Refuted,
        Direction::AMore | Direction::BMore | Direction::Differs | Direction::Same => Undecided,
    }
}
