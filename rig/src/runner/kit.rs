//! What the tests of this room play with: cells, attempts and runs that are complete and small.
//!
//! Must not know what a test looks for. Units: as in `record`. Errors: none.

use std::sync::Arc;

use rig_protocol::Script;

use super::attempt::Attempt;
use super::schedule::schedule;
use crate::configuration::{Configuration, TargetSpec};
use crate::matrix::{Cell, HOST_KERNEL, Subject};
use crate::path::PathSpec;
use crate::record::format::{CaptureWhen, CellRecord, Conduct, Judgement, RunRecord};

/// A bare-metal cell of ten trials in two blocks, with an empty script.
pub(super) fn cell(scenario: &str) -> Cell {
    let script = Script { name: scenario.into(), ..Script::default() };
    let subject = Subject {
        scenario: scenario.into(),
        parameters: Default::default(),
        configuration: Configuration { name: "bare-metal".into(), target: TargetSpec::plain_host() },
        kernel: HOST_KERNEL.into(),
        path: PathSpec::plain("plain", 1500),
        script: Arc::new(script),
    };
    Cell {
        id: subject.id(),
        subject,
        title: "a title".into(),
        claims: vec![],
        control: None,
        alert: true,
        known: None,
        repeats: None,
        trials: 10,
        blocks: 2,
        in_flight: 1,
        proof: vec![],
    }
}

/// The first try at a block of [`cell`].
pub(super) fn attempt(scenario: &str) -> Attempt {
    let cell = cell(scenario);
    let block = schedule([&cell], 7, None).remove(0);
    Attempt { cell, block, attempt: 1 }
}

/// A run of these cells, planned with seed 7.
pub(super) fn run(cells: &[Cell]) -> RunRecord {
    RunRecord {
        seed: 7,
        profile: "quick".into(),
        judgement: Judgement { confidence: 0.95, margin: 0.01, ..Judgement::default() },
        conduct: Conduct {
            retries: 2,
            block_deadline_ms: 1_000,
            keep_examples: 1,
            keep_anomalies: 1,
            capture: CaptureWhen::Never,
        },
        cells: cells
            .iter()
            .map(|cell| CellRecord { cell: cell.clone(), skipped: None, lack: None })
            .collect(),
        blocks: schedule(cells, 7, None),
        ..RunRecord::new("run".into())
    }
}
