//! What a scenario says that was played once by itself, without a record.
//!
//! The figures are made as those of a cell. Must not compare, and must not know formats. Units: counts, shares of 1, nanoseconds. Errors: none.
//! Tests: below; `tests/trouble/alone.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Tally, TcpState, TrialRecord};
use rig_stats::Confidence;

use super::expectation::judge;
use super::groups::localtime_file;
use super::model::{Question, REPORT_FORMAT, REPORT_FORMAT_MINOR, Rate, ScenarioRun, ScenarioStatus};
use super::{measured, programs, rates, sources, summaries};
use crate::matrix::Cell;
use crate::record::format::{BlockRecord, BlockStatus, KeptTrial};

/// A block that was played by itself, and by what its trials are judged.
#[derive(Debug, Clone, Copy)]
pub struct Played<'a> {
    /// Its cell.
    pub cell: &'a Cell,
    /// Seed of its draws.
    pub seed: u64,
    /// The block.
    pub record: &'a BlockRecord,
    /// Its trials kept whole.
    pub trials: &'a [TrialRecord],
    /// The share of its trials (of 1) that may end otherwise than expected.
    pub tolerance: f64,
    /// Of every interval.
    pub confidence: Confidence,
    /// Whether it ran on the emulated host of a rehearsal: then its timings mean nothing.
    pub rehearsed: bool,
}

/// Sums it up. What only its player knows is left empty: the words of its lanes, the files of its packets, why it was executed as it was.
pub fn sum_up(played: Played<'_>) -> ScenarioRun {
    let Played { cell, record, .. } = played;
    let (subject, tally) = (&cell.subject, &record.tally);
    let program = programs::summarise(cell, tally, localtime_file(&[record]), played.rehearsed);
    let known = cell.known.as_deref();
    let judged = |patterns: &[String], of: &Tally| {
        judge(patterns, of, Some(played.tolerance), played.confidence, known)
    };
    let (status, reason) = ending(cell, record);
    ScenarioRun {
        format: REPORT_FORMAT,
        format_minor: REPORT_FORMAT_MINOR,
        rig_version: env!("CARGO_PKG_VERSION").to_owned(),
        started: record.started.clone(),
        elapsed_ns: record.elapsed_ns,
        id: cell.id.0.clone(),
        scenario: subject.scenario.clone(),
        title: cell.title.clone(),
        parameters: subject.parameters.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        kernel_release: release(record),
        path: subject.path.name.clone(),
        accelerator: record.target.accelerator.clone(),
        accelerator_reason: String::new(),
        boot_ns: record.target.boot_ns,
        proxied: subject.configuration.target.proxied(),
        seed: played.seed,
        in_flight: cell.in_flight,
        status,
        reason,
        trials: tally.trials,
        trials_wanted: cell.trials,
        void: tally.void(),
        void_reasons: tally.voids.clone(),
        returns: tally.returns.clone(),
        unreturned: tally.unreturned,
        outcomes: tally.outcomes.clone(),
        state_before: states(tally),
        outcomes_by_state: summaries::outcomes_by_state(tally),
        rst_before_call: measured::rst_before_call(tally),
        expectation: judged(&subject.script.expect, tally),
        peer_outcomes: record.peer_tally.outcomes.clone(),
        peer_expectation: judged(&subject.script.expect_peer, &record.peer_tally),
        errno_seen: sources::seen(tally),
        rates: rates(tally, played.confidence),
        latency_ns: if played.rehearsed { BTreeMap::new() } else { summaries::quantiles(tally) },
        anomalies: tally.anomalies,
        witness_rsts: witness_rsts(record),
        kernel_rsts: measured::kernel_rsts(tally, &record.peer_tally),
        mechanisms: summaries::mechanisms(&[record]),
        path_counters: summaries::path_counters(&[record]),
        captures: Vec::new(),
        console: None,
        lanes: Vec::new(),
        program,
        kept: played.trials.iter().map(KeptTrial::from).collect(),
    }
}

fn rates(tally: &Tally, confidence: Confidence) -> BTreeMap<Question, Rate> {
    Question::ALL.into_iter().map(|q| (q, rates::rate_at(q.count(tally), confidence))).collect()
}

/// Empty where the target's agent did not speak.
fn release(record: &BlockRecord) -> String {
    record.target_hello.as_ref().map(|hello| hello.kernel_release.clone()).unwrap_or_default()
}

fn states(tally: &Tally) -> BTreeMap<String, u64> {
    tally.state_before.iter().map(|(state, n)| (TcpState(*state).to_string(), *n)).collect()
}

/// A void block counts for nothing, whatever was seen in it.
fn ending(cell: &Cell, record: &BlockRecord) -> (ScenarioStatus, String) {
    match &record.status {
        BlockStatus::Complete if record.tally.trials >= cell.trials => {
            (ScenarioStatus::Complete, String::new())
        }
        BlockStatus::Complete => (ScenarioStatus::Short, String::new()),
        BlockStatus::Void { reason } => (ScenarioStatus::Void, reason.to_string()),
        BlockStatus::Aborted { reason } => (ScenarioStatus::Void, reason.clone()),
    }
}

fn witness_rsts(record: &BlockRecord) -> Option<u64> {
    let witness = &record.witness;
    (!witness.absent).then(|| witness.rst_to_target.saturating_add(witness.rst_to_peer))
}

#[cfg(test)]
mod tests {
    use rig_protocol::Returned;

    use super::*;
    use crate::analysis::model::ExpectationStatus;
    use crate::matrix::{Matrix, Selection};
    use crate::record::VoidReason;
    use crate::record::format::BlockId;

    /// A cell of rig's own matrix whose scenario expects something of the client.
    fn cell() -> Cell {
        let matrix = Matrix::load(None).expect("the shipped one");
        let cells = matrix.cells(&Selection::default()).expect("it has cells");
        let mut cell = cells.into_iter().find(|cell| cell.subject.scenario == "fin").expect("fin is in it");
        cell.trials = 10;
        cell
    }

    fn played(outcomes: [(&str, u64); 2]) -> BlockRecord {
        let cell = cell();
        let mut record = BlockRecord::new(BlockId::of(&cell.id, None, 0), cell.id, 1);
        record.tally.outcomes = outcomes.into_iter().map(|(word, n)| (word.to_owned(), n)).collect();
        record.tally.trials = outcomes.iter().map(|(_, n)| n).sum();
        record.tally.returns = [(Returned::ONE, record.tally.trials)].into();
        record.tally.state_before = [(TcpState::CLOSE.0, 3), (8, 7)].into();
        record
    }

    fn sum(cell: &Cell, record: &BlockRecord) -> ScenarioRun {
        let confidence = Confidence::new(0.95).expect("between 0 and 1");
        sum_up(Played { cell, seed: 7, record, trials: &[], tolerance: 0.005, confidence, rehearsed: false })
    }

    #[test]
    fn figures_are_those_of_a_cell_and_the_end_is_judged() {
        let cell = cell();
        let run = sum(&cell, &played([("readable,data,eof", 10), ("timeout", 0)]));
        assert_eq!(
            (run.status, run.trials, run.trials_wanted, run.seed),
            (ScenarioStatus::Complete, 10, 10, 7)
        );
        assert_eq!(
            (run.rst_before_call, run.state_before["CLOSE"], run.state_before["CLOSE_WAIT"]),
            (3, 3, 7)
        );
        assert_eq!(run.id, cell.id.0);
        assert!(!run.is_unexpected() && run.witness_rsts == Some(0));
        let other = sum(&cell, &played([("readable,data,eof", 1), ("timeout", 8)]));
        assert!(other.is_unexpected() && other.status == ScenarioStatus::Short, "{other:?}");
        let known = Cell { known: Some("it is so".to_owned()), ..cell };
        let known = sum(&known, &played([("readable,data,eof", 1), ("timeout", 9)]));
        let status = known.expectation.as_ref().map(|of| of.status);
        assert!(!known.is_unexpected() && status == Some(ExpectationStatus::Known), "{status:?}");
    }

    #[test]
    fn a_void_block_says_why_and_nobody_watched_a_loopback() {
        let mut record = played([("readable,data,eof", 10), ("timeout", 0)]);
        record.status = BlockStatus::Void { reason: VoidReason::Late { within_s: 5 } };
        record.witness.absent = true;
        let run = sum(&cell(), &record);
        assert_eq!((run.status, run.witness_rsts), (ScenarioStatus::Void, None));
        assert!(run.reason.contains('5'), "{}", run.reason);
    }
}
