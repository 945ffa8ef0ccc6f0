//! Which cells tell together how much boots differ.
//!
//! Two or three boots of one cell cannot tell it alone; the cells of one scenario and path can, as far as they have hits and misses. Holds the dispersion that they share.
//! Must not know what a hit is. Units: a ratio of variances, shares of 1. Errors: none. Tests: `tests/golden/boots.rs`.

use std::collections::BTreeMap;

use rig_stats::{Clustering, Count, Probability};

use super::super::measured::Measured;
use super::super::rules::Rules;
use super::{Counted, of_cell};

/// How much the blocks of a family of cells differ.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Family {
    /// Measured; none where no cell of the family has hits and misses in two blocks or more.
    pub(super) clustering: Option<Clustering>,
    /// The correlation of two trials of one block that bounds of what was never seen are stated for: the declared one, or the measured one if it is larger.
    pub(super) icc: Probability,
}

impl Family {
    /// Of the blocks of each of its cells.
    pub(in crate::analysis) fn of(cells: &[Vec<Count>], rules: Rules) -> Self {
        let clustering = Clustering::pooled(cells);
        let sizes: Vec<f64> = cells.iter().flatten().map(|block| block.trials() as f64).collect();
        let mean = sizes.iter().sum::<f64>() / sizes.len().max(1) as f64;
        let measured = clustering.map_or(0.0, |clustering| clustering.icc(mean));
        Self { clustering, icc: Probability::new(measured.max(rules.icc.get())).unwrap_or(rules.icc) }
    }

    /// Of these cells.
    pub(in crate::analysis) fn of_cells<'m, 'a: 'm>(
        cells: impl IntoIterator<Item = &'m Measured<'a>>,
        of: impl Counted,
        rules: Rules,
    ) -> Self {
        let blocks: Vec<Vec<Count>> = cells.into_iter().map(|cell| of_cell(cell, &of)).collect();
        Self::of(&blocks, rules)
    }

    /// The correlation of two trials of one block that bounds of what was never seen are stated for.
    pub(in crate::analysis) fn icc(&self) -> f64 {
        self.icc.get()
    }

    /// Variance between blocks over that of independent trials, and its degrees of freedom, where they tell it.
    pub(in crate::analysis) fn dispersion(&self) -> Option<(f64, f64)> {
        self.clustering.map(|clustering| (clustering.phi(), clustering.nu()))
    }
}

/// The families of a run for one question: the cells of one scenario and path, on bare metal and in guests together.
pub(in crate::analysis) struct Families<'a> {
    of: BTreeMap<(&'a str, &'a str), Family>,
    alone: Family,
}

impl<'a> Families<'a> {
    /// Controls are no family: how they end is known.
    pub(in crate::analysis) fn of(measured: &'a [Measured<'_>], of: impl Counted, rules: Rules) -> Self {
        let mut cells: BTreeMap<(&str, &str), Vec<Vec<Count>>> = BTreeMap::new();
        for cell in measured.iter().filter(|cell| cell.cell().control.is_none()) {
            cells.entry(cell.cell().family()).or_default().push(of_cell(cell, &of));
        }
        let of = cells.into_iter().map(|(key, cells)| (key, Family::of(&cells, rules))).collect();
        Self { of, alone: Family::of(&[], rules) }
    }

    /// That of a cell.
    pub(in crate::analysis) fn of_cell(&self, cell: &'a Measured<'_>) -> &Family {
        self.of.get(&cell.cell().family()).unwrap_or(&self.alone)
    }
}
