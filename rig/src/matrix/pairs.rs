//! Which cells of a plan are compared: every guest's with the bare-metal cell of its stratum, on three questions.
//!
//! Pure. Must not know results. Units: trials, blocks, shares of 1. Errors: none. Tests: `decidable/tests.rs` of this room.

use std::collections::BTreeMap;

use rig_stats::{Confidence, Criteria, Design, Probability};

use super::cell::{Cell, Stratum};
use super::keys::file::ANY_ERROR;
use super::settings::Settings;

/// What is asked of every pair: how often the call failed with the one, with the other, with any errno.
pub const QUESTIONS: [&str; 3] = ["EBADF", "ENOENT", ANY_ERROR.name];

/// Two cells that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'c> {
    /// On bare metal.
    pub host: &'c Cell,
    /// In a guest.
    pub guest: &'c Cell,
}

/// The pairs of these cells, in their order. Controls are not compared, nor is the second cell of the A/A pair.
pub fn pairs<'c>(cells: impl Iterator<Item = &'c Cell> + Clone) -> Vec<Pair<'c>> {
    let compared = || cells.clone().filter(|cell| cell.control.is_none() && cell.repeats.is_none());
    let mut hosts: BTreeMap<Stratum<'_>, &Cell> = BTreeMap::new();
    for host in compared().filter(|cell| cell.is_baseline()) {
        hosts.entry(host.stratum()).or_insert(host);
    }
    let of_guest = |guest: &'c Cell| hosts.get(&guest.stratum()).map(|host| Pair { host, guest });
    compared().filter(|cell| !cell.is_baseline()).filter_map(of_guest).collect()
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
