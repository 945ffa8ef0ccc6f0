//! Alerts: an errno that a scenario does not expect, surely above the rate that the matrix declares (`[alert]`).
//!
//! Pure. Must not judge differences (that is for the comparisons). Units: shares of 1.
//! Errors: none. Tests: `tests/golden/analysis.rs`.

use rig_stats::{Count, clopper_pearson};

use super::Rules;
use super::cells::Measured;
use super::model::Alert;

/// Fires where the lower bound of an errno's rate is above its threshold; "surely" is the run's confidence. Not in controls, in races
/// of the application's own threads, or for an errno that the scenario expects from its verdict call.
pub(super) fn fire(
    thresholds: &std::collections::BTreeMap<String, f64>,
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
fn unexpected(cell: &Measured<'_>, errno: &str) -> u64 {
    let script = &cell.cell().subject.script;
    let expected = |name: &str| script.expect.iter().any(|outcome| outcome.split(',').next() == Some(name));
    let returned =
        cell.tally.returns.iter().filter_map(|(key, count)| Some((key.strip_prefix("-1/")?, count)));
    returned
        .filter(|(name, _)| (errno == "any_error" || *name == errno) && !expected(name))
        .map(|(_, count)| count)
        .sum()
}
