//! Published claims as data: what is claimed, by whom, which cells test it, and by which rule they decide it.
//!
//! Holds the files of `rig/claims/` and a user's own (`catalogue`), their reading (`read`, `rule`), what is asked of a file before it decides anything
//! (`check`), and each rule in words (`words`). Must not know a run: `analysis` judges. Units: shares of 1, nanoseconds.
//! Errors: diagnostics with file, line, column and hint; they blame the claim's file. Tests: `tests.rs`, `tests/golden/fair`, `tests/diagnostics.rs`.

mod catalogue;
mod cells;
mod check;
mod claim;
pub mod keys;
mod read;
mod reading;
mod rule;
mod selection;
mod words;

pub use catalogue::{Set, refuse_unknown};
pub use cells::{Cells, Words};
pub use claim::{Claim, Part, Prediction, Requirement, Source};
pub use rule::{Counter, Differs, Direction, Ends, Order, PerTrial, Returns, Rule, Said, Takes, What};
pub use words::{InWords, share};

#[cfg(test)]
mod tests;
