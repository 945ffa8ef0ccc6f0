//! The claims about select(), resets and their neighbours that scenarios name by id.
//!
//! Holds one row per claim: its id, its statement, the cells that test it, the rule that decides it (`table.rs`). Must not know a run.
//! Units: as stated. Errors: none; an id that no row has is a claim that this rig does not know.
//! Tests: `tests.rs` here (every row means cells that the shipped matrix makes), `tests/golden/claims.rs`.

mod claim;
mod table;

use crate::matrix::Cell;

pub(super) use claim::Claim;
pub use claim::{At, Source, StatedClaim};

use table::CLAIMS;

/// Every claim, by id.
pub fn stated() -> impl Iterator<Item = StatedClaim> {
    CLAIMS.iter().map(Claim::stated)
}

/// The claim with this id.
pub(super) fn find(id: &str) -> Option<&'static Claim> {
    CLAIMS.binary_search_by_key(&id, |claim| claim.id).ok().map(|index| &CLAIMS[index])
}

/// Whether a cell tests a claim: its scenario names it, and where the claim is about a path, it is that path.
pub(super) fn tests(cell: &Cell, id: &str) -> bool {
    cell.claims.iter().any(|claim| claim == id) && find(id).is_none_or(|claim| claim.is_about(cell))
}

/// Whether a cell plays the base program: the one whose failure is what everything is about.
pub(super) fn is_of_the_base_program(cell: &Cell) -> bool {
    cell.claims.iter().any(|id| find(id).is_some_and(|claim| claim.base))
}

#[cfg(test)]
mod tests;
