//! Whether the instrument could have seen what it did not see.
//!
//! Holds the judgement of controls, and which configurations are blind for which errno. Must not know comparisons.
//! Units: shares of 1. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::BTreeMap;

use rig_protocol::Errno;
use rig_stats::{Count, Interval, clopper_pearson};

use super::measured::Measured;
use super::model::{Blindness, ControlFailure, ControlSummary, Question};
use super::rules::Rules;

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
    Some(ControlSummary {
        configuration: cell.subject.configuration.name.clone(),
        kernel: cell.subject.kernel.clone(),
        control: control.name.clone(),
        cell: cell.id.0.clone(),
        errno: control.errno,
        expected_rate: control.expected_rate,
        count: found.hits(),
        n: found.trials(),
        observed: found.share(),
        low: bounds.low,
        high: bounds.high,
        failure: failure(measured, control.errno, control.expected_rate, found, bounds),
    })
}

/// Why a control failed, if it did.
fn failure(
    measured: &Measured<'_>,
    errno: Errno,
    expected: f64,
    found: Count,
    bounds: Interval,
) -> Option<ControlFailure> {
    if let Some(reason) = measured.not_run() {
        return Some(ControlFailure::NotRun(reason));
    }
    // The armed filter is the truth, the declared rate only its plan: one missing return is one that the instrument lost.
    let seen = found.hits();
    if seen == 0 && expected > 0.0 && !exercised(measured, errno, expected, bounds) {
        return Some(ControlFailure::NotExercised { errno, expected, trials: found.trials() });
    }
    match measured.tally.injected.get(&errno) {
        Some(&injected) if injected != seen => Some(ControlFailure::Lost { errno, injected, seen }),
        Some(_) | None if bounds.contains(expected) => None,
        Some(_) | None => Some(ControlFailure::OutOfBounds {
            errno,
            expected,
            seen,
            of: found.trials(),
            low: bounds.low,
            high: bounds.high,
        }),
    }
}

/// Whether a control that found nothing had something to find: a fault was armed, or the bounds of what was found exclude the known rate, so that one must
/// have been there. With few trials none may be armed, and then no zero is proven by it.
fn exercised(measured: &Measured<'_>, errno: Errno, expected: f64, bounds: Interval) -> bool {
    let armed = measured.tally.injected.get(&errno).copied().unwrap_or(0);
    armed > 0 || !bounds.contains(expected)
}

/// Which configurations (with a kernel) cannot see which errno.
#[derive(Debug, Default)]
pub(super) struct Sight {
    blind: BTreeMap<(String, String), [Option<Blindness>; 2]>,
}

/// The errnos whose zeros must be proven to mean something.
const PROVEN: [Errno; 2] = [Errno::EBADF, Errno::ENOENT];

impl Sight {
    /// A configuration with a kernel sees an errno if it has a positive control of it, and every control of it passed.
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
    pub(super) fn blind_for(&self, cell: &Measured<'_>, question: Question) -> Option<&Blindness> {
        if cell.cell().control.is_some() {
            return None;
        }
        let [ebadf, enoent] = self.blind.get(&place(cell))?;
        match question {
            Question::Ebadf => ebadf.as_ref(),
            Question::Enoent => enoent.as_ref(),
            Question::AnyError => ebadf.as_ref().or(enoent.as_ref()),
        }
    }

    /// Why nothing can be said of how a cell's trials ended, if nothing can. No control proves more of an outcome than the outcome itself shows.
    pub(super) fn blind_for_outcomes(&self, _cell: &Measured<'_>) -> Option<&Blindness> {
        None
    }

    /// Why a cell is blind for EBADF, ENOENT or both; empty where it is not.
    pub(super) fn blind_for_any(&self, cell: &Measured<'_>) -> Vec<Blindness> {
        let reasons = [Question::Ebadf, Question::Enoent].map(|question| self.blind_for(cell, question));
        let mut reasons: Vec<Blindness> = reasons.into_iter().flatten().cloned().collect();
        reasons.dedup();
        reasons
    }
}

fn place(cell: &Measured<'_>) -> (String, String) {
    let subject = &cell.cell().subject;
    (subject.configuration.name.clone(), subject.kernel.clone())
}

fn blindness(errno: Errno, controls: &[&ControlSummary]) -> Option<Blindness> {
    let of_errno = || controls.iter().filter(|control| control.errno == errno);
    let failed = of_errno().find_map(|control| {
        let failure = control.failure.as_ref()?;
        (control.expected_rate > 0.0 || control.n > 0)
            .then(|| Blindness::Control { name: control.control.clone(), failure: failure.clone() })
    });
    let proven = of_errno().any(|control| control.expected_rate > 0.0);
    failed.or((!proven).then_some(Blindness::NoPositive(errno)))
}
