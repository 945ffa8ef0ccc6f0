//! What runs between the two ends of a path while a block is played: the own middlebox, netem queues, packet filters, HAProxy, passt.
//!
//! Holds their owners, what they count, and what can be changed at a moment. Must not know trials or when that moment is.
//! Units: packets, as in `path`. Errors: [`TestbedError`]; it blames the host, and makes a block void.
//! Tests: `tests/paths.rs` (root).

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use nix::net::if_::if_nametoindex;

use super::error::TestbedError;
use super::haproxy::{Answer, Running};
use super::namespace::Namespace;
use super::passt::Passt;
use super::{apply, netem, nft};
use crate::middlebox::{Command, Direction, Handle, Middlebox};
use crate::path::{Addressing, LinkEnd, NetOps, NetemCount, PathCounter, Place};
use crate::process;

/// Mechanisms at work. Dropping it stops them.
#[derive(Debug, Default)]
pub(super) struct Machinery {
    middlebox: Option<Handle>,
    haproxy: Option<Running>,
    passt: Option<Passt>,
    /// Interfaces with a netem queue, and the direction that leaves by them.
    queues: Vec<(LinkEnd, Direction)>,
    /// Places with rules of ours, and the family of their table.
    filtered: Vec<(Place, String)>,
}

fn failed(what: &'static str) -> impl Fn(String) -> TestbedError {
    move |why| TestbedError::Mechanism { what, why }
}

impl Machinery {
    /// Starts what `ops` names; the interfaces are there already.
    pub(super) fn start<'a>(
        ops: &NetOps,
        addressing: Addressing,
        namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
    ) -> Result<Self, TestbedError> {
        let mut machinery = Self::default();
        for ruleset in &ops.rulesets {
            nft::load(namespace(ruleset.at), &ruleset.text).map_err(failed("packet filter"))?;
            machinery.filtered.push((ruleset.at, ruleset.family.clone()));
        }
        machinery.queues = ops.queues().map(|(link, direction)| (link.clone(), direction)).collect();
        if let Some(between) = &ops.middlebox {
            let start =
                || Middlebox::start(between.spec.clone(), &between.target_port.name, &between.peer_port.name);
            machinery.middlebox = Some(namespace(between.target_port.at).run(start)??);
        }
        if let Some(spec) = &ops.haproxy {
            let running = Running::start(spec, addressing, namespace(Place::Switch), namespace(Place::Peer));
            machinery.haproxy = Some(running.map_err(failed("HAProxy"))?);
        }
        if ops.passt {
            let running = Passt::start(namespace(Place::Target), process::spawn);
            machinery.passt = Some(running.map_err(failed("passt"))?);
        }
        Ok(machinery)
    }

    /// The end of passt's socket that is QEMU's; once.
    pub(super) fn take_socket(&mut self) -> Option<OwnedFd> {
        self.passt.as_mut().and_then(Passt::take_socket)
    }

    /// Everything that is counted, by name.
    pub(super) fn counters<'a>(
        &self,
        namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
    ) -> Result<BTreeMap<String, u64>, TestbedError> {
        let mut counters = BTreeMap::new();
        if let Some(middlebox) = &self.middlebox {
            counters.extend(middlebox.counters()?);
        }
        if let Some(haproxy) = &self.haproxy {
            counters.extend(haproxy.counters().map_err(failed("HAProxy"))?);
        }
        for (at, family) in &self.filtered {
            counters.extend(nft::counters(namespace(*at), family).map_err(failed("packet filter"))?);
        }
        for (link, direction) in &self.queues {
            let passed = read_queue(namespace(link.at), link)?;
            for (what, count) in
                [(NetemCount::Packets, passed.packets), (NetemCount::Dropped, passed.dropped)]
            {
                counters.insert(PathCounter::Netem(*direction, what).to_string(), count);
            }
        }
        Ok(counters)
    }

    /// Changes what the own middlebox does.
    pub(super) fn command(&self, command: Command) -> Result<(), TestbedError> {
        match &self.middlebox {
            Some(middlebox) => Ok(middlebox.command(command)?),
            None => Err(failed("rig's own middlebox")("the path has none".to_owned())),
        }
    }

    /// Whether a load balancer's backend seems to live.
    pub(super) fn set_backend(&self, peer: &Namespace, backend: Backend) -> Result<(), TestbedError> {
        match (&self.haproxy, backend) {
            (Some(haproxy), Backend::Up) => {
                haproxy.answer_checks(peer, Answer::Yes).map_err(failed("HAProxy"))
            }
            (Some(haproxy), Backend::Down) => {
                haproxy.answer_checks(peer, Answer::No).map_err(failed("HAProxy"))
            }
            (None, Backend::Up) => self.command(Command::BackendUp),
            (None, Backend::Down) => self.command(Command::BackendDown),
        }
    }
}

fn read_queue(namespace: &Namespace, link: &LinkEnd) -> Result<netem::Passed, TestbedError> {
    let runtime = apply::netlink_runtime().map_err(|source| TestbedError::Netlink { source })?;
    let read = || {
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            tokio::spawn(connection);
            let index = if_nametoindex(link.name.as_str())?;
            netem::passed(&handle, i32::try_from(index).map_err(std::io::Error::other)?).await
        })
    };
    namespace
        .run(read)?
        .map_err(|source| TestbedError::Operation { op: format!("{link}: read its netem queue"), source })
}

/// A load balancer's backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// It answers.
    Up,
    /// It does not, or is said not to.
    Down,
}
