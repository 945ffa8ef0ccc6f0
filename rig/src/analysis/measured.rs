//! From blocks to the sums of a cell.
//!
//! Holds which blocks count, and their sums. Must not rate or judge: that is for the summaries, controls and comparisons.
//! Units: counts. Errors: none; a block that has more trials than were planned is void, with that reason.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Tally, TcpState, Witness};

use crate::configuration::Engine;
use crate::matrix::Cell;
use crate::path::PathCounter;
use crate::record::format::{BlockId, BlockRecord, BlockStatus, CellRecord};
use crate::record::{Run, VoidReason};
use crate::stopping::Stopping;

use super::model::{NotRun, Shortage};

/// [`Measured::rst_before_call`] of these sums.
pub(super) fn rst_before_call(tally: &Tally) -> u64 {
    tally.state_before.get(&TcpState::CLOSE.0).copied().unwrap_or(0)
}

/// [`Measured::kernel_rsts`] of the sums of both ends.
pub(super) fn kernel_rsts(target: &Tally, peer: &Tally) -> u64 {
    let of = |tally: &Tally| tally.counters.get("Tcp.OutRsts").copied().unwrap_or(0);
    u64::try_from(of(target).saturating_add(of(peer))).unwrap_or(0)
}

/// A cell of the plan with what was measured of it.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) record: &'a CellRecord,
    /// The blocks that count: of each the last attempt that is complete.
    pub(super) blocks: Vec<&'a BlockRecord>,
    /// The attempts that do not: void, or stopped.
    pub(super) not_counted: Vec<&'a BlockRecord>,
    /// Sums of the target over those blocks.
    pub(super) tally: Tally,
    /// Sums of the peer.
    pub(super) peer: Tally,
    /// Trials without an outcome, by reason.
    pub(super) void_reasons: BTreeMap<String, u64>,
    /// In which round of the run each of its blocks was to be played.
    rounds: BTreeMap<&'a BlockId, u32>,
    /// Blocks planned, and of these not even tried.
    planned: usize,
    unplayed: usize,
    /// Whether it needed no more: the run's rule was met.
    stopped: bool,
}

impl Measured<'_> {
    pub(super) fn cell(&self) -> &Cell {
        &self.record.cell
    }

    /// The round of the run in which a block of it was to be played: the blocks of one round follow each other.
    pub(super) fn round(&self, block: &BlockRecord) -> u32 {
        self.rounds.get(&block.id).copied().unwrap_or(0)
    }

    /// What a mechanism of the path counted over its blocks.
    pub(super) fn path_counter(&self, counter: &PathCounter) -> u64 {
        let name = counter.to_string();
        self.blocks.iter().filter_map(|block| block.path.counters.get(&name)).sum()
    }

    pub(super) fn void(&self) -> u64 {
        self.void_reasons.values().sum()
    }

    pub(super) fn configuration(&self) -> &str {
        &self.cell().subject.configuration.name
    }

    /// Whether one of its blocks was executed by this.
    pub(super) fn ran_on(&self, engine: Engine) -> bool {
        self.accelerators().contains(engine.word())
    }

    /// What its blocks really ran on: `kvm`, `tcg`, `none`.
    pub(super) fn accelerators(&self) -> BTreeSet<&str> {
        self.blocks
            .iter()
            .map(|block| block.target.accelerator.as_str())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Whether the cell measures what the kernel does ([`Cell::is_plain`]), for the first time: a second time is there to be compared with the first.
    pub(super) fn is_plain(&self) -> bool {
        self.cell().is_plain() && !self.is_repeat()
    }

    /// Whether somebody records what the verdict call returns: of a user's program nobody need.
    pub(super) fn is_watched(&self) -> bool {
        let program = &self.cell().subject.script.program;
        program.as_ref().is_none_or(|program| program.witness != Witness::None)
    }

    /// Whether it is the second cell of the A/A pair: no guest cell of its own in sentences, comparisons and claims.
    pub(super) fn is_repeat(&self) -> bool {
        self.cell().repeats.is_some()
    }

    /// Whether a proxy ends TCP between the peer and the target.
    pub(super) fn is_proxied(&self) -> bool {
        self.cell().subject.configuration.target.proxied()
    }

    /// `scenario parameter=value` for people.
    pub(super) fn subject(&self) -> String {
        let subject = &self.cell().subject;
        let parameters = subject.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{}", subject.scenario, parameters.collect::<String>())
    }

    /// Trials in which TCP_INFO said CLOSE right before the call: the RST had been processed.
    pub(super) fn rst_before_call(&self) -> u64 {
        rst_before_call(&self.tally)
    }

    /// Whether somebody watched the packets of every block.
    pub(super) fn has_witness(&self) -> bool {
        self.blocks.iter().all(|block| !block.witness.absent)
    }

    pub(super) fn witness_rsts(&self) -> u64 {
        self.blocks.iter().map(|block| block.witness.rst_to_target + block.witness.rst_to_peer).sum()
    }

    /// What the kernels of both ends say they sent (proc(5), /proc/net/snmp).
    pub(super) fn kernel_rsts(&self) -> u64 {
        kernel_rsts(&self.tally, &self.peer)
    }

    /// Why it has fewer trials than were asked for, if it has; one that stopped because the run's rule was met needs no more.
    pub(super) fn shortage(&self) -> Option<Shortage> {
        let (trials, wanted) = (self.tally.trials, self.cell().trials);
        (trials < wanted && !self.stopped).then(|| Shortage {
            trials,
            wanted,
            unplayed: self.unplayed,
            planned: self.planned,
            void: self.void_reasons.clone(),
        })
    }

    /// Why it has no trial, if it has none.
    pub(super) fn not_run(&self) -> Option<NotRun> {
        if let Some(reason) = &self.record.skipped {
            return Some(NotRun::Skipped(reason.clone()));
        }
        (self.tally.trials == 0).then(|| self.shortage().map_or(NotRun::NothingAsked, NotRun::Short))
    }
}

/// Sums every cell of the plan.
pub(super) fn measure<'a>(run: &'a Run, stopping: &Stopping) -> Vec<Measured<'a>> {
    let stopped = |record: &CellRecord| stopping.met(&record.cell.id).is_some();
    run.record.cells.iter().map(|record| measure_cell(run, record, stopped(record))).collect()
}

fn measure_cell<'a>(run: &'a Run, record: &'a CellRecord, stopped: bool) -> Measured<'a> {
    let planned: BTreeMap<&BlockId, u64> = run
        .record
        .blocks
        .iter()
        .filter(|block| block.cell == record.cell.id)
        // A plan may ask for more than can ever be played; what is void must still add up.
        .map(|block| (&block.id, block.trials.min(Tally::MOST)))
        .collect();
    let of_cell = run.record.blocks.iter().filter(|block| block.cell == record.cell.id);
    let rounds = of_cell.map(|block| (&block.id, block.round)).collect();
    let mut counted: BTreeMap<&BlockId, &BlockRecord> = BTreeMap::new();
    let mut tried = BTreeSet::new();
    let mut not_counted = Vec::new();
    let mut void_reasons: BTreeMap<String, u64> = BTreeMap::new();
    for block in run.blocks.iter().filter(|block| block.cell == record.cell.id) {
        let wanted = planned.get(&block.id).copied();
        if matches!(block.status, BlockStatus::Aborted { .. }) {
            // It is played again from its beginning, or the run stays incomplete: not void, but not there.
            not_counted.push(block);
            continue;
        }
        tried.insert(&block.id);
        match usable(block, wanted) {
            Ok(()) => {
                counted.insert(&block.id, block);
            }
            // No trial of it has an outcome that counts, so all that were planned are void.
            Err(reason) => {
                not_counted.push(block);
                *void_reasons.entry(reason.in_table()).or_default() += wanted.unwrap_or(0);
            }
        }
    }
    let blocks: Vec<&BlockRecord> = counted.into_values().collect();
    let (mut tally, mut peer) = (Tally::default(), Tally::default());
    for block in &blocks {
        tally.absorb(&block.tally);
        peer.absorb(&block.peer_tally);
    }
    for (reason, n) in &tally.voids {
        *void_reasons.entry(VoidReason::Trial(reason.clone()).in_table()).or_default() += n;
    }
    let unplayed = planned.keys().filter(|id| !tried.contains(*id)).count();
    let planned = planned.len();
    Measured { record, blocks, not_counted, tally, peer, void_reasons, rounds, planned, unplayed, stopped }
}

/// Why a block does not count, if it does not.
fn usable(block: &BlockRecord, planned: Option<u64>) -> Result<(), VoidReason> {
    match &block.status {
        BlockStatus::Void { reason } => return Err(reason.clone()),
        BlockStatus::Aborted { .. } | BlockStatus::Complete => {}
    }
    let trials = block.tally.trials;
    match planned {
        None => Err(VoidReason::NotPlanned),
        Some(planned) if trials > planned => Err(VoidReason::MoreThanPlanned { trials, planned }),
        Some(_) => Ok(()),
    }
}
