//! Links and middleboxes between target and peer: what they mean, and which network operations make them.
//!
//! Pure. Must not know namespaces, netlink or processes; the testbed carries the operations out.
//! Units: nanoseconds, bits per second, shares of 1. Errors: diagnostics that blame the matrix file.
//! Tests: beside each module.

mod compile;
mod ops;
mod spec;

pub use compile::{PathError, compile};
pub use ops::{LinkEnd, NetOp, NetOps, Place, Presence, TargetLink};
pub use spec::{Addressing, PathSpec};
