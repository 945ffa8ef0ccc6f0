//! What the comparisons of a plan can show, before anything is played: the smallest rise, whether "the same" can be shown, the bounds where nothing is seen, and what
//! a wanted bound costs.
//!
//! Pure. Must not know results. Units: trials, blocks, shares of 1, estimated times. Errors: none; what no number of trials does is `None`.
//! Tests: `power_plan/tests.rs` of this room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rig_stats::power::Shift;
use rig_stats::{Confidence, Design, Probability, Unseen, least_shown, shows_same, unseen, unseen_blocks};

use super::cell::{Cell, CellId};
use super::pairs::{Pair, QUESTIONS, design, kernel_pairs, pairs};
use super::plan::{Plan, cost_of};
use super::settings::Settings;
use crate::configuration::Accelerator;

#[cfg(test)]
mod tests;

/// The probability for which the smallest rise is told.
pub const POWER: f64 = 0.8;

/// One-sided: a run without a hit shows so surely that a rate has fallen.
const SHOWS_A_FIX: f64 = 0.95;

/// What is asked of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wanted {
    /// The upper bound that a cell without a hit is to have at the declared `icc`, a share of 1; `None`: the margin.
    pub bound: Option<f64>,
    /// An observed rate, a share of 1, whose fall is to be shown.
    pub fix: Option<f64>,
}

/// What the comparisons of a plan can show.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPower {
    /// How many there are: three questions of each pair.
    pub comparisons: usize,
    /// The level at which the first of them is shown: alpha over their number.
    pub level: f64,
    /// Those that can show the same, together.
    pub groups: Vec<Alike>,
    /// What shows that an observed rate has fallen, by size of the blocks.
    pub fixes: Vec<Fix>,
}

/// Comparisons with the same numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Alike {
    /// The questions: errno names, `any_error`.
    pub questions: Vec<&'static str>,
    /// Ids of the guests' cells and of those that they are compared with.
    pub pairs: Vec<(CellId, CellId)>,
    /// Names of their scenarios.
    pub scenarios: BTreeSet<String>,
    /// Of the cell that the guest's is compared with: on bare metal, or on the baseline's kernel.
    pub host: Design,
    /// Of the guest's cell.
    pub guest: Design,
    /// The largest difference that does not matter.
    pub margin: f64,
    /// The smallest rise over a rate of 0 that is shown with probability [`POWER`] at the level of all comparisons; `None` where not even a rise to 1 is.
    pub rise: Option<f64>,
    /// Whether two rates of 0 are shown to be the same.
    pub same: bool,
    /// Upper bounds of the guest's rate where nothing is seen.
    pub at_most: Unseen,
    /// What the wanted bound takes.
    pub bound: Bound,
}

/// What an upper bound takes where nothing is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The bound, a share of 1.
    pub below: f64,
    /// Trials and blocks of one cell, with blocks as large as planned; `None` where no number of them does.
    pub size: Option<Design>,
    /// An estimate for all cells of the group, one block after the other.
    pub time: Option<Duration>,
}

/// What shows that an observed rate has fallen: a run without a hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    /// Trials of a block.
    pub block_size: u64,
    /// Trials and blocks.
    pub size: Option<Design>,
}

/// Trials and blocks of which, without a hit, it is shown at 95 % that a rate lies below `rate`: if it still were `rate`, no hit in so many trials would have a chance of at most
/// 5 % at the declared `icc` (the rule of three against the rate itself).
pub fn shows_a_fix(rate: f64, block_size: u64, icc: Probability) -> Option<Design> {
    let two_sided = Confidence::new(2.0 * SHOWS_A_FIX - 1.0).expect("between 0 and 1");
    unseen_blocks(block_size.max(1), rate, icc, two_sided)
}

impl PlannedPower {
    /// Of the ready cells of a plan, with those on bare metal. `auto` is what the accelerator `auto` stands for.
    pub fn of(plan: &Plan, settings: &Settings, wanted: Wanted, auto: Accelerator) -> Self {
        let of_pairs = Self::of_pairs(&pairs(plan.ready()), settings, wanted, auto);
        let fix = |rate| fixes(plan, settings, rate);
        Self { fixes: wanted.fix.map(fix).unwrap_or_default(), ..of_pairs }
    }

    /// The same of the ready cells on other kernels, with those on the baseline's; nothing without one. What shows that a rate has fallen does not depend on pairs.
    pub fn of_kernels(plan: &Plan, settings: &Settings, wanted: Wanted, auto: Accelerator) -> Option<Self> {
        let baseline = settings.baseline.as_ref()?;
        Some(Self::of_pairs(&kernel_pairs(plan.ready(), baseline), settings, wanted, auto))
    }

    fn of_pairs(pairs: &[Pair<'_>], settings: &Settings, wanted: Wanted, auto: Accelerator) -> Self {
        let comparisons = pairs.len() * QUESTIONS.len();
        let mut groups: Vec<Alike> = Vec::new();
        let mut cells: Vec<Vec<Pair<'_>>> = Vec::new();
        for question in QUESTIONS {
            let margin = settings.margin_of(question);
            for pair in pairs {
                let (host, guest) = (design(pair.first), design(pair.second));
                let same = |group: &Alike| {
                    (group.host, group.guest, group.margin.to_bits()) == (host, guest, margin.to_bits())
                };
                let at = groups.iter().position(same).unwrap_or_else(|| {
                    groups.push(Alike::new(question, (host, guest), settings, comparisons, wanted.bound));
                    cells.push(Vec::new());
                    groups.len() - 1
                });
                if groups[at].questions.last() != Some(&question) {
                    groups[at].questions.push(question);
                }
                if groups[at].questions.len() == 1 {
                    groups[at].pairs.push((pair.second.id.clone(), pair.first.id.clone()));
                    groups[at].scenarios.insert(pair.second.subject.scenario.clone());
                    cells[at].push(*pair);
                }
            }
        }
        for (group, pairs) in groups.iter_mut().zip(&cells) {
            group.bound.time = group.bound.size.map(|size| time_of(pairs, size, auto));
        }
        let level = settings.criteria(QUESTIONS[0], comparisons).level;
        Self { comparisons, level, groups, fixes: Vec::new() }
    }
}

/// What shows that a rate has fallen, for every size of the plan's blocks.
fn fixes(plan: &Plan, settings: &Settings, rate: f64) -> Vec<Fix> {
    let icc = settings.criteria(QUESTIONS[0], 1).icc;
    let measured = plan.ready().filter(|cell| cell.control.is_none());
    let sizes: BTreeSet<u64> = measured.map(|cell| design(cell).block_size() as u64).collect();
    sizes.into_iter().map(|block_size| Fix { block_size, size: shows_a_fix(rate, block_size, icc) }).collect()
}

impl Alike {
    fn new(
        question: &'static str,
        (host, guest): (Design, Design),
        settings: &Settings,
        comparisons: usize,
        bound: Option<f64>,
    ) -> Self {
        let criteria = settings.criteria(question, comparisons);
        let none = Probability::new(0.0).expect("a share");
        let rise = least_shown(host, guest, none, &criteria, POWER).map(Shift::size);
        let below = bound.unwrap_or(criteria.margin);
        let block_size = (guest.block_size() as u64).max(1);
        Self {
            questions: vec![question],
            pairs: Vec::new(),
            scenarios: BTreeSet::new(),
            host,
            guest,
            margin: criteria.margin,
            rise,
            same: shows_same(host, guest, &criteria),
            at_most: unseen(&guest.block_sizes(), criteria.icc, criteria.confidence),
            bound: Bound {
                below,
                size: unseen_blocks(block_size, below, criteria.icc, criteria.confidence),
                time: None,
            },
        }
    }
}

/// What the cells of these pairs take, each once, with so many trials in so many blocks.
fn time_of(pairs: &[Pair<'_>], size: Design, auto: Accelerator) -> Duration {
    let cells: BTreeMap<&CellId, &Cell> =
        pairs.iter().flat_map(|pair| [pair.first, pair.second]).map(|cell| (&cell.id, cell)).collect();
    let of = |cell: &Cell| cost_of(&Cell { trials: size.trials, blocks: size.blocks, ..cell.clone() }, auto);
    cells.into_values().map(of).fold(Duration::ZERO, Duration::saturating_add)
}
