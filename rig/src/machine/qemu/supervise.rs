//! One task for each guest: sees every sign of its death, tells it once, and reaps the process.
//!
//! Owns the process. Must not know boots, agents or deadlines of others. Units: `Duration`.
//! Errors: none; a wait that fails is a death as well.
//! What it tells is in `death`; how a guest asks it for the end is [`Intent`].
//! Tests: below, with `sh` in QEMU's place; real deaths in `tests/qemu.rs`.

use std::path::PathBuf;
use std::process::ChildStderr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::aftermath::Aftermath;
use super::console::ConsoleState;
use super::death::{Death, DeathKind, Signs, describe_exit};
use super::keep_core::{Core, CoreKeeper};
use super::log::LineLog;
use super::qmp::{Qmp, QmpEvent};
use super::spawn::Process;
use crate::process::Tail;

/// After the first sign of a death, so long more telling ones may come (the panic's line on the console, standard error).
const GATHER: Duration = Duration::from_millis(250);
/// As long as a kernel may print what it has to say after the first line of its panic: a hundred lines on an emulated serial port.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// A QEMU that has told its end is killed when it is not gone after this.
const LINGER: Duration = Duration::from_secs(2);

/// What rig itself is about to do with the guest, so that its effects are not taken for a death of its own.
#[derive(Debug, Default)]
pub(super) struct Intent {
    end: AtomicBool,
    pause: AtomicBool,
}

impl Intent {
    pub(super) fn end(&self) {
        self.end.store(true, Ordering::SeqCst);
    }

    pub(super) fn pause(&self, paused: bool) {
        self.pause.store(paused, Ordering::SeqCst);
    }
}

/// What the task needs.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) process: Process,
    pub(super) stderr: JoinHandle<String>,
    pub(super) events: mpsc::UnboundedReceiver<QmpEvent>,
    pub(super) console: watch::Receiver<ConsoleState>,
    pub(super) intent: Arc<Intent>,
    pub(super) death: watch::Sender<Option<Death>>,
    pub(super) after: Option<After>,
    /// Whether a debugger can be attached, which stops the processors and lets them go on.
    pub(super) debugged: bool,
}

/// What is done when the kernel has panicked, and where what comes of it is written.
#[derive(Debug)]
pub(super) struct After {
    pub(super) aftermath: Aftermath,
    pub(super) log: LineLog,
    pub(super) at: PathBuf,
    /// Where the guest's memory is kept.
    pub(super) core: Option<CoreKeeper>,
}

impl After {
    /// With what keeping a core needs, where one is asked for.
    pub(super) fn with_core(self, qmp: &Arc<OnceLock<Qmp>>, memory_mib: u32) -> Self {
        let core = self.aftermath.core.clone();
        let core = core.map(|path| CoreKeeper { path, qmp: Arc::clone(qmp), memory_mib });
        Self { core, ..self }
    }
}

/// Watches until the guest is dead and its process reaped; gives how the process ended.
pub(super) async fn supervise(mut watched: Watched) -> String {
    let mut signs = Signs::default();
    while !signs.deadly(&watched.console.borrow()) {
        watched.see(&mut signs).await;
    }
    watched.hear_out(&mut signs).await;
    if signs.exit.is_some() {
        // The pipe ends with the process, unless a child of it lives on, which the sandbox forbids.
        if let Ok(Ok(stderr)) = timeout_at(Instant::now() + GATHER, &mut watched.stderr).await {
            signs.stderr = stderr;
        }
    }
    signs.asked = watched.intent.end.load(Ordering::SeqCst);
    let death = signs.judge(&watched.console.borrow());
    let panicked = death.kind == DeathKind::Panicked;
    watched.death.send_replace(Some(death));

    let core = if panicked { watched.keep_core().await } else { None };
    if core.is_some() {
        // It stays for ever otherwise.
        watched.process.kill();
    }
    let lingering = Instant::now() + LINGER;
    let status = match timeout_at(lingering, watched.process.ended()).await {
        Ok(status) => status,
        Err(_) => {
            watched.process.kill();
            watched.process.ended().await
        }
    };
    if panicked {
        watched.look_into(core).await;
    }
    match status {
        Ok(status) => describe_exit(status),
        Err(error) => format!("could not be waited for: {error}"),
    }
}

impl Watched {
    /// What the aftermath asks for, once the console has told all.
    async fn look_into(&mut self, core: Option<Result<Core, String>>) {
        let Some(After { aftermath, mut log, at, .. }) = self.after.take() else { return };
        let ended = self.console.wait_for(|console| console.ended);
        let _ = tokio::time::timeout(GATHER, ended).await;
        let console = self.console.borrow().clone();
        aftermath.conduct(&console, core, &mut log, &at).await;
    }

    /// The file with the guest's memory, or why there is none; nothing where none was asked for.
    async fn keep_core(&mut self) -> Option<Result<Core, String>> {
        let keeper = self.after.as_mut()?.core.take()?;
        Some(keeper.keep().await)
    }

    /// Waits for more telling signs: the panic's line, the call trace behind it, an exit's cause.
    async fn hear_out(&mut self, signs: &mut Signs) {
        let last = Instant::now() + LAST_WORDS;
        while signs.panicking(&self.console.borrow()) && !signs.complete(&self.console.borrow()) {
            if timeout_at(last, self.see(signs)).await.is_err() {
                break;
            }
        }
        let gathered = Instant::now() + GATHER;
        while !signs.complete(&self.console.borrow()) {
            if timeout_at(gathered, self.see(signs)).await.is_err() {
                break;
            }
        }
    }

    /// Waits for one more sign. Cancel-safe.
    async fn see(&mut self, signs: &mut Signs) {
        let console_goes_on = !self.console.borrow().ended;
        tokio::select! {
            status = self.process.ended(), if signs.exit.is_none() => match status {
                Ok(status) => signs.exit = Some(status),
                Err(error) => signs.shutdown = Some(format!("it cannot be watched: {error}")),
            },
            Some(event) = self.events.recv() => {
                signs.take_event(&event, self.debugged || self.intent.pause.load(Ordering::SeqCst));
            }
            Ok(()) = self.console.changed(), if console_goes_on => {}
            // All sources have ended without a verdict: only a killed runtime gets here, and it waits for nobody.
            else => std::future::pending().await,
        }
    }
}

/// Reads a process's standard error to its end and gives the last part of it.
pub(super) fn read_stderr(
    stderr: ChildStderr,
    note: impl Fn(&str) + Send + 'static,
) -> std::io::Result<JoinHandle<String>> {
    let mut stderr = pipe::Receiver::from_owned_fd(stderr.into())?;
    Ok(tokio::spawn(async move {
        let mut tail = Tail::default();
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
            note(&String::from_utf8_lossy(&buffer[..count]));
            tail.push(&buffer[..count]);
        }
        tail.text()
    }))
}

/// The form in which standard error goes to the QMP log.
pub(super) fn stderr_note(text: &str) -> serde_json::Value {
    json!({ "stderr": text })
}

#[cfg(test)]
mod tests {
    use super::super::spawn::Launch;
    use super::*;

    struct Scene {
        events: mpsc::UnboundedSender<QmpEvent>,
        console: watch::Sender<ConsoleState>,
        intent: Arc<Intent>,
        death: watch::Receiver<Option<Death>>,
        end: JoinHandle<String>,
        killer: std::os::fd::OwnedFd,
    }

    fn start(script: &str) -> Scene {
        let launch = Launch::in_qemus_place("/bin/sh", &["-c", script]);
        let (process, stderr) = Process::start(launch).unwrap();
        let killer = process.killer().unwrap();
        let (events, event_receiver) = mpsc::unbounded_channel();
        let (console, console_receiver) = watch::channel(ConsoleState::default());
        let (death_sender, death) = watch::channel(None);
        let intent = Arc::new(Intent::default());
        let stderr = read_stderr(stderr, |_| {}).unwrap();
        let watched = Watched {
            process,
            stderr,
            events: event_receiver,
            console: console_receiver,
            intent: Arc::clone(&intent),
            death: death_sender,
            after: None,
            debugged: false,
        };
        Scene { events, console, intent, death, end: tokio::spawn(supervise(watched)), killer }
    }

    impl Scene {
        async fn death(&mut self) -> Death {
            self.death.wait_for(Option::is_some).await.unwrap().clone().unwrap()
        }
    }

    #[tokio::test]
    async fn an_exit_is_told_with_the_last_words() {
        let mut scene = start("echo first >&2; echo last words >&2; exit 3");
        let death = scene.death().await;
        assert_eq!(death.kind, DeathKind::Exited);
        assert_eq!(death.reason, "qemu ended with exit status 3; its last line of output: last words");
        assert_eq!(scene.end.await.unwrap(), "ended with exit status 3");
    }

    #[tokio::test]
    async fn a_panic_event_waits_a_moment_for_the_line_and_the_process_is_killed() {
        let mut scene = start("exec sleep 1000");
        let event =
            QmpEvent { name: "GUEST_PANICKED".into(), data: json!({ "action": "pause" }), timestamp_us: 0 };
        scene.events.send(event).unwrap();
        scene.console.send_modify(|state| state.panicked = Some("Kernel panic - not syncing: x".into()));
        let death = scene.death().await;
        assert_eq!(death.reason, "the guest's kernel panicked: Kernel panic - not syncing: x");
        assert_eq!(scene.end.await.unwrap(), "was killed by SIGKILL");
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_told_as_such() {
        let mut scene = start("exec sleep 1000");
        scene.intent.end();
        super::super::spawn::send_kill(&scene.killer);
        assert_eq!(scene.death().await.kind, DeathKind::Stopped);
    }

    #[tokio::test]
    async fn a_pause_is_no_death_and_the_sources_may_end_one_by_one() {
        let mut scene = start("exec sleep 1000");
        scene.intent.pause(true);
        scene.events.send(QmpEvent { name: "STOP".into(), data: json!(null), timestamp_us: 0 }).unwrap();
        scene.console.send_modify(|state| state.ended = true);
        let Scene { events, console, .. } = scene;
        drop((events, console));
        assert!(tokio::time::timeout(Duration::from_millis(100), scene.death.changed()).await.is_err());
        super::super::spawn::send_kill(&scene.killer);
        let death = scene.death.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert_eq!(death.reason, "qemu was killed by SIGKILL");
    }
}
