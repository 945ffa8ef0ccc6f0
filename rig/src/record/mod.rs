//! A run on disk: layout, format, writer, reader.
//!
//! Holds the versioned shape of `results/<run-id>/`; must not know statistics or rendering.
//! Units: in the keys. Errors: [`RecordError`]; it blames the disk or the files, and it stops a run.
//! Tests: `tests/golden/{record,chain,damage,hostile,kept,travel}.rs`, and beside the modules.

mod archive;
mod contradiction;
mod decode;
mod entry;
mod error;
mod export;
mod folder;
pub mod format;
mod id;
mod journal;
mod layout;
mod merge;
mod names;
mod packed;
mod parts;
mod reader;
mod removal;
mod run_file;
mod verify;
mod void_reason;
mod wire;
mod writer;

pub use entry::{JournalEntry, JournalLine};
pub use error::RecordError;
pub use export::export;
pub use folder::Folder;
pub use journal::NOT_ENDED;
pub use layout::Layout;
pub use merge::{MergeError, Merged, Together, merge};
pub use packed::{Packed, in_page, pack};
pub use parts::MissingShard;
pub use reader::{Found, Reader, Run, Trials, find, find_to_resume, list};
pub use removal::{Removable, is_being_written, removable, size, sweep};
pub use void_reason::{Endpoint, NicLoss, Part, Risen, VoidReason};
pub use wire::{Seen, segments};
pub use writer::Writer;
