//! The network that benchmarks run on: a plain path, with a veth.
//!
//! Must not know what is measured on it. Units: bytes of MTU. Errors: [`TestbedError`]; it blames the host.
//! Tests: `tests/trouble/bench.rs` (root).

use crate::path::{Addressing, Mechanisms, PathSpec, TargetLink};
use crate::testbed::{Testbed, TestbedError};

/// As on an ordinary Ethernet.
pub(super) const MTU_BYTES: u32 = 1500;

/// A testbed with a plain path, whose target hangs on this link.
pub(super) fn plain(link: TargetLink) -> Result<Testbed, TestbedError> {
    let path = PathSpec::plain("bench", MTU_BYTES);
    Testbed::build(&path, Addressing::default(), link, &Mechanisms::all(), 0)
}
