//! The real player: one block from empty namespaces to a record.
//!
//! Phases: network, boot, agent, play, collect. Everything that a phase makes is owned by the future that plays the block, so
//! that dropping it (stop, deadline) tears all of it down. Must not know what a target or a peer consists of. Units: `Duration`.
//! Errors: whatever fails makes the block void, with a [`VoidReason`]. Tests: `tests/qemu.rs`, `tests/guest.rs`, `tests/paths.rs` (root).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use rig_protocol::{Assignment, Progress, Role, Script, Side, Tally, TrialRecord};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{timeout, timeout_at};

use super::attempt::Attempt;
use super::capturing;
use super::dispatcher::Player;
use super::faults::{self, Done};
use super::laboratory::Laboratory;
use super::patience::{GRACE, exchange, nanoseconds, silence, trial_deadline};
use super::proof::unproven;
use super::session::Session;
use super::stage::{Kept, Stage, StageError};
use super::stop::Stop;
use crate::agent::{AgentError, Waits};
use crate::clock;
use crate::event::{Event, Phase};
use crate::path::{Family, PEER_PORT, Proof};
use crate::process;
use crate::record::format::{BlockRecord, BlockStatus, PathRecord};
use crate::record::{Endpoint, VoidReason};
use crate::testbed::CapturedPackets;

/// Signs of life that come faster are not passed on; an agent sends a few a second.
const BETWEEN_PROGRESS: Duration = Duration::from_millis(50);

/// What is known of a block in the end, and the trials that are kept whole.
type Played = Option<(BlockRecord, Vec<TrialRecord>)>;

impl Player for Laboratory {
    async fn play(&self, attempt: Attempt, events: UnboundedSender<Event>, stop: Stop) -> Played {
        play(self, attempt, None, events, stop).await.0
    }
}

/// Plays a block, in a guest that was kept for it or in one that is booted; where others follow in the same boot, the guest comes back.
pub(super) async fn play(
    laboratory: &Laboratory,
    attempt: Attempt,
    kept: Option<Kept>,
    events: UnboundedSender<Event>,
    mut stop: Stop,
) -> (Played, Option<Kept>) {
    let started = clock::now();
    let began = Instant::now();
    let mut draft = Block {
        laboratory,
        attempt: &attempt,
        events: &events,
        kept,
        record: attempt.blank_record(&started),
        heard: Heard::default(),
        trials: vec![],
        proofs: vec![],
        packets: None,
    };
    // Each step of a block has its own bound; this one is for a step that does not keep it.
    let deadline = laboratory.block_deadline + GRACE + laboratory.core_deadline();
    let end = tokio::select! {
        biased;
        why = stop.told() => Err(why),
        end = timeout(deadline, draft.conduct_or_panic()) => Ok(end),
    };
    let void = |reason: VoidReason| BlockStatus::Void { reason: reason.plain() };
    let status = match end {
        Ok(Ok(Ok(()))) => {
            let cell = &attempt.cell;
            unproven(&draft.record, &cell.subject.script, &cell.proof, &draft.proofs).map(void)
        }
        Ok(Ok(Err(error))) => Some(void(error.into_reason())),
        Ok(Err(_)) => Some(void(late(deadline))),
        Err(why) => Some(BlockStatus::Aborted { reason: why.word().to_owned() }),
    };
    let Block { mut record, heard, trials, packets, kept, .. } = draft;
    let kept = match status {
        Some(_) => end_doubtful(kept).await,
        None => kept,
    };
    record.elapsed_ns = nanoseconds(began.elapsed());
    if record.tally == Tally::default() {
        record.tally = heard.so_far();
    }
    if let Some(status) = status {
        record.status = status;
    }
    if matches!(record.status, BlockStatus::Aborted { .. }) {
        // What was seen before the stop cannot be unseen; before the first trial there is nothing to keep.
        return ((record.tally != Tally::default()).then_some((record, trials)), kept);
    }
    if let Some(packets) = packets {
        capturing::keep(laboratory, packets, &attempt, &mut record, &trials, &events).await;
    }
    (Some((record, trials)), kept)
}

/// A block that left doubt ends its boot.
async fn end_doubtful(kept: Option<Kept>) -> Option<Kept> {
    if let Some(kept) = kept {
        kept.end().await;
    }
    None
}

/// The target's last sign of life: what is known of a block whose end nobody sees.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Progress>>);

impl Heard {
    fn hear(&self, progress: Progress) {
        *process::lock(&self.0) = progress;
    }

    fn so_far(&self) -> Tally {
        process::lock(&self.0).clone().into_tally()
    }
}

/// A block under way.
struct Block<'a> {
    laboratory: &'a Laboratory,
    attempt: &'a Attempt,
    events: &'a UnboundedSender<Event>,
    /// The guest that it is to be played in, then the one that others are to be played in.
    kept: Option<Kept>,
    record: BlockRecord,
    heard: Heard,
    trials: Vec<TrialRecord>,
    proofs: Vec<Proof>,
    packets: Option<CapturedPackets>,
}

impl Block<'_> {
    /// What was seen before a panic cannot be unseen: the record keeps it.
    async fn conduct_or_panic(&mut self) -> Result<(), StageError> {
        let conducted = AssertUnwindSafe(self.conduct()).catch_unwind().await;
        conducted.unwrap_or_else(|panic| Err(VoidReason::Bug { what: process::panicked(&*panic) }.into()))
    }

    async fn conduct(&mut self) -> Result<(), StageError> {
        let within = self.laboratory.block_deadline;
        let until = tokio::time::Instant::now() + within;
        self.phase(Phase::Network);
        let mut stage = Stage::build(self.laboratory, self.attempt, self.kept.take()).await?;
        stage.start_capture(self.laboratory.capture)?;
        let compiled = stage.testbed().ops();
        self.record.path = PathRecord {
            mechanisms: compiled.mechanisms.clone(),
            operations: compiled.lines(),
            ..PathRecord::default()
        };
        self.proofs = compiled.proofs.clone();
        let phase = |phase| {
            let _ = self.events.send(Event::BlockPhase { block: self.attempt.block.id.clone(), phase });
        };
        if stage.peer_is_in_targets_guest() {
            stage.boot_target(self.laboratory, self.attempt, &mut self.record, &phase).await?;
        }
        let peer = stage.start_peer(self.laboratory, self.attempt, &mut self.record.peer).await;
        let mut peer = stage.explain(peer).await?;
        self.record.peer_hello = Some(peer.hello().clone().into());

        let launched = stage.start_target(self.laboratory, self.attempt, &mut self.record, &phase).await;
        // A guest that is there already is shut down whatever comes next.
        let result = match launched {
            Ok(mut target) => {
                self.record.target_hello = Some(target.hello().clone().into());
                let death = stage.guest_death();
                let result = tokio::select! {
                    biased;
                    reason = death => Err(reason.into()),
                    played = timeout_at(until, self.exchange(&stage, &mut peer, &mut target)) => {
                        played.unwrap_or_else(|_| Err(late(within).into()))
                    }
                };
                let result = self.ask_nic(&stage, result).await;
                stage.explain(result).await
            }
            Err(error) => stage.explain(Err(error)).await,
        };
        self.phase(Phase::Collect);
        let captured = stage.stop_capture().await.map(|packets| self.packets = packets);
        self.record.sysctls = stage.sysctls();
        let result = result.and(captured);
        // A trial that the testbed failed leaves doubt, too.
        let sound = result.is_ok() && self.record.tally.void() == 0;
        self.record.witness = if sound && self.attempt.boot.following > 0 {
            let (witness, kept) = stage.part(self.laboratory, self.attempt, &self.record).await;
            self.kept = kept;
            witness
        } else {
            stage.tear_down().await
        };
        result
    }

    /// A guest that lost its NIC plays on for nothing, or not to the end: where something is amiss, that is asked.
    async fn ask_nic(&self, stage: &Stage, result: Result<(), StageError>) -> Result<(), StageError> {
        let suspect = match &result {
            Ok(()) => self.record.tally.void() > 0,
            // Whoever is gone has another reason, which is asked for next.
            Err(
                StageError::Void(VoidReason::GuestDied { .. })
                | StageError::Agent { whose: Endpoint::Target, error: AgentError::Gone { .. } },
            ) => false,
            Err(_) => true,
        };
        if !suspect {
            return result;
        }
        match stage.lost_nic(self.laboratory).await {
            Some(loss) => {
                let then = result.err().map(|error| error.into_reason().to_string());
                Err(VoidReason::NicLost { loss, then }.into())
            }
            None => result,
        }
    }

    /// Peer listens, target plays, peer is told to finish, both report.
    async fn exchange(
        &mut self,
        stage: &Stage,
        peer: &mut Session,
        target: &mut Session,
    ) -> Result<(), StageError> {
        self.phase(Phase::Play);
        let peers_part = self.assignment(Role::Peer { listen: self.listen(stage)? }, None);
        let has_peer = peers_part.script.lanes_of(Side::Peer).next().is_some();
        let mut connect = SocketAddr::new(stage.peer_address(), PEER_PORT).to_string();
        if has_peer {
            let part = peers_part.clone();
            let told = peer.talk(move |c| c.play(&part, exchange())).await;
            let listening = told.map_err(StageError::of(Endpoint::Peer))?;
            if self.attempt.cell.subject.script.is_over_vsock() {
                connect = listening;
            }
        }
        let targets_part = self.assignment(Role::Target { connect }, stage.program_root(self.attempt));
        let waits = Waits { silence: silence(), total: self.laboratory.block_deadline };
        let (events, block, heard) = (self.events.clone(), self.attempt.block.id.clone(), self.heard.clone());
        let part = targets_part.clone();
        let (path, done) = (&self.attempt.cell.subject.path, Done::default());
        let timelines = faults::place(stage, &path.faults, &done).await?;
        target.talk(move |c| c.play(&part, exchange())).await.map_err(StageError::of(Endpoint::Target))?;
        let mut last_told: Option<Instant> = None;
        let collected = target.talk(move |c| {
            c.collect(&targets_part, waits, |progress| {
                heard.hear(progress.clone());
                // A guest may send them faster than they are shown: then they must not pile up.
                if last_told.is_none_or(|last| last.elapsed() >= BETWEEN_PROGRESS) {
                    last_told = Some(Instant::now());
                    let _ = events.send(Event::BlockProgress { block: block.clone(), progress });
                }
            })
        });
        let collected = async { collected.await.map_err(StageError::of(Endpoint::Target)) };
        let played = faults::during(faults::conduct(stage, timelines, &done), collected, &done).await?;
        self.record.path.counters = stage.path_counters(self.laboratory).await?;
        self.record.path.counters.extend(done.counters(&path.faults));
        self.record.tally = played.tally;
        self.record.records = played.records.len() as u64;
        self.trials = played.records;
        if has_peer {
            let waits = Waits { silence: exchange(), total: exchange() };
            let played = peer
                .talk(move |c| {
                    c.finish()?;
                    c.collect(&peers_part, waits, |_| ())
                })
                .await
                .map_err(StageError::of(Endpoint::Peer))?;
            self.record.peer_tally = played.tally;
        }
        Ok(())
    }

    /// Where the peer listens: at every address of the path's family, or by vsock.
    fn listen(&self, stage: &Stage) -> Result<String, StageError> {
        if self.attempt.cell.subject.script.is_over_vsock() {
            return Ok(stage.vsock_listen()?.to_string());
        }
        let any = match self.attempt.cell.subject.path.family {
            Family::Ipv4 => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Family::Ipv6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        Ok(SocketAddr::new(any, PEER_PORT).to_string())
    }

    /// `root` is where a program's files are.
    fn assignment(&self, role: Role, root: Option<String>) -> Assignment {
        let cell = &self.attempt.cell;
        let side = match role {
            Role::Peer { .. } => Side::Peer,
            Role::Target { .. } => Side::Target,
        };
        Assignment {
            script: Script::clone(&cell.subject.script),
            role,
            trials: self.attempt.block.trials,
            in_flight: cell
                .in_flight
                .min(u32::try_from(self.attempt.block.trials).unwrap_or(u32::MAX))
                .max(1),
            seed: self.attempt.block.seed,
            keep_examples: self.laboratory.keep_examples,
            keep_anomalies: self.laboratory.keep_anomalies,
            trial_deadline_ns: nanoseconds(trial_deadline(&cell.subject.script, side)),
            root,
        }
    }

    fn phase(&self, phase: Phase) {
        let _ = self.events.send(Event::BlockPhase { block: self.attempt.block.id.clone(), phase });
    }
}

fn late(within: Duration) -> VoidReason {
    VoidReason::Late { within_s: within.as_secs() }
}
