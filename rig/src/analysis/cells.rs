//! From blocks to the figures of a cell.
//!
//! Holds which blocks count, their sums, and what is rated. Must not judge: that is for the controls and comparisons.
//! Units: counts, shares of 1, nanoseconds. Errors: none; a block that has more trials than were planned is void, with that reason.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Errno, Op, Side, Tally, TcpState};
use rig_stats::{Count, clopper_pearson};

use crate::matrix::Cell;
use crate::path::Matches;
use crate::record::format::{BlockId, BlockRecord, BlockStatus, CellRecord, Origin};
use crate::record::{Run, VoidReason};

use super::Rules;
use super::controls::Sight;
use super::model::{CellStatus, CellSummary, OriginCounts, Quantiles, Rate};
use super::words::{count, several};

/// What is rated in every cell: how often the verdict call returned -1 with this errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Ebadf,
    Enoent,
    AnyError,
}

impl Question {
    pub(super) const ALL: [Self; 3] = [Self::Ebadf, Self::Enoent, Self::AnyError];

    /// Its key in the report.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Ebadf => "EBADF",
            Self::Enoent => "ENOENT",
            Self::AnyError => "any_error",
        }
    }

    pub(super) fn hits(self, tally: &Tally) -> u64 {
        match self {
            Self::Ebadf => tally.returned(Errno::EBADF),
            Self::Enoent => tally.returned(Errno::ENOENT),
            Self::AnyError => tally.returned_any_errno(),
        }
    }

    pub(super) fn count(self, tally: &Tally) -> Count {
        Count::new(self.hits(tally), tally.trials).unwrap_or(Count::NONE)
    }
}

/// A cell of the plan with what was measured of it.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) record: &'a CellRecord,
    /// The blocks that count: of each the last attempt that is complete.
    pub(super) blocks: Vec<&'a BlockRecord>,
    /// Sums of the target over those blocks.
    pub(super) tally: Tally,
    /// Sums of the peer.
    pub(super) peer: Tally,
    /// Trials without an outcome, by reason.
    pub(super) void_reasons: BTreeMap<String, u64>,
    /// Blocks planned, and of these not even tried.
    planned: usize,
    unplayed: usize,
}

impl Measured<'_> {
    pub(super) fn cell(&self) -> &Cell {
        &self.record.cell
    }

    /// What a mechanism of the path counted over its blocks.
    pub(super) fn path_counter(&self, name: &str) -> u64 {
        self.blocks.iter().filter_map(|block| block.path.counters.get(name)).sum()
    }

    pub(super) fn void(&self) -> u64 {
        self.void_reasons.values().sum()
    }

    /// What its blocks really ran on: `kvm`, `tcg`, `none`.
    pub(super) fn accelerators(&self) -> BTreeSet<&str> {
        self.blocks
            .iter()
            .map(|block| block.target.accelerator.as_str())
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// Whether the cell measures what the kernel does: no control, no race between the application's own threads, and no script that
    /// closes the descriptor itself before or while select() has it (then EBADF is the application's doing, select(2)).
    pub(super) fn is_plain(&self) -> bool {
        self.cell().control.is_none() && self.cell().alert && !closes_its_descriptor(self.cell())
    }

    /// Whether libslirp terminates TCP between the peer and the target.
    pub(super) fn is_proxied(&self) -> bool {
        self.cell().subject.configuration.target.proxied()
    }

    pub(super) fn claims(&self, id: &str) -> bool {
        self.cell().claims.iter().any(|claim| claim == id)
    }

    /// `scenario parameter=value` for people.
    pub(super) fn subject(&self) -> String {
        let subject = &self.cell().subject;
        let parameters = subject.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{}", subject.scenario, parameters.collect::<String>())
    }

    /// Trials in which TCP_INFO said CLOSE right before the call: the RST had been processed.
    pub(super) fn rst_before_call(&self) -> u64 {
        self.tally.state_before.get(&TcpState::CLOSE.0).copied().unwrap_or(0)
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
        let of = |tally: &Tally| tally.counters.get("Tcp.OutRsts").copied().unwrap_or(0);
        u64::try_from(of(&self.tally) + of(&self.peer)).unwrap_or(0)
    }
}

fn closes_its_descriptor(cell: &Cell) -> bool {
    cell.subject.script.lanes_of(Side::Target).any(|lane| {
        let verdict = lane.steps.iter().position(|step| step.verdict).unwrap_or(lane.steps.len());
        lane.steps[..verdict].iter().any(|step| matches!(step.op, Op::Close { .. }))
    })
}

/// Sums every cell of the plan.
pub(super) fn measure(run: &Run) -> Vec<Measured<'_>> {
    run.record.cells.iter().map(|record| measure_cell(run, record)).collect()
}

fn measure_cell<'a>(run: &'a Run, record: &'a CellRecord) -> Measured<'a> {
    let planned: BTreeMap<&BlockId, u64> = run
        .record
        .blocks
        .iter()
        .filter(|block| block.cell == record.cell.id)
        // A plan may ask for more than can ever be played; what is void must still add up.
        .map(|block| (&block.id, block.trials.min(Tally::MOST)))
        .collect();
    let mut counted: BTreeMap<&BlockId, &BlockRecord> = BTreeMap::new();
    let mut tried = BTreeSet::new();
    let mut void_reasons: BTreeMap<String, u64> = BTreeMap::new();
    for block in run.blocks.iter().filter(|block| block.cell == record.cell.id) {
        let wanted = planned.get(&block.id).copied();
        tried.insert(&block.id);
        match usable(block, wanted) {
            Ok(()) => {
                counted.insert(&block.id, block);
            }
            // No trial of it has an outcome that counts, so all that were planned are void.
            Err(reason) => *void_reasons.entry(reason.in_table()).or_default() += wanted.unwrap_or(0),
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
    Measured { record, blocks, tally, peer, void_reasons, planned: planned.len(), unplayed }
}

/// Why a block does not count, if it does not.
fn usable(block: &BlockRecord, wanted: Option<u64>) -> Result<(), VoidReason> {
    match &block.status {
        BlockStatus::Void { reason } => return Err(reason.clone()),
        BlockStatus::Complete => {}
    }
    match wanted {
        None => Err(VoidReason::NotPlanned),
        Some(planned) if block.tally.trials > planned => {
            Err(VoidReason::MoreThanPlanned { trials: block.tally.trials, planned })
        }
        Some(_) => Ok(()),
    }
}

/// The figures of a cell.
pub(super) fn summarise(run: &Run, measured: &Measured<'_>, sight: &Sight, rules: Rules) -> CellSummary {
    let cell = measured.cell();
    let subject = &cell.subject;
    let tally = &measured.tally;
    let (status, reason) = status(measured, sight);
    let releases: BTreeSet<&str> = measured
        .blocks
        .iter()
        .filter_map(|block| block.target_hello.as_ref())
        .map(|hello| hello.kernel_release.as_str())
        .collect();
    let timed = if run.record.environment.rehearsed { BTreeMap::new() } else { quantiles(tally) };
    CellSummary {
        id: cell.id.0.clone(),
        scenario: subject.scenario.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        kernel_release: releases.into_iter().collect::<Vec<_>>().join(", "),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        accelerators: measured.accelerators().into_iter().map(str::to_owned).collect(),
        proxied: subject.configuration.target.proxied(),
        status,
        reason,
        trials: tally.trials,
        trials_wanted: cell.trials,
        void: measured.void(),
        void_reasons: measured.void_reasons.clone(),
        blocks: u32::try_from(measured.blocks.len()).unwrap_or(u32::MAX),
        origin: origins(&measured.blocks),
        returns: tally.returns.clone(),
        outcomes: tally.outcomes.clone(),
        rst_before_call: measured.rst_before_call(),
        rates: Question::ALL.iter().map(|q| (q.key().to_owned(), rate(q.count(tally), rules))).collect(),
        latency_ns: timed,
        anomalies: tally.anomalies,
        witness_rsts: measured.has_witness().then(|| measured.witness_rsts()),
        kernel_rsts: measured.kernel_rsts(),
        mechanisms: mechanisms(&measured.blocks),
        path_counters: path_counters(&measured.blocks),
        captures: measured.blocks.iter().flat_map(|block| block.captures.clone()).collect(),
    }
}

fn status(measured: &Measured<'_>, sight: &Sight) -> (CellStatus, String) {
    if let Some(reason) = &measured.record.skipped {
        return (CellStatus::Skipped, reason.clone());
    }
    let shortage = shortage(measured);
    // Without a trial there is no zero that could be mistaken for a finding.
    let blind = sight.blind_for_any(measured).filter(|_| measured.tally.trials > 0);
    match (blind, shortage) {
        (Some(blind), None) => (CellStatus::Blind, blind),
        (Some(blind), Some(short)) => (CellStatus::Blind, format!("{blind}; {short}")),
        (None, Some(short)) => (CellStatus::Short, short),
        (None, None) => (CellStatus::Complete, without_effect(measured)),
    }
}

/// The rules of the path of which the claim under test is that they do something, and which matched nothing: the runner made sure of that.
fn without_effect(measured: &Measured<'_>) -> String {
    let rules = measured.cell().subject.path.rules.iter().filter(|rule| rule.matches == Matches::Never);
    let said: Vec<String> = rules
        .map(|rule| {
            let matched = measured.path_counter(&format!("rule.{}", rule.name));
            let trials = count(measured.tally.trials);
            format!("rule {} matched {} packets in {trials} trials", rule.name, count(matched))
        })
        .collect();
    if said.is_empty() { String::new() } else { format!("fault had no effect: {}", said.join("; ")) }
}

fn mechanisms(blocks: &[&BlockRecord]) -> Vec<String> {
    let all: BTreeSet<&String> = blocks.iter().flat_map(|block| &block.path.mechanisms).collect();
    all.into_iter().cloned().collect()
}

/// What acted, summed over the blocks; and what a packet filter was to match, also where nothing did.
fn path_counters(blocks: &[&BlockRecord]) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, n) in blocks.iter().flat_map(|block| &block.path.counters) {
        if *n > 0 || name.starts_with("rule.") {
            *sums.entry(name.clone()).or_default() += n;
        }
    }
    sums
}

/// Why a cell has fewer trials than were asked for, if it has.
pub(super) fn shortage(measured: &Measured<'_>) -> Option<String> {
    let (trials, wanted) = (measured.tally.trials, measured.cell().trials);
    if trials >= wanted {
        return None;
    }
    let mut parts = vec![format!("{} of {} trials", count(trials), count(wanted))];
    if measured.unplayed > 0 {
        parts.push(format!("{} of {} not played", several(measured.unplayed, "block"), measured.planned));
    }
    let reasons = measured.void_reasons.iter().map(|(reason, n)| format!("{} void ({reason})", count(*n)));
    parts.extend(reasons);
    Some(parts.join(", "))
}

/// A share with its exact interval.
pub(super) fn rate(of: Count, rules: Rules) -> Rate {
    let interval = clopper_pearson(of, rules.confidence);
    Rate {
        count: of.hits(),
        n: of.trials(),
        low: interval.low,
        high: interval.high,
        confidence: rules.confidence.get(),
        method: "clopper-pearson".into(),
    }
}

fn origins(blocks: &[&BlockRecord]) -> OriginCounts {
    let mut origins = OriginCounts::default();
    for block in blocks {
        match block.target.origin {
            Some(Origin::Cold) => origins.cold += 1,
            Some(Origin::Restored) => origins.restored += 1,
            Some(Origin::Host) => origins.host += 1,
            None => {}
        }
    }
    origins
}

fn quantiles(tally: &Tally) -> BTreeMap<String, Quantiles> {
    let of = |(name, times): (&String, &rig_protocol::Histogram)| {
        let at = |share| times.quantile(share);
        (name.clone(), Quantiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: times.max })
    };
    tally.latency.iter().filter(|(_, times)| times.count > 0).map(of).collect()
}
