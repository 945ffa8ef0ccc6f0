//! A cell's guest on its testbed for a person who looks into it: booted for that, with no trial played, or kept when a block has been played in it. Nothing listens.
//!
//! Holds the boot (the one that blocks have), the agent's file in the guest, and a shell or a command over SSH.
//! Must not know terminals. Units: columns and rows. Errors: [`InspectError`], [`SshError`]; they blame the testbed.
//! Tests: `tests/qemu.rs`, through `rig guest boot`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;
use rig_protocol::TrialRecord;
use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

use super::attempt::{Attempt, Boot};
use super::block;
use super::laboratory::Laboratory;
use super::patience::exchange;
use super::stage::{Stage, StageError};
use super::stop::Stop;
use crate::agent;
use crate::event::Event;
use crate::machine::launch_ssh::{self, AGENT_PATH, RemoteProgram, SshError, SshSession};
use crate::machine::qemu::{Guest, Remain};
use crate::matrix::Cell;
use crate::record::Layout;
use crate::record::format::{BlockId, BlockRecord, TargetRecord};

/// Why there is no guest to look into.
#[derive(Debug, Error, Diagnostic)]
pub enum InspectError {
    /// The cell runs on the host.
    #[error("cell {cell} has no guest: it runs on this host's own kernel")]
    #[diagnostic(help("give a cell of a configuration with kind = \"qemu\""))]
    NoGuest {
        /// Which.
        cell: String,
    },
    /// There is no place for the logs.
    #[error("cannot make {}", folder.display())]
    #[diagnostic(help("the guest's console is logged there: make it writable, or set XDG_CACHE_HOME"))]
    Logs {
        /// Where.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The network or the guest did not come up.
    #[error("no guest: {reason}")]
    #[diagnostic(help("its console up to then is in {}{left}", console.display()))]
    Boot {
        /// The whole chain in one line.
        reason: String,
        /// Log of its console.
        console: PathBuf,
        /// What it has left where its kernel panicked: further lines, or nothing.
        left: String,
    },
}

/// What to start in the guest.
pub enum Program {
    /// A login shell on a terminal of this kind and of so many columns and rows.
    Shell {
        /// Its name in terminfo.
        terminal: String,
        /// Columns, rows.
        size: (u32, u32),
    },
    /// A shell command.
    Command {
        /// As `sh -c` takes it.
        line: String,
        /// What it writes to standard error goes here at once.
        stderr: Box<dyn Write + Send>,
    },
}

/// A running guest. Dropping it kills it, and its network goes with it.
#[derive(Debug)]
pub struct Inspection {
    stage: Stage,
    target: TargetRecord,
}

impl Inspection {
    /// Boots the guest of `cell` on its testbed and puts the agent and the cell's program into it, unstarted. The peer's namespace has the peer's address, so
    /// that it answers pings, and nothing else in it. `stop`, when it comes, ends the boot and gives `None`.
    ///
    /// # Errors
    /// [`InspectError`]; whatever was started is gone then.
    pub async fn begin(
        laboratory: &Laboratory,
        cell: &Cell,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Self>, InspectError> {
        if cell.subject.configuration.target.is_host() {
            return Err(InspectError::NoGuest { cell: cell.id.to_string() });
        }
        for name in [Layout::CONSOLE, Layout::QMP] {
            let folder = laboratory.results.join(name);
            std::fs::create_dir_all(&folder).map_err(|source| InspectError::Logs { folder, source })?;
        }
        let id = BlockId(format!("{}-visit", cell.id));
        let console = laboratory.results.join(Layout::console(&id, 1));
        let attempt = Attempt::alone(id, cell.clone(), 0, 0);
        tokio::select! {
            biased;
            () = stop => Ok(None),
            booted = Self::boot(laboratory, &attempt) => match booted {
                Ok(inspection) => Ok(Some(inspection)),
                Err(error) => {
                    let left = laboratory.remains.all().iter().flat_map(Remain::words).fold(
                        String::new(),
                        |lines, line| lines + "\n" + &line,
                    );
                    Err(InspectError::Boot { reason: error.into_reason().to_string(), console, left })
                }
            },
        }
    }

    async fn boot(laboratory: &Laboratory, attempt: &Attempt) -> Result<Self, StageError> {
        let mut stage = Stage::build(laboratory, attempt, None).await?;
        let mut target = TargetRecord::default();
        stage.boot_guests(laboratory, attempt, &mut target).await?;
        stage.deliver_program(laboratory, attempt).await?;
        let inspection = Self { stage, target };
        let push =
            |session: SshSession, left: &dyn Fn() -> Duration| session.push(AGENT_PATH, agent::BYTES, left());
        let guest = inspection.guest();
        launch_ssh::with_session(guest, laboratory.ssh_plan(guest), exchange(), push).await?;
        Ok(inspection)
    }

    /// Plays a block as a run does, and keeps its guest on a fresh network; nothing is kept of a block that is void or was stopped, nor where something of the
    /// block is left in the guest.
    pub async fn after(
        laboratory: &Laboratory,
        attempt: Attempt,
        events: UnboundedSender<Event>,
        stop: Stop,
    ) -> (Option<(BlockRecord, Vec<TrialRecord>)>, Option<Self>) {
        let name = attempt.boot.name.clone();
        // The visit comes next in the same boot.
        let boot = Boot { planned: Some(name.clone()), name, following: 1 };
        let attempt = Attempt { boot, ..attempt };
        let (played, kept) = block::play(laboratory, attempt.clone(), None, events, stop).await;
        let (Some((record, _)), Some(kept)) = (&played, kept) else { return (played, None) };
        let target = record.target.clone();
        let stage = Stage::build(laboratory, &attempt, Some(kept)).await;
        (played, stage.ok().map(|stage| Self { stage, target }))
    }

    /// The guest.
    pub fn guest(&self) -> &Guest {
        self.stage.guest().expect("an inspection begins when the guest is up, and ends with it")
    }

    /// What a block's record would say of it; the logs are relative to [`Laboratory::results`].
    pub fn target(&self) -> &TargetRecord {
        &self.target
    }

    /// Logs in and starts the program; it ends with the guest, whose death is then the reason.
    ///
    /// # Errors
    /// [`SshError`]
    pub async fn start(&self, laboratory: &Laboratory, program: Program) -> Result<RemoteProgram, SshError> {
        let guest = self.guest();
        let plan = laboratory.ssh_plan(guest);
        launch_ssh::with_session(guest, plan, exchange(), move |session, left| match program {
            Program::Shell { terminal, size } => RemoteProgram::shell(session, &terminal, size, left()),
            Program::Command { line, stderr } => RemoteProgram::start(session, &line, Some(stderr), left()),
        })
        .await
    }

    /// Stops the guest and takes the network down.
    pub async fn end(self) {
        self.stage.tear_down().await;
    }
}
