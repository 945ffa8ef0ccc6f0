//! Whether the instrument could have seen what it did not see.
//!
//! Holds the judgement of controls, and which configurations are blind for which errno. Must not know comparisons.
//! Units: shares of 1. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use rig_protocol::{Errno, Op, Tally};
use rig_stats::{Count, Interval, clopper_pearson};

use crate::configuration::TargetSpec;
use crate::matrix::Control;

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
    // Nothing may be found by a negative control, whatever its name.
    let hits = match Kind::of(measured, control) {
        Kind::Negative => measured.tally.returned_any_errno(),
        Kind::Injecting | Kind::Always | Kind::Sometimes => measured.tally.returned(control.errno),
    };
    let found = Count::new(hits, measured.tally.returned_calls()).unwrap_or(Count::NONE);
    let bounds = clopper_pearson(found, rules.confidence);
    // Of what was certainly there.
    let there = match Kind::of(measured, control) {
        Kind::Injecting => measured.tally.injected.get(&control.errno).copied(),
        Kind::Always => Some(found.trials()),
        Kind::Sometimes | Kind::Negative => None,
    };
    let seen = |there| Count::new(hits.min(there), there).filter(|count| count.trials() > 0);
    Some(ControlSummary {
        sensitivity: there.and_then(seen).map(|count| clopper_pearson(count, rules.confidence).low),
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
        failure: failure(measured, control, found, bounds, rules),
    })
}

/// How a control comes by what it must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Not at all.
    Negative,
    /// The agent arms a filter in a share of the trials, and counts how often.
    Injecting,
    /// In every trial, by what its script does.
    Always,
    /// In a share of the trials, by what its script does.
    Sometimes,
}

impl Kind {
    fn of(measured: &Measured<'_>, control: &Control) -> Self {
        let lanes = &measured.cell().subject.script.lanes;
        let mut steps = lanes.iter().flat_map(|lane| &lane.steps);
        if control.expected_rate <= 0.0 {
            Self::Negative
        } else if measured.tally.injected.contains_key(&control.errno)
            || steps.any(|step| matches!(step.op, Op::Inject { errno, .. } if errno == control.errno))
        {
            Self::Injecting
        } else if control.expected_rate >= 1.0 {
            Self::Always
        } else {
            Self::Sometimes
        }
    }
}

/// Finding all of fewer than these does not show, at 95 %, that more than half would be found: 5 of 5 is at least 47.8 %, 6 of 6 at least 54.1 %
/// (Clopper and Pearson).
const LEAST_INJECTED: u64 = 6;

/// Why a control failed, if it did.
fn failure(
    measured: &Measured<'_>,
    control: &Control,
    found: Count,
    bounds: Interval,
    rules: Rules,
) -> Option<ControlFailure> {
    if let Some(reason) = measured.not_run() {
        return Some(ControlFailure::NotRun(reason));
    }
    let (errno, expected, seen, trials) =
        (control.errno, control.expected_rate, found.hits(), found.trials());
    // A trial that was cut before its verdict call had returned has nothing to find, though its filter may have been armed.
    let cut = measured.tally.unreturned;
    let kind = Kind::of(measured, control);
    let injected = match kind {
        Kind::Negative if seen > 0 => return Some(ControlFailure::Invented { seen, of: trials }),
        Kind::Negative => return other_ends(measured),
        // The armed filter is the truth, the declared rate only its plan: one missing return is one that the instrument lost.
        Kind::Injecting => measured.tally.injected.get(&errno).copied().unwrap_or(0),
        Kind::Always => trials,
        Kind::Sometimes if !bounds.contains(expected) => {
            let Interval { low, high } = bounds;
            return Some(ControlFailure::OutOfBounds { errno, expected, seen, of: trials, low, high });
        }
        Kind::Sometimes => seen,
    };
    let lost = injected.saturating_sub(seen);
    if seen > injected || (lost > 0 && (kind != Kind::Injecting || lost > cut)) {
        return Some(ControlFailure::Lost { errno, injected, seen });
    }
    // At a higher confidence six are too few as well.
    let enough = |found| {
        let all = Count::new(found, found).unwrap_or(Count::NONE);
        found >= LEAST_INJECTED && clopper_pearson(all, rules.confidence).low > 0.5
    };
    if !enough(seen) {
        return Some(ControlFailure::NotExercised { errno, expected, injected: seen, trials });
    }
    if kind == Kind::Injecting {
        let (least, most) = planned(measured, expected);
        if !(least..=most).contains(&injected) {
            return Some(ControlFailure::NotAsPlanned { errno, injected, least, most });
        }
    }
    other_ends(measured)
}

/// In how many trials with an outcome the filter should have been armed, at least and at most: the agent arms it in the floor or the ceiling of a block's share
/// of trials (`guest-agent/src/draw.rs`), and does not choose which of them are void, or cut before they came to it.
fn planned(measured: &Measured<'_>, rate: f64) -> (u64, u64) {
    let ppm = (rate * 1e6).round() as u128;
    let of_block = |tally: &Tally| {
        let share = u128::from(tally.trials + tally.void()) * ppm;
        let most = u64::try_from(share.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        let least = u64::try_from(share / 1_000_000).unwrap_or(u64::MAX);
        let least = least.saturating_sub(tally.void()).saturating_sub(tally.unreturned);
        (least, most)
    };
    let blocks = measured.blocks.iter().map(|block| of_block(&block.tally));
    blocks.fold((0, 0), |(least, most), (l, m)| (least.saturating_add(l), most.saturating_add(m)))
}

/// More than half of its trials ended as its scenario does not expect, and nobody knew: what was found is not what it is there to find.
fn other_ends(measured: &Measured<'_>) -> Option<ControlFailure> {
    let cell = measured.cell();
    let other = measured.tally.outcomes.iter().filter(|(outcome, _)| !cell.subject.script.expects(outcome));
    let (most, _) = other.clone().max_by_key(|(_, n)| **n)?;
    let unexpected: u64 = other.map(|(_, n)| n).sum();
    let of = measured.tally.trials;
    (cell.known.is_none() && unexpected > of / 2).then(|| ControlFailure::OtherEnds {
        unexpected,
        of,
        most: most.clone(),
    })
}

/// Which machines (with a kernel) cannot see which errno.
#[derive(Debug, Default)]
pub(super) struct Sight {
    blind: Vec<(Place, [Option<Blindness>; 2])>,
    /// What positive controls that passed prove to be seen, a share of 1.
    sensitive: Vec<(Place, [f64; 2])>,
}

/// Where an instrument is proven: the hardware without its arm, the kernel, and the machine where a run has several. Arms of one configuration have their controls together.
pub(super) type Place = (TargetSpec, String, Option<String>);

/// The errnos whose zeros must be proven to mean something.
const PROVEN: [Errno; 2] = [Errno::EBADF, Errno::ENOENT];

impl Sight {
    /// A machine with a kernel sees an errno if it has a positive control of it, and every control of it passed.
    ///
    /// A negative control that failed blinds for every errno: an instrument that finds what is not there can say as little. `controls` are what was judged of
    /// the controls among `measured`, in their order.
    pub(super) fn from(measured: &[Measured<'_>], controls: &[ControlSummary]) -> Self {
        let played = measured.iter().filter(|cell| cell.cell().control.is_some()).map(place);
        let controls: Vec<(Place, &ControlSummary)> = played.zip(controls).collect();
        let mut sight = Self::default();
        for cell in measured.iter().filter(|cell| cell.record.skipped.is_none()) {
            let place = place(cell);
            if sight.blind.iter().all(|(known, _)| *known != place) {
                let of_place: Vec<&ControlSummary> =
                    controls.iter().filter(|(at, _)| *at == place).map(|(_, control)| *control).collect();
                sight.sensitive.push((place.clone(), PROVEN.map(|errno| sensitivity(errno, &of_place))));
                sight.blind.push((place, PROVEN.map(|errno| blindness(errno, &of_place))));
            }
        }
        sight
    }

    /// Why a cell cannot answer a question, if it cannot. Controls answer for themselves.
    pub(super) fn blind_for(&self, cell: &Measured<'_>, question: Question) -> Option<&Blindness> {
        if cell.cell().control.is_some() {
            return None;
        }
        let place = place(cell);
        let (_, [ebadf, enoent]) = self.blind.iter().find(|(known, _)| *known == place)?;
        let blind = match question {
            Question::Ebadf => ebadf.as_ref(),
            Question::Enoent => enoent.as_ref(),
            Question::AnyError => ebadf.as_ref().or(enoent.as_ref()),
        };
        // What was seen needs no proof that it would be seen; only a control that failed puts it into doubt.
        let is_seen = question.hits(&cell.tally) > 0;
        blind.filter(|blindness| !is_seen || !doubts_zeros_alone(blindness))
    }

    /// The share of what happens that the machine of a cell is proven to see: 1 where no control that passed proves it.
    pub(super) fn sensitivity(&self, cell: &Measured<'_>, question: Question) -> f64 {
        let place = place(cell);
        let Some((_, [ebadf, enoent])) = self.sensitive.iter().find(|(known, _)| *known == place) else {
            return 1.0;
        };
        match question {
            Question::Ebadf => *ebadf,
            Question::Enoent => *enoent,
            Question::AnyError => ebadf.min(*enoent),
        }
    }

    /// The least of several cells.
    pub(super) fn least_sensitivity(&self, cells: &[&Measured<'_>], question: Question) -> f64 {
        cells.iter().map(|cell| self.sensitivity(cell, question)).fold(1.0, f64::min)
    }

    /// Why a cell is blind for EBADF, ENOENT or both; empty where it is not.
    pub(super) fn blind_for_any(&self, cell: &Measured<'_>) -> Vec<Blindness> {
        let reasons = [Question::Ebadf, Question::Enoent].map(|question| self.blind_for(cell, question));
        let mut reasons: Vec<Blindness> = reasons.into_iter().flatten().cloned().collect();
        reasons.dedup();
        reasons
    }
}

/// Whether nothing proves that the errno would be seen, and nothing speaks against the instrument.
fn doubts_zeros_alone(blindness: &Blindness) -> bool {
    match blindness {
        Blindness::NoPositive(_) => true,
        Blindness::Control { failure, .. } => {
            matches!(failure, ControlFailure::NotExercised { .. } | ControlFailure::NotRun(_))
        }
    }
}

/// The best of the positive controls of an errno that passed.
fn sensitivity(errno: Errno, controls: &[&ControlSummary]) -> f64 {
    let of_errno = controls.iter().filter(|control| control.errno == errno && control.failure.is_none());
    let proven = of_errno.filter_map(|control| control.sensitivity).fold(0.0, f64::max);
    if proven > 0.0 { proven } else { 1.0 }
}

pub(super) fn place(cell: &Measured<'_>) -> Place {
    let subject = &cell.cell().subject;
    (subject.configuration.target.machine(), subject.kernel.clone(), subject.machine.clone())
}

fn blindness(errno: Errno, controls: &[&ControlSummary]) -> Option<Blindness> {
    let has_a_say = |control: &&&ControlSummary| control.errno == errno || control.expected_rate <= 0.0;
    let of_errno = || controls.iter().filter(has_a_say);
    let failed = of_errno().find_map(|control| {
        let failure = control.failure.as_ref()?;
        (control.expected_rate > 0.0 || control.n > 0)
            .then(|| Blindness::Control { name: control.control.clone(), failure: failure.clone() })
    });
    let proven = of_errno().any(|control| control.expected_rate > 0.0);
    failed.or((!proven).then_some(Blindness::NoPositive(errno)))
}
