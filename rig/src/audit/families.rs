//! How much boots differ, for the cells of each scenario and path.
//!
//! Must not compare. Units: ratios of variances, shares of 1. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::number::{Family, Tries};
use super::sums::Sums;

/// The families of a run, for one question.
pub(super) struct Families<'f> {
    of: BTreeMap<(&'f str, &'f str), Family>,
    alone: Family,
}

impl<'f> Families<'f> {
    /// Controls are no family.
    pub(super) fn of(cells: &[Cell<'f>], icc: f64, question: impl Fn(&Sums) -> Tries) -> Self {
        let mut blocks: BTreeMap<_, Vec<Vec<Tries>>> = BTreeMap::new();
        for cell in cells.iter().filter(|cell| !cell.is_control()) {
            blocks.entry(cell.family()).or_default().push(cell.by_block(&question));
        }
        let of = blocks.into_iter().map(|(key, cells)| (key, Family::of(&cells, icc))).collect();
        Self { of, alone: Family::of(&[], icc) }
    }

    pub(super) fn of_cell(&self, cell: &Cell<'f>) -> &Family {
        self.of.get(&cell.family()).unwrap_or(&self.alone)
    }
}

/// Of these cells alone.
pub(super) fn family_of(cells: &[&Cell<'_>], icc: f64, question: impl Fn(&Sums) -> Tries) -> Family {
    let blocks: Vec<Vec<Tries>> = cells.iter().map(|cell| cell.by_block(&question)).collect();
    Family::of(&blocks, icc)
}
