//! `takes`: judged by how long the verdict call lasted.
//!
//! Holds which classes of a histogram lie within a time. Must not know which claim it decides. Units: nanoseconds, shares of 1. Errors: none.
//! Tests: `tests/golden/fair`.

use rig_protocol::{Histogram, Tally};
use rig_stats::Count;

use crate::claims::Takes;

use super::super::evidence::{Evidence, Finding};
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::Missing;
use super::super::words::{Rounding, about_time, count, percent};
use super::latency::calls;
use super::returns::sum;

/// Supported where surely the claimed share of the calls lies within, refuted where surely a smaller one does. A class of the histogram that lies on a bound counts
/// as within: a call is told to 1 part in 16.
pub(super) fn judge(rule: &Takes, evidence: &Evidence<'_>) -> Finding {
    if evidence.run.record.environment.rehearsed {
        return Missing::Timings.into();
    }
    let times = calls(&evidence.cells);
    if times.count == 0 {
        return Missing::Side("calls that returned".to_owned()).into();
    }
    let of = |tally: &Tally| within(rule, tally);
    let (found, bounds) = (sum(&evidence.cells, of), evidence.bounds(|block| of(&block.tally)));
    let (within, trials) = (found.hits(), found.trials());
    let share = rule.share.unwrap_or(1.0 - evidence.rules.margin);
    let verdict = if bounds.low >= share {
        Supported
    } else if bounds.high < share {
        Refuted
    } else {
        Undecided
    };
    let said = format!(
        "{} of {} calls lasted {} to {} ({} to {}); the median is {}, the longest {}, by the recorded histogram",
        count(within),
        count(trials),
        about_time(rule.from_ns),
        about_time(rule.to_ns),
        percent(bounds.low, Rounding::Down),
        percent(bounds.high, Rounding::Up),
        about_time(times.quantile(0.5)),
        about_time(times.max)
    );
    Finding::measured(verdict, said).of(trials, bounds)
}

/// How many calls lie within. A call that never returned took longer than any that did.
fn within(rule: &Takes, tally: &Tally) -> Count {
    let classes = Histogram::bucket_of(rule.from_ns)..=Histogram::bucket_of(rule.to_ns);
    let Some(times) = tally.latency.get("call") else { return Count::NONE };
    let within = times.buckets.iter().filter(|(class, _)| classes.contains(class)).map(|(_, n)| n).sum();
    Count::new(within, tally.trials.max(times.count)).unwrap_or(Count::NONE)
}
