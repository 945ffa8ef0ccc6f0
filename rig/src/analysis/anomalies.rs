//! Which of the trials that were kept whole a reader should look at.
//!
//! Reads files of a run, but only of blocks that count and have anomalies. Must not judge, nor know reports.
//! Units: counts. Errors: none; a line that is no trial is passed over: whoever read the run has named its file.
//! Tests: `tests/golden/anomalies.rs`.

use std::collections::{BTreeSet, HashMap};

use crate::record::Run;
use crate::record::format::{BlockId, KeptTrial};
use crate::script::describe_lane;

use super::measured::Measured;
use super::model::{Anomalies, Anomaly, LaneText};

/// So many trials are shown.
const MOST: usize = 100;

/// The first anomaly of each outcome of every cell; of controls none, whose answer is known.
pub(super) fn gather(run: &Run, measured: &[Measured<'_>]) -> Anomalies {
    let seeds: HashMap<&BlockId, u64> =
        run.record.blocks.iter().map(|block| (&block.id, block.seed)).collect();
    let mut found = Anomalies::default();
    for cell in measured.iter().filter(|cell| cell.cell().control.is_none()) {
        let first = first_of_each(run, cell, &seeds);
        let room = MOST - found.trials.len();
        found.left_out += first.len().saturating_sub(room) as u64;
        if !first.is_empty() && room > 0 {
            found.lanes.insert(cell.cell().id.0.clone(), lanes(cell));
        }
        found.trials.extend(first.into_iter().take(room));
    }
    found
}

fn first_of_each(run: &Run, cell: &Measured<'_>, seeds: &HashMap<&BlockId, u64>) -> Vec<Anomaly> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut first: Vec<Anomaly> = Vec::new();
    for block in cell.blocks.iter().filter(|block| block.tally.anomalies > 0 && block.records > 0) {
        let Ok(trials) = run.trials(&block.id, block.attempt) else { continue };
        for trial in trials.map_while(Result::ok).filter(|trial| trial.anomaly && !trial.void) {
            if !known.insert(trial.outcome.clone()) {
                continue;
            }
            first.push(Anomaly {
                cell: cell.cell().id.0.clone(),
                block: block.id.0.clone(),
                attempt: block.attempt,
                seed: seeds.get(&block.id).copied().unwrap_or(0),
                alike: cell.tally.outcomes.get(&trial.outcome).copied().unwrap_or(0),
                kept: KeptTrial::from(&trial),
            });
        }
    }
    first
}

fn lanes(cell: &Measured<'_>) -> Vec<LaneText> {
    let script = &cell.cell().subject.script;
    let lanes = script.lanes.iter();
    lanes.map(|lane| LaneText { name: lane.name.clone(), steps: describe_lane(script, lane) }).collect()
}
