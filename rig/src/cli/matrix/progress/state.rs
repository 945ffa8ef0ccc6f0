//! What is known of a run that goes on, and the lines that say it: for a terminal, or for a log that somebody reads later.
//!
//! Pure but for the clock that it reads. Must not know where its lines are written. Units: trials, seconds. Errors: none. Tests: below.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration};
use rig_protocol::{Progress, Returned};

use crate::cli::streams::Weight;
use crate::configuration::Accelerator;
use crate::event::{Event, Phase};
use crate::matrix::{Cell, CellId, Start, StopRule, cost_of_block};
use crate::record::format::{BlockId, BlockRecord, BlockStatus, PlannedBlock, RunRecord};
use crate::stopping::Met;

/// Who reads the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Reader {
    /// Somebody at a terminal, who sees the state beside them.
    #[default]
    Terminal,
    /// Whoever searches a log: each line of a block has its cell's id, and when the run will have ended.
    Log,
}

/// A line that is worth keeping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) weight: Weight,
    pub(super) line: String,
}

impl Said {
    fn progress(line: String) -> Self {
        Self { weight: Weight::Progress, line }
    }

    fn warning(line: String) -> Self {
        Self { weight: Weight::Warning, line }
    }
}

/// Everything that the table says; pure, so that it can be tested without a terminal.
#[derive(Debug, Default)]
pub(super) struct State {
    reader: Reader,
    cells: HashMap<CellId, Cell>,
    /// Blocks still to come, by cell.
    open: HashMap<CellId, HashSet<BlockId>>,
    /// Blocks that find the guest booted that another one before them needs, by the plan.
    in_booted: HashSet<BlockId>,
    pub(super) blocks_total: usize,
    pub(super) blocks_done: usize,
    trials_total: u64,
    trials_done: u64,
    void: u64,
    returns: BTreeMap<Returned, u64>,
    block: Option<(BlockId, CellId, u32)>,
    phase: Option<Phase>,
    under_way: Progress,
    block_trials: u64,
    /// Finished blocks by kind (guest or host): how long they took, and how long the plan thought. It corrects the plan's estimate of the rest.
    spent: HashMap<bool, Spent>,
    /// What `auto` stands for in the plan's estimate.
    accelerator: Option<Accelerator>,
    block_began: Option<Instant>,
    play_began: Option<Instant>,
}

/// What finished blocks took.
#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    really: Duration,
    by_plan: Duration,
}

impl Spent {
    /// Counts for the plan's estimate, whatever the first blocks say: one odd block at the beginning must not move the whole estimate.
    const TRUST: Duration = Duration::from_secs(20);

    /// What the plan's estimate is to be multiplied by.
    fn factor(self) -> f64 {
        let trust = Self::TRUST.as_secs_f64();
        (self.really.as_secs_f64() + trust) / (self.by_plan.as_secs_f64() + trust)
    }
}

impl State {
    pub(super) fn of(reader: Reader) -> Self {
        Self { reader, ..Self::default() }
    }

    /// Takes the event in; returns a line that is worth keeping on the screen.
    pub(super) fn consume(&mut self, event: &Event) -> Option<Said> {
        match event {
            Event::RunStarted { run, done } => Some(Said::progress(self.start(run, done))),
            Event::BlockStarted { block, attempt } => {
                self.block = Some((block.id.clone(), block.cell.clone(), *attempt));
                self.phase = None;
                self.under_way = Progress::default();
                self.block_trials = block.trials;
                self.block_began = Some(Instant::now());
                self.play_began = None;
                None
            }
            Event::BlockPhase { phase, .. } => {
                self.phase = Some(*phase);
                if *phase == Phase::Play {
                    self.play_began = Some(Instant::now());
                }
                None
            }
            Event::BlockProgress { progress, .. } => {
                self.under_way = progress.clone();
                None
            }
            Event::BlockFinished { record, again, .. } => Some(self.finish(record, *again)),
            Event::CellStopped { cell, rule, met, left_out } => {
                Some(self.leave_out(cell, rule, *met, left_out))
            }
            Event::Interrupted => Some(Said::warning(
                "interrupted: the block under way is given up, the record is complete up to here".to_owned(),
            )),
            Event::PacketsCaptured { .. } | Event::RunEnded { .. } => None,
        }
    }

    fn start(&mut self, run: &RunRecord, done: &[BlockRecord]) -> String {
        self.accelerator =
            Some(if run.environment.accelerator == "kvm" { Accelerator::Kvm } else { Accelerator::Tcg });
        self.cells = run.cells.iter().map(|record| (record.cell.id.clone(), record.cell.clone())).collect();
        for block in &run.blocks {
            self.open.entry(block.cell.clone()).or_default().insert(block.id.clone());
            self.trials_total = self.trials_total.saturating_add(block.trials);
        }
        let shares = |pair: &&[PlannedBlock]| pair[0].boot.is_some() && pair[0].boot == pair[1].boot;
        self.in_booted = run.blocks.windows(2).filter(shares).map(|pair| pair[1].id.clone()).collect();
        self.blocks_total = run.blocks.len();
        for record in done {
            if record.status == BlockStatus::Complete {
                self.close(record);
            }
        }
        let skipped = run.cells.iter().filter(|record| record.skipped.is_some()).count();
        format!(
            "run {}: {} cells ({skipped} skipped), {} blocks, {} trials{}",
            run.id,
            run.cells.len(),
            self.blocks_total,
            HumanCount(self.trials_total),
            if done.is_empty() {
                String::new()
            } else {
                format!("; {} blocks are done already", self.blocks_done)
            }
        )
    }

    fn close(&mut self, record: &BlockRecord) {
        let open = self.open.entry(record.cell.clone()).or_default();
        if open.remove(&record.id) {
            self.blocks_done += 1;
        }
        self.trials_done = self.trials_done.saturating_add(record.tally.trials);
        self.void = self.void.saturating_add(record.tally.void());
        add(&mut self.returns, &record.tally.returns);
    }

    fn finish(&mut self, record: &BlockRecord, again: bool) -> Said {
        let what = self.name(&record.cell);
        let took = self.block_began.map(|began| began.elapsed()).unwrap_or_default();
        let place = record.boot.as_ref().map_or(0, |boot| boot.place);
        let start = if place > 0 { Start::InBootedGuest } else { Start::FromNothing };
        let by_plan = self.cost(&record.cell, start).unwrap_or_default();
        let spent = self.spent.entry(self.is_guest(&record.cell)).or_default();
        spent.really = spent.really.saturating_add(took);
        spent.by_plan = spent.by_plan.saturating_add(by_plan);
        self.block = None;
        self.phase = None;
        self.under_way = Progress::default();
        match &record.status {
            BlockStatus::Complete => {
                self.close(record);
                let void = match record.tally.void() {
                    0 => String::new(),
                    n => format!(" ({n} void)"),
                };
                Said::progress(format!(
                    "{:>3}/{} {what}: {} trials{void} in {:.1} s: {}{}",
                    self.blocks_done,
                    self.blocks_total,
                    HumanCount(record.tally.trials),
                    took.as_secs_f64(),
                    returns(&record.tally.returns),
                    self.then(&record.cell)
                ))
            }
            BlockStatus::Aborted { reason } => Said::warning(format!(
                "STOPPED {what}: {reason}; it is played again when the run goes on{}",
                self.then(&record.cell)
            )),
            BlockStatus::Void { reason } => {
                if !again
                    && let Some(open) = self.open.get_mut(&record.cell)
                    && open.remove(&record.id)
                {
                    self.blocks_done += 1;
                }
                let then = if again { "will be tried again" } else { "the cell stays short" };
                Said::warning(format!("VOID    {what}: {reason}; {then}{}", self.then(&record.cell)))
            }
        }
    }

    /// A cell of which no further block is played.
    fn leave_out(&mut self, cell: &CellId, rule: &StopRule, met: Met, left_out: &[PlannedBlock]) -> Said {
        let open = self.open.entry(cell.clone()).or_default();
        for block in left_out.iter().filter(|block| open.remove(&block.id)) {
            self.blocks_total = self.blocks_total.saturating_sub(1);
            self.trials_total = self.trials_total.saturating_sub(block.trials);
        }
        Said::progress(format!(
            "stopped {}: {rule}, after {} trials; {} blocks are not needed",
            self.name(cell),
            HumanCount(met.trials),
            left_out.len()
        ))
    }

    /// A cell in the words of the plan; in a log its id, too, as the plan shows it and `rig guest boot` takes it.
    fn name(&self, cell: &CellId) -> String {
        let words = self.cells.get(cell).map(Cell::describe);
        match (self.reader, words) {
            (Reader::Log, Some(words)) => format!("{cell} {words}"),
            (Reader::Terminal, Some(words)) => words,
            (Reader::Log | Reader::Terminal, None) => cell.to_string(),
        }
    }

    /// What a log says at the end of a block: whether that was the cell's last, and when the run will have ended.
    fn then(&self, cell: &CellId) -> String {
        if self.reader == Reader::Terminal {
            return String::new();
        }
        let last = self.open.get(cell).is_some_and(HashSet::is_empty);
        let done = if last { "; that was the last block of this cell" } else { "" };
        let eta = match self.eta() {
            Some(eta) if self.blocks_done < self.blocks_total => format!("; ETA {}", HumanDuration(eta)),
            Some(_) | None => String::new(),
        };
        format!("{done}{eta}")
    }

    fn is_guest(&self, cell: &CellId) -> bool {
        self.cells.get(cell).is_some_and(|cell| !cell.is_baseline())
    }

    fn cells_done(&self) -> usize {
        self.open.values().filter(|blocks| blocks.is_empty()).count()
    }

    pub(super) fn total_line(&self) -> String {
        format!(
            "cells {}/{}  blocks {}/{}  trials {}/{}  ETA {}",
            self.cells_done(),
            self.open.len(),
            self.blocks_done,
            self.blocks_total,
            HumanCount(self.trials_done.saturating_add(self.under_way.trials)),
            HumanCount(self.trials_total),
            self.eta().map_or_else(|| "?".to_owned(), |eta| HumanDuration(eta).to_string()),
        )
    }

    pub(super) fn now_line(&self) -> String {
        let Some((_, cell, attempt)) = &self.block else { return "between blocks".into() };
        let what = self.name(cell);
        let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        match self.phase {
            Some(Phase::Play) => {
                let seconds = self.play_began.map_or(0.0, |began| began.elapsed().as_secs_f64());
                let rate = if seconds > 0.5 { self.under_way.trials as f64 / seconds } else { 0.0 };
                format!("{what}{again}: {}/{} trials, {rate:.0}/s", self.under_way.trials, self.block_trials)
            }
            Some(phase) => format!("{what}{again}: {}", phase.word()),
            None => format!("{what}{again}"),
        }
    }

    pub(super) fn counts_line(&self) -> String {
        let mut sums = self.returns.clone();
        add(&mut sums, &self.under_way.returns);
        let void = self.void.saturating_add(self.under_way.void());
        format!("call under test returned: {}; void {void}", returns(&sums))
    }

    /// What the plan thinks that a block of this cell takes.
    fn cost(&self, cell: &CellId, start: Start) -> Option<Duration> {
        Some(cost_of_block(self.cells.get(cell)?, self.accelerator?, start))
    }

    /// What this block takes as the plan estimates it, in seconds, corrected by how long finished blocks of the same kind really took.
    fn corrected(&self, block: &BlockId, cell: &CellId) -> Option<f64> {
        let start = if self.in_booted.contains(block) { Start::InBootedGuest } else { Start::FromNothing };
        let factor = self.spent.get(&self.is_guest(cell)).copied().unwrap_or_default().factor();
        Some(self.cost(cell, start)?.as_secs_f64() * factor)
    }

    /// How long the rest takes.
    fn eta(&self) -> Option<Duration> {
        let mut rest = 0.0;
        for (cell, blocks) in &self.open {
            for block in blocks {
                rest += self.corrected(block, cell)?;
            }
        }
        // A block that takes longer than it should does not eat up what the others need.
        let under_way = self.block.as_ref().zip(self.block_began).and_then(|((block, cell, _), began)| {
            Some(began.elapsed().as_secs_f64().min(self.corrected(block, cell)?))
        });
        Some(Duration::from_secs_f64((rest - under_way.unwrap_or(0.0)).clamp(0.0, 1e9)))
    }
}

/// A sum that is too large stays at the largest number: what a guest says of itself must not end the run that shows it.
fn add(sums: &mut BTreeMap<Returned, u64>, more: &BTreeMap<Returned, u64>) {
    for (returned, count) in more {
        let sum = sums.entry(*returned).or_default();
        *sum = sum.saturating_add(*count);
    }
}

fn returns(counts: &BTreeMap<Returned, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    counts.iter().map(|(key, count)| format!("{key} x {}", HumanCount(*count))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Matrix, Selection};

    fn cell() -> Cell {
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let cells = matrix.cells(&Selection::default()).expect("valid");
        cells.into_iter().find(|cell| !cell.is_baseline() && cell.subject.scenario == "fin").expect("shipped")
    }

    fn under_way() -> (State, PlannedBlock) {
        let cell = cell();
        let block = PlannedBlock::alone(BlockId("b-0".into()), cell.id.clone(), 1, 100);
        let mut state = State {
            accelerator: Some(Accelerator::Tcg),
            blocks_total: 2,
            trials_total: 200,
            ..State::default()
        };
        state.open.insert(cell.id.clone(), [block.id.clone(), BlockId("b-1".into())].into());
        state.cells.insert(cell.id.clone(), cell);
        (state, block)
    }

    #[test]
    fn a_block_shows_its_phase_its_trials_and_what_it_returned() {
        let (mut state, block) = under_way();
        assert_eq!(state.now_line(), "between blocks");
        assert!(state.eta().is_some(), "the plan's estimate serves before the first block is done");
        state.consume(&Event::BlockStarted { block: block.clone(), attempt: 2 });
        state.consume(&Event::BlockPhase { block: block.id.clone(), phase: Phase::Boot });
        assert!(state.now_line().ends_with("(attempt 2): boot"), "{}", state.now_line());
        state.consume(&Event::BlockPhase { block: block.id.clone(), phase: Phase::Play });
        let progress = Progress {
            trials: 40,
            voids: [("trial deadline".to_owned(), 3)].into(),
            returns: [(Returned::ONE, 40)].into(),
            ..Progress::default()
        };
        state.consume(&Event::BlockProgress { block: block.id, progress });
        assert!(state.now_line().contains("40/100 trials"), "{}", state.now_line());
        assert_eq!(state.counts_line(), "call under test returned: 1 x 40; void 3");
        assert!(
            state.total_line().starts_with("cells 0/1  blocks 0/2  trials 40/200  ETA "),
            "{}",
            state.total_line()
        );
    }

    fn finish(state: &mut State, block: &PlannedBlock, status: BlockStatus, again: bool) -> Said {
        state.consume(&Event::BlockStarted { block: block.clone(), attempt: 1 });
        let mut record = BlockRecord::new(block.id.clone(), block.cell.clone(), 1);
        record.status = status;
        record.tally.trials = block.trials;
        record.tally.returns = [(Returned::ONE, block.trials)].into();
        let finished = Event::BlockFinished { record: Box::new(record), trials: vec![], again };
        state.consume(&finished).expect("the end of a block is worth a line")
    }

    #[test]
    fn in_a_log_every_line_of_a_block_has_its_cell_and_when_the_run_will_have_ended() {
        let (state, block) = under_way();
        let (id, mut state) = (block.cell.to_string(), State { reader: Reader::Log, ..state });
        let void = BlockStatus::Void { reason: crate::record::VoidReason::Late { within_s: 5 } };
        let again = finish(&mut state, &block, void.clone(), true);
        assert_eq!(again.weight, Weight::Warning);
        assert!(
            again.line.contains(&id) && again.line.contains("will be tried again; ETA "),
            "{}",
            again.line
        );
        state.consume(&Event::BlockStarted { block: block.clone(), attempt: 2 });
        state.consume(&Event::BlockPhase { block: block.id.clone(), phase: Phase::Play });
        assert!(
            state.now_line().contains(&id) && state.total_line().contains("ETA "),
            "{}",
            state.now_line()
        );
        let first = finish(&mut state, &block, BlockStatus::Complete, false);
        assert_eq!(first.weight, Weight::Progress);
        let begin = format!("  1/2 {id} fin ");
        assert!(first.line.starts_with(&begin) && first.line.contains(": 1 x 100; ETA "), "{}", first.line);
        assert!(!first.line.contains("last block"), "{}", first.line);
        let second = PlannedBlock { id: BlockId("b-1".into()), ..block };
        let last = finish(&mut state, &second, void, false).line;
        assert!(last.ends_with("the cell stays short; that was the last block of this cell"), "{last}");
        assert!(last.contains(&id), "{last}");
    }

    #[test]
    fn on_a_terminal_the_state_beside_a_line_says_the_rest() {
        let (mut state, block) = under_way();
        let line = finish(&mut state, &block, BlockStatus::Complete, false).line;
        assert!(!line.contains(&block.cell.0) && line.ends_with(": 1 x 100"), "{line}");
    }

    #[test]
    fn numbers_at_their_limit_are_shown_and_end_nothing() {
        let (mut state, block) = under_way();
        let claim = Progress {
            trials: u64::MAX,
            voids: [("trial deadline".to_owned(), u64::MAX)].into(),
            returns: [(Returned::ONE, u64::MAX)].into(),
            ..Progress::default()
        };
        state.trials_done = 7;
        state.void = 7;
        state.returns = [(Returned::ONE, 7)].into();
        state.consume(&Event::BlockStarted { block: block.clone(), attempt: 1 });
        state.consume(&Event::BlockPhase { block: block.id.clone(), phase: Phase::Play });
        state.consume(&Event::BlockProgress { block: block.id, progress: claim });
        let most = "18,446,744,073,709,551,615";
        assert!(state.total_line().contains(&format!("trials {most}/200")), "{}", state.total_line());
        assert!(state.now_line().contains("18446744073709551615/100 trials"), "{}", state.now_line());
        assert_eq!(
            state.counts_line(),
            format!("call under test returned: 1 x {most}; void 18446744073709551615")
        );
    }

    #[test]
    fn the_estimate_is_the_plans_and_one_odd_block_moves_it_little() {
        let (mut state, block) = under_way();
        let whole = |state: &State| state.eta().expect("planned").as_secs_f64();
        let each = state.cost(&block.cell, Start::FromNothing).expect("planned").as_secs_f64();
        assert!((whole(&state) - 2.0 * each).abs() < 0.01, "{} {each}", whole(&state));
        // The first block took no time at all; the second is still to come.
        state.consume(&Event::BlockStarted { block: block.clone(), attempt: 1 });
        let record = BlockRecord::new(block.id.clone(), block.cell.clone(), 1);
        state.consume(&Event::BlockFinished { record: Box::new(record), trials: vec![], again: false });
        assert!(whole(&state) > 0.5 * each && whole(&state) < each, "{} {each}", whole(&state));
        // So many blocks that nothing is left of the plan's word.
        state.spent.insert(
            true,
            Spent { really: Duration::from_secs(3_000_000), by_plan: Duration::from_secs(1_000_000) },
        );
        assert!((whole(&state) / each - 3.0).abs() < 0.01, "{}", whole(&state));
        // A block that takes too long takes nothing from the others.
        state.block = Some((block.id.clone(), block.cell.clone(), 1));
        state.block_began = Instant::now().checked_sub(Duration::from_secs(3_600));
        state.open.entry(block.cell.clone()).or_default().insert(BlockId("b-2".into()));
        assert!((whole(&state) / each - 3.0).abs() < 0.01, "{}", whole(&state));
    }

    #[test]
    fn a_block_that_finds_its_guest_booted_costs_no_boot() {
        let (mut state, block) = under_way();
        let whole = |state: &State| state.eta().expect("planned").as_secs_f64();
        let apart = whole(&state);
        let each = |start| state.cost(&block.cell, start).expect("planned").as_secs_f64();
        let boot = each(Start::FromNothing) - each(Start::InBootedGuest);
        state.in_booted = [BlockId("b-1".into())].into();
        assert!(boot > 0.0 && (apart - whole(&state) - boot).abs() < 0.01, "{apart} {}", whole(&state));
    }

    #[test]
    fn nothing_counted_says_so() {
        assert_eq!(State::default().counts_line(), "call under test returned: none; void 0");
    }
}
