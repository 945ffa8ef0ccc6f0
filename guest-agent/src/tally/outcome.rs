//! A trial that is over and its outcome: which steps tell something, in which order, and whether the scenario expects it.
//!
//! Holds the choice of steps and the words around their labels; the labels themselves are the protocol's. Must not count.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none; a trial without an outcome is void and does not come here.
//! Tests: below, and `tests/loopback`.

use std::fmt::Write as _;
use std::sync::MutexGuard;

use rig_protocol::{Errno, Observed, Script, Side, Step, Tally, matches_outcome};

use crate::interp::LaneLog;
use crate::ops::Seen;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::sys::errno;

/// A trial that is over.
pub(crate) struct Finished<'a> {
    /// Index within the block.
    pub(crate) trial: u64,
    /// The stage it was played on.
    pub(crate) stage: &'a Stage,
    /// One log per lane of the plan.
    pub(crate) logs: &'a [MutexGuard<'a, LaneLog>],
    /// Begin to end.
    pub(crate) elapsed_ns: u64,
    /// How it ended, as far as its worker knows.
    pub(crate) end: End,
}

impl Finished<'_> {
    /// Whether its deadline came before it had ended. A trial that ended by itself just then has ended.
    pub(super) fn is_cut(&self, plan: &Plan) -> bool {
        self.end == End::Deadline && !self.is_whole(plan)
    }

    /// Whether the block was finished before it had ended.
    pub(super) fn is_unfinished(&self, plan: &Plan) -> bool {
        self.end == End::Finished && !self.is_whole(plan)
    }

    /// Whether every lane came to its last step, which returned.
    fn is_whole(&self, plan: &Plan) -> bool {
        let mut lanes = plan.lanes.iter().zip(self.logs);
        lanes.all(|(planned, log)| log.seen.len() == planned.steps.len() && !log.cut)
    }
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself.
    Itself,
    /// Its deadline came first.
    Deadline,
    /// A peer's: the block was finished first.
    Finished,
}

/// The verdict step of a trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    /// What it saw.
    pub(super) seen: Seen,
    /// Whether it was cut: then it has not returned.
    cut: bool,
    /// Which label of the outcome is its own, counted from 0.
    label: usize,
}

impl Verdict {
    /// What the call returned, if it did.
    pub(super) fn returned(&self) -> Option<i64> {
        (!self.cut).then_some(self.seen.returned)
    }
}

/// A step that tells something.
struct Part<'a> {
    seen: Seen,
    step: &'a Step,
    cut: bool,
    /// Whether its label stands without its name.
    own: bool,
}

/// Writes the outcome of a trial that is not void; gives its verdict step, where it came to that.
pub(super) fn write(out: &mut String, plan: &Plan, finished: &Finished<'_>) -> Option<Verdict> {
    if finished.is_unfinished(plan) {
        out.push_str(Tally::UNFINISHED);
        return None;
    }
    let mut parts = telling(plan, finished);
    parts.sort_by_key(|part| part.seen.begin_ns);
    let mut verdict = None;
    for (label, part) in parts.iter().enumerate() {
        let Part { seen, step, cut, own } = part;
        if label > 0 {
            out.push(',');
        }
        if !own {
            out.push_str(step.op.name());
            out.push(':');
        }
        match (cut, own) {
            (true, _) => out.push_str(Tally::DEADLINE),
            (false, true) => {
                let Seen { returned, ready, events, begin_ns, end_ns, .. } = *seen;
                let seen = Observed { returned, ready, events, elapsed_ns: end_ns - begin_ns };
                step.write_label(out, &seen);
            }
            // Writing to a string cannot fail.
            (false, false) => drop(write!(out, "{}", Errno(-seen.returned as i32))),
        }
        if step.verdict {
            verdict = Some(Verdict { seen: *seen, cut: *cut, label });
        }
    }
    if parts.is_empty() {
        out.push_str(Tally::PLAYED);
    }
    // The deadline came while all lanes slept or waited for marks, behind the verdict call: nothing else says that the trial was cut.
    if finished.is_cut(plan) && !parts.iter().any(|part| part.cut) {
        out.push(',');
        out.push_str(Tally::DEADLINE);
    }
    verdict
}

/// The steps that tell something, lane by lane: those that the script names for it (in a peer's lane also those whose row of the table says
/// so), and any other that failed before the verdict call had returned, or that was cut on a socket. A wait for a mark is none: where it
/// fails before the verdict call has returned, the trial is void.
fn telling<'a>(plan: &'a Plan, finished: &Finished<'_>) -> Vec<Part<'a>> {
    let lanes = || plan.lanes.iter().zip(finished.logs);
    let verdict_end_ns = verdict_end_ns(plan, finished).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (planned, log) in lanes() {
        for (seen, cut) in log.steps() {
            let planned_step = &planned.steps[usize::from(seen.step)];
            let step = &planned_step.step;
            let by_row = plan.side == Side::Peer && step.op.schema().follow_up;
            let own = step.verdict || step.outcome || by_row;
            let tells = if cut {
                !planned_step.sockets.is_empty()
            } else {
                let failed = errno::is_failure(seen.returned) && step.op.mark().is_none();
                failed && seen.begin_ns < verdict_end_ns
            };
            if own || tells {
                parts.push(Part { seen: *seen, step, cut, own });
            }
        }
    }
    parts
}

/// When the verdict call had returned, if it had.
pub(super) fn verdict_end_ns(plan: &Plan, finished: &Finished<'_>) -> Option<u64> {
    let lanes = plan.lanes.iter().zip(finished.logs);
    lanes
        .flat_map(|(planned, log)| log.steps().map(move |(seen, cut)| (planned, seen, cut)))
        .find(|(planned, seen, cut)| planned.steps[usize::from(seen.step)].step.verdict && !cut)
        .map(|(_, seen, _)| seen.end_ns)
}

/// Whether a target's outcome is an anomaly: the scenario does not expect it; or the verdict call returned -1, and no expected outcome says so
/// in words: one with a `*` in that place expects every mixture of what follows from a success, and must not hide a failure.
pub(super) fn surprises(script: &Script, outcome: &str, verdict: Option<Verdict>) -> bool {
    let failed = verdict
        .filter(|verdict| verdict.returned().is_some_and(errno::is_failure))
        .map(|verdict| verdict.label);
    is_unexpected(script, outcome, failed)
}

/// The same, where the verdict call failed with the outcome's label `failed`.
pub(super) fn is_unexpected(script: &Script, outcome: &str, failed: Option<usize>) -> bool {
    !script.expect.iter().any(|pattern| {
        matches_outcome(pattern, outcome) && failed.is_none_or(|label| names_label(pattern, label))
    })
}

/// Whether an expected outcome says in words what its label with this index is.
fn names_label(pattern: &str, label: usize) -> bool {
    pattern.split(',').nth(label).is_some_and(|word| word != "*" && word != "**")
}

/// Whether the outcome of a peer's lane is an anomaly: the scenario expects something else of it. That the block was finished first is the
/// testbed's doing.
pub(super) fn surprises_of_peer(script: &Script, outcome: &str) -> bool {
    let expected = &script.expect_peer;
    outcome != Tally::UNFINISHED
        && !expected.is_empty()
        && !expected.iter().any(|pattern| matches_outcome(pattern, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(expect: &[&str], expect_peer: &[&str]) -> Script {
        let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Script {
            name: "s".into(),
            sockets: vec![],
            marks: vec![],
            lanes: vec![],
            expect: owned(expect),
            expect_peer: owned(expect_peer),
            deadline_ns: None,
            program: None,
        }
    }

    #[test]
    fn a_failed_verdict_is_expected_where_its_label_is_named_and_not_by_an_asterisk() {
        let verdict = |returned, cut, label| {
            let seen = Seen {
                step: 0,
                begin_ns: 0,
                end_ns: 0,
                returned,
                errno_after: 0,
                ready: None,
                events: None,
                state_before: None,
            };
            Some(Verdict { seen, cut, label })
        };
        for (expect, outcome, verdict, anomaly) in [
            (&["ECONNREFUSED,ok"][..], "ECONNREFUSED,ok", verdict(-111, false, 0), false),
            (&["ECONNREFUSED,**"], "ECONNREFUSED,ok", verdict(-111, false, 0), false),
            (&["**"], "ECONNREFUSED,ok", verdict(-111, false, 0), true),
            (&["*,*"], "ECONNREFUSED,ok", verdict(-111, false, 0), true),
            (&["*,*", "ECONNREFUSED,ok"], "ECONNREFUSED,ok", verdict(-111, false, 0), false),
            (&["*,EBADF"], "read:ECONNRESET,EBADF", verdict(-9, false, 1), false),
            (&["readable"], "EBADF", verdict(-9, false, 0), true),
            (&["*,*"], "readable,ECONNRESET", verdict(1, false, 0), false),
            (&["*"], "deadline", verdict(-4, true, 0), false),
            (&["readable"], "deadline", verdict(-4, true, 0), true),
            (&[], "readable", verdict(1, false, 0), true),
        ] {
            assert_eq!(
                surprises(&script(expect, &[]), outcome, verdict),
                anomaly,
                "{outcome} where {expect:?} is expected"
            );
        }
    }

    #[test]
    fn a_peers_lane_is_an_anomaly_only_where_something_else_is_expected_of_it() {
        for (expect, outcome, anomaly) in [
            (&[][..], "data,EPIPE", false),
            (&["data,ok"], "data,ok", false),
            (&["data,ok"], "data,EPIPE", true),
            (&["data,ok"], "unfinished", false),
        ] {
            assert_eq!(surprises_of_peer(&script(&[], expect), outcome), anomaly, "{outcome}");
        }
    }
}
