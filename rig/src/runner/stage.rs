//! The things of one block: its network, its peer, its target. Built in order, torn down in reverse, dropped at any moment.
//!
//! Holds owners only: dropping a stage kills the guest and the agents, and the namespaces go with their last descriptor.
//! Must not know trials or tallies. Units: `Duration`. Errors: [`StageError`], whose text is a void's reason.

mod pair;
mod seat;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::dispatcher::Attempt;
use super::laboratory::{Laboratory, exchange};
use super::session::{Session, joined};
use crate::agent::AgentError;
use crate::configuration::Engine;
use crate::configuration::{
    Accelerator, NicBackend, PeerSeat, QemuSpec, TargetSpec, lack_between_guests, peer_seat,
};
use crate::event::Phase;
use crate::machine::guest_rules::{self, RulesError};
use crate::machine::launch_ssh::{self, AGENT_PATH, SshAgent, SshError, SshPlan, SshSession};
use crate::machine::qemu::argv::DATA_MAC;
use crate::machine::qemu::{Death, Guest, GuestError, ProbeError};
use crate::machine::{HostAgent, HostError, launch_agent};
use crate::path::{Addressing, TargetLink, rules};
use crate::record::Layout;
use crate::record::format::{Origin, TargetRecord, Witness};
use crate::testbed::{self, Testbed, TestbedError};
use pair::{Pair, PeerEnd};
use seat::{Seat, boot};

/// The peer's agent in the target's guest: a file of its own, because one that is executed cannot be written (`ETXTBSY`, open(2)).
const LODGER_PATH: &str = "/run/peer-agent";

/// For the reason of an end that has shown already.
const EXPLANATION: Duration = Duration::from_secs(1);

/// Whether the measured NIC (`data`, as the guest's init names it) is there and connected. The carrier of one that is down cannot be read
/// (`carrier_show`, net/core/net-sysfs.c).
const ASK_NIC: &str =
    "cd /sys/class/net/data 2>/dev/null || { echo gone; exit; }; cat carrier 2>/dev/null || echo down";

/// For the answer; a guest that is too busy to give it leaves the reason as it is.
const NIC_DEADLINE: Duration = Duration::from_secs(10);

/// Why a block is void.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    #[error("testbed")]
    Testbed(#[from] TestbedError),
    #[error("peer not started")]
    PeerNotStarted(#[source] HostError),
    #[error("target not started")]
    TargetNotStarted(#[source] HostError),
    #[error("guest")]
    Guest(#[from] GuestError),
    #[error("guest's SSH")]
    Ssh(#[from] SshError),
    #[error("guest's packet filter")]
    Rules(#[from] RulesError),
    #[error("no socket pair for two guests")]
    Pair { source: std::io::Error },
    #[error("peer's guest")]
    PeersGuest(#[source] Box<StageError>),
    #[error("{why}")]
    NoPlace { why: String },
    #[error("accelerator")]
    Accelerator(#[from] ProbeError),
    #[error("no image {kernel} was built for this run")]
    NoImage { kernel: String },
    #[error("guest died: {reason}")]
    GuestDied { reason: String },
    #[error("{who}'s agent ended: {how}")]
    AgentEnded {
        who: &'static str,
        how: String,
        #[source]
        cause: Box<StageError>,
    },
    #[error("no busy threads")]
    Contention {
        #[source]
        source: std::io::Error,
    },
    #[error("a host cannot be paused, only a guest")]
    NoGuestToPause,
    #[error("{what}")]
    NicLost {
        what: &'static str,
        #[source]
        cause: Option<Box<StageError>>,
    },
    #[error("block not done within {} s", within.as_secs())]
    Late { within: Duration },
    #[error("peer")]
    Peer(#[source] AgentError),
    #[error("target")]
    Target(#[source] AgentError),
}

impl StageError {
    /// The whole chain in one line: what a table shows.
    pub(super) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            // Transparent errors repeat the text of what they wrap.
            if !reason.ends_with(&text) {
                reason.push_str(": ");
                reason.push_str(&text);
            }
            cause = error.source();
        }
        reason
    }
}

/// The network of a block and who is in it.
#[derive(Debug)]
pub(super) struct Stage {
    target: Option<Target>,
    peer_seat: PeerSeat,
    peer: Option<HostAgent>,
    /// The peer's agent in the target's guest.
    lodger: Option<SshAgent>,
    pair: Option<Pair>,
    witness: Option<testbed::Witness>,
    pub(super) capture: Option<testbed::Capture>,
    pub(super) testbed: Testbed,
}

#[derive(Debug)]
enum Target {
    Host { agent: HostAgent },
    Guest { guest: Box<Guest>, agent: Option<SshAgent> },
}

impl Stage {
    /// The network, with its witness listening.
    pub(super) async fn build(laboratory: &Laboratory, attempt: &Attempt) -> Result<Self, StageError> {
        let path = attempt.cell.subject.path.clone();
        let target = &attempt.cell.subject.configuration.target;
        if let Some(why) = lack_between_guests(target, &path) {
            return Err(StageError::NoPlace { why: why.to_string() });
        }
        let (link, peer_seat) = (link_of(target), peer_seat(target, &path));
        let pair = Pair::of(peer_seat)?;
        let (host, seed) = (laboratory.mechanisms.clone(), attempt.block.seed);
        joined(
            spawn_blocking(move || {
                let testbed = Testbed::build(&path, Addressing::default(), link, &host, seed)?;
                let mut stage = Self {
                    target: None,
                    peer_seat,
                    peer: None,
                    lodger: None,
                    pair,
                    witness: None,
                    capture: None,
                    testbed,
                };
                if !stage.passes_unseen() {
                    stage.witness = Some(stage.testbed.start_witness()?);
                }
                Ok(stage)
            })
            .await,
        )
    }

    /// The peer's agent: in its namespace, in a guest that is booted for it and written down, or beside the target, whose guest has been
    /// booted then.
    pub(super) async fn start_peer(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut Option<TargetRecord>,
    ) -> Result<Session, StageError> {
        if let (Some(_), TargetSpec::Qemu(spec)) = (&self.pair, &attempt.cell.subject.configuration.target) {
            let blame = |error| StageError::PeersGuest(Box::new(error));
            let record = record.insert(TargetRecord::default());
            let began = Instant::now();
            self.start_peer_guest(laboratory, attempt, spec, record).await.map_err(blame)?;
            let session = self.start_peer_agent(laboratory).await.map_err(blame)?;
            record.boot_ns = nanoseconds(began.elapsed());
            return Ok(session);
        }
        if let (PeerSeat::Target, Some(Target::Guest { guest, .. })) = (self.peer_seat, &self.target) {
            return push_agent(laboratory, guest, LODGER_PATH, &mut self.lodger, StageError::Peer).await;
        }
        let namespace = match self.peer_seat {
            PeerSeat::Host | PeerSeat::Guest => self.testbed.peer(),
            PeerSeat::Target => self.testbed.target(),
        };
        let agent = launch_agent(namespace, &laboratory.agent).map_err(StageError::PeerNotStarted)?;
        let session = open(&agent).await.map_err(StageError::Peer)?;
        self.peer = Some(agent);
        Ok(session)
    }

    /// The target's agent, in the namespace or in a guest that is booted for it; what is learned of it is written down as it is learned.
    pub(super) async fn start_target(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut TargetRecord,
        phase: &impl Fn(Phase),
    ) -> Result<Session, StageError> {
        if self.target.is_none() {
            self.boot_target(laboratory, attempt, record, phase).await?;
        }
        phase(Phase::Agent);
        let began = Instant::now();
        let session = match &mut self.target {
            None => {
                record.origin = Some(Origin::Host);
                record.accelerator = "none".to_owned();
                let agent = launch_agent(self.testbed.target(), &laboratory.agent)
                    .map_err(StageError::TargetNotStarted)?;
                let session = open(&agent).await.map_err(StageError::Target)?;
                self.target = Some(Target::Host { agent });
                session
            }
            Some(Target::Guest { guest, agent }) => {
                push_agent(laboratory, guest, AGENT_PATH, agent, StageError::Target).await?
            }
            Some(Target::Host { .. }) => unreachable!("the host's agent is started once"),
        };
        record.boot_ns += nanoseconds(began.elapsed());
        Ok(session)
    }

    /// Boots the target's guest and sets the rules of its kernel, where the target is one; it has no agent yet.
    pub(super) async fn boot_target(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut TargetRecord,
        phase: &impl Fn(Phase),
    ) -> Result<(), StageError> {
        let TargetSpec::Qemu(spec) = &attempt.cell.subject.configuration.target else { return Ok(()) };
        phase(Phase::Boot);
        let began = Instant::now();
        self.start_guest(laboratory, attempt, spec, record).await?;
        self.set_guest_rules(laboratory).await?;
        record.boot_ns += nanoseconds(began.elapsed());
        Ok(())
    }

    /// The target's guest, without an agent. From here on the stage owns it, whatever happens to the caller's future.
    pub(super) async fn start_guest(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<(), StageError> {
        let seat = Seat {
            mac: DATA_MAC,
            address: Addressing::default().target,
            namespace: self.target_namespace()?,
            taps: self.testbed.take_taps(),
            socket: self.pair.as_mut().and_then(Pair::take_targets_end),
            console: Layout::console(&attempt.block.id, attempt.attempt),
            qmp: Layout::qmp(&attempt.block.id, attempt.attempt),
        };
        let guest = boot(laboratory, attempt, spec, seat, record).await?;
        self.target = Some(Target::Guest { guest: Box::new(guest), agent: None });
        Ok(())
    }

    /// The network.
    pub(super) fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    /// What the mechanisms of the path have counted until now, those in the guest's own kernel among them.
    pub(super) async fn path_counters(
        &self,
        laboratory: &Laboratory,
    ) -> Result<BTreeMap<String, u64>, StageError> {
        let mut counters = block_in_place(|| self.testbed.counters())?;
        if let (Some(guest), Some(_)) = (self.guest(), &self.testbed.ops().guest_ruleset) {
            let named = guest_rules::counters(guest, laboratory.ssh_plan(guest), exchange()).await?;
            counters.extend(rules::of_rules(named));
        }
        Ok(counters)
    }

    /// The path's packet filter rules that belong into the guest's own kernel.
    async fn set_guest_rules(&self, laboratory: &Laboratory) -> Result<(), StageError> {
        if let (Some(guest), Some(ruleset)) = (self.guest(), &self.testbed.ops().guest_ruleset) {
            let text = ruleset.text.clone();
            guest_rules::apply(guest, laboratory.ssh_plan(guest), text, exchange()).await?;
        }
        Ok(())
    }

    /// Where the peer is.
    pub(super) fn peer_seat(&self) -> PeerSeat {
        self.peer_seat
    }

    /// The address at which the target finds its peer.
    pub(super) fn peer_address(&self) -> Ipv4Addr {
        match self.peer_seat {
            PeerSeat::Host | PeerSeat::Guest => Addressing::default().peer,
            PeerSeat::Target => Addressing::default().target,
        }
    }

    /// Whether no interface of the testbed carries what the two ends say: they are two guests, or one kernel.
    pub(super) fn passes_unseen(&self) -> bool {
        self.peer_seat != PeerSeat::Host
    }

    /// The guest, where the target is one and runs.
    pub(super) fn guest(&self) -> Option<&Guest> {
        match &self.target {
            Some(Target::Guest { guest, .. }) => Some(guest),
            Some(Target::Host { .. }) | None => None,
        }
    }

    /// Whether a guest has lost the NIC that is measured, in words; `None` where it has not, where nobody can say, and for a host.
    pub(super) async fn lost_nic(&self, laboratory: &Laboratory) -> Option<&'static str> {
        let guest = self.guest()?;
        let ask = |session: SshSession, left: &dyn Fn() -> Duration| session.run(ASK_NIC, left());
        let asking = launch_ssh::with_session(guest, laboratory.ssh_plan(guest), NIC_DEADLINE, ask);
        let told = asking.await.ok()?;
        match String::from_utf8_lossy(&told.stdout).trim() {
            "gone" => Some("the guest's measured NIC is gone"),
            "down" => Some("the guest's measured NIC is down"),
            "0" => Some("the guest's measured NIC has no carrier"),
            _ => None,
        }
    }

    /// The namespace in which QEMU is to run.
    fn target_namespace(&self) -> Result<OwnedFd, StageError> {
        let descriptor = self.testbed.target().as_fd().try_clone_to_owned();
        descriptor.map_err(|source| StageError::Testbed(TestbedError::Enter { source }))
    }

    /// Comes when a guest dies (the target's, or the peer's where that is one), with the reason; never for a host.
    pub(super) fn target_death(&self) -> impl Future<Output = String> + Send + use<> {
        let target = reason_of(self.guest().map(Guest::death));
        let peer = reason_of(self.pair.as_ref().and_then(Pair::death));
        async move {
            tokio::select! {
                biased;
                reason = target => reason,
                reason = peer => format!("the peer's: {reason}"),
            }
        }
    }

    /// An agent's stream ends some moments before anybody can say why: waits for the reason, and puts it before the bare fact.
    pub(super) async fn explain<T>(&mut self, result: Result<T, StageError>) -> Result<T, StageError> {
        let gone = |error: &AgentError| matches!(error, AgentError::Gone { .. } | AgentError::Deaf { .. });
        let (who, how, error) = match result {
            Err(error @ StageError::Target(_)) if matches!(&error, StageError::Target(e) if gone(e)) => {
                if let Ok(reason) = timeout(EXPLANATION, self.target_death()).await {
                    return Err(StageError::GuestDied { reason });
                }
                let how = match &mut self.target {
                    Some(Target::Guest { agent: Some(agent), .. }) => guests_agent_end(agent).await,
                    Some(Target::Host { agent }) => hosts_agent_end(agent).await,
                    Some(Target::Guest { agent: None, .. }) | None => None,
                };
                ("target", how, error)
            }
            Err(error @ StageError::Peer(_)) if matches!(&error, StageError::Peer(e) if gone(e)) => {
                // The peer's agent may have been in the target's guest.
                if self.lodger.is_some()
                    && let Ok(reason) = timeout(EXPLANATION, self.target_death()).await
                {
                    return Err(StageError::GuestDied { reason });
                }
                let how = match (&mut self.pair, &mut self.peer, &mut self.lodger) {
                    (Some(pair), ..) => match pair.explain().await {
                        Some(PeerEnd::Guest(reason)) => {
                            return Err(StageError::GuestDied { reason: format!("the peer's: {reason}") });
                        }
                        Some(PeerEnd::Agent(how)) => Some(how),
                        None => None,
                    },
                    (None, Some(agent), _) => hosts_agent_end(agent).await,
                    (None, None, Some(agent)) => guests_agent_end(agent).await,
                    (None, None, None) => None,
                };
                ("peer", how, error)
            }
            other => return other,
        };
        Err(match how {
            Some(how) => StageError::AgentEnded { who, how, cause: Box::new(error) },
            None => error,
        })
    }

    /// Ends everything in order, and gives what the witness saw. A witness that failed counts nothing and says so by `lost`.
    pub(super) async fn tear_down(mut self) -> Witness {
        self.lodger = None;
        if let Some(Target::Guest { guest, agent }) = self.target.take() {
            drop(agent);
            guest.stop().await;
        }
        let absent = self.passes_unseen();
        if let Some(pair) = self.pair.take() {
            pair.end().await;
        }
        let witness = self.witness.take();
        joined(
            spawn_blocking(move || {
                let counts = witness.map(testbed::Witness::stop);
                drop(self);
                match counts {
                    Some(Ok(counts)) => Witness {
                        rst_to_target: counts.to_target,
                        rst_to_peer: counts.to_peer,
                        lost: counts.lost,
                        absent,
                    },
                    None if absent => Witness { absent, ..Witness::default() },
                    Some(Err(_)) | None => Witness { lost: u64::MAX, ..Witness::default() },
                }
            })
            .await,
        )
    }
}

async fn open(agent: &HostAgent) -> Result<Session, AgentError> {
    converse(agent.stream()).await
}

async fn converse(stream: &UnixStream) -> Result<Session, AgentError> {
    let stream = stream.try_clone().map_err(|cause| AgentError::Deaf { request: "stream", cause })?;
    Session::open(stream, exchange()).await
}

/// Pushes the agent into a guest, to `path`, starts it, and opens the conversation. It is `kept` from its start on, so that its end can be explained
/// when that conversation breaks; what breaks there is blamed by `blame`.
async fn push_agent(
    laboratory: &Laboratory,
    guest: &Guest,
    path: &'static str,
    kept: &mut Option<SshAgent>,
    blame: fn(AgentError) -> StageError,
) -> Result<Session, StageError> {
    let bytes = Arc::from(crate::agent::BYTES);
    let plan = laboratory.ssh_plan(guest);
    let agent = kept.insert(launch_ssh::launch(guest, plan, bytes, path, path.to_owned(), exchange()).await?);
    converse(&agent.stream).await.map_err(blame)
}

/// How it ended, if it has, and the last line of what it said.
async fn guests_agent_end(agent: &mut SshAgent) -> Option<String> {
    let told = timeout(EXPLANATION, agent.end.wait_for(Option::is_some)).await.ok()?.ok()?.clone()?;
    Some(with_last_words(told.exit.to_string(), &told.stderr))
}

async fn hosts_agent_end(agent: &mut HostAgent) -> Option<String> {
    let until = Instant::now() + EXPLANATION;
    loop {
        if let Some(status) = agent.exited(Duration::ZERO).ok()? {
            return Some(with_last_words(status.to_string(), &agent.stderr_tail()));
        }
        if Instant::now() >= until {
            return None;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn with_last_words(how: String, stderr: &str) -> String {
    match stderr.trim().lines().last() {
        Some(line) => format!("{how}, saying {line:?}"),
        None => how,
    }
}

fn link_of(target: &TargetSpec) -> TargetLink {
    match target {
        TargetSpec::Host => TargetLink::Veth,
        TargetSpec::Qemu(spec) => match spec.nic.backend {
            NicBackend::Tap | NicBackend::TapVhost => TargetLink::Tap { queues: spec.nic.queues },
            // libslirp connects from QEMU's own namespace, over the same link as a bare-metal client.
            NicBackend::User => TargetLink::Veth,
            NicBackend::Socket => TargetLink::Socket,
        },
    }
}

/// The reason of a guest's death, when it comes.
async fn reason_of(death: Option<watch::Receiver<Option<Death>>>) -> String {
    let Some(mut death) = death else { return std::future::pending().await };
    let reason =
        death.wait_for(Option::is_some).await.ok().and_then(|death| Some(death.as_ref()?.reason.clone()));
    match reason {
        Some(reason) => reason,
        // Nobody watches the guest any more: then nobody reports its death either.
        None => std::future::pending().await,
    }
}

impl Laboratory {
    /// The way into one of its guests.
    pub(super) fn ssh_plan(&self, guest: &Guest) -> SshPlan {
        SshPlan {
            port: guest.control_port(),
            namespace: guest.namespace(),
            host_key: self.keys.host_key_blob(),
            private_key: self.keys.user_private_key(),
        }
    }

    /// What executes a guest that asks for `accelerator`.
    fn engine(&self, accelerator: Accelerator) -> Result<Engine, ProbeError> {
        match accelerator {
            Accelerator::Tcg => Ok(Engine::Tcg),
            Accelerator::Auto => Ok(self.accelerator.engine),
            Accelerator::Kvm if self.accelerator.engine == Engine::Kvm => Ok(Engine::Kvm),
            Accelerator::Kvm => Err(ProbeError::NoKvm { reason: self.accelerator.reason.clone() }),
        }
    }
}
