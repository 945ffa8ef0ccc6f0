//! What a run that was merged from others must say of them, and which of its cells were measured on which machine.
//!
//! A guest is compared only with a host of its own machine: where the parts ran on several, each cell that several measured is as many cells in memory. On disk it is one.
//! Must not read files. Units: none. Errors: none. Tests: `tests/golden/merged`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::format::{BlockRecord, CellElsewhere, CellRecord, PartRecord, PlannedBlock, RunRecord, Shard};
use super::id::BlockId;
use crate::matrix::{Cell, CellId};

/// A shard of which a merged run has no part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingShard {
    /// Which.
    pub shard: Shard,
    /// The seed of the plan that it belongs to.
    pub seed: u64,
    /// Whether shards of other seeds are there too: then its name alone does not say which it is.
    pub among_plans: bool,
    /// The cells that only shards play of which there is no part: some of them are this one's.
    pub cells: Vec<CellElsewhere>,
}

impl fmt::Display for MissingShard {
    /// `2/3`, or `2/3 of seed 7` where there are several plans.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shard.fmt(f)?;
        if self.among_plans { write!(f, " of seed {}", self.seed) } else { Ok(()) }
    }
}

/// The shards that are missing, in order.
pub(super) fn missing(run: &RunRecord) -> Vec<MissingShard> {
    let alone = run.shard.map(|shard| (run.seed, shard));
    let shards = run.parts.iter().filter_map(|part| Some((part.seed, part.shard?))).chain(alone);
    let mut of_plan: BTreeMap<(u64, u32), BTreeSet<u32>> = BTreeMap::new();
    for (seed, shard) in shards {
        of_plan.entry((seed, shard.of)).or_default().insert(shard.index);
    }
    let absent = of_plan.into_iter().flat_map(|((seed, of), there)| {
        (1..=of).filter(move |index| !there.contains(index)).map(move |index| (seed, Shard { index, of }))
    });
    let cells_of = |shard: Shard| {
        let own = run.elsewhere.iter().filter(|cell| cell.shards.contains(&shard.index));
        own.cloned().collect::<Vec<_>>()
    };
    let among_plans = run.parts.iter().any(|part| part.seed != run.parts[0].seed);
    absent.map(|(seed, shard)| MissingShard { shard, seed, among_plans, cells: cells_of(shard) }).collect()
}

/// So many cells of a shard are named.
const NAMED: usize = 5;

/// What a reader must know of the parts of a merged run, one sentence each; nothing of another run.
pub(super) fn cautions(run: &RunRecord) -> Vec<String> {
    if run.parts.is_empty() {
        return Vec::new();
    }
    let absent = missing(run).into_iter().map(|shard| {
        let cells = &shard.cells;
        let labels: Vec<&str> = cells.iter().take(NAMED).map(|cell| cell.label.as_str()).collect();
        let more = match cells.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        match cells.len() {
            0 => format!(
                "shard {shard} is missing: its cells were played by others too, and have fewer trials"
            ),
            1 => format!("shard {shard} is missing: nobody played {}", labels[0]),
            all => {
                format!("shard {shard} is missing: nobody played {all} cells: {}{more}", labels.join("; "))
            }
        }
    });
    let unfinished = run.parts.iter().filter(|part| !part.complete).map(|part| {
        let why = match part.stopped.as_deref() {
            Some(word) => format!(" ({word})"),
            None => " (it was killed, or still goes on)".to_owned(),
        };
        format!("{} did not come to its end{why}: cells of it are short", named(part))
    });
    let damaged = run
        .parts
        .iter()
        .flat_map(|part| part.cautions.iter().map(move |caution| format!("of {}: {caution}", named(part))));
    absent.chain(unfinished).chain(damaged).collect()
}

/// `run 20261121-201950-1f3a09c4 (shard 2/3)`
fn named(part: &PartRecord) -> String {
    let shard = part.shard.map(|shard| format!(" (shard {shard})")).unwrap_or_default();
    format!("run {}{shard}", part.id)
}

/// Tells the machines of a merged run apart: where there are several, its cells and blocks become those of each machine.
pub(super) fn tell_machines_apart(run: &mut RunRecord, blocks: &mut [BlockRecord]) {
    let machines: HashMap<String, String> =
        run.parts.iter().map(|part| (part.id.clone(), part.machine())).collect();
    let different: BTreeSet<&String> = machines.values().collect();
    if different.len() < 2 {
        return;
    }
    let machine_of = |block: &PlannedBlock| machines.get(run.source_of(block)).cloned();
    let of_block: HashMap<BlockId, String> =
        run.blocks.iter().filter_map(|block| Some((block.id.clone(), machine_of(block)?))).collect();
    let cells = run.cells.iter().flat_map(|cell| {
        let on = |machine: &&&String| of_machine(cell, machine, run, &machines, &of_block);
        different.iter().filter_map(|machine| on(&machine)).collect::<Vec<_>>()
    });
    run.cells = cells.collect();
    let on = |cell: &mut CellId, machine: &str| *cell = CellId(format!("{cell}.{machine}"));
    for block in &mut run.blocks {
        if let Some(machine) = of_block.get(&block.id) {
            on(&mut block.cell, machine);
        }
    }
    for block in blocks {
        if let Some(machine) = of_block.get(&block.id) {
            on(&mut block.cell, machine);
        }
    }
}

/// A cell as one machine has it: played, or skipped there; none where no part on it plans it.
fn of_machine(
    record: &CellRecord,
    machine: &str,
    run: &RunRecord,
    machines: &HashMap<String, String>,
    of_block: &HashMap<BlockId, String>,
) -> Option<CellRecord> {
    let cell = record.cell.on_machine(machine);
    let planned = run.blocks.iter().filter(|block| {
        block.cell == record.cell.id && of_block.get(&block.id).is_some_and(|on| on == machine)
    });
    let (blocks, trials) =
        planned.fold((0, 0), |(blocks, trials), block| (blocks + 1, trials + block.trials));
    if blocks > 0 {
        return Some(CellRecord { cell: Cell { trials, blocks, ..cell }, skipped: None, lack: None });
    }
    let on_it = run.parts.iter().filter(|part| machines.get(&part.id).is_some_and(|on| on == machine));
    let skip = on_it.filter_map(|part| part.skipped.get(&record.cell.id)).next()?;
    Some(CellRecord { cell, skipped: Some(skip.reason.clone()), lack: skip.lack.clone() })
}
