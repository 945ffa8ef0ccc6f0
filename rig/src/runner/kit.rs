//! What the tests of this room play with: cells, attempts and runs that are complete and small.
//!
//! Must not know what a test looks for. Units: as in `record`. Errors: none.

use std::sync::Arc;

use rig_protocol::Script;

use super::attempt::Attempt;
use super::schedule::schedule;
use crate::configuration::{
    Accelerator, Configuration, Hardware, Localtime, Nic, NicBackend, NicModel, QemuSpec, TargetSpec, Tuning,
};
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
        kernel_at: None,
        path: PathSpec::plain("plain", 1500),
        machine: None,
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

/// The same in a guest on a tap: such cells share boots.
pub(super) fn guest_cell(scenario: &str) -> Cell {
    let host = cell(scenario);
    let spec = QemuSpec {
        accelerator: Accelerator::Auto,
        machine: "q35".into(),
        vcpus: 1,
        memory_mib: 256,
        nic: Nic { model: NicModel::VirtioNet, backend: NicBackend::Tap, queues: 1 },
        localtime: Localtime::Present,
        timezone: None,
        disk: None,
        tuning: Tuning::default(),
        hardware: Hardware::default(),
    };
    let configuration = Configuration { name: "virtio-tap".into(), target: TargetSpec::Qemu(spec) };
    let subject = Subject { configuration, kernel: "6.1".into(), ..host.subject };
    Cell { id: subject.id(), subject, ..host }
}

/// The first try at a block of [`cell`].
pub(super) fn attempt(scenario: &str) -> Attempt {
    let cell = cell(scenario);
    let block = schedule([&cell], 7, None).remove(0);
    Attempt { block: block.clone(), ..Attempt::alone(block.id, cell, 0, 0) }
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
