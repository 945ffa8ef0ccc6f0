//! The things of one block: its network, its peer, its target. Built in order, torn down in reverse, dropped at any moment.
//!
//! Holds owners only: dropping a stage kills the guest and the agents, and the namespaces go with their last descriptor.
//! Must not know trials or tallies. Units: `Duration`. Errors: [`StageError`], whose text is a void's reason.

use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::dispatcher::Attempt;
use super::laboratory::{Laboratory, exchange};
use super::session::{Session, joined};
use crate::agent::AgentError;
use crate::event::Phase;
use crate::image::{Image, Overlay};
use crate::path::{Addressing, TargetLink};
use crate::record::Layout;
use crate::record::format::{Origin, TargetRecord, Witness};
use crate::target::launch_ssh::{self, AGENT_PATH, SshAgent, SshError, SshPlan, SshSession};
use crate::target::qemu::{Engine, Guest, GuestError, GuestNet, GuestPlan, ProbeError};
use crate::target::{Accelerator, Backend, HostAgent, HostError, QemuSpec, TargetSpec, launch_agent};
use crate::testbed::{self, Testbed, TestbedError};

/// Behind it is the guest's SSH server, in the block's own target namespace, so it is free.
const CONTROL_PORT: u16 = 2222;

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
    peer: Option<HostAgent>,
    witness: Option<testbed::Witness>,
    testbed: Testbed,
}

#[derive(Debug)]
enum Target {
    Host { agent: HostAgent },
    Guest { guest: Box<Guest>, agent: Option<SshAgent> },
}

impl Stage {
    /// The network, with its witness listening.
    pub(super) async fn build(attempt: &Attempt) -> Result<Self, StageError> {
        let path = attempt.cell.subject.path.clone();
        let link = link_of(&attempt.cell.subject.configuration.target);
        joined(
            spawn_blocking(move || {
                let testbed = Testbed::build(&path, Addressing::default(), link)?;
                let witness = Some(testbed.start_witness()?);
                Ok(Self { target: None, peer: None, witness, testbed })
            })
            .await,
        )
    }

    /// The peer's agent.
    pub(super) async fn start_peer(&mut self, laboratory: &Laboratory) -> Result<Session, StageError> {
        let agent =
            launch_agent(self.testbed.peer(), &laboratory.agent).map_err(StageError::PeerNotStarted)?;
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
        phase: impl Fn(Phase),
    ) -> Result<Session, StageError> {
        match &attempt.cell.subject.configuration.target {
            TargetSpec::Host => {
                phase(Phase::Agent);
                record.origin = Some(Origin::Host);
                record.accelerator = "none".to_owned();
                let agent = launch_agent(self.testbed.target(), &laboratory.agent)
                    .map_err(StageError::TargetNotStarted)?;
                let session = open(&agent).await.map_err(StageError::Target)?;
                self.target = Some(Target::Host { agent });
                Ok(session)
            }
            TargetSpec::Qemu(spec) => {
                phase(Phase::Boot);
                self.start_guest(laboratory, attempt, spec, record).await?;
                phase(Phase::Agent);
                let Some(Target::Guest { guest, agent }) = &mut self.target else {
                    unreachable!("it was put there by the call above")
                };
                let plan = laboratory.ssh_plan(guest);
                let bytes = Arc::from(crate::agent::BYTES);
                let pushed =
                    launch_ssh::launch(guest, plan, bytes, AGENT_PATH.to_owned(), exchange()).await?;
                let stream = pushed
                    .stream
                    .try_clone()
                    .map_err(|cause| StageError::Target(AgentError::Deaf { request: "stream", cause }))?;
                *agent = Some(pushed);
                Session::open(stream, exchange()).await.map_err(StageError::Target)
            }
        }
    }

    /// The target's guest, without an agent. From here on the stage owns it, whatever happens to the caller's future.
    pub(super) async fn start_guest(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<(), StageError> {
        let guest = self.boot(laboratory, attempt, spec, record).await?;
        self.target = Some(Target::Guest { guest: Box::new(guest), agent: None });
        Ok(())
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

    async fn boot(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<Guest, StageError> {
        let kernel = &attempt.cell.subject.kernel;
        let image: &Image =
            laboratory.images.get(kernel).ok_or_else(|| StageError::NoImage { kernel: kernel.clone() })?;
        let engine = laboratory.engine(spec.accelerator)?;
        record.kernel_package.clone_from(&image.package);
        record.console = Layout::console(&attempt.block.id, attempt.attempt);
        record.qmp = Layout::qmp(&attempt.block.id, attempt.attempt);
        let addressing = Addressing::default();
        let path = &attempt.cell.subject.path;
        let plan = GuestPlan {
            spec: spec.clone(),
            engine,
            qemu: laboratory.qemu.clone(),
            kernel: image.kernel.clone(),
            initramfs: image.initramfs.clone(),
            overlay: Overlay::new(&laboratory.keys, spec.localtime).to_cpio(),
            extra_cmdline: vec![],
            net: GuestNet {
                address: addressing.target,
                prefix: addressing.prefix,
                mtu_bytes: path.mtu_bytes,
                control_port: CONTROL_PORT,
            },
            taps: self.testbed.take_taps(),
            namespace: Some(self.target_namespace()?),
            console_log: laboratory.results.join(&record.console),
            qmp_log: laboratory.results.join(&record.qmp),
        };
        let guest = Guest::boot(plan, laboratory.boot_deadline).await?;
        record.origin = Some(Origin::Cold);
        record.command_line = guest.command_line().to_vec();
        let verified = guest.verify().await?;
        record.accelerator = verified.engine.word().to_owned();
        record.vhost_proof = verified.vhost_proof;
        Ok(guest)
    }

    /// The namespace in which QEMU is to run.
    fn target_namespace(&self) -> Result<OwnedFd, StageError> {
        let descriptor = self.testbed.target().as_fd().try_clone_to_owned();
        descriptor.map_err(|source| StageError::Testbed(TestbedError::Enter { source }))
    }

    /// Comes when the guest dies, with the reason; never for a host.
    pub(super) fn target_death(&self) -> impl Future<Output = String> + Send + use<> {
        let death = self.guest().map(Guest::death);
        async move {
            let Some(mut death) = death else { return std::future::pending().await };
            let reason = death
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|death| Some(death.as_ref()?.reason.clone()));
            match reason {
                Some(reason) => reason,
                // Nobody watches the guest any more: then nobody reports its death either.
                None => std::future::pending().await,
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
                let how = match &mut self.peer {
                    Some(agent) => hosts_agent_end(agent).await,
                    None => None,
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
        if let Some(Target::Guest { guest, agent }) = self.target.take() {
            drop(agent);
            guest.stop().await;
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
                    },
                    Some(Err(_)) | None => Witness { lost: u64::MAX, ..Witness::default() },
                }
            })
            .await,
        )
    }
}

async fn open(agent: &HostAgent) -> Result<Session, AgentError> {
    let stream = agent.stream().try_clone().map_err(|cause| AgentError::Deaf { request: "stream", cause })?;
    Session::open(stream, exchange()).await
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
            Backend::Tap | Backend::TapVhost => TargetLink::Tap { queues: spec.nic.queues },
            // libslirp connects from QEMU's own namespace, over the same link as a bare-metal client.
            Backend::User => TargetLink::Veth,
        },
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
