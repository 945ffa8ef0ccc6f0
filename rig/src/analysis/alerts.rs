//! Alerts: an errno that a scenario does not expect, surely above the rate that the matrix declares (`[alert]`).
//!
//! Pure. Must not judge differences (that is for the comparisons). Units: shares of 1.
//! Errors: none; a threshold for what is no errno never fires, the matrix refuses it. Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::Errno;
use rig_stats::{Count, clopper_pearson};

use super::measured::Measured;
use super::model::{Alert, Question};
use super::rules::Rules;

/// Fires where the lower bound of an errno's rate is above its threshold; "surely" is the run's confidence. Not in controls, in races
/// of the application's own threads, or for an errno that the scenario expects from its verdict call.
pub(super) fn fire(
    thresholds: &BTreeMap<String, f64>,
    measured: &[Measured<'_>],
    rules: Rules,
) -> Vec<Alert> {
    let watched = measured.iter().filter(|cell| cell.cell().control.is_none() && cell.cell().alert);
    watched
        .flat_map(|cell| {
            thresholds.iter().filter_map(move |(errno, threshold)| {
                let count = unexpected(cell, errno);
                let n = cell.tally.trials;
                let interval = clopper_pearson(Count::new(count, n)?, rules.confidence);
                (count > 0 && interval.low > *threshold).then(|| Alert {
                    cell: cell.cell().id.to_string(),
                    scenario: cell.cell().subject.scenario.clone(),
                    configuration: cell.cell().subject.configuration.name.clone(),
                    kernel: cell.cell().subject.kernel.clone(),
                    errno: errno.clone(),
                    count,
                    n,
                    low: interval.low,
                    threshold: *threshold,
                })
            })
        })
        .collect()
}

/// How often the verdict call returned -1 with this errno (`any_error`: any) where the scenario expects no such answer.
fn unexpected(cell: &Measured<'_>, watched: &str) -> u64 {
    let expected = expected(cell);
    if watched == Question::AnyError.key() {
        let as_expected: u64 = expected.iter().map(|errno| cell.tally.returned(*errno)).sum();
        return cell.tally.returned_any_errno().saturating_sub(as_expected);
    }
    match watched.parse() {
        Ok(errno) if !expected.contains(&errno) => cell.tally.returned(errno),
        Ok(_) | Err(()) => 0,
    }
}

/// The errnos that the scenario expects from its verdict call: its label is the first of an outcome.
fn expected(cell: &Measured<'_>) -> BTreeSet<Errno> {
    let outcomes = cell.cell().subject.script.expect.iter();
    outcomes.filter_map(|outcome| outcome.split(',').next()?.parse().ok()).collect()
}
