//! The things of one block: its network, its peer, its target. Built in order, torn down in reverse, dropped at any moment.
//!
//! Holds owners only: dropping a stage kills the guests and the agents, and the namespaces go with their last descriptor.
//! Must not know trials or tallies. Units: `Duration`. Errors: [`StageError`], which becomes a void's reason.
//! Tests: `tests/netns.rs`, `tests/qemu.rs`, `tests/guest.rs`.

mod boot;
mod error;
mod hardware;
mod kept;
mod launch;
mod passing;
mod placement;
mod seat;
mod vsock;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use tokio::task::{block_in_place, spawn_blocking};

use super::attempt::Attempt;
use super::laboratory::Laboratory;
use super::patience::{NIC_DEADLINE, exchange, nanoseconds};
use super::session::{Session, joined};
use crate::agent::AgentError;
use crate::configuration::{Arm, QemuSpec, TargetSpec, Tuning};
use crate::event::Phase;
use crate::machine::launch_ssh::{self, AGENT_PATH, SshPlan, SshSession};
use crate::machine::qemu::Guest;
use crate::machine::{Beside, guest_program, guest_rules, guest_sysctls};
use crate::path::{Addressing, Family, PathSpec, Place, rules};
use crate::record::format::{
    BlockRecord, BootRecord, CaptureWhen, Origin, SysctlRecord, TargetRecord, Witness,
};
use crate::record::{Endpoint, NicLoss, Part, VoidReason};
use crate::testbed::{self, Capture, CapturedPackets, Namespace, SetSysctl, TapFrom, Testbed};
use boot::{Attachment, boot};
pub(super) use error::StageError;
pub(super) use kept::Kept;
use kept::Waiting;
use placement::Placement;
use seat::{Deaths, Seat};

/// The peer's agent in the target's guest: a file of its own, because one that is executed cannot be written (`ETXTBSY`, open(2)).
const PEER_AGENT_PATH: &str = "/run/peer-agent";

/// Whether the measured NIC (`data`, as the guest's init names it) is there and connected. The carrier of one that is down cannot be read
/// (`carrier_show`, net/core/net-sysfs.c).
const ASK_NIC: &str =
    "cd /sys/class/net/data 2>/dev/null || { echo gone; exit; }; cat carrier 2>/dev/null || echo down";

/// The network of a block and who is in it.
#[derive(Debug)]
pub(super) struct Stage {
    placement: Placement,
    arm: Arm,
    target: Seat,
    peer: Seat,
    witness: Option<testbed::Witness>,
    capture: Option<Capture>,
    family: Family,
    tuning: Tuning,
    sysctls: Vec<SysctlRecord>,
    /// What is known of a guest that was booted for another block, until its agent is started.
    found: Option<Waiting>,
    /// Where its QEMU runs; of a guest of this block's own that is the target's namespace.
    home: Option<Namespace>,
    /// The way into the target's guest, once that has been set up.
    into_guest: Option<SshPlan>,
    testbed: Testbed,
}

impl Stage {
    /// The network, with its witness listening.
    /// A guest that was booted for another block of the same boot comes into it.
    pub(super) async fn build(
        laboratory: &Laboratory,
        attempt: &Attempt,
        kept: Option<Kept>,
    ) -> Result<Self, StageError> {
        let path = attempt.cell.subject.path.clone();
        let spec = &attempt.cell.subject.configuration.target;
        let (placement, arm) = (Placement::of(spec, &path)?, spec.arm());
        let (family, tuning) = (path.family, tuning_of(spec, &path));
        let (vacant, peer) = vacant_seats(&placement)?;
        let (host, seed) = (laboratory.mechanisms.clone(), attempt.block.seed);
        let build = move || {
            let tap = kept.as_ref().map_or(TapFrom::Nowhere, |kept| TapFrom::Home(kept.home()));
            let (addressing, link) = (Addressing::default(), placement.link());
            let testbed = Testbed::build_with(&path, addressing, link, &host, seed, tap)?;
            let (target, found) = match kept.map(Kept::sit) {
                Some((seat, waiting)) => (seat, Some(waiting)),
                None => (vacant, None),
            };
            let witness = if placement.passes_unseen() { None } else { Some(testbed.start_witness()?) };
            let mut stage = Self {
                placement,
                arm,
                target,
                peer,
                witness,
                capture: None,
                family,
                tuning,
                sysctls: vec![],
                found,
                home: None,
                into_guest: None,
                testbed,
            };
            stage.set_sysctls_of_host(&path)?;
            Ok(stage)
        };
        joined(spawn_blocking(build).await)
    }

    /// Begins to capture at both ends, where the run keeps packets at all.
    pub(super) fn start_capture(&mut self, when: CaptureWhen) -> Result<(), StageError> {
        match when {
            CaptureWhen::Never => {}
            CaptureWhen::Anomaly | CaptureWhen::Always if self.placement.passes_unseen() => {}
            CaptureWhen::Anomaly | CaptureWhen::Always => self.capture = Some(self.testbed.start_capture()?),
        }
        Ok(())
    }

    /// Ends the capture, if there is one.
    pub(super) async fn stop_capture(&mut self) -> Result<Option<CapturedPackets>, StageError> {
        let Some(capture) = self.capture.take() else { return Ok(None) };
        Ok(Some(joined(spawn_blocking(move || Capture::stop(capture)).await)?))
    }

    /// The peer's agent: in its namespace, in a guest that is booted for it and written down, or beside the target, whose guest has been
    /// booted then.
    pub(super) async fn start_peer(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut Option<TargetRecord>,
    ) -> Result<Session, StageError> {
        let namespace = match &self.placement {
            Placement::Pair(spec) => {
                let (spec, record) = (spec.clone(), record.insert(TargetRecord::default()));
                let started = self.start_peer_guest(laboratory, attempt, &spec, record).await;
                return started.map_err(StageError::of_peers_guest);
            }
            Placement::GuestLoopback(_) => return self.start_peer_in_targets_guest(laboratory).await,
            Placement::HostBoth | Placement::GuestAndHost(_) => self.testbed.peer(),
            Placement::HostLoopback => self.testbed.target(),
        };
        let (agent, session) = launch::peer_on_host(laboratory, namespace).await?;
        self.peer = Seat::Host(agent);
        Ok(session)
    }

    /// The peer's guest, and the agent in it.
    async fn start_peer_guest(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<Session, StageError> {
        let began = Instant::now();
        self.start_guest(Endpoint::Peer, laboratory, attempt, spec, record).await?;
        let command = launch::Command::plain(AGENT_PATH);
        let session = push_agent(laboratory, &mut self.peer, command, Endpoint::Peer).await?;
        record.boot_ns = nanoseconds(began.elapsed());
        Ok(session)
    }

    async fn start_peer_in_targets_guest(&mut self, laboratory: &Laboratory) -> Result<Session, StageError> {
        let guest = self.target.guest().expect("the target's guest is booted before the peer comes into it");
        let mut agent = None;
        let session = launch::in_guest(
            laboratory,
            guest,
            launch::Command::plain(PEER_AGENT_PATH),
            &mut agent,
            Endpoint::Peer,
        )
        .await;
        // Kept also where the conversation did not begin: its end is the explanation.
        self.peer = Seat::InOthersGuest(agent);
        session
    }

    /// The target's agent, in the namespace or in a guest that is booted for it; what is learned of it is written down as it is learned.
    pub(super) async fn start_target(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut BlockRecord,
        phase: &impl Fn(Phase),
    ) -> Result<Session, StageError> {
        let session = match self.found.take() {
            Some(waiting) => {
                phase(Phase::Agent);
                let session = self.join_guest(&waiting, laboratory, attempt, record).await;
                self.home = Some(waiting.home);
                session?
            }
            None => {
                if self.target.guest().is_none() {
                    self.boot_target(laboratory, attempt, record, phase).await?;
                }
                phase(Phase::Agent);
                self.start_fresh(laboratory, attempt, &mut record.target).await?
            }
        };
        launch::verify_arm(&session, &self.arm)?;
        launch::verify_nic(&session, &self.tuning, self.placement.interface().0)?;
        self.verify_guest(&session)?;
        self.verify_vsock(&session)?;
        Ok(session)
    }

    /// The target's agent where no other one has been.
    async fn start_fresh(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut TargetRecord,
    ) -> Result<Session, StageError> {
        let began = Instant::now();
        let session = match &self.placement {
            Placement::HostBoth | Placement::HostLoopback => {
                record.origin = Some(Origin::Host);
                record.accelerator = "none".to_owned();
                let namespace = self.testbed.target();
                let beside = match attempt.cell.subject.script.program {
                    Some(_) => Beside::HostsOwn,
                    None => Beside::Nothing,
                };
                let offloads = self.offloads();
                let (agent, session) =
                    launch::target_on_host(laboratory, namespace, &self.arm, beside, offloads.as_deref())
                        .await?;
                self.target = Seat::Host(agent);
                session
            }
            Placement::GuestAndHost(_) | Placement::GuestLoopback(_) | Placement::Pair(_) => {
                self.deliver_program(laboratory, attempt).await?;
                let (timezone, offloads) = (self.arm.timezone.as_deref(), self.offloads());
                let offloads = offloads.as_deref();
                let command = launch::Command { timezone, offloads, ..launch::Command::plain(AGENT_PATH) };
                push_agent(laboratory, &mut self.target, command, Endpoint::Target).await?
            }
        };
        record.boot_ns += nanoseconds(began.elapsed());
        Ok(session)
    }

    /// Boots the target's guest and sets the rules of its kernel, where the target is one; it has no agent yet.
    pub(super) async fn boot_target(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut BlockRecord,
        phase: &impl Fn(Phase),
    ) -> Result<(), StageError> {
        let Some(spec) = self.placement.guest().cloned() else { return Ok(()) };
        phase(Phase::Boot);
        let began = Instant::now();
        record.boot = Some(BootRecord { name: attempt.boot.name.clone(), place: 0 });
        let record = &mut record.target;
        self.start_guest(Endpoint::Target, laboratory, attempt, &spec, record).await?;
        self.verify_hardware(laboratory).await?;
        self.give_ipv6_address(laboratory).await?;
        self.set_guest_rules(laboratory).await?;
        self.set_sysctls_of_guest(laboratory).await?;
        self.set_up_vsock(laboratory, &attempt.cell.subject.script).await?;
        record.boot_ns += nanoseconds(began.elapsed());
        Ok(())
    }

    /// Boots every guest of this placement, without agents and without rules: for a person who looks into the target's.
    pub(super) async fn boot_guests(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut TargetRecord,
    ) -> Result<(), StageError> {
        let Some(spec) = self.placement.guest().cloned() else { return Ok(()) };
        if let Placement::Pair(_) = self.placement {
            // Without an agent: it answers pings, as a peer on the host does.
            let unseen = &mut TargetRecord::default();
            self.start_guest(Endpoint::Peer, laboratory, attempt, &spec, unseen).await?;
        }
        self.start_guest(Endpoint::Target, laboratory, attempt, &spec, record).await
    }

    /// Brings the cell's program into the target's guest, where both are there.
    pub(super) async fn deliver_program(
        &self,
        laboratory: &Laboratory,
        attempt: &Attempt,
    ) -> Result<(), StageError> {
        match (self.guest(), &attempt.cell.subject.script.program) {
            (Some(guest), Some(program)) => {
                let plan = laboratory.ssh_plan(guest);
                Ok(guest_program::deliver(guest, plan, program, exchange()).await?)
            }
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// The root folder that a program of the target's has; none where it runs on this host, among its own files.
    pub(super) fn program_root(&self, attempt: &Attempt) -> Option<String> {
        let packed = self.guest().is_some() && attempt.cell.subject.script.program.is_some();
        packed.then(|| guest_program::ROOT.to_owned())
    }

    /// A guest at this end, without an agent. From here on the stage owns it, whatever happens to the caller's future.
    async fn start_guest(
        &mut self,
        whose: Endpoint,
        laboratory: &Laboratory,
        attempt: &Attempt,
        spec: &QemuSpec,
        record: &mut TargetRecord,
    ) -> Result<(), StageError> {
        let seat = match whose {
            Endpoint::Target => &mut self.target,
            Endpoint::Peer => &mut self.peer,
        };
        let attachment = Attachment::new(whose, &mut self.testbed, seat.take_socket(), attempt)?;
        let guest = boot(laboratory, attempt, spec, attachment, record).await?;
        *seat = Seat::Guest { guest: Box::new(guest), agent: None };
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

    /// What the target's agent sets of its interface before it tells of it.
    fn offloads(&self) -> Option<String> {
        let (interface, is_guest) = self.placement.interface();
        self.tuning.offloads(interface, is_guest)
    }

    /// The settings of the ends that are network namespaces of this host.
    fn set_sysctls_of_host(&mut self, path: &PathSpec) -> Result<(), StageError> {
        let set = |at, wanted| {
            testbed::set_sysctls(self.testbed.namespace(at), wanted).map_err(StageError::failed(Part::Sysctl))
        };
        let mut changed = told(Endpoint::Peer, set(Place::Peer, &path.sysctl.peer)?);
        if self.placement.guest().is_none() {
            changed.extend(told(Endpoint::Target, set(Place::Target, &self.tuning.sysctl)?));
        }
        self.sysctls.extend(changed);
        Ok(())
    }

    /// The target's address of IPv6, where the path talks by such and the target is a guest.
    async fn give_ipv6_address(&self, laboratory: &Laboratory) -> Result<(), StageError> {
        match (self.guest(), self.family) {
            (Some(guest), Family::Ipv6) => {
                Ok(guest_sysctls::give_ipv6(guest, laboratory.ssh_plan(guest), exchange()).await?)
            }
            (Some(_), Family::Ipv4) | (None, _) => Ok(()),
        }
    }

    /// The settings of the target's own kernel, where it is a guest.
    async fn set_sysctls_of_guest(&mut self, laboratory: &Laboratory) -> Result<(), StageError> {
        let wanted = self.tuning.sysctl.clone();
        let Some(guest) = self.guest().filter(|_| !wanted.is_empty()) else { return Ok(()) };
        let set = guest_sysctls::set(guest, laboratory.ssh_plan(guest), &wanted, exchange()).await?;
        self.sysctls.extend(told(Endpoint::Target, set));
        Ok(())
    }

    /// The kernel settings that were changed.
    pub(super) fn sysctls(&self) -> Vec<SysctlRecord> {
        self.sysctls.clone()
    }

    /// Whether the target's guest has to be there before the peer can start.
    pub(super) fn peer_is_in_targets_guest(&self) -> bool {
        matches!(self.placement, Placement::GuestLoopback(_))
    }

    /// The address at which the target finds its peer.
    pub(super) fn peer_address(&self) -> IpAddr {
        self.placement.peer_address(self.family)
    }

    /// The guest, where the target is one and runs.
    pub(super) fn guest(&self) -> Option<&Guest> {
        self.target.guest()
    }

    /// How a guest has lost the NIC that is measured; `None` where it has not, where nobody can say, and for a host.
    pub(super) async fn lost_nic(&self, laboratory: &Laboratory) -> Option<NicLoss> {
        let guest = self.guest()?;
        let ask = |session: SshSession, left: &dyn Fn() -> Duration| session.run(ASK_NIC, left());
        let asking = launch_ssh::with_session(guest, laboratory.ssh_plan(guest), NIC_DEADLINE, ask);
        let told = asking.await.ok()?;
        match String::from_utf8_lossy(&told.stdout).trim() {
            "gone" => Some(NicLoss::Gone),
            "down" => Some(NicLoss::Down),
            "0" => Some(NicLoss::NoCarrier),
            _ => None,
        }
    }

    /// Comes when a guest dies (the target's, or the peer's where that is one), with the reason; never for a host.
    pub(super) fn guest_death(&self) -> impl Future<Output = VoidReason> + Send + use<> {
        Deaths::of(self.target.guest(), self.peer.guest()).first()
    }

    /// An agent's stream ends some moments before anybody can say why: waits for the reason, and puts it before the bare fact.
    pub(super) async fn explain<T>(&mut self, result: Result<T, StageError>) -> Result<T, StageError> {
        let (whose, error) = match result {
            Err(StageError::Agent {
                whose,
                error: error @ (AgentError::Gone { .. } | AgentError::Deaf { .. }),
            }) => (whose, error),
            told => return told,
        };
        if let Some(death) = self.deaths_behind(whose).soon().await {
            return Err(death.into());
        }
        let seat = match whose {
            Endpoint::Target => &mut self.target,
            Endpoint::Peer => &mut self.peer,
        };
        let end = seat.agent_end().await;
        let error = StageError::of(whose)(error);
        Err(match end {
            Some(how) => {
                VoidReason::AgentEnded { whose, how: format!("{how}: {}", error.into_reason()) }.into()
            }
            None => error,
        })
    }

    /// The guests without which this end's agent has nobody to talk to, or no place to be.
    fn deaths_behind(&self, whose: Endpoint) -> Deaths {
        match (whose, &self.peer) {
            (Endpoint::Target, _) => Deaths::of(self.target.guest(), self.peer.guest()),
            (Endpoint::Peer, Seat::InOthersGuest(_)) => Deaths::of(self.target.guest(), None),
            (Endpoint::Peer, Seat::Vacant { .. } | Seat::Host(_) | Seat::Guest { .. }) => {
                Deaths::of(None, self.peer.guest())
            }
        }
    }

    /// Ends the witness and gives what it saw. One that failed counts nothing and says so by `lost`.
    async fn end_witness(&mut self) -> Witness {
        let absent = self.placement.passes_unseen();
        let Some(witness) = self.witness.take() else {
            let lost_packets = if absent { 0 } else { u64::MAX };
            return Witness { absent, lost_packets, ..Witness::default() };
        };
        match joined(spawn_blocking(move || testbed::Witness::stop(witness)).await) {
            Ok(counts) => Witness {
                rst_to_target: counts.to_target,
                rst_to_peer: counts.to_peer,
                lost_packets: counts.lost,
                absent,
            },
            Err(_) => Witness { lost_packets: u64::MAX, ..Witness::default() },
        }
    }

    /// Ends everything in order, and gives what the witness saw.
    pub(super) async fn tear_down(mut self) -> Witness {
        let witness = self.end_witness().await;
        if let Seat::InOthersGuest(_) = self.peer {
            // Before the guest that it is in.
            self.peer.end_guest().await;
        }
        self.target.end_guest().await;
        self.peer.end_guest().await;
        joined(spawn_blocking(move || drop(self)).await);
        witness
    }
}

/// What of a target is set at the end of this path: the path's settings over those of the configuration.
fn tuning_of(spec: &TargetSpec, path: &PathSpec) -> Tuning {
    let mut tuning = spec.tuning().clone();
    tuning.sysctl.extend(path.sysctl.target.clone());
    tuning
}

/// Changed settings of this end, for the record.
fn told(end: Endpoint, set: Vec<SetSysctl>) -> Vec<SysctlRecord> {
    let one =
        |SetSysctl { name, before, after }| SysctlRecord { end: end.word().to_owned(), name, before, after };
    set.into_iter().map(one).collect()
}

/// Both ends before anything runs there. The two sockets that join two guests wait for their QEMUs.
fn vacant_seats(placement: &Placement) -> Result<(Seat, Seat), StageError> {
    let (target, peer) = match placement {
        Placement::HostBoth
        | Placement::HostLoopback
        | Placement::GuestAndHost(_)
        | Placement::GuestLoopback(_) => (None, None),
        Placement::Pair(_) => {
            // Datagrams keep the frames apart. A connected pair has no limit but the sender's buffer, and a frame for which that has no
            // room waits in QEMU: nothing is lost (unix(7); `unix_dgram_sendmsg`, net/unix/af_unix.c).
            let (target, peer) = UnixDatagram::pair().map_err(StageError::failed(Part::SocketPair))?;
            (Some(target.into()), Some(peer.into()))
        }
    };
    Ok((Seat::Vacant { socket: target }, Seat::Vacant { socket: peer }))
}

/// The agent, in the guest of this seat.
async fn push_agent(
    laboratory: &Laboratory,
    seat: &mut Seat,
    command: launch::Command<'_>,
    whose: Endpoint,
) -> Result<Session, StageError> {
    match seat {
        Seat::Guest { guest, agent } => launch::in_guest(laboratory, guest, command, agent, whose).await,
        Seat::Vacant { .. } | Seat::Host(_) | Seat::InOthersGuest(_) => {
            unreachable!("the agent comes after the guest")
        }
    }
}
