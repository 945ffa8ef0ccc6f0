//! Effects on the host's network: namespaces, links, taps, witness, capture. Nothing outside namespaces that it made itself.
//!
//! Must not know cells or guests. Units: as in `path`. Errors: [`TestbedError`]; it blames the host.
//! All of it is held by descriptors of this process: no names under /run/netns, no bind mounts, so nothing can be left behind.
//! Tests: `tests/netns.rs` (root).

mod apply;
pub mod capture;
mod contention;
mod error;
mod haproxy;
mod machinery;
mod macvtap;
mod namespace;
mod netem;
mod nft;
mod packet;
mod packet_socket;
mod passt;
pub mod pcapng;
pub mod probe;
mod sysctl;
mod tap;
pub mod vsock;
mod witness;

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use machinery::Machinery;

pub use apply::Carrier;
pub use capture::{Capture, CapturePoint, CapturedPackets};
pub use contention::Contention;
pub use error::TestbedError;
pub use machinery::Backend;
pub use namespace::Namespace;
pub use sysctl::{SetSysctl, set_sysctls, sysctls};
pub use tap::TapFrom;
pub use witness::{RstCounts, Witness};

use crate::middlebox::Command;
pub use crate::path::{Addressing, LinkEnd, NetOps, PathSpec, Place, TargetLink};
use crate::path::{Mechanisms, NetOp};

/// The network of one block: three namespaces and the links between them. Dropping it, or any end of the process, removes all.
///
/// QEMU always runs in the `target` namespace, so that the ports that it forwards for the control connection are on that namespace's
/// loopback and control never crosses the measured path.
#[derive(Debug)]
pub struct Testbed {
    // Stopped first: it works on the interfaces of the namespaces below.
    machinery: Machinery,
    switch: Namespace,
    peer: Namespace,
    target: Namespace,
    ops: NetOps,
    taps: Vec<OwnedFd>,
    build_time: Duration,
}

impl Testbed {
    /// Makes the network of `path` with the mechanisms of this host, the target connected by `link`; `seed` is of the own middlebox's dice.
    /// Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`TestbedError`]; what was made until then is gone again.
    pub fn build(
        path: &PathSpec,
        addressing: Addressing,
        link: TargetLink,
        host: &Mechanisms,
        seed: u64,
    ) -> Result<Self, TestbedError> {
        Self::build_with(path, addressing, link, host, seed, TapFrom::Nowhere)
    }

    /// The same with a tap that is there already: it comes into this network.
    ///
    /// # Errors
    /// [`TestbedError`]; what was made until then is gone again, and a tap that had been taken too.
    pub fn build_with(
        path: &PathSpec,
        addressing: Addressing,
        link: TargetLink,
        host: &Mechanisms,
        seed: u64,
        tap: TapFrom<'_>,
    ) -> Result<Self, TestbedError> {
        let begin = Instant::now();
        let ops = crate::path::compile(path, addressing, link, host, seed)?;
        let [switch, peer, target] = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
        let namespace = |at| match at {
            Place::Switch => &switch,
            Place::Peer => &peer,
            Place::Target => &target,
        };
        let taps = apply::apply(&ops, &namespace, tap)?;
        let machinery = Machinery::start(&ops, addressing, &namespace)?;
        Ok(Self { machinery, switch, peer, target, ops, taps, build_time: begin.elapsed() })
    }

    /// Takes the network down, all but its tap, which goes to `home` under the name that it has: whoever holds its descriptors keeps them, and another network can
    /// be built around it. A network device may change its namespace while it is in use; it is down then, has left its bridge, and has lost its queueing
    /// discipline (`__dev_change_net_namespace`, net/core/dev.c). Without a tap nothing is left.
    ///
    /// # Errors
    /// [`TestbedError`]; the tap is gone then, too.
    pub fn release_tap(self, home: &Namespace) -> Result<(), TestbedError> {
        let Self { machinery, switch, ops, .. } = self;
        drop(machinery);
        let tap = ops.ops.iter().find_map(|op| match op {
            NetOp::AddTap { link, .. } => Some(link),
            _ => None,
        });
        tap.map_or(Ok(()), |tap| apply::move_link(&switch, tap, home))
    }

    /// What every mechanism of the path has counted until now: the proof that it acted.
    ///
    /// # Errors
    /// [`TestbedError`] where one does not answer any more.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>, TestbedError> {
        self.machinery.counters(&|at| self.namespace(at))
    }

    /// Changes what the own middlebox does, from the next frame on.
    ///
    /// # Errors
    /// The path has none, or none with the part that the command is for.
    pub fn command(&self, command: Command) -> Result<(), TestbedError> {
        self.machinery.command(command)
    }

    /// Lets the load balancer's backend seem down, or up.
    ///
    /// # Errors
    /// The path has no load balancer, or it does not answer.
    pub fn set_backend(&self, backend: Backend) -> Result<(), TestbedError> {
        self.machinery.set_backend(&self.peer, backend)
    }

    /// Takes the carrier of a host target's link, or gives it back. (A guest's is QEMU's business.)
    ///
    /// # Errors
    /// [`TestbedError::Operation`]
    pub fn set_target_link(&self, carrier: Carrier) -> Result<(), TestbedError> {
        apply::set_carrier(&self.switch, &self.ops.next_to_target, carrier)
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

    /// The end of a socket that is QEMU's, where something beside QEMU carries the guest's frames; none otherwise, and at the second call.
    pub fn take_socket(&mut self) -> Option<OwnedFd> {
        self.machinery.take_socket()
    }

    /// Starts the witness on the interface next to the target.
    ///
    /// # Errors
    /// [`TestbedError::Witness`]
    pub fn start_witness(&self) -> Result<Witness, TestbedError> {
        Witness::start(self.namespace(self.ops.next_to_target.at), &self.ops.next_to_target.name)
    }

    /// Starts to capture packets at both ends: next to the target, and at the peer.
    ///
    /// Its points are the end next to the target, then the one next to the peer.
    ///
    /// # Errors
    /// [`TestbedError::Capture`]
    pub fn start_capture(&self) -> Result<Capture, TestbedError> {
        let point = |end: &'_ LinkEnd, whose: &str, out: &str| {
            let name = format!("{whose}:{}", end.name);
            (name, format!("{end}, next to the {whose}; outbound is {out}"))
        };
        let (target, peer) = (&self.ops.next_to_target, &self.ops.next_to_peer);
        let points = [
            (target, point(target, "target", "towards the target")),
            (peer, point(peer, "peer", "what the peer sends")),
        ];
        let points = points.map(|(end, (name, description))| CapturePoint {
            namespace: self.namespace(end.at),
            interface: &end.name,
            name,
            description,
        });
        Capture::start(&points)
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
