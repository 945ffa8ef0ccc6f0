//! An agent on this host: a child in a network namespace, spoken to over one end of a socket pair.
//!
//! Holds its start, its end and the tail of what it wrote to standard error. Must not know what is said over the stream.
//! Serves the peer's side of every cell and the target's side of bare-metal cells: the same bytes that a guest gets.
//! Units: bytes, `Duration`. Errors: [`HostError`]; it blames the host, a block becomes void.
//! Tests: `tests/netns.rs` (root).

#![expect(unsafe_code, reason = "what happens between fork and exec of an agent")]

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

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
    reader: Option<JoinHandle<()>>,
}

/// Starts the agent in `namespace`. Its standard input and output are the same socket; its environment is empty (no TZ, no locale), its working
/// directory is /, and it has no descriptors but 0, 1 and 2, so that those of its sockets are small numbers.
///
/// # Errors
/// [`HostError`]
pub fn launch_agent(namespace: &Namespace, agent: &Path) -> Result<HostAgent, HostError> {
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
    // What others left open must not shift the agent's numbers.
    // SAFETY: it makes one system call, between fork and exec.
    unsafe { command.pre_exec(process::seal_descriptors) };
    let mut child =
        process::spawn(command).map_err(|source| HostError::Start { agent: agent.to_owned(), source })?;
    let pipe = child.stderr.take().expect("stderr was piped above");
    let stderr = Arc::new(Mutex::new(Tail::default()));
    let mut running = HostAgent { stream, child, stderr: Arc::clone(&stderr), reader: None };
    let reader = thread::Builder::new()
        .name("rig-agent-stderr".into())
        .spawn(move || keep_tail(pipe, &stderr))
        .map_err(prepare("start a thread"))?;
    running.reader = Some(reader);
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

    /// The last that it wrote to standard error; complete after its end.
    pub fn stderr_tail(&self) -> String {
        process::lock(&self.stderr).text()
    }

    fn finish_reading(&mut self) {
        if let Some(reader) = self.reader.take() {
            // Ends with the pipe, which ends with the agent: it starts no processes that could keep it open.
            let _ = reader.join();
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

fn keep_tail(mut pipe: ChildStderr, tail: &Mutex<Tail>) {
    let mut buffer = [0; 4096];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => process::lock(tail).push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
