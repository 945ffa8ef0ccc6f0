//! A program of the user's as the client of a scenario: its keys, what they mean together, its script, its outcomes, its text.
//!
//! Holds what the language says of it, one module each. Must not know what a program consists of on disk, nor how it is started or watched.
//! Units: as the keys say. Errors: findings and [`Wrong`](crate::document::Wrong); they blame the scenario file or a parameter's value.
//! Tests: `tests.rs` beside this file, `tests/diagnostics.rs`.

pub(super) mod check;
mod files;
pub(super) mod fill;
pub(super) mod outcome;
pub(super) mod peer;
pub(super) mod read;
pub(super) mod text;
mod value;

pub use files::{ProgramFiles, ProgramKey};

#[cfg(test)]
mod tests;
