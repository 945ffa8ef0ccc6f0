//! Pairs of cells, whichever two sides they have: what their sides and places are called.
//!
//! Must not judge, nor write a section. Units: none. Errors: none. Tests: `tests/golden/compared.rs`, `tests/golden/baseline.rs`.

use crate::analysis::model::{CellPair, KernelBaseline, RunComparison, Sides};

/// Pairs of cells as they are told, wherever they were made.
pub(in crate::report) struct Told<'c> {
    pub(in crate::report) pairs: &'c [CellPair],
    /// Where a pair was measured.
    pub(in crate::report) place: fn(&CellPair) -> String,
    /// What the first and the second cell are called at the head of a column.
    pub(super) sides: [&'c str; 2],
    /// What the heading of a section says of both.
    pub(super) against: String,
}

impl<'c> Told<'c> {
    /// Of two runs, or of two configurations.
    pub(super) fn of(compared: &'c RunComparison) -> Self {
        let place: fn(&CellPair) -> String = match compared.sides {
            Sides::Runs => |pair| pair.place(Sides::Runs),
            Sides::Configurations => |pair| pair.place(Sides::Configurations),
        };
        Self { pairs: &compared.pairs, place, sides: ["first", "second"], against: String::new() }
    }

    /// Of kernels with the baseline's.
    pub(in crate::report) fn of_kernels(baseline: &'c KernelBaseline) -> Self {
        Self {
            pairs: &baseline.pairs,
            place: |pair| format!("{}: {}", pair.second.kernel, pair.place_but_for_kernel()),
            sides: [&baseline.kernel, "this kernel"],
            against: format!(", other kernels against {}", baseline.kernel),
        }
    }
}
