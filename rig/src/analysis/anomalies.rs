//! Which of the trials that were kept whole a reader should look at.
//!
//! Reads files of a run, but only of blocks that count and have anomalies. Must not judge, nor know reports.
//! Units: counts. Errors: none; a line that is no trial is passed over: whoever read the run has named its file.
//! Tests: `tests/golden/anomalies.rs`.

use std::collections::{BTreeSet, HashMap};

use crate::record::format::{BlockId, BlockRecord, KeptTrial};
use crate::record::{Folder, Run, Seen, segments};
use crate::script::describe_lane;

use super::measured::Measured;
use super::model::{Anomalies, Anomaly, AnomalyPacket, LaneText};

/// So many trials are shown.
const MOST: usize = 100;

/// The first anomaly of each outcome of every cell; of controls none, whose answer is known.
pub(super) fn gather(run: &Run, measured: &[Measured<'_>]) -> Anomalies {
    let seeds: HashMap<&BlockId, u64> =
        run.record.blocks.iter().map(|block| (&block.id, block.seed)).collect();
    let counted = measured.iter().flat_map(|cell| &cell.blocks);
    let blocks: HashMap<(&str, u32), &BlockRecord> =
        counted.map(|block| ((block.id.0.as_str(), block.attempt), *block)).collect();
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
    for of_block in found.trials.chunk_by_mut(|a, b| (&a.block, a.attempt) == (&b.block, b.attempt)) {
        let block = blocks.get(&(of_block[0].block.as_str(), of_block[0].attempt));
        let seen = block.map(|block| captured(run, block)).unwrap_or_default();
        of_block.iter_mut().for_each(|one| one.packets = packets(&seen, &one.kept));
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
                packets: Vec::new(),
                kept: KeptTrial::from(&trial),
            });
        }
    }
    first
}

/// Ends of the path, by how the names of their files end.
const ENDS: [(&str, &str); 2] = [(".target.pcapng", "target"), (".peer.pcapng", "peer")];

/// A file of packets of one block is a few MiB.
const MOST_CAPTURE_BYTES: u64 = 64 << 20;

/// A segment, and the end of the path that it was seen at.
type SeenAt = (&'static str, Seen);

/// What was captured of a block, in the order in which it passed. What is missing or damaged was named when the run was read.
fn captured(run: &Run, block: &BlockRecord) -> Vec<SeenAt> {
    let Ok(folder) = Folder::open(&run.dir) else { return Vec::new() };
    let mut seen: Vec<SeenAt> = Vec::new();
    for file in &block.captures {
        let Some((_, end)) = ENDS.iter().find(|(ending, _)| file.ends_with(ending)) else { continue };
        let bytes = folder.read(file, MOST_CAPTURE_BYTES).unwrap_or_default();
        seen.extend(segments(&bytes).into_iter().map(|one| (*end, one)));
    }
    seen.sort_by_key(|(_, one)| one.time_ns);
    seen
}

/// Those of a trial. The packets' clock is another than the trial's: both are laid together at the SYN, which connect() sends.
fn packets(seen: &[SeenAt], trial: &KeptTrial) -> Vec<AnomalyPacket> {
    let begin = trial.steps.iter().map(|step| step.begin_ns).min().unwrap_or(0);
    let name = format!("trial {} (", trial.trial);
    let own = || seen.iter().filter(|(_, one)| one.trial.starts_with(&name));
    let is_syn = |(end, one): &&SeenAt| *end == "target" && one.words == "SYN";
    let Some(ahead) = own().find(is_syn).map(|(_, one)| i128::from(one.time_ns) - i128::from(begin)) else {
        return Vec::new();
    };
    let packet = |(end, one): &SeenAt| AnomalyPacket {
        at_ns: i64::try_from(i128::from(one.time_ns) - ahead).unwrap_or(i64::MAX),
        at: (*end).to_owned(),
        from_client: one.source.port() == trial.local_port,
        words: one.words.clone(),
        resets: one.resets,
    };
    own().map(packet).collect()
}

fn lanes(cell: &Measured<'_>) -> Vec<LaneText> {
    let script = &cell.cell().subject.script;
    let lanes = script.lanes.iter();
    lanes.map(|lane| LaneText { name: lane.name.clone(), steps: describe_lane(script, lane) }).collect()
}
