//! The scenario language: TOML file -> validated scenario -> compiled `rig_protocol::Script`, and its one-line text form.
//!
//! Must not know matrices or how steps are carried out. Units: nanoseconds inside, `5ms` outside.
//! Errors: diagnostics with file, line, column, label and hint; they blame the scenario file.
//! Tests: beside the modules; wrong files in `tests/diagnostics.rs`.
