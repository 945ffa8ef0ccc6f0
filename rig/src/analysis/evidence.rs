//! What a judge may look at, and what it gives back.
//!
//! Holds the cells of one part of a claim. Must not know which claim it is, nor by which rule it is decided.
//! Units: as in the figures. Errors: none.
//! Tests: `tests/golden/claims.rs`, `tests/golden/fair`.

use rig_stats::{Count, Interval};

use crate::record::Run;
use crate::record::format::BlockRecord;

use super::blocks::{Family, by_boot, effect, estimate, of_blocks, of_cells};
use super::measured::Measured;
use super::model::{AaPair, Because, Bound, HypothesisVerdict, Missing};
use super::rules::Rules;

/// What a judge may look at.
#[derive(Clone)]
pub(super) struct Evidence<'a> {
    pub(super) run: &'a Run,
    /// The cells that may decide, all with trials.
    pub(super) cells: Vec<&'a Measured<'a>>,
    /// Cells that decide nothing here and that a reader should see beside the others.
    pub(super) beside: Vec<&'a Measured<'a>>,
    pub(super) again: Option<&'a AaPair>,
    pub(super) rules: Rules,
}

impl Evidence<'_> {
    /// All trials of the cells.
    pub(super) fn trials(&self) -> u64 {
        self.cells.iter().map(|cell| cell.tally.trials).sum()
    }

    /// The interval of a share over all its cells, at the confidence of the run: boots are its unit, and not trials.
    pub(super) fn bounds(&self, of: impl Fn(&BlockRecord) -> Count) -> Interval {
        self.bounds_of(&self.cells, of)
    }

    /// The same over some of them.
    pub(super) fn bounds_of(&self, cells: &[&Measured<'_>], of: impl Fn(&BlockRecord) -> Count) -> Interval {
        let cells_apart: Vec<Vec<Count>> = cells.iter().map(|cell| of_blocks(cell, &of)).collect();
        let family = Family::of(&cells_apart, self.rules);
        estimate(&by_boot(cells, of), &family, self.rules.confidence).judged
    }

    /// What is known of no trial.
    pub(super) fn nothing() -> Interval {
        Interval { low: 0.0, high: 1.0 }
    }

    /// How many trials without a hit, in blocks like these, show that a rate is not above `most`: the upper bound of none of n independent ones is
    /// 1 - (alpha/2)^(1/n) (Clopper and Pearson).
    pub(super) fn zeros_needed(&self, most: f64) -> Option<u64> {
        let blocks = of_cells(&self.cells, |tally| Count::new(0, tally.trials).unwrap_or(Count::NONE));
        let worth = effect(&blocks, true, &Family::of(&[], self.rules), self.rules.confidence).by;
        let needed = ((self.rules.alpha() / 2.0).ln() / (-most).ln_1p() * worth).ceil();
        (most > 0.0 && needed.is_finite() && needed < 1e15).then_some(needed as u64)
    }
}

/// A verdict and why.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) verdict: HypothesisVerdict,
    pub(super) because: Because,
    pub(super) trials: u64,
    pub(super) bound: Option<Bound>,
}

impl Finding {
    /// What was measured, in one sentence.
    pub(super) fn measured(verdict: HypothesisVerdict, said: String) -> Self {
        Self { verdict, because: Because::Measured(said), trials: 0, bound: None }
    }

    /// Of so many trials, with these bounds.
    pub(super) fn of(self, trials: u64, bound: Interval) -> Self {
        Self { trials, bound: Some(Bound { low: bound.low, high: bound.high }), ..self }
    }
}

impl From<Missing> for Finding {
    fn from(missing: Missing) -> Self {
        Self { verdict: HypothesisVerdict::Undecided, because: missing.into(), trials: 0, bound: None }
    }
}
