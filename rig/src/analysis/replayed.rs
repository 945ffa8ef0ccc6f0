//! What was recorded of a block, beside what came of playing it again.
//!
//! Must not know how it was played, nor judge a rate: a race has the same seed and another moment. Units: counts. Errors: none.
//! Tests: `tests/trouble/replay.rs`.

use std::collections::BTreeMap;

use rig_protocol::TrialRecord;

use crate::matrix::Cell;
use crate::record::Run;
use crate::record::format::{BlockRecord, BlockStatus, PlannedBlock};

use super::model::{REPORT_FORMAT, REPORT_FORMAT_MINOR, Replay, ReplayedTrial};

/// Both sides of a replay.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The run.
    pub run: &'a Run,
    /// The cell, as it was planned.
    pub cell: &'a Cell,
    /// The block, as it was planned.
    pub block: &'a PlannedBlock,
    /// What the run has of it.
    pub then: &'a BlockRecord,
    /// What came of playing it again.
    pub now: &'a BlockRecord,
    /// The trials of now that were kept whole.
    pub trials: &'a [TrialRecord],
    /// The trial that is asked for, as the run has it.
    pub wanted: Option<&'a TrialRecord>,
}

/// Puts both together.
pub fn replayed(sides: Sides<'_>) -> Replay {
    let Sides { run, cell, block, then, now, trials, wanted } = sides;
    let subject = &cell.subject;
    let void = match &now.status {
        BlockStatus::Complete => String::new(),
        BlockStatus::Void { reason } => reason.to_string(),
        BlockStatus::Aborted { .. } => "it was stopped".to_owned(),
    };
    let counts = if void.is_empty() { now.tally.outcomes.clone() } else { BTreeMap::new() };
    let looked_for: Vec<String> = match wanted {
        Some(trial) => vec![trial.outcome.clone()],
        None => unexpected(cell, &then.tally.outcomes),
    };
    let seen_again = looked_for.iter().filter_map(|outcome| counts.get(outcome)).sum();
    let trial = wanted.map(|one| ReplayedTrial {
        trial: one.trial,
        then: one.outcome.clone(),
        now: trials.iter().find(|now| now.trial == one.trial).map(|now| now.outcome.clone()),
    });
    Replay {
        format: REPORT_FORMAT,
        format_minor: REPORT_FORMAT_MINOR,
        run: run.record.id.clone(),
        cell: cell.id.0.clone(),
        scenario: subject.scenario.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        path: subject.path.name.clone(),
        block: block.id.0.clone(),
        seed: block.seed,
        trials: block.trials,
        then: then.tally.outcomes.clone(),
        now: counts,
        looked_for,
        seen_again,
        trial,
        void,
        changed: changed(then, now),
    }
}

/// Outcomes that the scenario does not expect; where it expects nothing in particular, none is.
fn unexpected(cell: &Cell, outcomes: &BTreeMap<String, u64>) -> Vec<String> {
    let script = &cell.subject.script;
    if script.expect.is_empty() {
        return Vec::new();
    }
    outcomes.keys().filter(|outcome| !script.expects(outcome)).cloned().collect()
}

fn changed(then: &BlockRecord, now: &BlockRecord) -> Vec<String> {
    let mut all = Vec::new();
    let mut held = |what: &str, then: &str, now: &str| {
        if then != now && !then.is_empty() && !now.is_empty() {
            all.push(format!("{what} was {then}, and is {now}"));
        }
    };
    held("the accelerator", &then.target.accelerator, &now.target.accelerator);
    held("the kernel's package", &then.target.kernel_package, &now.target.kernel_package);
    if let (Some(then), Some(now)) = (&then.target_hello, &now.target_hello) {
        held("the client's kernel", &then.kernel_release, &now.kernel_release);
        held("the agent", &then.build_id, &now.build_id);
    }
    if let (Some(then), Some(now)) = (&then.peer_hello, &now.peer_hello) {
        held("the peer's kernel", &then.kernel_release, &now.kernel_release);
    }
    all
}
