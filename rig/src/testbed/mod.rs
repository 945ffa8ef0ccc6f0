//! Effects on the host's network: namespaces, links, taps, witness. Nothing outside namespaces that it made itself.
//!
//! Must not know cells or guests. Units: as in `path`. Errors: `TestbedError`; it blames the host.
//! Tests: `tests/netns.rs` (root).
