//! A run on disk: layout, format, writer, reader.
//!
//! Holds the versioned shape of `results/<run-id>/`; must not know statistics or rendering.
//! Units: in the keys. Errors: [`RecordError`]; it blames the disk or the files, and it stops a run.
//! Tests: `tests/golden/record.rs`, and beside the modules.

mod contradiction;
mod error;
pub mod format;
mod journal;
mod layout;
mod reader;
mod void_reason;
mod writer;

pub use error::RecordError;
pub use layout::Layout;
pub use reader::{Reader, Run, Trials, find, list};
pub use void_reason::{Endpoint, NicLoss, Part, Risen, VoidReason};
pub use writer::Writer;
