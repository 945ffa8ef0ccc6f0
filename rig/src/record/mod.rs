//! A run on disk: layout, format, writer, reader.
//!
//! Holds the versioned shape of `results/<run-id>/`; must not know statistics or rendering.
//! Units: in the keys. Errors: `RecordError`; it blames the disk or the files, and it stops a run.
//! Tests: beside the modules.

pub mod format;
