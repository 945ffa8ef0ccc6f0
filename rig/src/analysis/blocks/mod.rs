//! What the blocks of cells allow to say: intervals and tests in which the boot is the unit, and not the trial.
//!
//! Trials of one boot share a kernel, its memory and its moment, so they may depend on each other: an interval that takes them as independent is too narrow as soon as
//! boots differ, however many trials there are. Holds which cells are a family, the estimate of one rate and the comparison of two. Must not know errnos or outcomes:
//! whoever asks says what a hit is. Units: shares of 1. Errors: none; what cannot be said has an interval that excludes nothing, and says why.
//! Tests: `tests/golden/boots.rs`; the arithmetic in `rig-stats`.

mod compare;
mod effect;
mod estimate;
mod family;
mod method;

use std::collections::BTreeMap;

use rig_protocol::Tally;
use rig_stats::Count;

use crate::record::format::BlockRecord;

use super::measured::Measured;

pub(super) use compare::{Compared, Sides, compare, is_of_trials_alone, judged};
pub(super) use effect::effect;
pub(super) use estimate::{Estimate, estimate, wider};
pub(super) use family::{Families, Family};
pub(super) use method::Method;

/// What is counted of the sums of a block, or of a cell.
pub(super) trait Counted: Fn(&Tally) -> Count {}

impl<F: Fn(&Tally) -> Count> Counted for F {}

/// The count of each block of a cell that counts and has a trial.
pub(super) fn of_cell(cell: &Measured<'_>, of: impl Counted) -> Vec<Count> {
    of_blocks(cell, |block| of(&block.tally))
}

/// The same, where more than the sums of the target is asked.
pub(super) fn of_blocks(cell: &Measured<'_>, of: impl Fn(&BlockRecord) -> Count) -> Vec<Count> {
    cell.blocks.iter().map(|block| of(block)).filter(|count| count.trials() > 0).collect()
}

/// The counts of several cells together, boot by boot: blocks of one boot are one count, whichever cells they are of.
pub(super) fn of_cells(cells: &[&Measured<'_>], of: impl Counted) -> Vec<Count> {
    by_boot(cells, |block| of(&block.tally))
}

/// The same, where more than the sums of the target is asked.
pub(super) fn by_boot(cells: &[&Measured<'_>], of: impl Fn(&BlockRecord) -> Count) -> Vec<Count> {
    let mut boots: BTreeMap<&str, Count> = BTreeMap::new();
    for block in cells.iter().flat_map(|cell| &cell.blocks) {
        let boot = boots.entry(boot_of(block)).or_insert(Count::NONE);
        *boot = boot.plus(of(block)).unwrap_or(*boot);
    }
    boots.into_values().filter(|count| count.trials() > 0).collect()
}

/// The boot that a block was played in; where it shared none, or had none, its own name.
pub(super) fn boot_of(block: &BlockRecord) -> &str {
    block.boot.as_ref().map_or(&block.id.0, |boot| &boot.name)
}

/// The sum; a part that would make it too large for a double is left out.
pub(super) fn sum(counts: &[Count]) -> Count {
    counts.iter().fold(Count::NONE, |sum, one| sum.plus(*one).unwrap_or(sum))
}
