//! From matrix.toml to complete cells and a plan.
//!
//! Holds the spanned tree, the resolution of axes, includes and excludes, filters, and the plan (ready or skipped, with reasons).
//! Must not know how anything is carried out. Units: as the keys say.
//! Errors: diagnostics with file, line, column, label and hint; they blame the file, flag or filter, all at once.
//! Tests: beside the modules; wrong files in `tests/diagnostics.rs`.

mod cell;

pub use cell::{Cell, CellId, Control, HOST_KERNEL, Subject};
