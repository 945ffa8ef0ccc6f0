//! The plan: every cell ready or skipped with its reason, and what it will cost.

use std::time::Duration;

use rig_protocol::{Delay, Op, Script};

use super::cell::Cell;
use crate::configuration::{Accelerator, TargetSpec};

/// What this machine can do for a cell: the reason why it cannot be run here, or `None`.
pub type Capability<'c> = dyn Fn(&Cell) -> Option<String> + 'c;

/// A cell of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCell {
    /// The cell.
    pub cell: Cell,
    /// Why it is not run, if it is not.
    pub skipped: Option<String>,
}

/// Every cell that was asked for, in the order of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Ready or skipped; none is left out.
    pub cells: Vec<PlannedCell>,
}

impl Plan {
    /// Asks `capability` about every cell.
    pub fn make(cells: Vec<Cell>, capability: &Capability<'_>) -> Self {
        let cells = cells
            .into_iter()
            .map(|cell| {
                let skipped = capability(&cell);
                PlannedCell { cell, skipped }
            })
            .collect();
        Self { cells }
    }

    /// The cells that will be run.
    pub fn ready(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|planned| planned.skipped.is_none()).map(|planned| &planned.cell)
    }

    /// The cells that will not be run, with their reasons.
    pub fn skipped(&self) -> impl Iterator<Item = (&Cell, &str)> {
        self.cells.iter().filter_map(|planned| Some((&planned.cell, planned.skipped.as_deref()?)))
    }

    /// An estimate of what the ready cells cost, one block after the other. `auto` is what the accelerator `auto` stands for on
    /// this machine.
    pub fn cost(&self, auto: Accelerator) -> Cost {
        self.ready().fold(Cost::default(), |mut sum, cell| {
            sum.blocks += u64::from(cell.blocks);
            sum.trials += cell.trials;
            sum.time += cost_of(cell, auto);
            sum
        })
    }
}

/// Sums over the ready cells of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Blocks: guests booted, or namespaces made.
    pub blocks: u64,
    /// Trials.
    pub trials: u64,
    /// Estimate, for one block after the other.
    pub time: Duration,
}

/// What one kind of target costs. Rounded measurements on a machine with two cores; an estimate for the user's patience and
/// for nothing else.
struct Price {
    /// From nothing to the agent's hello, and back to nothing.
    block: Duration,
    /// Trials per second where nothing in the script waits.
    trials_per_second: f64,
}

const HOST: Price = Price { block: Duration::from_millis(500), trials_per_second: 4_000.0 };
const KVM: Price = Price { block: Duration::from_secs(4), trials_per_second: 2_500.0 };
const TCG: Price = Price { block: Duration::from_secs(8), trials_per_second: 500.0 };

fn price(cell: &Cell, auto: Accelerator) -> &'static Price {
    match &cell.subject.configuration.target {
        TargetSpec::Host => &HOST,
        TargetSpec::Qemu(spec) => {
            let accelerator = if spec.accelerator == Accelerator::Auto { auto } else { spec.accelerator };
            match accelerator {
                Accelerator::Kvm => &KVM,
                Accelerator::Tcg | Accelerator::Auto => &TCG,
            }
        }
    }
}

/// An estimate of the time that all blocks of a cell take.
pub fn cost_of(cell: &Cell, auto: Accelerator) -> Duration {
    let price = price(cell, auto);
    let blocks = cell.blocks.max(1);
    let per_block = cell.trials.div_ceil(u64::from(blocks));
    // Trials sleep side by side, `in_flight` at once.
    let waves = per_block.div_ceil(u64::from(cell.in_flight.max(1)));
    let waiting = typical_wait(&cell.subject.script).as_secs_f64() * waves as f64;
    let working = per_block as f64 / price.trials_per_second;
    let block = price.block.as_secs_f64() + waiting.max(working);
    Duration::from_secs_f64((block * f64::from(blocks)).min(1e9))
}

/// Trials that begin per second, where the file does not say how many are under way at once: what an emulated guest on a busy host
/// plays without dropping packets. More would measure overflowing queues; the same number on every configuration is what makes them comparable.
const BEGINNING_PER_SECOND: f64 = 200.0;

/// How many trials of a script are under way at once where nobody says so: [`BEGINNING_PER_SECOND`] for as long as one waits,
/// at least 8 (a closed loop that small cannot overload anything), at most 1,000.
pub(super) fn own_pace(script: &Script) -> u32 {
    (typical_wait(script).as_secs_f64() * BEGINNING_PER_SECOND).clamp(8.0, 1_000.0) as u32
}

/// How long one trial usually waits: its sleeps, and its select() timeouts only where a timeout is what is expected.
fn typical_wait(script: &Script) -> Duration {
    let times_out =
        script.expect.iter().any(|outcome| outcome == "timeout" || outcome.starts_with("timeout,"));
    let only = times_out && script.expect.len() == 1;
    script
        .lanes
        .iter()
        .map(|lane| {
            lane.steps
                .iter()
                .map(|step| match step.op {
                    Op::Sleep { duration } => mean(duration),
                    Op::Select { timeout, .. } if step.verdict && only => mean(timeout),
                    _ => Duration::ZERO,
                })
                .sum::<Duration>()
        })
        .max()
        .unwrap_or_default()
}

fn mean(delay: Delay) -> Duration {
    Duration::from_nanos(match delay {
        Delay::Fixed { ns } => ns,
        Delay::Uniform { low_ns, high_ns } => low_ns / 2 + high_ns / 2,
    })
}
