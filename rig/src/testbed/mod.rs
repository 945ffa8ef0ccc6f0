//! Effects on the host's network: namespaces, links, taps, witness. Nothing outside namespaces that it made itself.
//!
//! Must not know cells or guests. Units: as in `path`. Errors: [`TestbedError`]; it blames the host.
//! All of it is held by descriptors of this process: no names under /run/netns, no bind mounts, so nothing can be left behind.
//! Tests: `tests/netns.rs` (root).

mod apply;
mod error;
mod namespace;
pub mod probe;
mod sysctl;
mod tap;
mod witness;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

pub use error::TestbedError;
pub use namespace::Namespace;
pub use sysctl::sysctls;
pub use witness::{RstCounts, Witness};

pub use crate::path::{Addressing, NetOps, PathSpec, Place, TargetLink};

/// The network of one block: three namespaces and the links between them. Dropping it, or any end of the process, removes all.
///
/// QEMU always runs in the `target` namespace, so that the ports that it forwards for the control connection are on that namespace's
/// loopback and control never crosses the measured path.
#[derive(Debug)]
pub struct Testbed {
    switch: Namespace,
    peer: Namespace,
    target: Namespace,
    ops: NetOps,
    taps: Vec<OwnedFd>,
    build_time: Duration,
}

impl Testbed {
    /// Makes the network of `path`, with the target connected by `link`. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`TestbedError`]; what was made until then is gone again.
    pub fn build(path: &PathSpec, addressing: Addressing, link: TargetLink) -> Result<Self, TestbedError> {
        let begin = Instant::now();
        let ops = crate::path::compile(path, addressing, link)?;
        let [switch, peer, target] = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
        let taps = apply::apply(&ops, &|at| match at {
            Place::Switch => &switch,
            Place::Peer => &peer,
            Place::Target => &target,
        })?;
        Ok(Self { switch, peer, target, ops, taps, build_time: begin.elapsed() })
    }

    /// The namespace at `at`.
    pub fn namespace(&self, at: Place) -> &Namespace {
        match at {
            Place::Switch => &self.switch,
            Place::Peer => &self.peer,
            Place::Target => &self.target,
        }
    }

    /// Where the peer's agent runs.
    pub fn peer(&self) -> &Namespace {
        &self.peer
    }

    /// Where the bare-metal agent or QEMU runs.
    pub fn target(&self) -> &Namespace {
        &self.target
    }

    /// The tap's descriptors, one per queue, close-on-exec; empty without a tap, and at the second call. The tap lives as long as any
    /// of them (or a copy of them in QEMU) is open: close ours once QEMU has started, and it goes with QEMU.
    pub fn take_taps(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.taps)
    }

    /// Starts the witness on the interface next to the target.
    ///
    /// # Errors
    /// [`TestbedError::Witness`]
    pub fn start_witness(&self) -> Result<Witness, TestbedError> {
        Witness::start(self.namespace(self.ops.next_to_target.at), &self.ops.next_to_target.name)
    }

    /// The operations that made it, for the record.
    pub fn ops(&self) -> &NetOps {
        &self.ops
    }

    /// How long it took to make.
    pub fn build_time(&self) -> Duration {
        self.build_time
    }
}
