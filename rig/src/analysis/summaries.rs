//! The figures of a cell.
//!
//! Holds rates, quantiles, and how a cell ended and why. Must not know other cells; which errno it cannot see, it is told.
//! Units: counts, shares of 1, nanoseconds. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rig_protocol::{Tally, TcpState};

use crate::path::{Matches, PathCounter};
use crate::record::Run;
use crate::record::format::{BlockRecord, BlockStatus, Origin};
use crate::stopping::Stopping;

use super::blocks::Families;
use super::controls::Sight;
use super::expectation;
use super::measured::Measured;
use super::model::{
    CellReason, CellStatus, CellStop, CellSummary, IdleRule, NotCounted, NotCountedBecause, OriginCounts,
    Quantiles, Question, Rate,
};
use super::order::{self, Planned};
use super::rates::rate;
use super::rules::Rules;
use super::sources;
use super::stopped;

/// What the figures of a cell need of the rest of the run.
pub(super) struct Told<'a> {
    /// How much blocks differ, for each of [`Question::ALL`].
    pub(super) families: &'a [Families<'a>; Question::ALL.len()],
    pub(super) sight: &'a Sight,
    pub(super) stopping: &'a Stopping,
    pub(super) rules: Rules,
}

/// The figures of all cells.
pub(super) fn summarise_all(run: &Run, measured: &[Measured<'_>], told: &Told<'_>) -> Vec<CellSummary> {
    let planned = order::planned(run);
    measured.iter().map(|cell| summarise(run, cell, &planned, told)).collect()
}

/// The figures of a cell.
fn summarise(run: &Run, measured: &Measured<'_>, planned: &Planned<'_>, told: &Told<'_>) -> CellSummary {
    let Told { sight, stopping, rules, .. } = told;
    let rules = *rules;
    let cell = measured.cell();
    let subject = &cell.subject;
    let tally = &measured.tally;
    let cell_stop = stopped::summarise(measured, stopping, rules);
    let (status, reason) = status(measured, sight, cell_stop.as_ref());
    let timed = if run.record.environment.rehearsed { BTreeMap::new() } else { quantiles(tally) };
    CellSummary {
        id: cell.id.0.clone(),
        scenario: subject.scenario.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        kernel_release: releases(measured),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        accelerators: measured.accelerators().into_iter().map(str::to_owned).collect(),
        proxied: subject.configuration.target.proxied(),
        status,
        reason,
        lack: measured.record.lack.clone(),
        trials: tally.trials,
        trials_wanted: cell.trials,
        void: measured.void(),
        void_reasons: measured.void_reasons.clone(),
        blocks: u32::try_from(measured.blocks.len()).unwrap_or(u32::MAX),
        started: measured.blocks.iter().filter_map(|block| begin(block)).min().map(in_words),
        elapsed_ns: measured.blocks.iter().fold(0, |sum, block| block.elapsed_ns.saturating_add(sum)),
        origin: origins(&measured.blocks),
        returns: tally.returns.clone(),
        unreturned: tally.unreturned,
        outcomes: tally.outcomes.clone(),
        expectation: expectation::of(measured, rules),
        peer_outcomes: measured.peer.outcomes.clone(),
        peer_expectation: expectation::of_peer(measured, rules),
        rst_before_call: measured.rst_before_call(),
        rates: rates(measured, told),
        latency_ns: timed,
        anomalies: tally.anomalies,
        witness_rsts: measured.has_witness().then(|| measured.witness_rsts()),
        kernel_rsts: measured.kernel_rsts(),
        mechanisms: mechanisms(&measured.blocks),
        path_counters: path_counters(&measured.blocks),
        outcomes_by_state: outcomes_by_state(tally),
        errno_seen: sources::seen(tally),
        order: order::summarise(measured, planned),
        cell_stop,
        not_counted: not_counted(measured),
        captures: measured.blocks.iter().flat_map(|block| block.captures.clone()).collect(),
    }
}

/// A moment as it stands in records, to the millisecond.
fn in_words(moment: Timestamp) -> String {
    format!("{moment:.3}")
}

/// When a block began; none where its file does not tell it.
fn begin(block: &BlockRecord) -> Option<Timestamp> {
    block.started.parse().ok()
}

/// When the last of these blocks ended.
pub(super) fn ended(blocks: &[BlockRecord]) -> Option<String> {
    let end = |block: &BlockRecord| {
        begin(block)?.checked_add(std::time::Duration::from_nanos(block.elapsed_ns)).ok()
    };
    blocks.iter().filter_map(end).max().map(in_words)
}

/// `uname -r` of its blocks' targets.
pub(super) fn releases(measured: &Measured<'_>) -> String {
    let hellos = measured.blocks.iter().filter_map(|block| block.target_hello.as_ref());
    let releases: BTreeSet<&str> = hellos.map(|hello| hello.kernel_release.as_str()).collect();
    releases.into_iter().collect::<Vec<_>>().join(", ")
}

fn rates(
    measured: &Measured<'_>,
    Told { families, sight, rules, .. }: &Told<'_>,
) -> BTreeMap<Question, Rate> {
    let of = |(question, families): (Question, &Families<'_>)| {
        (question, rate(&[measured], question, families.of_cell(measured), sight, *rules))
    };
    Question::ALL.into_iter().zip(families.iter()).map(of).collect()
}

pub(super) fn outcomes_by_state(tally: &Tally) -> BTreeMap<String, BTreeMap<String, u64>> {
    let named =
        |(state, outcomes): (&u8, &BTreeMap<String, u64>)| (TcpState(*state).to_string(), outcomes.clone());
    tally.outcomes_by_state.iter().map(named).collect()
}

fn not_counted(measured: &Measured<'_>) -> Vec<NotCounted> {
    let mut sums: BTreeMap<NotCountedBecause, (u32, Tally)> = BTreeMap::new();
    for block in &measured.not_counted {
        let because = match block.status {
            BlockStatus::Aborted { .. } => NotCountedBecause::Aborted,
            BlockStatus::Void { .. } | BlockStatus::Complete => NotCountedBecause::Void,
        };
        let (attempts, tally) = sums.entry(because).or_default();
        *attempts += 1;
        tally.absorb(&block.tally);
    }
    let summary = |(because, (attempts, tally)): (NotCountedBecause, (u32, Tally))| NotCounted {
        because,
        attempts,
        trials: tally.trials,
        returns: tally.returns,
        outcomes: tally.outcomes,
    };
    sums.into_iter().map(summary).collect()
}

fn status(
    measured: &Measured<'_>,
    sight: &Sight,
    stop: Option<&CellStop>,
) -> (CellStatus, Option<CellReason>) {
    if let Some(reason) = &measured.record.skipped {
        return (CellStatus::Skipped, Some(CellReason::Skipped(reason.clone())));
    }
    let short = measured.shortage();
    // Without a trial there is no zero that could be mistaken for a finding.
    let why = if measured.tally.trials > 0 { sight.blind_for_any(measured) } else { Vec::new() };
    match short {
        short if !why.is_empty() => (CellStatus::Blind, Some(CellReason::Blind { why, short })),
        Some(short) => (CellStatus::Short, Some(CellReason::Short(short))),
        None => {
            let stopped = || stop.cloned().map(CellReason::Stopped);
            (CellStatus::Complete, without_effect(measured).or_else(stopped))
        }
    }
}

/// The rules of the path of which the claim under test is that they do something, and which matched nothing: the runner made sure of that.
fn without_effect(measured: &Measured<'_>) -> Option<CellReason> {
    let rules = measured.cell().subject.path.rules.iter().filter(|rule| rule.matches == Matches::Never);
    let idle: Vec<IdleRule> = rules
        .map(|rule| IdleRule {
            name: rule.name.clone(),
            matched: measured.path_counter(&PathCounter::Rule(rule.name.clone())),
            trials: measured.tally.trials,
        })
        .collect();
    (!idle.is_empty()).then_some(CellReason::WithoutEffect(idle))
}

pub(super) fn mechanisms(blocks: &[&BlockRecord]) -> Vec<String> {
    let all: BTreeSet<&String> = blocks.iter().flat_map(|block| &block.path.mechanisms).collect();
    all.into_iter().cloned().collect()
}

/// What acted, summed over the blocks; and what a packet filter was to match, also where nothing did.
pub(super) fn path_counters(blocks: &[&BlockRecord]) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (name, n) in blocks.iter().flat_map(|block| &block.path.counters) {
        if *n > 0 || PathCounter::is_of_rule(name) {
            *sums.entry(name.clone()).or_default() += n;
        }
    }
    sums
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

pub(super) fn quantiles(tally: &Tally) -> BTreeMap<String, Quantiles> {
    let of = |(name, times): (&String, &rig_protocol::Histogram)| {
        let at = |share| times.quantile(share);
        (name.clone(), Quantiles { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: times.max })
    };
    tally.latency.iter().filter(|(_, times)| times.count > 0).map(of).collect()
}
