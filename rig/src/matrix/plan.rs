//! The plan: every cell ready or skipped with its reason, and what it will cost.
//!
//! Pure: what a host lacks is told. Must not know how a lack is found. Units: trials, blocks; times are estimates.
//! Errors: none. Tests: `tests.rs` of this room.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cell::Cell;
use super::pace::typical_wait;
use super::rounds::{rounds, rounds_of};
use super::sharing::shares_boot;
use crate::configuration::{Accelerator, Lack, TargetSpec};

/// A cell of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCell {
    /// The cell.
    pub cell: Cell,
    /// Why it is not run, if it is not.
    pub skipped: Option<Lack>,
}

/// Every cell that was asked for, in the order of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Ready or skipped; none is left out.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// Asks for every cell what of it this machine lacks.
    pub fn make(cells: Vec<Cell>, lack: &dyn Fn(&Cell) -> Option<Lack>) -> Self {
        let cells = cells
            .into_iter()
            .map(|cell| {
                let skipped = lack(&cell);
                PlannedCell { cell, skipped }
            })
            .collect();
        Self { cells }
    }

    /// Adds the A/A pair: the cell of the first guest that can be played here (of bare metal, where there is none) that measures what the kernel does, over
    /// a path that does nothing where there is such a one, is planned a second time. The two are the same but for their name, so a difference between
    /// them is one that the instrument makes.
    #[must_use]
    pub fn with_again(mut self) -> Self {
        let cells: Vec<&Cell> = self.ready().filter(|cell| cell.is_plain()).collect();
        // A guest behind a proxy ends as the proxy's timing has it: two of them differ, and the instrument has no part in it.
        let is_guest = |cell: &&&Cell| !cell.is_baseline() && !cell.subject.configuration.target.proxied();
        let host = || cells.iter().find(|cell| cell.is_baseline());
        let guest = cells.iter().find(is_guest).or_else(host).or(cells.first());
        let of_place = |cell: &&&Cell| {
            guest.is_some_and(|guest| guest.subject.configuration == cell.subject.configuration)
        };
        let candidates = || cells.iter().filter(of_place);
        let chosen = candidates().find(|cell| cell.subject.path.is_plain()).or(candidates().next());
        if let Some(cell) = chosen {
            let again = cell.again(self.free_name(&cell.subject.configuration.name));
            self.cells.push(PlannedCell { cell: again, skipped: None });
        }
        self
    }

    /// `NAME-again`, or the first like it that no configuration of the plan has.
    fn free_name(&self, name: &str) -> String {
        let names =
            std::iter::once(format!("{name}-again")).chain((2..).map(|n| format!("{name}-again-{n}")));
        let is_free =
            |name: &String| self.cells.iter().all(|planned| planned.cell.subject.configuration.name != *name);
        names.into_iter().find(is_free).unwrap_or_default()
    }

    /// The cells that will be run.
    pub fn ready(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|planned| planned.skipped.is_none()).map(|planned| &planned.cell)
    }

    /// The cells that will not be run, with their reasons.
    pub fn skipped(&self) -> impl Iterator<Item = (&Cell, &Lack)> {
        self.cells.iter().filter_map(|planned| Some((&planned.cell, planned.skipped.as_ref()?)))
    }

    /// An estimate of what the ready cells cost, one block after the other. `auto` is what the accelerator `auto` stands for on
    /// this machine. Which blocks of the cells with few of them meet in a round depends on a run's seed: the boots are those of seed 0.
    pub fn cost(&self, auto: Accelerator) -> Cost {
        let rounds = rounds(self.ready());
        let mut booted = BTreeSet::new();
        let mut sum = Cost::default();
        for cell in self.ready() {
            sum.trials = sum.trials.saturating_add(cell.trials);
            let key = shares_boot(cell);
            for round in rounds_of(cell, rounds, 0) {
                let start = match &key {
                    Ok(key) if !booted.insert((round, key.clone())) => Start::InBootedGuest,
                    Ok(_) | Err(_) => Start::FromNothing,
                };
                sum.blocks = sum.blocks.saturating_add(1);
                sum.boots = sum.boots.saturating_add(guests(cell, start));
                sum.time = sum.time.saturating_add(cost_of_block(cell, auto, start));
            }
        }
        sum
    }
}

/// Sums over the ready cells of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blocks.
    pub blocks: u64,
    /// Guests that are booted for them, where none has to be booted anew: fewer than blocks, because cells share boots.
    pub boots: u64,
    /// Trials.
    pub trials: u64,
    /// Estimate, for one block after the other.
    pub time: Duration,
}

/// What one kind of target costs. Rounded measurements on a machine with two cores; an estimate for the user's patience and
/// for nothing else.
struct Price {
    /// From nothing to a guest that is ready, and its end.
    boot: Duration,
    /// From there to the agent's hello, and back.
    block: Duration,
    /// Trials per second where nothing in the script waits.
    trials_per_second: f64,
}

const HOST: Price =
    Price { boot: Duration::ZERO, block: Duration::from_millis(500), trials_per_second: 4_000.0 };
const KVM: Price =
    Price { boot: Duration::from_secs(3), block: Duration::from_secs(1), trials_per_second: 2_500.0 };
const TCG: Price =
    Price { boot: Duration::from_secs(6), block: Duration::from_secs(2), trials_per_second: 500.0 };

/// A trial that is a process, with its loader and its witness, costs as much as so many trials of a few calls: rounded, as the others.
const PROCESS_PRICE: f64 = 20.0;

fn price(cell: &Cell, auto: Accelerator) -> &'static Price {
    match &cell.subject.configuration.target {
        TargetSpec::Host(_) => &HOST,
        TargetSpec::Qemu(spec) => {
            let accelerator = if spec.accelerator == Accelerator::Auto { auto } else { spec.accelerator };
            match accelerator {
                Accelerator::Kvm => &KVM,
                Accelerator::Tcg | Accelerator::Auto => &TCG,
            }
        }
    }
}

/// What a block begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The network, and the guest where it has one.
    FromNothing,
    /// The network; its guest has been booted for another block.
    InBootedGuest,
}

/// Guests that are booted for a block: a peer may be one, too.
fn guests(cell: &Cell, start: Start) -> u64 {
    match (&cell.subject.configuration.target, start) {
        (TargetSpec::Host(_), _) | (TargetSpec::Qemu(_), Start::InBootedGuest) => 0,
        (target @ TargetSpec::Qemu(_), Start::FromNothing) => 1 + u64::from(target.is_paired()),
    }
}

/// An estimate of the time that all blocks of a cell take where none shares its boot.
pub fn cost_of(cell: &Cell, auto: Accelerator) -> Duration {
    cost_of_block(cell, auto, Start::FromNothing).saturating_mul(cell.blocks.max(1))
}

/// An estimate of the time that one block of a cell takes.
pub fn cost_of_block(cell: &Cell, auto: Accelerator, start: Start) -> Duration {
    let price = price(cell, auto);
    let per_block = cell.trials.div_ceil(u64::from(cell.blocks.max(1)));
    // Trials sleep side by side, `in_flight` at once.
    let waves = per_block.div_ceil(u64::from(cell.in_flight.max(1)));
    let waiting = typical_wait(&cell.subject.script).as_secs_f64() * waves as f64;
    let slower = if cell.subject.script.program.is_some() { PROCESS_PRICE } else { 1.0 };
    let working = per_block as f64 * slower / price.trials_per_second;
    let boot = match start {
        Start::FromNothing => price.boot,
        Start::InBootedGuest => Duration::ZERO,
    };
    let block = (boot + price.block).as_secs_f64() + waiting.max(working);
    Duration::from_secs_f64(block.min(1e9))
}
