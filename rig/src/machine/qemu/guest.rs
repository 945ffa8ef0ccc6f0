//! A guest from its start to its end: boot, the few commands that blocks need, stop.
//!
//! Every wait is bounded, and ended at once by the guest's death, whose reason it then gives.
//! Must not know how an image is made or what runs in the guest. Units: `Duration`.
//! Errors: [`GuestError`], which blames the testbed.
//! Tests: `tests/qemu.rs` (real guests).

use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use qapi::qmp;
use serde_json::json;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::argv;
use super::console::{CONSOLE_CAP_BYTES, ConsoleState, watch_console};
use super::death::{Death, DeathKind};
use super::error::{GuestError, advise};
use super::fresh::Fresh;
use super::identity::Running;
use super::log::{JsonLog, LineLog, LogEnd};
use super::plan::GuestPlan;
use super::qmp::{Qmp, QmpError};
use super::spawn::send_kill;
use super::supervise::{After, Intent, Watched, read_stderr, stderr_note, supervise};
use crate::configuration::{Engine, QemuSpec, check};

/// A reply that takes longer than this comes from a QEMU that hangs, also on a busy host.
pub const QMP_DEADLINE: Duration = Duration::from_secs(10);
/// For `quit` when the guest is to end.
const QUIT_DEADLINE: Duration = Duration::from_secs(2);

/// Whether a NIC's cable is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// In.
    Up,
    /// Out.
    Down,
}

/// How a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Why it is dead; [`DeathKind::Stopped`] if nothing came before rig's own wish.
    pub death: Option<Death>,
    /// How the process ended.
    pub status: String,
    /// What could not be written of its logs, if anything.
    pub log_trouble: Option<String>,
}

/// A running guest. Dropping it kills it.
#[derive(Debug)]
pub struct Guest {
    engine: Engine,
    spec: QemuSpec,
    pid: u32,
    killer: OwnedFd,
    command_line: Vec<String>,
    running: Result<Running, String>,
    /// Of the console and of the conversation.
    logs: [LogEnd; 2],
    control_port: u16,
    namespace: Option<Arc<OwnedFd>>,
    vsock_cid: Option<u32>,
    asked_release: Option<String>,
    release: String,
    ready_after: Duration,
    qmp: Option<Qmp>,
    console: watch::Receiver<ConsoleState>,
    console_task: Option<JoinHandle<Option<String>>>,
    death: watch::Receiver<Option<Death>>,
    intent: Arc<Intent>,
    supervisor: Option<JoinHandle<String>>,
}

impl Guest {
    /// Starts QEMU and waits until the guest says on its console that it is ready, at most `within`. A disk of the user's says nothing of the kind: then it
    /// waits for QEMU alone, and `guest_disk` for the guest.
    ///
    /// # Errors
    /// [`GuestError`]; whatever was started is gone then.
    pub async fn boot(plan: GuestPlan, within: Duration) -> Result<Self, GuestError> {
        let started = Instant::now();
        let (mut guest, wires) = Self::start(plan).await?;
        let left = |started: Instant| within.saturating_sub(started.elapsed());
        let booted = tokio::time::timeout(left(started), guest.come_up(wires)).await;
        match booted {
            Ok(Ok(release)) => {
                guest.release = release;
                guest.ready_after = started.elapsed();
                Ok(guest)
            }
            Ok(Err(error)) => {
                guest.end_process().await;
                Err(error)
            }
            Err(_) => {
                let told = guest.console.borrow().clone();
                guest.end_process().await;
                Err(GuestError::NotReady { within, stage: told.stage(), last_words: told.last_words() })
            }
        }
    }

    /// Starts the process and the tasks that watch it.
    async fn start(plan: GuestPlan) -> Result<(Self, Wires), GuestError> {
        check(&plan.spec)?;
        let qmp_log =
            JsonLog::create(&plan.qmp_log).map_err(GuestError::prepare("the log of the qmp conversation"))?;
        let console_log = LineLog::create(&plan.console_log, CONSOLE_CAP_BYTES)
            .map_err(GuestError::prepare("the log of the console"))?;
        let logs = [console_log.ender(), qmp_log.ender()];
        let after = plan.aftermath.clone().map(|aftermath| After {
            aftermath,
            log: console_log.another(),
            at: plan.console_log.clone(),
            core: None,
        });
        let Fresh { process, stderr, command_line, vsock_cid, confined, qmp, console } = Fresh::start(&plan)?;
        let spawn_error = |source| GuestError::Spawn { program: plan.qemu.display().to_string(), source };
        let killer = process.killer().map_err(spawn_error)?;
        let pid = process.pid();

        let (heard, hear) = mpsc::unbounded_channel();
        let stderr = read_stderr(stderr, move |text| _ = heard.send(text.to_owned())).map_err(spawn_error)?;
        let (console_sender, console_state) = watch::channel(ConsoleState::default());
        let console_task = tokio::spawn(watch_console(console, console_log, console_sender));
        let (events, event_receiver) = mpsc::unbounded_channel();
        let (death_sender, death) = watch::channel(None);
        let intent = Arc::new(Intent::default());
        let spoken: Arc<OnceLock<Qmp>> = Arc::default();
        let after = after.map(|after| after.with_core(&spoken, plan.spec.memory_mib));
        let watched = Watched {
            process,
            stderr,
            events: event_receiver,
            console: console_state.clone(),
            intent: Arc::clone(&intent),
            death: death_sender,
            after,
            debugged: plan.gdb.is_some(),
        };
        let guest = Self {
            engine: plan.engine,
            pid,
            killer,
            command_line,
            running: Err("qemu was not spoken to".to_owned()),
            logs,
            control_port: plan.net.control_port,
            namespace: plan.namespace.map(Arc::new),
            spec: plan.spec,
            vsock_cid,
            asked_release: plan.medium.release().map(str::to_owned),
            release: String::new(),
            ready_after: Duration::ZERO,
            qmp: None,
            console: console_state,
            console_task: Some(console_task),
            death,
            intent,
            supervisor: Some(tokio::spawn(supervise(watched))),
        };
        Ok((guest, Wires { qmp, qmp_log, confined, events, stderr: hear, spoken }))
    }

    /// Speaks to QEMU, then waits for the guest.
    async fn come_up(&mut self, mut wires: Wires) -> Result<String, GuestError> {
        let death = self.death.clone();
        wires.qmp_log.write("note", &json!({ "command_line": self.command_line, "runs_as": wires.confined }));
        let connect = Qmp::connect(wires.qmp, wires.qmp_log, wires.events, QMP_DEADLINE);
        let qmp = match connect.await {
            Ok(qmp) => qmp,
            // A QEMU that hangs up is about to die, and its death has the better words.
            Err(error @ QmpError::Closed { .. }) => {
                let died = tokio::time::timeout(QUIT_DEADLINE, self.died()).await;
                return Err(died.map_or(error.into(), |death| self.explain(death)));
            }
            Err(error) => return Err(error.into()),
        };
        let noting = qmp.clone();
        tokio::spawn(async move {
            while let Some(text) = wires.stderr.recv().await {
                noting.note(&stderr_note(&text));
            }
        });
        tokio::spawn(abandon_when_dead(qmp.clone(), death));
        let _ = wires.spoken.set(qmp.clone());
        self.identify(&qmp).await;
        self.qmp = Some(qmp);
        if self.spec.disk.is_some() {
            return Ok(String::new());
        }
        let mut console = self.console.clone();
        let ready = async {
            let state =
                console.wait_for(|state| state.ready.is_some()).await.ok().map(|state| state.ready.clone());
            match state {
                Some(release) => release.unwrap_or_default(),
                // The console has ended: the death is on its way.
                None => std::future::pending().await,
            }
        };
        match self.or_death(ready).await {
            Ok(release) => Ok(release),
            Err(death) => Err(self.explain(death)),
        }
    }

    /// Looks at the process that answers: the one that was started, what it has become, or a child of it.
    async fn identify(&mut self, qmp: &Qmp) {
        let speaker = qmp.speaker();
        if let Ok(pid) = speaker {
            self.pid = pid;
        }
        self.running = Running::of_speaker(speaker).await;
        qmp.note(&match &self.running {
            Ok(running) => json!({
                "running": running.executable.path.to_string_lossy(),
                "sha256": running.executable.sha256,
                "command_line": running.command_line,
                "uid": running.credentials.uid,
                "capabilities": running.credentials.capabilities,
                "environment_bytes": running.credentials.environment_bytes,
            }),
            Err(reason) => json!({ "running": null, "reason": reason }),
        });
    }

    /// What a death means for a boot.
    fn explain(&self, death: Death) -> GuestError {
        let Death { kind, reason, stderr, stage, last_words, console_tail } = death;
        match kind {
            DeathKind::Panicked => GuestError::Panicked { reason, stage, last_words, console_tail },
            DeathKind::Failed => GuestError::InitFailed { reason },
            DeathKind::Exited if self.console.borrow().lines == 0 => {
                let advice = advise(&stderr);
                GuestError::Start { reason, stderr, advice }
            }
            DeathKind::Exited
            | DeathKind::Shutdown
            | DeathKind::Halted
            | DeathKind::Unplugged
            | DeathKind::Stopped => GuestError::Died { reason, stage, last_words, console_tail },
        }
    }

    /// Why the guest is dead, as soon as it is.
    pub fn death(&self) -> watch::Receiver<Option<Death>> {
        self.death.clone()
    }

    /// Waits for the guest's death.
    pub async fn died(&self) -> Death {
        let mut told = self.death.clone();
        let death = told.wait_for(Option::is_some).await.ok().and_then(|death| death.clone());
        match death {
            Some(death) => death,
            // The supervisor tells a death before it ends; only a runtime that shuts down ends it earlier.
            None => std::future::pending().await,
        }
    }

    /// Runs a future, but no longer than the guest lives.
    ///
    /// # Errors
    /// The guest's death.
    pub async fn or_death<T>(&self, doing: impl Future<Output = T>) -> Result<T, Death> {
        tokio::select! {
            biased;
            done = doing => Ok(done),
            death = self.died() => Err(death),
        }
    }

    /// `uname -r`, as the guest said it.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// A guest that says nothing when it is ready was reached after this time, and `uname -r` in it says so.
    pub fn reached(&mut self, release: String, after: Duration) {
        (self.release, self.ready_after) = (release, after);
    }

    /// What it must be, as the plan had it.
    pub fn asked_release(&self) -> Option<&str> {
        self.asked_release.as_deref()
    }

    /// From QEMU's start to the guest's mark.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// QEMU and its arguments, as rig asked for them.
    pub fn command_line(&self) -> &[String] {
        &self.command_line
    }

    /// What really runs, as it was read when it had greeted; or a sentence why that is not known.
    ///
    /// # Errors
    /// The sentence.
    pub fn running(&self) -> Result<&Running, &str> {
        self.running.as_ref().map_err(String::as_str)
    }

    /// QEMU's process id; while it has not greeted, or is not known, that of the process which was started to become it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What executes the guest.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Its hardware.
    pub fn spec(&self) -> &QemuSpec {
        &self.spec
    }

    /// The TCP port on 127.0.0.1 of [`Self::namespace`] behind which its SSH server is.
    pub fn control_port(&self) -> u16 {
        self.control_port
    }

    /// The CID of its vsock device; none without one.
    pub fn vsock_cid(&self) -> Option<u32> {
        self.vsock_cid
    }

    /// The network namespace in which QEMU runs.
    pub fn namespace(&self) -> Option<Arc<OwnedFd>> {
        self.namespace.clone()
    }

    /// What the console has told so far.
    pub fn console(&self) -> watch::Receiver<ConsoleState> {
        self.console.clone()
    }

    /// The conversation with QEMU.
    pub fn qmp(&self) -> &Qmp {
        self.qmp.as_ref().expect("a guest that was handed out has been spoken to")
    }

    /// Ends its logs: the files stay as they are, and what comes is dropped.
    pub fn end_logs(&self) {
        self.logs.iter().for_each(LogEnd::end);
    }

    /// Lets its logs go on in these files.
    ///
    /// # Errors
    /// [`GuestError::Prepare`]
    pub fn log_to(&self, console: &Path, qmp: &Path) -> Result<(), GuestError> {
        let [of_console, of_qmp] = &self.logs;
        of_console.go_on(console).and_then(|()| of_qmp.go_on(qmp)).map_err(GuestError::prepare("another log"))
    }

    /// Pulls or plugs the measured NIC's cable.
    ///
    /// # Errors
    /// [`GuestError::Qmp`]
    pub async fn set_link(&self, state: LinkState) -> Result<(), GuestError> {
        let up = match state {
            LinkState::Up => true,
            LinkState::Down => false,
        };
        self.qmp().execute(qmp::set_link { name: argv::DATA_NIC.to_owned(), up }, QMP_DEADLINE).await?;
        Ok(())
    }

    /// Halts the guest's processors; its clocks stand still.
    ///
    /// # Errors
    /// [`GuestError::Qmp`]
    pub async fn pause(&self) -> Result<(), GuestError> {
        self.intent.pause(true);
        let paused = self.qmp().execute(qmp::stop {}, QMP_DEADLINE).await;
        if paused.is_err() {
            self.intent.pause(false);
        }
        Ok(paused.map(drop)?)
    }

    /// Lets a paused guest go on.
    ///
    /// # Errors
    /// [`GuestError::Qmp`]
    pub async fn resume(&self) -> Result<(), GuestError> {
        self.qmp().execute(qmp::cont {}, QMP_DEADLINE).await?;
        self.intent.pause(false);
        Ok(())
    }

    /// Whether the guest's processors run.
    ///
    /// # Errors
    /// [`GuestError::Qmp`]
    pub async fn is_running(&self) -> Result<bool, GuestError> {
        Ok(self.qmp().execute(qmp::query_status {}, QMP_DEADLINE).await?.running)
    }

    /// Ends the guest: asks QEMU to quit, and kills it when it does not. Returns when the process is gone.
    pub async fn stop(mut self) -> Ended {
        self.intent.end();
        if self.death.borrow().is_some() {
            // It is ending by itself, perhaps with its last words; the supervisor does not let it linger.
            return self.collect().await;
        }
        let quits = match &self.qmp {
            // "Closed" is a quit as well: the process is on its way out, whoever sent it.
            Some(qmp) => match qmp.execute(qmp::quit {}, QUIT_DEADLINE).await {
                Ok(_) | Err(QmpError::Closed { .. }) => true,
                Err(_) => false,
            },
            None => false,
        };
        if quits {
            // Its death; the supervisor does not let it linger after that.
            let _ = tokio::time::timeout(QUIT_DEADLINE, self.died()).await;
        }
        if self.death.borrow().is_none() {
            send_kill(&self.killer);
        }
        self.collect().await
    }

    /// Kills the process and collects what is left.
    async fn end_process(&mut self) -> Ended {
        self.intent.end();
        let panicked = self.death.borrow().as_ref().is_some_and(|death| death.kind == DeathKind::Panicked);
        if !panicked {
            send_kill(&self.killer);
        }
        // One that panicked is looked at, and ended then.
        self.collect().await
    }

    /// Waits for the tasks of a guest whose end is certain.
    async fn collect(&mut self) -> Ended {
        let status = match self.supervisor.take() {
            Some(supervisor) => supervisor.await.unwrap_or_else(|error| format!("is unknown: {error}")),
            None => "is known already".to_owned(),
        };
        let console_trouble = match self.console_task.take() {
            // Ends with the process, whose end of the stream was the last.
            Some(task) => task.await.unwrap_or_else(|error| Some(error.to_string())),
            None => None,
        };
        let log_trouble = console_trouble.or_else(|| self.qmp.as_ref().and_then(Qmp::log_trouble));
        Ended { death: self.death.borrow().clone(), status, log_trouble }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.intent.end();
        // The supervisor reaps it; where the runtime is shutting down, the process's own drop does.
        send_kill(&self.killer);
        // Tasks that outlive this guest for a moment must not write into what is on the record by then.
        self.end_logs();
    }
}

/// What speaking to a fresh QEMU needs.
#[derive(Debug)]
struct Wires {
    qmp: UnixStream,
    qmp_log: JsonLog,
    confined: Vec<String>,
    events: mpsc::UnboundedSender<super::qmp::QmpEvent>,
    stderr: mpsc::UnboundedReceiver<String>,
    /// For whoever speaks of the guest when it is dead.
    spoken: Arc<OnceLock<Qmp>>,
}

/// Ends QMP waits with the death's reason.
async fn abandon_when_dead(qmp: Qmp, mut death: watch::Receiver<Option<Death>>) {
    if let Ok(told) = death.wait_for(Option::is_some).await
        && let Some(death) = told.as_ref()
    {
        qmp.abandon(&death.reason);
    }
}
