//! Whether a cell needs no further block: the run's rule, applied to the blocks that are complete.
//!
//! The runner asks after each block, the report once more: the same blocks in the same order give the same answer, so whoever has the record can recompute it. Pure. Must
//! not know who plays, nor words for people. Units: shares of 1, trials. Errors: none; a rule that can never be met stops nothing. Tests: beside the module.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Errno, Tally};
use rig_stats::{
    Confidence, Count, HalfAtom, Interval, Probability, anytime_difference, anytime_interval, anytime_p,
};

use crate::matrix::{CellId, StopRule, kernel_pairs, pairs};
use crate::record::format::{
    BlockId, BlockRecord, BlockStatus, CellRecord, Judgement, PlannedBlock, RunRecord,
};

/// The errnos by which cells are compared: their names, as `margins` spells them.
const COMPARED: [&str; 3] = ["EBADF", "ENOENT", ANY];
const ANY: &str = "any_error";

/// When a cell's rule was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    /// Trials of its blocks until then.
    pub trials: u64,
    /// Those blocks.
    pub blocks: u32,
}

/// The rule of a run, and what each cell has so far.
#[derive(Debug, Clone)]
pub struct Stopping {
    rule: Option<StopRule>,
    judgement: Judgement,
    confidence: Confidence,
    icc: Probability,
    /// Comparisons that the run can make, so that a difference that stops a cell passes the correction for all of them.
    comparisons: usize,
    cells: BTreeMap<CellId, State>,
    /// Every cell that is compared, by the one that it is compared with: virtual cells with their bare-metal cell, and cells on other kernels with that on the baseline's.
    compared: BTreeMap<CellId, Vec<CellId>>,
    /// Of a run that was merged: each part by its own blocks, for each stopped by itself.
    parts: Vec<Part>,
}

/// A part of a merged run: its rule saw no block of the others.
#[derive(Debug, Clone)]
struct Part {
    stopping: Stopping,
    /// How many blocks it was to play of each cell.
    planned: BTreeMap<CellId, usize>,
}

impl Part {
    /// When it needed no more of a cell: its rule was met, or it had played all. Nothing where it has no block of it.
    fn done(&self, cell: &CellId) -> Option<Option<Met>> {
        let planned = *self.planned.get(cell)?;
        let state = self.stopping.cells.get(cell)?;
        let all = Met {
            trials: state.blocks.iter().map(|block| block.trials).sum(),
            blocks: u32::try_from(state.blocks.len()).unwrap_or(u32::MAX),
        };
        Some(state.met.or((state.blocks.len() >= planned).then_some(all)))
    }
}

/// A cell that may stop.
#[derive(Debug, Clone, Default)]
struct State {
    blocks: Vec<Tallied>,
    known: BTreeSet<BlockId>,
    /// Only of a rule of a rate below a bound.
    evidence: Option<HalfAtom>,
    met: Option<Met>,
}

/// What is known of a block.
#[derive(Debug, Clone, Copy)]
struct Tallied {
    trials: u64,
    /// In the order of [`COMPARED`], and that of the rule's errno.
    counts: [Count; COMPARED.len() + 1],
}

/// What an interval that holds at every look says of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Looked {
    /// Of the difference, second minus first.
    pub interval: Interval,
    /// Of no difference.
    pub p_value: f64,
}

impl Looked {
    /// Of the blocks of a first and a second cell. Tightest for differences about as large as `margin`, a share of 1.
    pub fn of(
        (first, second): (&[Count], &[Count]),
        margin: f64,
        icc: Probability,
        confidence: Confidence,
    ) -> Self {
        let scale = scale_of(margin);
        Self {
            interval: anytime_difference(first, second, scale, icc, confidence),
            p_value: anytime_p(first, second, scale, icc),
        }
    }
}

/// A part of a merged run by its own blocks.
fn stopping_of(part: &str, run: &RunRecord, blocks: &[&BlockRecord]) -> Part {
    let own: Vec<&PlannedBlock> = run.blocks.iter().filter(|block| run.source_of(block) == part).collect();
    let mut planned: BTreeMap<CellId, usize> = BTreeMap::new();
    own.iter().for_each(|block| *planned.entry(block.cell.clone()).or_default() += 1);
    let names: BTreeSet<&BlockId> = own.iter().map(|block| &block.id).collect();
    let mut stopping = Stopping::of(run);
    for block in blocks.iter().filter(|block| names.contains(&block.id)) {
        stopping.note(block);
    }
    Part { stopping, planned }
}

impl Stopping {
    /// Before the first block. Cells that were skipped and controls never stop.
    pub fn of(run: &RunRecord) -> Self {
        let judgement = run.judgement.clone();
        let confidence = Confidence::new(judgement.confidence).or(Confidence::new(0.95));
        let icc = judgement.icc.and_then(Probability::new).or(Probability::new(Judgement::ICC));
        let (confidence, icc) = confidence.zip(icc).expect("the fallbacks are in their ranges");
        let evidence = match &judgement.stop {
            Some(StopRule::Below { below, .. }) => {
                Probability::new(*below).and_then(|below| HalfAtom::new(below, icc))
            }
            _ => None,
        };
        let played =
            || run.cells.iter().filter(|record| record.skipped.is_none() && record.cell.control.is_none());
        let state = |record: &CellRecord| {
            (record.cell.id.clone(), State { evidence: evidence.clone(), ..State::default() })
        };
        let mut compared: BTreeMap<CellId, Vec<CellId>> = BTreeMap::new();
        let cells = || played().map(|record| &record.cell);
        let of_kernels = judgement.baseline.as_ref().map(|baseline| kernel_pairs(cells(), baseline));
        let of_host = pairs(cells());
        for pair in of_host.iter().chain(of_kernels.iter().flatten()) {
            compared.entry(pair.first.id.clone()).or_default().push(pair.second.id.clone());
        }
        Self {
            rule: judgement.stop.clone(),
            judgement,
            confidence,
            icc,
            // Those of kernels are corrected for one another only: each kind passes the level of the larger one.
            comparisons: of_host.len().max(of_kernels.map_or(0, |of| of.len())) * COMPARED.len(),
            cells: played().map(state).collect(),
            compared,
            parts: Vec::new(),
        }
    }

    /// The same after these blocks, in the order in which they were begun.
    pub fn after<'a>(run: &RunRecord, blocks: impl IntoIterator<Item = &'a BlockRecord>) -> Self {
        let mut stopping = Self::of(run);
        let mut blocks: Vec<&BlockRecord> = blocks.into_iter().collect();
        blocks.sort_by(|a, b| a.started.cmp(&b.started));
        for block in &blocks {
            stopping.note(block);
        }
        if stopping.rule.is_some() {
            stopping.parts = run.parts.iter().map(|part| stopping_of(&part.id, run, &blocks)).collect();
        }
        stopping
    }

    /// Takes a block in; the cells whose rule is met by it. Only a complete block counts, and once.
    pub fn note(&mut self, block: &BlockRecord) -> Vec<CellId> {
        let (Some(rule), BlockStatus::Complete) = (self.rule.clone(), &block.status) else { return vec![] };
        let tallied = tallied(&block.tally, &rule);
        let Some(state) = self.cells.get_mut(&block.cell) else { return vec![] };
        if !state.known.insert(block.id.clone()) {
            return vec![];
        }
        state.blocks.push(tallied);
        if let Some(evidence) = &mut state.evidence {
            evidence.observe(tallied.counts[COMPARED.len()]);
        }
        let mut met = self.now_met(&block.cell, &rule);
        met.retain(|cell| self.cells.get(cell).is_some_and(|state| state.met.is_none()));
        for cell in &met {
            let state = self.cells.get_mut(cell).expect("it was just there");
            let trials = state.blocks.iter().map(|block| block.trials).sum();
            let blocks = u32::try_from(state.blocks.len()).unwrap_or(u32::MAX);
            state.met = Some(Met { trials, blocks });
        }
        met
    }

    /// When the rule of this cell was met, if it was. In a merged run: in every part that plays it, or else the part has played it whole; not where all have.
    pub fn met(&self, cell: &CellId) -> Option<Met> {
        let own = self.cells.get(cell)?.met;
        if self.parts.is_empty() {
            return own;
        }
        if !self.was_stopped(cell) {
            return None;
        }
        let of_parts = self.parts.iter().filter_map(|part| part.done(cell));
        of_parts.reduce(|a, b| {
            let (a, b) = a.zip(b)?;
            Some(Met { trials: a.trials + b.trials, blocks: a.blocks + b.blocks })
        })?
    }

    /// Whether somebody looked at the cell after every block and stopped when its rule was met: then intervals must hold at every look.
    pub fn was_stopped(&self, cell: &CellId) -> bool {
        let met = |of: &Self| of.cells.get(cell).is_some_and(|state| state.met.is_some());
        if self.parts.is_empty() { met(self) } else { self.parts.iter().any(|part| met(&part.stopping)) }
    }

    /// The rule.
    pub fn rule(&self) -> Option<&StopRule> {
        self.rule.as_ref()
    }

    /// The errno whose share the rule is about, and an interval of that share in this cell that holds at every look. `None` of a rule on differences.
    pub fn share(&self, cell: &CellId) -> Option<(&str, Interval)> {
        let (errno, scale) = match self.rule.as_ref()? {
            StopRule::Below { errno, below } => (errno, *below),
            StopRule::Width { errno, width } => (errno, *width),
            StopRule::Decided { .. } => return None,
        };
        let counts = self.counts(cell, COMPARED.len())?;
        Some((errno, anytime_interval(&counts, scale_of(scale), self.icc, self.confidence)))
    }

    /// What can be said of an errno (by its name) in two cells at every look. `None` where it is none by which cells are compared, or a cell has no blocks.
    pub fn looked(&self, (metal, virtual_): (&CellId, &CellId), errno: &str) -> Option<Looked> {
        let place = COMPARED.iter().position(|name| *name == errno)?;
        let (metal, virtual_) = (self.counts(metal, place)?, self.counts(virtual_, place)?);
        Some(Looked::of((&metal, &virtual_), self.margin(errno), self.icc, self.confidence))
    }

    fn margin(&self, errno: &str) -> f64 {
        self.judgement.margins.get(errno).copied().unwrap_or(self.judgement.margin).abs()
    }

    fn counts(&self, cell: &CellId, place: usize) -> Option<Vec<Count>> {
        let blocks = &self.cells.get(cell)?.blocks;
        (!blocks.is_empty()).then(|| blocks.iter().map(|block| block.counts[place]).collect())
    }

    /// The cells whose rule holds after a block of this one.
    fn now_met(&self, cell: &CellId, rule: &StopRule) -> Vec<CellId> {
        let holds = match rule {
            StopRule::Below { .. } => {
                let evidence = self.cells.get(cell).and_then(|state| state.evidence.as_ref());
                evidence.is_some_and(|evidence| evidence.shows(self.confidence.alpha()))
            }
            StopRule::Width { width, .. } => {
                self.share(cell).is_some_and(|(_, interval)| interval.high - interval.low <= *width)
            }
            StopRule::Decided { errno } => return self.now_decided(cell, errno.as_deref()),
        };
        if holds { vec![cell.clone()] } else { vec![] }
    }

    /// The cells of this one's comparisons that are decided in all that they are compared with, and whose own followers are.
    fn now_decided(&self, cell: &CellId, errno: Option<&str>) -> Vec<CellId> {
        let groups = self.compared.iter().filter(|(first, group)| cell == *first || group.contains(cell));
        let touched: BTreeSet<&CellId> = groups
            .flat_map(|(first, group)| {
                group.iter().filter(move |one| cell == first || cell == *one).chain([first])
            })
            .collect();
        let mut now: Vec<CellId> = Vec::new();
        // A cell that others are compared with follows when they have: once more for each kind of comparison.
        loop {
            let is_met = |one: &CellId| self.met(one).is_some() || now.contains(one);
            let follows = |one: &CellId| self.compared.get(one).is_none_or(|group| group.iter().all(is_met));
            let is_decided = |one: &CellId| {
                let mut firsts = self.compared.iter().filter(|(_, group)| group.contains(one));
                firsts.all(|(first, _)| self.is_decided((first, one), errno))
            };
            let next = touched.iter().find(|one| !is_met(one) && follows(one) && is_decided(one));
            match next {
                Some(next) => now.push((*next).clone()),
                None => return now,
            }
        }
    }

    /// Whether two cells differ or are the same, by each errno: a difference at the level of one of all comparisons, as the correction asks at most.
    fn is_decided(&self, pair: (&CellId, &CellId), errno: Option<&str>) -> bool {
        let each = self.confidence.for_each_of(self.comparisons).alpha();
        let decided = |name: &&str| {
            let margin = self.margin(name);
            self.looked(pair, name).is_some_and(|looked| {
                looked.interval.within(margin) || !looked.interval.contains(0.0) && looked.p_value <= each
            })
        };
        COMPARED.iter().filter(|name| errno.is_none_or(|errno| errno == **name)).all(decided)
    }
}

/// What a mixture is tightest for; not 0, where there is none.
fn scale_of(share: f64) -> Probability {
    Probability::new(share.clamp(1e-12, 1.0)).expect("it is clamped")
}

fn tallied(tally: &Tally, rule: &StopRule) -> Tallied {
    let count = |errno: &str| {
        let hits = match errno.parse::<Errno>() {
            _ if errno == ANY => tally.returned_any_errno(),
            Ok(errno) => tally.returned(errno),
            Err(()) => return Count::NONE,
        };
        Count::new(hits, tally.returned_calls()).unwrap_or(Count::NONE)
    };
    let asked = match rule {
        StopRule::Below { errno, .. } | StopRule::Width { errno, .. } => errno,
        StopRule::Decided { .. } => ANY,
    };
    let [ebadf, enoent, any] = COMPARED.map(count);
    Tallied { trials: tally.trials, counts: [ebadf, enoent, any, count(asked)] }
}

#[cfg(test)]
mod tests;
