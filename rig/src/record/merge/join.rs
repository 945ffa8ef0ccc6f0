//! The record of the run that several are together, and the attempts at its blocks under their names there.
//!
//! Pure. Must not check what must be alike (`agree.rs` does), nor touch the disk. Units: none. Errors: [`MergeError::Twice`]. Tests: `tests/golden/merged`.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::super::Layout;
use super::super::format::{
    BlockRecord, BlockSource, BlockStatus, BootRecord, CellElsewhere, CellRecord, FORMAT, FORMAT_MINOR,
    PartRecord, PlannedBlock, RunRecord, TargetRecord, mark_of,
};
use super::super::id::BlockId;
use super::super::parts;
use super::error::MergeError;
use super::source::{Played, Source};
use crate::matrix::{Cell, CellId};

/// What several runs are together.
pub(super) struct Joined<'s> {
    pub(super) record: RunRecord,
    /// In the order in which they were written down.
    pub(super) attempts: Vec<Attempt<'s>>,
    /// How the parts ended, also where they are copies of one run, which has no parts.
    ends: Vec<PartRecord>,
}

/// An attempt at a block, in every folder that has it.
pub(super) struct Attempt<'s> {
    /// Under its name in the joined run.
    pub(super) record: BlockRecord,
    pub(super) at: &'s str,
    pub(super) copies: Vec<(&'s Source, &'s Played)>,
}

impl Attempt<'_> {
    pub(super) fn is_complete(&self) -> bool {
        self.record.status == BlockStatus::Complete
    }
}

impl Joined<'_> {
    /// What is missing or damaged of the parts, one sentence each; what concerns missing shards is told apart.
    pub(super) fn cautions(&self) -> Vec<String> {
        let of_parts = RunRecord { parts: self.ends.clone(), shard: None, ..self.record.clone() };
        let absent = parts::missing(&of_parts).len();
        parts::cautions(&of_parts).split_off(absent)
    }

    /// Whether every part came to its end, with all its blocks.
    pub(super) fn is_complete(&self) -> bool {
        self.ends.iter().all(|part| part.complete)
    }

    /// Why not, where it is one run.
    pub(super) fn stopped(&self) -> Option<&str> {
        self.ends.iter().find_map(|part| part.stopped.as_deref())
    }
}

/// Whether they are copies of one whole run, which they become again. A shard alone is a part of which others are missing.
fn is_one(parts: &[PartRecord]) -> bool {
    matches!(parts, [part] if part.shard.is_none())
}

/// The run that a planned block belongs to, and its name there.
type Place = (String, BlockId);

/// Joins them.
pub(super) fn join(sources: &[Source]) -> Result<Joined<'_>, MergeError> {
    let mut ends = ends(sources);
    let is_one = is_one(&ends);
    let blocks = blocks(sources, is_one, &ends);
    let names: BTreeMap<Place, BlockId> =
        blocks.iter().map(|(place, block)| (place.clone(), block.id.clone())).collect();
    let attempts = attempts(sources, &names, is_one)?;
    let played: BTreeSet<&BlockId> =
        attempts.iter().filter(|attempt| attempt.is_complete()).map(|attempt| &attempt.record.id).collect();
    for part in &mut ends {
        let of_part = || blocks.iter().filter(|((run, _), _)| *run == part.id).map(|(_, block)| &block.id);
        let all = of_part().next().is_some() && of_part().all(|id| played.contains(id));
        if all || part.complete {
            (part.complete, part.stopped) = (true, None);
        }
    }
    let blocks = in_order(sources, blocks, &attempts);
    let record = record(sources, blocks, &ends);
    Ok(Joined { record, attempts, ends })
}

/// Every part once, by id. Of one that several folders have, what is lost in all of them.
fn ends(sources: &[Source]) -> Vec<PartRecord> {
    let mut found: BTreeMap<&str, PartRecord> = BTreeMap::new();
    for part in sources.iter().flat_map(|source| &source.parts) {
        match found.get_mut(part.id.as_str()) {
            None => _ = found.insert(&part.id, part.clone()),
            Some(known) => {
                known.cautions.retain(|caution| part.cautions.contains(caution));
                known.complete |= part.complete;
                known.stopped = known.stopped.take().max(part.stopped.clone());
            }
        }
    }
    found.into_values().collect()
}

/// The planned blocks under their new names, by where they come from.
fn blocks(sources: &[Source], is_one: bool, parts: &[PartRecord]) -> BTreeMap<Place, PlannedBlock> {
    let mut found: BTreeMap<Place, PlannedBlock> = BTreeMap::new();
    for source in sources {
        for block in &source.record.blocks {
            let place = place_of(source, block);
            found.entry(place).or_insert_with(|| if is_one { block.clone() } else { renamed(source, block) });
        }
    }
    if !is_one {
        let mut before = 0;
        for part in parts {
            let rounds =
                || found.iter().filter(|((run, _), _)| *run == part.id).map(|(_, block)| block.round);
            let (first, last) = (rounds().min().unwrap_or(0), rounds().max().unwrap_or(0));
            found
                .iter_mut()
                .filter(|((run, _), _)| *run == part.id)
                .for_each(|(_, block)| block.round = block.round - first + before);
            before += last - first + 1;
        }
    }
    found
}

fn place_of(source: &Source, block: &PlannedBlock) -> Place {
    let name = block.source.as_ref().map_or(&block.id, |source| &source.block);
    (source.run_of(block).to_owned(), name.clone())
}

/// A planned block of one of several runs.
fn renamed(source: &Source, block: &PlannedBlock) -> PlannedBlock {
    if block.source.is_some() {
        return block.clone();
    }
    let run = source.record.id.clone();
    let mark = mark_of(&run).to_owned();
    PlannedBlock {
        id: BlockId::of_part(&block.cell, &mark, block.index),
        boot: block.boot.as_ref().map(|boot| format!("{mark}-{boot}")),
        source: Some(BlockSource { run, block: block.id.clone() }),
        ..block.clone()
    }
}

/// The blocks in the order of the plan: part by part, each as it had them; where copies of one run have different ones, as they were played.
fn in_order(
    sources: &[Source],
    mut blocks: BTreeMap<Place, PlannedBlock>,
    attempts: &[Attempt<'_>],
) -> Vec<PlannedBlock> {
    let mut copies: BTreeMap<String, Vec<Vec<Place>>> = BTreeMap::new();
    for source in sources {
        let mut of_run: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for block in &source.record.blocks {
            let place = place_of(source, block);
            of_run.entry(place.0.clone()).or_default().push(place);
        }
        of_run.into_iter().for_each(|(run, places)| copies.entry(run).or_default().push(places));
    }
    let mut started: BTreeMap<&BlockId, &str> = BTreeMap::new();
    for attempt in attempts {
        let first = started.entry(&attempt.record.id).or_insert(&attempt.record.started);
        *first = (*first).min(&attempt.record.started);
    }
    let mut ordered = Vec::new();
    for lists in copies.into_values() {
        let mut places: Vec<Place> = lists.iter().flatten().cloned().collect();
        if lists.iter().all(|list| *list == lists[0]) {
            places.truncate(lists[0].len());
        } else {
            let key = |place: &Place| {
                let block = &blocks[place];
                // Those that nobody played last.
                let started = started.get(&block.id).copied();
                (block.round, started.is_none(), started.unwrap_or_default().to_owned(), block.id.clone())
            };
            places.sort_by_cached_key(key);
            places.dedup();
        }
        ordered.extend(places.iter().filter_map(|place| blocks.remove(place)));
    }
    ordered
}

fn record(sources: &[Source], blocks: Vec<PlannedBlock>, ends: &[PartRecord]) -> RunRecord {
    let first = &sources[0].record;
    let is_one = is_one(ends);
    let images = sources.iter().flat_map(|source| source.record.images.clone()).collect();
    let cells = cells(sources, &blocks, is_one);
    let there: BTreeSet<&CellId> = cells.iter().map(|cell| &cell.cell.id).collect();
    let named: BTreeMap<u32, &CellElsewhere> =
        sources.iter().flat_map(|source| &source.record.elsewhere).map(|cell| (cell.place, cell)).collect();
    let elsewhere = named.into_values().filter(|cell| !there.contains(&cell.id)).cloned().collect();
    let run = RunRecord {
        format: FORMAT,
        format_minor: FORMAT_MINOR,
        images,
        cells,
        blocks,
        elsewhere,
        ..first.clone()
    };
    let Some(part) = ends.first().filter(|_| !is_one) else { return run };
    RunRecord {
        id: id_of(ends),
        seed: part.seed,
        started: ends.iter().map(|part| &part.started).min().cloned().unwrap_or_default(),
        command_line: part.command_line.clone(),
        shard: None,
        environment: part.environment.clone(),
        parts: ends.to_vec(),
        ..run
    }
}

/// An id that follows from the parts and from nothing else: the time of the first of them, and a digest of all their ids.
fn id_of(parts: &[PartRecord]) -> String {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(format!("{}\n", part.id)));
    let first = &parts[0].id;
    let time = first.rsplit_once('-').map_or(first.as_str(), |(time, _)| time);
    format!("{time}-{:.8x}", digest.finalize())
}

/// All cells in the order of the whole plan, each with all its blocks. One that any part could play is not skipped.
fn cells(sources: &[Source], blocks: &[PlannedBlock], is_one: bool) -> Vec<CellRecord> {
    let mut found: BTreeMap<(bool, usize, CellId), CellRecord> = BTreeMap::new();
    let mut places: BTreeMap<CellId, usize> = BTreeMap::new();
    for source in sources {
        let taken: BTreeSet<usize> = source.record.elsewhere.iter().map(|cell| cell.place as usize).collect();
        let mut free = (0..).filter(|place| !taken.contains(place));
        for cell in &source.record.cells {
            // The second time of an A/A pair is in no plan: it stands behind.
            let is_again = cell.cell.repeats.is_some();
            let place = if is_again { 0 } else { free.next().unwrap_or(usize::MAX) };
            let place = *places.entry(cell.cell.id.clone()).or_insert(place);
            let key = (is_again, place, cell.cell.id.clone());
            let known = found.entry(key).or_insert_with(|| cell.clone());
            if known.skipped.is_some() && cell.skipped.is_none() {
                known.clone_from(cell);
            }
        }
    }
    let mut wanted: BTreeMap<&CellId, (u32, u64)> = BTreeMap::new();
    for block in blocks {
        let (blocks, trials) = wanted.entry(&block.cell).or_default();
        (*blocks, *trials) = (*blocks + 1, *trials + block.trials);
    }
    let with_all = |record: CellRecord| match wanted.get(&record.cell.id) {
        Some((blocks, trials)) if !is_one => {
            CellRecord { cell: Cell { blocks: *blocks, trials: *trials, ..record.cell }, ..record }
        }
        _ => record,
    };
    found.into_values().map(with_all).collect()
}

/// Every attempt once, under the new name of its block.
fn attempts<'s>(
    sources: &'s [Source],
    names: &BTreeMap<Place, BlockId>,
    is_one: bool,
) -> Result<Vec<Attempt<'s>>, MergeError> {
    let mut found: BTreeMap<(BlockId, u32), Attempt<'s>> = BTreeMap::new();
    for source in sources {
        let planned: BTreeMap<&BlockId, &PlannedBlock> =
            source.record.blocks.iter().map(|block| (&block.id, block)).collect();
        for played in &source.played {
            let Some(block) = planned.get(&played.record.id) else { continue };
            let place = place_of(source, block);
            let mark = (!is_one && block.source.is_none()).then(|| mark_of(&place.0).to_owned());
            let record = under(&played.record, &names[&place], mark.as_deref());
            let key = (record.id.clone(), record.attempt);
            match found.get_mut(&key) {
                None => {
                    let copies = vec![(source, played)];
                    found.insert(key, Attempt { record, at: &played.at, copies });
                }
                Some(known) => {
                    alike(known, &record, (source, played), &place.1)?;
                    known.copies.push((source, played));
                }
            }
        }
    }
    let mut attempts: Vec<Attempt<'s>> = found.into_values().collect();
    attempts.sort_by(|a, b| (a.at, &a.record.started).cmp(&(b.at, &b.record.started)));
    Ok(attempts)
}

/// Refuses a copy that is another block.
fn alike(
    known: &Attempt<'_>,
    record: &BlockRecord,
    (source, played): (&Source, &Played),
    name: &BlockId,
) -> Result<(), MergeError> {
    let (first, other) = known.copies[0];
    let twice = |what: String| MergeError::Twice {
        block: name.0.clone(),
        attempt: record.attempt,
        what,
        first: first.dir.clone(),
        second: source.dir.clone(),
    };
    if known.record != *record {
        return Err(twice("its numbers differ".to_owned()));
    }
    // What lies beside the sums is the same bytes under every name, but for the trials, whose first line has the block's.
    let beside = |played: &Played| -> BTreeMap<String, String> {
        let sums = Layout::block(&played.record.id, played.record.attempt);
        let trials = Layout::anomalies(&played.record.id, played.record.attempt);
        let named = played.files.iter().filter(|(name, _)| **name != sums && **name != trials);
        named.map(|(name, sha256)| (name.replace(&played.record.id.0, ""), sha256.clone())).collect()
    };
    let (a, b) = (beside(other), beside(played));
    match a.iter().find(|(name, sha256)| b.get(*name).is_some_and(|other| other != *sha256)) {
        Some((name, _)) => Err(twice(format!("{name} differs"))),
        None => Ok(()),
    }
}

/// A block under another name, with the names of its files.
fn under(record: &BlockRecord, id: &BlockId, mark: Option<&str>) -> BlockRecord {
    let Some(mark) = mark else { return record.clone() };
    let (old, attempt) = (&record.id, record.attempt);
    let again = |name: &str, of: fn(&BlockId, u32) -> String| match name.is_empty() {
        true => String::new(),
        false => of(id, attempt),
    };
    let target = TargetRecord {
        console: again(&record.target.console, Layout::console),
        qmp: again(&record.target.qmp, Layout::qmp),
        ..record.target.clone()
    };
    let peer = record.peer.as_ref().map(|peer| TargetRecord {
        console: again(&peer.console, Layout::peer_console),
        qmp: again(&peer.qmp, Layout::peer_qmp),
        ..peer.clone()
    });
    let captures = record.captures.iter().map(|name| {
        let kind = Layout::CAPTURES.into_iter().find(|kind| kind(old, attempt) == *name);
        kind.map_or_else(|| name.clone(), |kind| kind(id, attempt))
    });
    let boot = record.boot.as_ref();
    BlockRecord {
        format: FORMAT,
        format_minor: FORMAT_MINOR,
        id: id.clone(),
        target,
        peer,
        captures: captures.collect(),
        boot: boot.map(|boot| BootRecord { name: format!("{mark}-{}", boot.name), ..boot.clone() }),
        ..record.clone()
    }
}
