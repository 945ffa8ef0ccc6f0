//! From matrix.toml to complete cells and a plan.
//!
//! Holds the resolution of axes, profiles, includes and excludes, filters, and the plan (ready or skipped, with reasons).
//! Must not know how anything is carried out. Units: as the keys say.
//! Errors: diagnostics with file, line, column, label and hint; they blame the file, flag or filter, all at once.
//! Tests: `tests.rs` and beside the modules; wrong files in `tests/diagnostics.rs`.

mod cell;
mod configuration;
mod expand;
mod file;
mod filter;
mod glob;
mod layer;
mod library;
mod path;
mod plan;
mod select;
#[cfg(test)]
mod tests;
mod verify;

pub use cell::{Cell, CellId, Control, HOST_KERNEL, Subject};
pub use file::{DEFAULT_FILE, Matrix};
pub use filter::Filter;
pub use glob::matches as glob_matches;
pub use path::reference as path_reference;
pub use plan::{Capability, Cost, Plan, PlannedCell, cost_of};
pub use select::{Selected, Selection, Settings};
