//! A guest's way from one block to the next: how it leaves a stage, and how it joins another.
//!
//! Must not know trials. Units: `Duration`, nanoseconds in the record. Errors: [`StageError`], where a guest that was kept cannot go on; one that cannot be kept
//! is ended. Tests: `tests/guest.rs`.

use std::time::Instant;

use serde_json::json;
use tokio::task::spawn_blocking;

use super::error::StageError;
use super::kept::{Kept, Waiting};
use super::placement::Placement;
use super::seat::Seat;
use super::{Stage, launch};
use crate::machine::guest_between;
use crate::machine::launch_ssh::AGENT_PATH;
use crate::matrix::shares_boot;
use crate::path::Addressing;
use crate::record::format::{BlockRecord, BootRecord, TargetRecord, Witness};
use crate::record::{Endpoint, Layout};
use crate::runner::attempt::Attempt;
use crate::runner::laboratory::Laboratory;
use crate::runner::patience::{exchange, nanoseconds};
use crate::runner::session::{Session, joined};

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
}
