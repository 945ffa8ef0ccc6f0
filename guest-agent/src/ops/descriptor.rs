//! Descriptors as numbers: closing them (also twice) and asking whether they are valid.
//!
//! Holds close and F_GETFD; must not remember what is open.
//! Units: none. Errors: none, `-errno` is what was seen.
//! Source: close(2), fcntl(2). Tests: `tests/loopback.rs` (closed descriptor, double close).

pub(super) use crate::sys::files::{close, descriptor_flags as check};
