//! A running HAProxy, and the health endpoint behind it.
//!
//! Holds the process, its private folder and the thread that answers health checks in the peer's namespace. Must not know trials.
//! Units: `Duration`. Errors: a `String`, what went wrong in one sentence. Tests: `tests/paths.rs` (root).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use super::namespace::Namespace;
use crate::path::{Addressing, HEALTH_PORT, HaProxy, haproxy};
use crate::process;

/// From its start until it calls the backend up: a health check away.
const READY: Duration = Duration::from_secs(20);

/// For sessions to end whose trials are over: HAProxy writes one down when it has closed both its connections.
const FAREWELL: Duration = Duration::from_secs(2);

/// What it says of sessions.
const SESSIONS: &str = "sessions.log";

/// For an answer over its socket.
const ANSWER: Duration = Duration::from_secs(10);

/// Where HAProxy is: in PATH, or where Debian puts it, which the PATH of `su` or cron may not say.
pub(super) fn find() -> Option<PathBuf> {
    process::find_program("haproxy")
}

/// HAProxy in a namespace. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    socket: PathBuf,
    folder: TempDir,
    health: Mutex<Option<Health>>,
}

impl Running {
    /// Starts it in `switch` in front of the peer, and waits until it calls the peer up.
    pub(super) fn start(
        spec: &HaProxy,
        addressing: Addressing,
        switch: &Namespace,
        peer: &Namespace,
    ) -> Result<Self, String> {
        let health = Health::start(peer)?;
        let folder = process::new_run_dir().map_err(|error| format!("no private folder: {error}"))?;
        let socket = folder.path().join("haproxy.sock");
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, haproxy::configuration(spec, addressing, &socket))
            .map_err(|error| format!("its configuration cannot be written: {error}"))?;
        let mut command = Command::new(find().ok_or("it is not installed")?);
        let log = fs::File::create(folder.path().join("haproxy.log"))
            .map_err(|error| format!("its log cannot be written: {error}"))?;
        let sessions = fs::File::create(folder.path().join(SESSIONS))
            .map_err(|error| format!("its log cannot be written: {error}"))?;
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(sessions).stderr(log);
        switch.enter_on_spawn(&mut command).map_err(|error| error.to_string())?;
        let child = process::spawn(command).map_err(|error| format!("it cannot be started: {error}"))?;
        let mut running = Self { child, socket, folder, health: Mutex::new(Some(health)) };
        running.await_up()?;
        Ok(running)
    }

    fn await_up(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + READY;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(self.folder.path().join("haproxy.log")).unwrap_or_default();
                let last = log.lines().last().unwrap_or("no output").to_owned();
                return Err(format!("it ended with {status}: {last}"));
            }
            let last = self.ask().and_then(|csv| haproxy::is_up(&csv));
            if last == Ok(true) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(format!(
                    "it does not call its backend up within {} s: {last:?}",
                    READY.as_secs()
                ));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// From now on nobody answers its health checks; or somebody does again.
    pub(super) fn answer_checks(&self, peer: &Namespace, answer: Answer) -> Result<(), String> {
        let mut health = process::lock(&self.health);
        // First the end of the old one: it holds the port.
        *health = None;
        if answer == Answer::Yes {
            *health = Some(Health::start(peer)?);
        }
        Ok(())
    }

    /// `haproxy.*`
    pub(super) fn counters(&self) -> Result<BTreeMap<String, u64>, String> {
        let unreadable = |wrong: String| format!("its statistics cannot be read: {wrong}");
        let deadline = Instant::now() + FAREWELL;
        let csv = loop {
            let csv = self.ask()?;
            if haproxy::under_way(&csv).map_err(unreadable)? == 0 || Instant::now() >= deadline {
                break csv;
            }
            thread::sleep(Duration::from_millis(20));
        };
        let log = fs::read_to_string(self.folder.path().join(SESSIONS))
            .map_err(|error| format!("its log cannot be read: {error}"))?;
        haproxy::counters(&csv, &log).map_err(unreadable)
    }

    fn ask(&self) -> Result<String, String> {
        let talk = || -> io::Result<String> {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.write_all(haproxy::QUESTION.as_bytes())?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        talk().map_err(|error| format!("it does not answer: {error}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether health checks are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
}

/// Accepts connections on the health port and closes them.
#[derive(Debug)]
struct Health {
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Health {
    fn start(peer: &Namespace) -> Result<Self, String> {
        let listener = peer
            .run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, HEALTH_PORT)))
            .map_err(|error| error.to_string())?
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| format!("no health endpoint: {error}"))?;
        let (stop, stopped) = UnixStream::pair().map_err(|error| format!("no socket pair: {error}"))?;
        let thread = thread::Builder::new()
            .name("rig-health".into())
            .spawn(move || answer(&listener, &stopped))
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

fn answer(listener: &TcpListener, stopped: &UnixStream) {
    loop {
        let mut fds = [
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(_) => return,
        }
        if fds[1].revents().is_some_and(|events| !events.is_empty()) {
            return;
        }
        // Each is closed at once: that it was accepted is the answer.
        while listener.accept().is_ok() {}
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        let _ = self.stop.shutdown(std::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // It owns the listener: after this the port is free.
            let _ = thread.join();
        }
    }
}
