//! Dying together: the enclosure (a PID, mount and network namespace of our own) in which everything that rig starts lives and dies.
//!
//! Must not know what is started. Errors: `EnclosureError`; it blames missing privileges. Tests: `tests/netns.rs` (root).
