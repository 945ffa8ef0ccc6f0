//! A step of a night: this program again, as a child, with its signals and its log.
//!
//! A step is a process group of its own, so that signals reach it in one way only, be they a terminal's or a service manager's: `rig nightly` hands them on, and the step decides
//! what they mean. Must not know what a step does. Units: exit codes. Errors: `io::Error` of the call that failed. Tests: `tests/nightly.rs`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::runtime::Runtime;
use tokio::signal::unix::SignalKind;

use super::super::Exit;
use super::super::signals::Signals;
use super::super::streams::tell;
use crate::process::{RuntimeError, start_runtime};

/// Lines of a log that are kept.
const KEPT_LINES: usize = 200;

/// From its making on, signals are handed on to the steps and no longer end this process.
pub(super) struct Stage {
    runtime: Runtime,
    signals: Signals,
}

/// How a step ended.
pub(super) struct Ended {
    /// Its exit code; that of a bug where a signal ended it.
    pub(super) code: u8,
    /// What it said on standard output, where that was asked for.
    pub(super) said: String,
    /// The last lines of its log.
    log: VecDeque<String>,
}

impl Ended {
    /// The last lines of its log, at most so many.
    pub(super) fn last_lines(&self, most: usize) -> impl Iterator<Item = &str> {
        self.log.iter().skip(self.log.len().saturating_sub(most)).map(String::as_str)
    }
}

impl Stage {
    /// # Errors
    /// [`RuntimeError`]
    pub(super) fn set() -> Result<Self, RuntimeError> {
        let runtime = start_runtime()?;
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let signals = {
            let _inside = runtime.enter();
            Signals::listen(&kinds)
        };
        Ok(Self { runtime, signals })
    }

    /// Plays a step before the reader's eyes, and keeps the end of its log.
    pub(super) fn play(&mut self, words: &[OsString]) -> io::Result<Ended> {
        self.begin(words, Stdio::inherit())
    }

    /// Plays a step and keeps what it says on standard output.
    pub(super) fn take_down(&mut self, words: &[OsString]) -> io::Result<Ended> {
        self.begin(words, Stdio::piped())
    }

    fn begin(&mut self, words: &[OsString], stdout: Stdio) -> io::Result<Ended> {
        let Self { runtime, signals } = self;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).process_group(0);
        runtime.block_on(async {
            let mut child = command.spawn()?;
            let said = read(child.stdout.take());
            let log = keep(child.stderr.take());
            let watched = watch(&mut child, signals);
            let (status, said, log) = tokio::join!(watched, said, log);
            let status = status?;
            let mut ended = Ended { code: code_of(status), said, log };
            if let Some(signal) = status.signal() {
                ended.log.push_back(format!("it was ended by signal {signal}"));
            }
            Ok(ended)
        })
    }
}

/// Waits for the child's end, and hands on what this process is told meanwhile.
async fn watch(child: &mut Child, signals: &mut Signals) -> io::Result<ExitStatus> {
    loop {
        let kind = tokio::select! {
            status = child.wait() => return status,
            kind = signals.which() => kind,
        };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let (Some(pid), Ok(signal)) = (pid, Signal::try_from(kind.as_raw_value())) {
            // It has not been waited for, so the number is its own.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

async fn read(stdout: Option<ChildStdout>) -> String {
    let mut said = Vec::new();
    if let Some(mut stdout) = stdout {
        // What was read before an error is what there is.
        let _ = stdout.read_to_end(&mut said).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Passes a log on, and keeps its end.
async fn keep(stderr: Option<ChildStderr>) -> VecDeque<String> {
    let mut log = VecDeque::new();
    let Some(stderr) = stderr else { return log };
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        tell(&line);
        log.push_back(line);
        if log.len() > KEPT_LINES {
            log.pop_front();
        }
    }
    log
}

fn code_of(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Bug as u8)
}
