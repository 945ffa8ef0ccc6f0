//! A cell's guest on its testbed, booted for a person who looks for himself: no trial is played, nothing listens.
//!
//! Holds the boot (the one that blocks have), the agent's file in the guest, and a shell or a command over SSH.
//! Must not know terminals. Units: columns and rows. Errors: [`VisitError`], [`SshError`]; they blame the testbed.
//! Tests: `tests/qemu.rs`, through `rig guest boot`.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::dispatcher::Attempt;
use super::laboratory::{Laboratory, exchange};
use super::stage::{Stage, StageError};
use crate::agent;
use crate::configuration::{PeerSeat, QemuSpec, TargetSpec};
use crate::machine::launch_ssh::{self, AGENT_PATH, SshAgent, SshError, SshSession};
use crate::machine::qemu::Guest;
use crate::matrix::Cell;
use crate::record::Layout;
use crate::record::format::{BlockId, PlannedBlock, TargetRecord};

/// Why there is no guest to look into.
#[derive(Debug, Error, Diagnostic)]
pub enum VisitError {
    /// The cell runs on the host.
    #[error("cell {cell} has no guest: it runs on this host's own kernel")]
    #[diagnostic(help("give a cell of a configuration with kind = \"qemu\""))]
    NoGuest {
        /// Which.
        cell: String,
    },
    /// There is no place for the logs.
    #[error("cannot make {}", folder.display())]
    #[diagnostic(help(
        "it is where the guest's console would be logged: make it writable, or set XDG_CACHE_HOME"
    ))]
    Logs {
        /// Where.
        folder: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The network or the guest did not come up.
    #[error("no guest: {reason}")]
    #[diagnostic(help("what it said until then is in {}", console.display()))]
    Boot {
        /// The whole chain in one line.
        reason: String,
        /// Log of its console.
        console: PathBuf,
    },
}

/// What to do in the guest.
pub enum Errand {
    /// A login shell on a terminal of this kind and of so many columns and rows.
    Shell {
        /// Its name in terminfo.
        terminal: String,
        /// Columns, rows.
        size: (u32, u32),
    },
    /// A shell command; what it says on standard error goes there at once.
    Command {
        /// As `sh -c` takes it.
        line: String,
        /// Who hears its standard error.
        stderr: Box<dyn Write + Send>,
    },
}

/// A running guest. Dropping it kills it, and its network goes with it.
#[derive(Debug)]
pub struct Visit {
    stage: Stage,
    target: TargetRecord,
}

impl Laboratory {
    /// Boots the guest of `cell` on its testbed and puts the agent into it, unstarted. The peer's namespace has the peer's address, so
    /// that it answers pings, and nothing else in it. `stop`, when it comes, ends the boot and gives `None`.
    ///
    /// # Errors
    /// [`VisitError`]; whatever was started is gone then.
    pub async fn visit(
        &self,
        cell: &Cell,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Visit>, VisitError> {
        let TargetSpec::Qemu(spec) = &cell.subject.configuration.target else {
            return Err(VisitError::NoGuest { cell: cell.id.to_string() });
        };
        for name in [Layout::CONSOLE, Layout::QMP] {
            let folder = self.results.join(name);
            std::fs::create_dir_all(&folder).map_err(|source| VisitError::Logs { folder, source })?;
        }
        let id = BlockId(format!("{}-visit", cell.id));
        let console = self.results.join(Layout::console(&id, 1));
        let block = PlannedBlock { id, cell: cell.id.clone(), index: 0, seed: 0, trials: 0 };
        let attempt = Attempt { cell: cell.clone(), block, attempt: 1 };
        tokio::select! {
            biased;
            () = stop => Ok(None),
            visit = self.boot_for_visit(&attempt, spec) => match visit {
                Ok(visit) => Ok(Some(visit)),
                Err(error) => Err(VisitError::Boot { reason: error.reason(), console }),
            },
        }
    }

    async fn boot_for_visit(&self, attempt: &Attempt, spec: &QemuSpec) -> Result<Visit, StageError> {
        let mut stage = Stage::build(self, attempt).await?;
        if stage.peer_seat() == PeerSeat::Guest {
            // Without an agent: it answers pings, as a peer on the host does.
            stage.start_peer_guest(self, attempt, spec, &mut TargetRecord::default()).await?;
        }
        let mut target = TargetRecord::default();
        stage.start_guest(self, attempt, spec, &mut target).await?;
        let visit = Visit { stage, target };
        let push =
            |session: SshSession, left: &dyn Fn() -> Duration| session.push(AGENT_PATH, agent::BYTES, left());
        let guest = visit.guest();
        launch_ssh::with_session(guest, self.ssh_plan(guest), exchange(), push).await?;
        Ok(visit)
    }
}

impl Visit {
    /// The guest.
    pub fn guest(&self) -> &Guest {
        self.stage.guest().expect("a visit begins when the guest is up, and ends with it")
    }

    /// What a block's record would say of it; the logs are relative to [`Laboratory::results`].
    pub fn target(&self) -> &TargetRecord {
        &self.target
    }

    /// Logs in and starts the errand; it ends with the guest, whose death is then the reason.
    ///
    /// # Errors
    /// [`SshError`]
    pub async fn start(&self, laboratory: &Laboratory, errand: Errand) -> Result<SshAgent, SshError> {
        let guest = self.guest();
        let plan = laboratory.ssh_plan(guest);
        launch_ssh::with_session(guest, plan, exchange(), move |session, left| match errand {
            Errand::Shell { terminal, size } => session.start_shell(&terminal, size, left()),
            Errand::Command { line, stderr } => session.start_heard(&line, stderr, left()),
        })
        .await
    }

    /// Stops the guest and takes the network down.
    pub async fn end(self) {
        self.stage.tear_down().await;
    }
}
