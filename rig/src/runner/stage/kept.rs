//! A guest that has played a block and waits for the next one of its boot, with nothing around it but its tap.
//!
//! Holds the owners; dropping one kills the guest. Must not know trials. Units: as in `record`. Errors: none; a guest that cannot be passed on is ended.
//! Tests: `tests/qemu.rs`.

use std::time::Instant;

use serde_json::json;
use tokio::task::spawn_blocking;

use super::error::StageError;
use super::placement::Placement;
use super::seat::Seat;
use super::{Stage, Witness, launch};
use crate::machine::guest_between;
use crate::machine::launch_ssh::AGENT_PATH;
use crate::machine::qemu::Guest;
use crate::matrix::{BootKey, shares_boot};
use crate::path::Addressing;
use crate::record::format::{BlockRecord, BootRecord, TargetRecord};
use crate::record::{Endpoint, Layout};
use crate::runner::attempt::Attempt;
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::{exchange, nanoseconds};
use crate::runner::session::{Session, joined};
use crate::testbed::{self, Namespace};

/// A guest between two blocks.
#[derive(Debug)]
pub(in crate::runner) struct Kept {
    guest: Box<Guest>,
    waiting: Waiting,
}

/// What is known of it besides.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where QEMU runs, and where the tap is now.
    pub(super) home: Namespace,
    planned: String,
    key: BootKey,
    boot: BootRecord,
    target: TargetRecord,
}

impl Kept {
    /// Whether this block is to be played in it: it is the same planned boot, booted with what this block's guest would be, and alive.
    pub(in crate::runner) fn is_for(&self, attempt: &Attempt) -> bool {
        let Waiting { planned, key, .. } = &self.waiting;
        attempt.boot.planned.as_ref() == Some(planned)
            && shares_boot(&attempt.cell).as_ref() == Ok(key)
            && self.guest.death().borrow().is_none()
    }

    /// Ends it: no block follows.
    pub(in crate::runner) async fn end(self) {
        self.guest.stop().await;
    }

    /// Its namespace, for its tap.
    pub(super) fn home(&self) -> &Namespace {
        &self.waiting.home
    }

    /// The seat in which it goes on, and what is known of it.
    pub(super) fn sit(self) -> (Seat, Waiting) {
        (Seat::Guest { guest: self.guest, agent: None }, self.waiting)
    }
}

impl Stage {
    /// The target's agent in a guest that was booted for another block: its logs go on in files of this block's, it is verified again, and its link comes up.
    pub(super) async fn join_guest(
        &mut self,
        waiting: &Waiting,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &mut BlockRecord,
    ) -> Result<Session, StageError> {
        let began = Instant::now();
        let BootRecord { name, place } = &waiting.boot;
        record.boot = Some(BootRecord { name: name.clone(), place: place + 1 });
        let (id, number) = (&attempt.block.id, attempt.attempt);
        let (console, qmp) = (Layout::console(id, number), Layout::qmp(id, number));
        record.target = TargetRecord { console, qmp, boot_ns: 0, ..waiting.target.clone() };
        let offloads = self.offloads();
        let timezone = self.arm.timezone.as_deref();
        let Seat::Guest { guest, agent } = &mut self.target else {
            unreachable!("a guest that was kept sits at the target's end")
        };
        let of = |log: &str| laboratory.results.join(log);
        guest.log_to(&of(&record.target.console), &of(&record.target.qmp))?;
        record.target.vhost_proof = guest.verify().await?.vhost_proof;
        let command = launch::Command {
            first: guest_between::JOIN,
            timezone,
            offloads: offloads.as_deref(),
            ..launch::Command::plain(AGENT_PATH)
        };
        let session = launch::again_in_guest(laboratory, guest, command, agent, Endpoint::Target).await?;
        record.target.boot_ns = nanoseconds(began.elapsed());
        Ok(session)
    }

    /// Ends everything but the guest, which is to play the next block of its boot; what the witness saw, and the guest, if nothing of this block is left in it.
    pub(in crate::runner) async fn part(
        mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &BlockRecord,
    ) -> (Witness, Option<Kept>) {
        let witness = self.end_witness().await;
        let Some(waiting) = self.leave_clean(laboratory, attempt, record).await else {
            self.tear_down().await;
            return (witness, None);
        };
        let Seat::Guest { guest, .. } = std::mem::replace(&mut self.target, Seat::Vacant { socket: None })
        else {
            unreachable!("only a guest is left clean")
        };
        let kept = Kept { guest, waiting };
        let release = move || {
            let Self { peer, testbed, .. } = self;
            drop(peer);
            testbed.release_tap(kept.home()).map(|()| kept)
        };
        (witness, joined(spawn_blocking(release).await).ok())
    }

    /// What is known of the guest, if it may go on: its cell may share, and nothing is left in it.
    async fn leave_clean(
        &mut self,
        laboratory: &Laboratory,
        attempt: &Attempt,
        record: &BlockRecord,
    ) -> Option<Waiting> {
        let (planned, key) = (attempt.boot.planned.clone()?, shares_boot(&attempt.cell).ok()?);
        let Placement::GuestAndHost(_) = self.placement else { return None };
        let home = match self.home.take() {
            Some(home) => home,
            None => self.testbed.target().try_clone().ok()?,
        };
        let Seat::Guest { guest, agent } = &mut self.target else { return None };
        drop(agent.take());
        let plan = laboratory.ssh_plan(guest);
        if let Err(why) = guest_between::part(guest, plan, Addressing::default().target, exchange()).await {
            guest.qmp().note(&json!({ "plays no other block": why.to_string() }));
            return None;
        }
        // A kernel that complained of itself may do worse.
        if !guest.console().borrow().complaints.is_empty() {
            return None;
        }
        guest.end_logs();
        let (boot, target) = (record.boot.clone()?, record.target.clone());
        Some(Waiting { home, planned, key, boot, target })
    }

    /// Ends the witness and gives what it saw. One that failed counts nothing and says so by `lost`.
    pub(super) async fn end_witness(&mut self) -> Witness {
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
}
