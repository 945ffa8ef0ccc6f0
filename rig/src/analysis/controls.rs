//! Whether the instrument could have seen what it did not see.
//!
//! Holds the judgement of controls, and which configurations are blind for which errno. Must not know comparisons.
//! Units: shares of 1. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::BTreeMap;

use rig_protocol::Errno;
use rig_stats::{Count, clopper_pearson};

use super::Rules;
use super::cells::{Measured, Question, shortage};
use super::model::ControlSummary;
use super::words::{Rounding, count, percent};

/// Judges every control cell: in the order of the plan.
pub(super) fn judge(measured: &[Measured<'_>], rules: Rules) -> Vec<ControlSummary> {
    measured.iter().filter_map(|cell| judge_control(cell, rules)).collect()
}

fn judge_control(measured: &Measured<'_>, rules: Rules) -> Option<ControlSummary> {
    let cell = measured.cell();
    let control = cell.control.as_ref()?;
    let found =
        Count::new(measured.tally.returned(control.errno), measured.tally.trials).unwrap_or(Count::NONE);
    let bounds = clopper_pearson(found, rules.confidence);
    let reason = failure(measured, control.errno, control.expected_rate, found, bounds);
    Some(ControlSummary {
        configuration: cell.subject.configuration.name.clone(),
        kernel: cell.subject.kernel.clone(),
        control: control.name.clone(),
        cell: cell.id.0.clone(),
        errno: control.errno.to_string(),
        expected_rate: control.expected_rate,
        count: found.hits(),
        n: found.trials(),
        observed: found.share(),
        low: bounds.low,
        high: bounds.high,
        passed: reason.is_none(),
        reason: reason.unwrap_or_default(),
    })
}

/// Why a control failed, if it did.
fn failure(
    measured: &Measured<'_>,
    errno: Errno,
    expected: f64,
    found: Count,
    bounds: rig_stats::Interval,
) -> Option<String> {
    if let Some(reason) = &measured.record.skipped {
        return Some(format!("not run: {reason}"));
    }
    if found.trials() == 0 {
        return Some(match shortage(measured) {
            Some(shortage) => format!("no trials: {shortage}"),
            None => "no trials".into(),
        });
    }
    let (seen, of) = (count(found.hits()), count(found.trials()));
    // The armed filter is the truth, the declared rate only its plan: one missing return is one that the instrument lost.
    if let Some(&injected) = measured.tally.injected.get(&errno)
        && injected != found.hits()
    {
        return Some(format!("{errno} was injected {} times and seen {seen} times", count(injected)));
    }
    if bounds.contains(expected) {
        return None;
    }
    Some(format!(
        "{errno} was expected in {} of the trials and seen in {seen} of {of} ({} to {})",
        percent(expected, Rounding::Nearest),
        percent(bounds.low, Rounding::Down),
        percent(bounds.high, Rounding::Up)
    ))
}

/// Which configurations (with a kernel) cannot see which errno.
#[derive(Debug, Default)]
pub(super) struct Sight {
    blind: BTreeMap<(String, String), [Option<String>; 2]>,
}

/// The errnos whose zeros must be proven to mean something.
const PROVEN: [Errno; 2] = [Errno::EBADF, Errno::ENOENT];

impl Sight {
    /// A configuration with a kernel sees an errno if it has a positive control of it, and no control of it failed.
    ///
    /// A negative control that failed blinds too: an instrument that finds what is not there can say as little.
    pub(super) fn from(measured: &[Measured<'_>], controls: &[ControlSummary]) -> Self {
        let mut sight = Self::default();
        for cell in measured.iter().filter(|cell| cell.record.skipped.is_none()) {
            let key = place(cell);
            let of_place: Vec<&ControlSummary> =
                controls.iter().filter(|c| c.configuration == key.0 && c.kernel == key.1).collect();
            sight.blind.entry(key).or_insert_with(|| PROVEN.map(|errno| blindness(errno, &of_place)));
        }
        sight
    }

    /// Why a cell cannot answer a question, if it cannot. Controls answer for themselves.
    pub(super) fn blind_for(&self, cell: &Measured<'_>, question: Question) -> Option<&str> {
        if cell.cell().control.is_some() {
            return None;
        }
        let [ebadf, enoent] = self.blind.get(&place(cell))?;
        match question {
            Question::Ebadf => ebadf.as_deref(),
            Question::Enoent => enoent.as_deref(),
            Question::AnyError => ebadf.as_deref().or(enoent.as_deref()),
        }
    }

    /// Why a cell is blind for EBADF, ENOENT or both.
    pub(super) fn blind_for_any(&self, cell: &Measured<'_>) -> Option<String> {
        let mut reasons: Vec<&str> =
            [Question::Ebadf, Question::Enoent].iter().filter_map(|&q| self.blind_for(cell, q)).collect();
        reasons.dedup();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

fn place(cell: &Measured<'_>) -> (String, String) {
    let subject = &cell.cell().subject;
    (subject.configuration.name.clone(), subject.kernel.clone())
}

fn blindness(errno: Errno, controls: &[&ControlSummary]) -> Option<String> {
    let name = errno.to_string();
    let of_errno = || controls.iter().filter(|control| control.errno == name);
    if let Some(failed) =
        of_errno().find(|control| !control.passed && (control.expected_rate > 0.0 || control.n > 0))
    {
        return Some(format!("control {} failed: {}", failed.control, failed.reason));
    }
    if !of_errno().any(|control| control.expected_rate > 0.0) {
        return Some(format!("no positive control for {name} here"));
    }
    None
}
