//! Which cells of a plan are compared: every guest's with the bare-metal cell of its stratum, and with that on the baseline's kernel, on three questions.
//!
//! Pure. Must not know results. Units: trials, blocks, shares of 1. Errors: none. Tests: `decidable/tests.rs` of this room.

use std::collections::BTreeMap;

use rig_stats::{Confidence, Criteria, Design, Probability};

use super::baseline::Baseline;
use super::cell::{ButForKernel, Cell, Stratum};
use super::keys::file::ANY_ERROR;
use super::settings::Settings;

/// What is asked of every pair: how often the call failed with the one, with the other, with any errno.
pub const QUESTIONS: [&str; 3] = ["EBADF", "ENOENT", ANY_ERROR.name];

/// Two cells that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'c> {
    /// What the other is compared with: on bare metal, or on the kernel of the baseline.
    pub first: &'c Cell,
    /// In a guest.
    pub second: &'c Cell,
}

/// The pairs of these cells, in their order. Controls are not compared, nor is the second cell of the A/A pair.
pub fn pairs<'c>(cells: impl Iterator<Item = &'c Cell> + Clone) -> Vec<Pair<'c>> {
    let mut hosts: BTreeMap<Stratum<'_>, &Cell> = BTreeMap::new();
    for host in compared(cells.clone()).filter(|cell| cell.is_baseline()) {
        hosts.entry(host.stratum()).or_insert(host);
    }
    let of_guest = |second: &'c Cell| hosts.get(&second.stratum()).map(|first| Pair { first, second });
    compared(cells).filter(|cell| !cell.is_baseline()).filter_map(of_guest).collect()
}

/// The cells on other kernels, each with the one on the baseline's kernel that differs from it in the kernel only; in their order.
pub fn kernel_pairs<'c>(cells: impl Iterator<Item = &'c Cell> + Clone, baseline: &Baseline) -> Vec<Pair<'c>> {
    let of_axis = |cell: &&Cell| cell.is_of_the_kernel_axis();
    let is_first = |cell: &&Cell| cell.subject.kernel == baseline.kernel();
    let firsts: BTreeMap<ButForKernel<'_>, &Cell> = compared(cells.clone())
        .filter(of_axis)
        .filter(is_first)
        .map(|cell| (cell.but_for_kernel(), cell))
        .collect();
    let of_other =
        |second: &'c Cell| firsts.get(&second.but_for_kernel()).map(|first| Pair { first, second });
    compared(cells).filter(of_axis).filter(|cell| !is_first(cell)).filter_map(of_other).collect()
}

fn compared<'c>(cells: impl Iterator<Item = &'c Cell>) -> impl Iterator<Item = &'c Cell> {
    cells.filter(|cell| cell.control.is_none() && cell.repeats.is_none())
}

/// Trials and blocks of a cell.
pub fn design(cell: &Cell) -> Design {
    Design { trials: cell.trials, blocks: cell.blocks }
}

impl Settings {
    /// By what a question is judged among so many comparisons: at the level of Holm's first step, which every difference must be able to pass.
    pub fn criteria(&self, question: &str, comparisons: usize) -> Criteria {
        let confidence = self.confidence();
        Criteria {
            level: confidence.alpha() / comparisons.max(1) as f64,
            confidence,
            margin: self.margin_of(question),
            icc: Probability::new(self.icc).expect("the file's fractions are between 0 and 1"),
        }
    }

    /// The margin of an errno by name, or of `any_error`.
    pub fn margin_of(&self, question: &str) -> f64 {
        self.margins.get(question).copied().unwrap_or(self.margin)
    }

    /// Of every interval.
    pub fn confidence(&self) -> Confidence {
        Confidence::new(self.confidence).expect("the file's fractions are between 0 and 1")
    }
}
