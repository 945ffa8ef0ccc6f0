//! What a judge may look at, and what it gives back.
//!
//! Holds the cells and comparisons of one claim. Must not know which claim it is, nor by which rule it is decided.
//! Units: as in the figures. Errors: none.
//! Tests: `tests/golden/claims.rs`.

use crate::configuration::Engine;
use crate::record::Run;

use super::controls::Sight;
use super::measured::Measured;
use super::model::{Because, Comparison, HypothesisVerdict, Missing, Question};
use super::rules::Rules;

/// What a judge may look at.
#[derive(Clone)]
pub(super) struct Evidence<'a> {
    pub(super) run: &'a Run,
    /// The plain cells of the claim that have trials. Proxied ones are left out: their guests never meet the peer's reset.
    pub(super) cells: Vec<&'a Measured<'a>>,
    /// Cells that decide nothing here and that a reader should see beside the others.
    pub(super) beside: Vec<&'a Measured<'a>>,
    pub(super) comparisons: Vec<&'a Comparison>,
    pub(super) sight: &'a Sight,
    pub(super) rules: Rules,
}

impl<'a> Evidence<'a> {
    /// The cells that could have seen it.
    pub(super) fn seeing(&self, question: Question) -> Vec<&'a Measured<'a>> {
        self.cells.iter().copied().filter(|cell| self.sight.blind_for(cell, question).is_none()).collect()
    }

    /// The cells whose blocks really ran on KVM.
    pub(super) fn on_kvm(&self) -> Vec<&'a Measured<'a>> {
        self.cells.iter().copied().filter(|cell| cell.ran_on(Engine::Kvm)).collect()
    }

    /// The same with other cells.
    pub(super) fn with(&self, cells: Vec<&'a Measured<'a>>) -> Self {
        Self { cells, ..self.clone() }
    }
}

/// A verdict and why.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) verdict: HypothesisVerdict,
    pub(super) because: Because,
}

impl Finding {
    /// What was measured, in one sentence.
    pub(super) fn measured(verdict: HypothesisVerdict, said: String) -> Self {
        Self { verdict, because: Because::Measured(said) }
    }

    /// The same verdict in a longer sentence.
    pub(super) fn reworded(self, reword: impl FnOnce(&Because) -> String) -> Self {
        Self::measured(self.verdict, reword(&self.because))
    }
}

impl From<Missing> for Finding {
    fn from(missing: Missing) -> Self {
        Self { verdict: HypothesisVerdict::Undecided, because: missing.into() }
    }
}
