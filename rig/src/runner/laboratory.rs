//! The real player: one block from empty namespaces to a record.
//!
//! Phases: network, boot, agent, play, collect. Everything that a phase makes is owned by the future that plays the block, so
//! that dropping it (stop, deadline) tears all of it down. Whatever fails makes the block void with its reason.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rig_protocol::{Assignment, Role, Script, TrialRecord};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{timeout, timeout_at};

use super::dispatcher::{Attempt, Player};
use super::faults::{self, Done};
use super::session::Session;
use super::stage::{Stage, StageError, nanoseconds};
use super::stop::Stop;
use crate::agent::{AgentError, Waits};
use crate::clock;
use crate::configuration::PeerSeat;
use crate::configuration::Resolved;
use crate::event::{Event, Phase};
use crate::image::{GuestKeys, Image};
use crate::path::{Mechanisms, Need, PEER_PORT, Proof};
use crate::record::format::{BlockRecord, BlockStatus, CaptureWhen, PathRecord, TargetRecord, Witness};
use crate::testbed::CapturedPackets;

/// An agent that says nothing for this long is given up; it speaks five times a second while it plays.
fn silence() -> Duration {
    Duration::from_secs(20) * clock::patience()
}

/// For a hello, a "ready", a peer's last words.
pub(super) fn exchange() -> Duration {
    Duration::from_secs(30) * clock::patience()
}

/// After a block's deadline: to find out why, and to tear down.
const GRACE: Duration = Duration::from_secs(30);

/// What all blocks of a run share.
#[derive(Debug)]
pub struct Laboratory {
    /// Guest images by kernel name.
    pub images: HashMap<String, Image>,
    /// What `auto` stands for on this host.
    pub accelerator: Resolved,
    /// What paths can be made with on this host.
    pub mechanisms: Mechanisms,
    /// `qemu-system-x86_64`
    pub qemu: PathBuf,
    /// This run's SSH keys.
    pub keys: GuestKeys,
    /// The agent's bytes as a file, for the host's own agents.
    pub agent: PathBuf,
    /// The private folder of that file, which goes with the run.
    pub private: TempDir,
    /// The run's folder, for console and QMP logs.
    pub results: PathBuf,
    /// A block that lasts longer is void, boot included.
    pub block_deadline: Duration,
    /// From QEMU's start to the guest's readiness.
    pub boot_deadline: Duration,
    /// The first K examples of each outcome are kept whole.
    pub keep_examples: u32,
    /// At most this many anomalies of each outcome are kept whole.
    pub keep_anomalies: u32,
    /// Which blocks' packets are kept.
    pub capture: CaptureWhen,
}

impl Player for Laboratory {
    async fn play(
        &self,
        attempt: Attempt,
        events: UnboundedSender<Event>,
        mut stop: Stop,
    ) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        let started = clock::now();
        let began = Instant::now();
        let mut draft = Block {
            laboratory: self,
            attempt: &attempt,
            events: &events,
            record: blank(&attempt, &started),
            trials: vec![],
            proofs: vec![],
            packets: None,
        };
        // Each step of a block has its own bound; this one is for a step that does not keep it.
        let deadline = self.block_deadline + GRACE;
        let end = tokio::select! {
            biased;
            _ = stop.told() => return None,
            end = timeout(deadline, draft.conduct()) => end,
        };
        let reason = match end {
            Ok(Ok(())) => draft.unproven(),
            Ok(Err(error)) => Some(error.reason()),
            Err(_) => Some(StageError::Late { within: deadline }.reason()),
        };
        let Block { mut record, trials, packets, .. } = draft;
        record.elapsed_ns = nanoseconds(began.elapsed());
        if let Some(reason) = reason {
            record.status = BlockStatus::Void { reason };
        }
        if let Some(packets) = packets {
            self.keep_packets(packets, &attempt, &mut record, &trials, &events).await;
        }
        Some((record, trials))
    }
}

/// A block under way.
struct Block<'a> {
    laboratory: &'a Laboratory,
    attempt: &'a Attempt,
    events: &'a UnboundedSender<Event>,
    record: BlockRecord,
    trials: Vec<TrialRecord>,
    proofs: Vec<Proof>,
    packets: Option<CapturedPackets>,
}

impl Block<'_> {
    async fn conduct(&mut self) -> Result<(), StageError> {
        let within = self.laboratory.block_deadline;
        let until = tokio::time::Instant::now() + within;
        self.phase(Phase::Network);
        let mut stage = Stage::build(self.laboratory, self.attempt).await?;
        stage.start_capture(self.laboratory.capture).await?;
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
        if stage.peer_seat() == PeerSeat::Target {
            stage.boot_target(self.laboratory, self.attempt, &mut self.record.target, &phase).await?;
        }
        let peer = stage.start_peer(self.laboratory, self.attempt, &mut self.record.peer).await;
        let mut peer = stage.explain(peer).await?;
        self.record.peer_hello = Some(peer.hello().clone());

        let launched =
            stage.start_target(self.laboratory, self.attempt, &mut self.record.target, &phase).await;
        // A guest that is there already is shut down whatever comes next.
        let result = match launched {
            Ok(mut target) => {
                self.record.target_hello = Some(target.hello().clone());
                let death = stage.target_death();
                let result = tokio::select! {
                    biased;
                    reason = death => Err(StageError::GuestDied { reason }),
                    played = timeout_at(until, self.exchange(&stage, &mut peer, &mut target)) => {
                        played.unwrap_or(Err(StageError::Late { within }))
                    }
                };
                let result = self.ask_nic(&stage, result).await;
                stage.explain(result).await
            }
            Err(error) => stage.explain(Err(error)).await,
        };
        self.phase(Phase::Collect);
        let captured = stage.stop_capture().await.map(|packets| self.packets = packets);
        self.record.witness = stage.tear_down().await;
        result.and(captured)
    }

    /// A guest that lost its NIC plays on for nothing, or not to the end: where something is amiss, that is asked.
    async fn ask_nic(&self, stage: &Stage, result: Result<(), StageError>) -> Result<(), StageError> {
        let suspect = match &result {
            Ok(()) => self.record.tally.void() > 0,
            // Whoever is gone has another reason, which is asked for next.
            Err(StageError::GuestDied { .. } | StageError::Target(AgentError::Gone { .. })) => false,
            Err(_) => true,
        };
        if !suspect {
            return result;
        }
        match stage.lost_nic(self.laboratory).await {
            Some(what) => Err(StageError::NicLost { what, cause: result.err().map(Box::new) }),
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
        let peers_part = self.assignment(Role::Peer { listen: format!("0.0.0.0:{PEER_PORT}") });
        let has_peer = peers_part.script.lanes_of(rig_protocol::Side::Peer).next().is_some();
        if has_peer {
            let part = peers_part.clone();
            peer.talk(move |c| c.play(&part, exchange())).await.map_err(StageError::Peer)?;
        }
        let connect = format!("{}:{PEER_PORT}", stage.peer_address());
        let targets_part = self.assignment(Role::Target { connect });
        let waits = Waits { silence: silence(), total: self.laboratory.block_deadline };
        let (events, block) = (self.events.clone(), self.attempt.block.id.clone());
        let part = targets_part.clone();
        target.talk(move |c| c.play(&part, exchange())).await.map_err(StageError::Target)?;
        let (path, done) = (&self.attempt.cell.subject.path, Done::default());
        let collected = target.talk(move |c| {
            c.collect(&targets_part, waits, |progress| {
                let _ = events.send(Event::BlockProgress { block: block.clone(), progress });
            })
        });
        let played = tokio::select! {
            biased;
            failed = faults::conduct(stage, &path.faults, &done) => match failed? {},
            played = collected => played.map_err(StageError::Target)?,
        };
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
                .map_err(StageError::Peer)?;
            self.record.peer_tally = played.tally;
        }
        Ok(())
    }

    fn assignment(&self, role: Role) -> Assignment {
        let cell = &self.attempt.cell;
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
            trial_deadline_ns: u64::try_from((cell.subject.script.longest_trial() + exchange()).as_nanos())
                .unwrap_or(u64::MAX),
        }
    }

    fn phase(&self, phase: Phase) {
        let _ = self.events.send(Event::BlockPhase { block: self.attempt.block.id.clone(), phase });
    }

    /// Why a block that was played to its end counts for nothing all the same: no trial had an outcome, or the fault never bit.
    fn unproven(&self) -> Option<String> {
        let tally = &self.record.tally;
        if tally.trials == 0 {
            let most = tally.voids.iter().max_by_key(|(_, n)| **n).map_or("", |(reason, _)| reason.as_str());
            return Some(format!("no trial had an outcome ({} void, most often: {most})", tally.void()));
        }
        let needed = i64::try_from(tally.trials).unwrap_or(i64::MAX);
        let of_scenario = self.attempt.cell.proof.iter().map(|counter| (counter.clone(), Need::EveryTrial));
        let of_path = self.proofs.iter().map(|proof| (format!("path.{}", proof.counter), proof.need.clone()));
        of_scenario.chain(of_path).find_map(|(counter, need)| {
            let Some(risen_by) = risen(&self.record, &counter) else {
                return Some(format!("fault unproven: there is no counter {counter}"));
            };
            if need.is_met(risen_by, needed, |other| risen(&self.record, &format!("path.{other}"))) {
                return None;
            }
            let what = match need {
                Need::EveryTrial | Need::Once | Need::ByChance { .. } => "fault had no effect",
                Need::Never => "fault had an effect where its path says that it has none",
            };
            Some(format!("{what}: {counter} rose by {risen_by} in {needed} trials"))
        })
    }
}

/// `peer.Tcp.OutRsts`, `target.TcpExt.TCPAbortOnData`: how far that kernel counter rose during the block, which is 0 where the kernel shows
/// none of that name; `path.rule.NAME`: what a mechanism of the path counted, if it has such a counter.
fn risen(record: &BlockRecord, name: &str) -> Option<i64> {
    let of = |tally: &rig_protocol::Tally, key: &str| tally.counters.get(key).copied().unwrap_or(0);
    match name.split_once('.')? {
        ("peer", key) => Some(of(&record.peer_tally, key)),
        ("target", key) => Some(of(&record.tally, key)),
        ("path", key) => record.path.counters.get(key).map(|n| i64::try_from(*n).unwrap_or(i64::MAX)),
        _ => None,
    }
}

fn blank(attempt: &Attempt, started: &str) -> BlockRecord {
    BlockRecord {
        id: attempt.block.id.clone(),
        cell: attempt.cell.id.clone(),
        attempt: attempt.attempt,
        status: BlockStatus::Complete,
        started: started.to_owned(),
        elapsed_ns: 0,
        target: TargetRecord::default(),
        peer: None,
        target_hello: None,
        peer_hello: None,
        tally: rig_protocol::Tally::default(),
        peer_tally: rig_protocol::Tally::default(),
        witness: Witness::default(),
        path: PathRecord::default(),
        captures: vec![],
        records: 0,
    }
}
