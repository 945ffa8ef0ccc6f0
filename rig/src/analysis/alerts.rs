//! Alerts: an errno that a scenario does not expect, surely above the rate that the matrix declares (`[alert]`).
//!
//! Pure. Must not judge differences (that is for the comparisons). Units: shares of 1.
//! Errors: none; a threshold for what is no errno never fires, the matrix refuses it. Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Errno, LabelParts, Tally};
use rig_stats::{Count, clopper_pearson};

use super::measured::Measured;
use super::model::{Alert, Question};
use super::rules::Rules;

/// Fires where the lower bound of an errno's rate is above its threshold; "surely" is the run's confidence. Not in controls, in races
/// of the application's own threads, or for an errno that the scenario expects from its verdict call. Blocks that do not count are asked for
/// themselves: what failed in them is in no rate, and the reason that they do not count may be that it failed there.
pub(super) fn fire(
    thresholds: &BTreeMap<String, f64>,
    measured: &[Measured<'_>],
    rules: Rules,
) -> Vec<Alert> {
    let watched = measured.iter().filter(|cell| cell.cell().control.is_none() && cell.cell().alert);
    let mut alerts = Vec::new();
    for cell in watched {
        let mut uncounted = Tally::default();
        cell.not_counted.iter().for_each(|block| uncounted.absorb(&block.tally));
        for (tally, counted) in [(&cell.tally, true), (&uncounted, false)] {
            let ask = |(errno, threshold)| ask(cell, tally, counted, (errno, threshold), rules);
            alerts.extend(thresholds.iter().filter_map(ask));
        }
    }
    alerts
}

/// The alert for one errno in one sum of a cell's blocks, if it is over its threshold.
fn ask(
    cell: &Measured<'_>,
    tally: &Tally,
    counted: bool,
    (errno, threshold): (&String, &f64),
    rules: Rules,
) -> Option<Alert> {
    let count = unexpected(cell, tally, errno);
    let n = tally.returned_calls();
    let interval = clopper_pearson(Count::new(count, n)?, rules.confidence);
    let subject = &cell.cell().subject;
    (count > 0 && interval.low > *threshold).then(|| Alert {
        cell: cell.cell().id.to_string(),
        scenario: subject.scenario.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        errno: errno.clone(),
        count,
        n,
        low: interval.low,
        threshold: *threshold,
        counted,
    })
}

/// How often the verdict call returned -1 with this errno (`any_error`: any) where the scenario expects no such answer.
pub(super) fn unexpected(cell: &Measured<'_>, tally: &Tally, watched: &str) -> u64 {
    let expected = expected(cell);
    if watched == Question::AnyError.key() {
        let as_expected: u64 = expected.iter().map(|errno| tally.returned(*errno)).sum();
        return tally.returned_any_errno().saturating_sub(as_expected);
    }
    match watched.parse() {
        Ok(errno) if !expected.contains(&errno) => tally.returned(errno),
        Ok(_) | Err(()) => 0,
    }
}

/// The errnos that the scenario expects from its verdict call.
fn expected(cell: &Measured<'_>) -> BTreeSet<Errno> {
    let script = &cell.cell().subject.script;
    let labels = script.expect.iter().filter_map(|outcome| script.verdict_label(outcome));
    labels.filter_map(|label| LabelParts::of(label).word.parse().ok()).collect()
}
