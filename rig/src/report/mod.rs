//! Rendering of a report: one file per format.
//!
//! Pure: model in, text out. Must not compute a number. Errors: none. Tests: golden reports.
