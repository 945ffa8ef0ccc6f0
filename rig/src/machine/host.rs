//! An agent on this host: a child in a network namespace, spoken to over one end of a socket pair.
//!
//! Holds its start, its end and the tail of what it wrote to standard error. Must not know what is said over the stream.
//! Serves the peer's side of every cell and the target's side of bare-metal cells: the same bytes that a guest gets.
//! Units: bytes, `Duration`. Errors: [`HostError`]; it blames the host, a block becomes void.
//! Tests: `tests/netns.rs` (root).

#![expect(unsafe_code, reason = "what happens between fork and exec of an agent")]

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use miette::Diagnostic;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use super::etc::{Beside, Etc};
use crate::path::Unable;
use crate::process::{self, Tail};
use crate::testbed::{Namespace, TestbedError};

/// Why there is no agent, or no word of its end.
#[derive(Debug, Error, Diagnostic)]
pub enum HostError {
    /// No way into the namespace.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Namespace(#[from] TestbedError),
    /// No socket, no thread.
    #[error("cannot {step} for the agent")]
    #[diagnostic(help("the process may lack descriptors or threads: see `ulimit -n -u`"))]
    Prepare {
        /// What it tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// execve(2), or setns(2) right before it.
    #[error("cannot start the agent {}", agent.display())]
    #[diagnostic(help("it must be a static x86-64 program on a file system that is not mounted noexec"))]
    Start {
        /// Its file.
        agent: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// waitpid(2)
    #[error("cannot wait for the agent's end")]
    Wait {
        /// Why.
        source: io::Error,
    },
}

/// A running agent. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct HostAgent {
    stream: UnixStream,
    child: Child,
    stderr: Arc<Mutex<Tail>>,
    listener: Option<Listener>,
}

/// The thread that takes what an agent writes to standard error.
#[derive(Debug)]
struct Listener {
    /// Closed to tell it that the agent has ended.
    until: UnixStream,
    thread: JoinHandle<()>,
}

/// What the target's program finds around localtime(), as its configuration says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The bytes of its /etc/localtime; `None`: it has none.
    pub localtime: Option<Vec<u8>>,
    /// What else is in its /etc.
    pub beside: Beside,
    /// Its TZ; `None`: unset.
    pub timezone: Option<String>,
    /// The agent's arguments.
    pub arguments: Vec<String>,
}

/// [`launch_agent`], with these surroundings: a /etc of its own in a private mount namespace (mount_namespaces(7)), so that the arm is what it says
/// whatever the host's /etc has. It needs `CAP_SYS_ADMIN` over the mounts; [`private_etc`] says whether that is there.
///
/// # Errors
/// [`HostError`]; [`HostError::Start`] also where the /etc cannot be made.
pub fn launch_agent_within(
    namespace: &Namespace,
    agent: &Path,
    surroundings: Surroundings,
) -> Result<HostAgent, HostError> {
    let Surroundings { localtime, beside, timezone, arguments } = surroundings;
    let etc = Etc::prepare(localtime, beside)
        .map_err(|source| HostError::Prepare { step: "read what is in /etc", source })?;
    launch(namespace, agent, move |command| {
        command.args(arguments);
        command.envs(timezone.map(|timezone| ("TZ", timezone)));
        // SAFETY: it makes system calls only, between fork and exec; what it needs was read before.
        unsafe { command.pre_exec(move || etc.furnish()) };
    })
}

/// Whether a program can be given a /etc of its own: tried in a mount namespace that ends with its thread.
///
/// # Errors
/// Why not.
pub fn private_etc() -> Result<(), Unable> {
    let unable = |error: io::Error| Unable::PrivateEtc(error.to_string());
    let etc = Etc::prepare(None, Beside::Nothing).map_err(unable)?;
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("rig-etc".into()).spawn_scoped(scope, || etc.furnish());
        worker
            .map_err(unable)?
            .join()
            .map_or_else(|panic| resume_unwind(panic), |tried| tried.map_err(unable))
    })
}

/// Starts the agent in `namespace`. Its standard input and output are the same socket; its environment is empty (no TZ, no locale), its working
/// directory is /, and it has no descriptors but 0, 1 and 2, so that those of its sockets are small numbers.
///
/// # Errors
/// [`HostError`]
pub fn launch_agent(namespace: &Namespace, agent: &Path) -> Result<HostAgent, HostError> {
    launch(namespace, agent, |_| ())
}

fn launch(
    namespace: &Namespace,
    agent: &Path,
    surround: impl FnOnce(&mut Command),
) -> Result<HostAgent, HostError> {
    let prepare = |step| move |source| HostError::Prepare { step, source };
    let (stream, theirs) = UnixStream::pair().map_err(prepare("make a socket pair"))?;
    let output = theirs.try_clone().map_err(prepare("duplicate a socket"))?;
    let mut command = Command::new(agent);
    command
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(OwnedFd::from(output))
        .stderr(Stdio::piped());
    namespace.enter_on_spawn(&mut command)?;
    surround(&mut command);
    // What others left open must not shift the agent's numbers.
    // SAFETY: it makes one system call, between fork and exec.
    unsafe { command.pre_exec(process::seal_descriptors) };
    let mut child =
        process::spawn(command).map_err(|source| HostError::Start { agent: agent.to_owned(), source })?;
    let pipe = child.stderr.take().expect("stderr was piped above");
    let stderr = Arc::new(Mutex::new(Tail::default()));
    let mut running = HostAgent { stream, child, stderr: Arc::clone(&stderr), listener: None };
    let (until, ended) = UnixStream::pair().map_err(prepare("make a socket pair"))?;
    let thread = thread::Builder::new()
        .name("rig-agent-stderr".into())
        .spawn(move || keep_tail(pipe, &ended, &stderr))
        .map_err(prepare("start a thread"))?;
    running.listener = Some(Listener { until, thread });
    Ok(running)
}

impl HostAgent {
    /// Both directions: what the agent writes, and what it reads. Its end means that the agent is gone.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Its pid, in this enclosure's numbers.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, at most this long; `None` while it runs. To let it end by itself, shut the stream down first.
    ///
    /// # Errors
    /// [`HostError::Wait`]
    pub fn exited(&mut self, patience: Duration) -> Result<Option<ExitStatus>, HostError> {
        let status =
            process::wait_exit(&mut self.child, patience).map_err(|source| HostError::Wait { source })?;
        if status.is_some() {
            self.finish_reading();
        }
        Ok(status)
    }

    /// The last that it wrote to standard error; complete after its end. Not made plain: whoever shows it does that.
    pub fn stderr_tail(&self) -> String {
        process::lock(&self.stderr).text()
    }

    fn finish_reading(&mut self) {
        if let Some(Listener { until, thread }) = self.listener.take() {
            drop(until);
            // It takes what is there and ends, although a child that the agent left behind may keep the pipe open for ever.
            let _ = thread.join();
        }
    }
}

impl Drop for HostAgent {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.finish_reading();
    }
}

/// What the agent had written when it ended fits into a pipe (pipe(7)); a child that it left behind may write for ever.
const MOST_LAST_WORDS: usize = 1 << 20;

/// Reads until the pipe ends, or until `ended` is closed and what was there by then is read.
fn keep_tail(mut pipe: ChildStderr, ended: &UnixStream, tail: &Mutex<Tail>) {
    let mut buffer = [0; 4096];
    let mut last_words = None;
    loop {
        let patience = if last_words.is_none() { PollTimeout::NONE } else { PollTimeout::ZERO };
        let seen = {
            let mut ends =
                [PollFd::new(pipe.as_fd(), PollFlags::POLLIN), PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ends, patience) {
                Ok(_) => ends.map(|end| end.any().unwrap_or(true)),
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            }
        };
        let [readable, ended] = seen;
        if ended && last_words.is_none() {
            last_words = Some(0);
        }
        if !readable {
            if last_words.is_some() {
                return;
            }
            continue;
        }
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                process::lock(tail).push(&buffer[..count]);
                last_words = last_words.map(|bytes| bytes + count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        if last_words.is_some_and(|bytes| bytes >= MOST_LAST_WORDS) {
            return;
        }
    }
}
