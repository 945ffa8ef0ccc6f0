//! A program that runs in a guest while rig talks to it: the agent, a shell, a person's command.
//!
//! Holds its start on a session, and the thread that carries its bytes. Must not know what they mean. Units: `Duration`; columns and rows.
//! Errors: [`SshError`]. Tests: `tests/qemu.rs`.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use ssh2::Channel;
use tokio::sync::watch;

use super::abandon::Abandon;
use super::error::SshError;
use super::pump::{self, ProgramEnd, Window};
use super::session::SshSession;

/// A program in the guest whose input and output are one end of a stream, as those of a child on the host would be.
///
/// Dropping it breaks the connection; the guest ends the program.
#[derive(Debug)]
pub struct RemoteProgram {
    /// Its standard input and output. Blocking; ends when the program or the connection ends.
    pub stream: UnixStream,
    /// How the program ended, once it has.
    pub end: watch::Receiver<Option<ProgramEnd>>,
    /// Keeps the connection.
    pub life: Life,
    /// The size of its terminal, if it has one.
    pub window: Window,
}

/// As long as it lives, so does a connection.
#[derive(Debug)]
pub struct Life(Abandon);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.abandon("rig has closed its connection to the agent");
    }
}

impl RemoteProgram {
    /// Starts a shell command; its input and output are the stream. The session is the program's from now on. What it writes to standard
    /// error goes to `stderr` at once, if that is given; a slow reader slows the program.
    ///
    /// # Errors
    /// [`SshError`]
    pub fn start(
        session: SshSession,
        command: &str,
        stderr: Option<Box<dyn Write + Send>>,
        within: Duration,
    ) -> Result<Self, SshError> {
        let channel = session.open(command, Instant::now() + within, within)?;
        Self::hand_over(session, channel, stderr)
    }

    /// Starts a login shell on a terminal of this kind and size (columns, rows).
    ///
    /// # Errors
    /// [`SshError`]
    pub fn shell(
        session: SshSession,
        terminal: &str,
        size: (u32, u32),
        within: Duration,
    ) -> Result<Self, SshError> {
        let channel = session.open_shell(terminal, size, Instant::now() + within, within)?;
        Self::hand_over(session, channel, None)
    }

    fn hand_over(
        session: SshSession,
        channel: Channel,
        stderr: Option<Box<dyn Write + Send>>,
    ) -> Result<Self, SshError> {
        let failed = |source| SshError::Failed { what: "hand the stream over", source };
        let (stream, near) = UnixStream::pair().map_err(failed)?;
        near.set_nonblocking(true).map_err(failed)?;
        let life = Life(session.abandon.clone());
        let (sender, end) = watch::channel(None);
        let window = Window::default();
        let heard = window.clone();
        let work = move || {
            let told = pump::pump(&session, channel, near, pump::Stderr::new(stderr), heard);
            sender.send_replace(Some(told));
        };
        thread::Builder::new().name("ssh-pump".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { stream, end, life, window })
    }
}
