//! One authenticated session with a guest: connect, pin its key, run commands to their end, write a file.
//!
//! Must not know the agent, nor programs that outlive the call. Units: `Duration`, bytes.
//! Errors: [`SshError`], which blames the guest or the control network. Tests: beside the module (no guest); `tests/qemu.rs`.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rig_protocol::plain;
use sha2::{Digest, Sha256};
use ssh2::{BlockDirections, Channel, ErrorCode, MethodType, Session};

use super::abandon::Abandon;
use super::error::SshError;
use super::exit::{Exit, learn_exit};
use super::watchdog::Watchdog;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// Attempts to connect; the guest has said that its server listens, so one is the rule.
const ATTEMPTS: u32 = 5;
/// Of a command's input, so much is read at once.
const PIECE_BYTES: usize = 256 << 10;
/// Of a command's output, and of its standard error, so much is kept.
const OUTPUT_CAP_BYTES: usize = 1 << 20;

/// LIBSSH2_ERROR_AUTHENTICATION_FAILED and LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED of libssh2.h: the server does not want this key.
const REFUSALS: [ErrorCode; 2] = [ErrorCode::Session(-18), ErrorCode::Session(-19)];

/// Who needs no `sudo`.
pub const ROOT: &str = "root";

/// What is needed to get into one guest.
#[derive(Debug, Clone)]
pub struct SshPlan {
    /// On 127.0.0.1.
    pub port: u16,
    /// The network namespace of that address; none: this thread's own.
    pub namespace: Option<Arc<OwnedFd>>,
    /// The host's public key as it goes over the wire (RFC 4253, section 6.6): compared byte by byte. None: that of an image whose key rig has not made;
    /// nobody but the guest is on its control link.
    pub host_key: Option<Vec<u8>>,
    /// Root, or a user who becomes root by `sudo` without a password: what is run is run as root.
    pub user: String,
    /// The user's private key in OpenSSH's PEM form.
    pub private_key: String,
}

/// A command that has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Its output, the first MiB.
    pub stdout: Vec<u8>,
    /// Its standard error, the first MiB.
    pub stderr: Vec<u8>,
}

/// One authenticated session. Not to be shared between threads.
#[derive(Debug)]
pub struct SshSession {
    session: SessionCell,
    pub(super) socket: TcpStream,
    pub(super) abandon: Abandon,
    watchdog: Watchdog,
    by_sudo: bool,
}

/// Keeps `Session` printable.
struct SessionCell(Session);

impl std::fmt::Debug for SessionCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Drop for SshSession {
    fn drop(&mut self) {
        // libssh2 says good-bye when it frees a channel and would keep what it cannot send; on a closed socket it frees all.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl SshSession {
    /// Connects, compares the host key, logs in.
    ///
    /// # Errors
    /// [`SshError`]
    pub fn connect(plan: &SshPlan, abandon: &Abandon, within: Duration) -> Result<Self, SshError> {
        let until = Instant::now() + within;
        let mut last = SshError::Late { what: "connect", within };
        for attempt in 1..=ATTEMPTS {
            // A server that took the connection and stays silent gets half of the time that is left, so that another try is left.
            let left = until.saturating_duration_since(Instant::now());
            let bound = if attempt == ATTEMPTS { left } else { left / 2 };
            match Self::connect_once(plan, abandon, Instant::now() + bound, bound) {
                Err(error @ (SshError::Late { .. } | SshError::Failed { .. })) => last = error,
                decided => return decided,
            }
            if until.saturating_duration_since(Instant::now()) <= PAUSE {
                return Err(unreachable_after(attempt, within, &last));
            }
            thread::sleep(PAUSE);
        }
        Err(unreachable_after(ATTEMPTS, within, &last))
    }

    fn connect_once(
        plan: &SshPlan,
        abandon: &Abandon,
        until: Instant,
        within: Duration,
    ) -> Result<Self, SshError> {
        let failed = |what| move |source| SshError::Failed { what, source };
        if let Some(reason) = abandon.reason() {
            return Err(SshError::Abandoned { what: "connect", reason });
        }
        let socket = connect_within(plan, within).map_err(failed("connect"))?;
        abandon.watch(&socket).map_err(failed("connect"))?;
        let mut session = Session::new().map_err(io::Error::from).map_err(failed("make a session"))?;
        session.set_tcp_stream(socket.try_clone().map_err(failed("connect"))?);
        session.set_blocking(false);
        if plan.host_key.is_some() {
            // The kind of key that is pinned, and no other.
            session
                .method_pref(MethodType::HostKey, "ssh-ed25519")
                .map_err(io::Error::from)
                .map_err(failed("ask for an ed25519 host key"))?;
        }
        let watchdog = Watchdog::of(&socket).map_err(failed("start a thread"))?;
        let by_sudo = plan.user != ROOT;
        let mut ours =
            Self { session: SessionCell(session), socket, abandon: abandon.clone(), watchdog, by_sudo };
        let mut session = ours.session.0.clone();
        ours.drive("shake hands", until, within, || Ok(session.handshake()?))?;
        if let Some(pinned) = &plan.host_key {
            ours.compare_host_key(pinned)?;
        }
        let session = ours.session.0.clone();
        let mut refused = false;
        let login = ours.drive("log in", until, within, || {
            let login = session.userauth_pubkey_memory(&plan.user, None, &plan.private_key, None);
            refused = login.as_ref().is_err_and(|error| REFUSALS.contains(&error.code()));
            Ok(login?)
        });
        match login {
            Ok(()) => Ok(ours),
            Err(SshError::Failed { source, .. }) if refused => Err(SshError::Refused { source }),
            Err(error) => Err(error),
        }
    }

    fn compare_host_key(&mut self, pinned: &[u8]) -> Result<(), SshError> {
        let found = self.session.0.host_key().map(|(key, _)| key.to_vec()).unwrap_or_default();
        if found == pinned {
            return Ok(());
        }
        Err(SshError::HostKey { found: fingerprint(&found), pinned: fingerprint(pinned) })
    }

    /// Repeats a step until it is done, failed, late or abandoned.
    pub(super) fn drive<T>(
        &self,
        what: &'static str,
        until: Instant,
        within: Duration,
        mut step: impl FnMut() -> io::Result<T>,
    ) -> Result<T, SshError> {
        let _watching = self.watchdog.watch(until);
        loop {
            match step() {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(source) => {
                    return Err(match self.abandon.reason() {
                        Some(reason) => SshError::Abandoned { what, reason },
                        // The watchdog closed the socket under it.
                        None if Instant::now() >= until => SshError::Late { what, within },
                        None => SshError::Failed { what, source },
                    });
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SshError::Late { what, within });
            }
            self.wait_socket(left).map_err(|source| SshError::Failed { what, source })?;
        }
    }

    /// Waits until libssh2 can go on; at most a second, after which it is asked again.
    fn wait_socket(&self, left: Duration) -> io::Result<()> {
        let flags = self.directions();
        let flags = if flags.is_empty() { PollFlags::POLLIN } else { flags };
        let mut fds = [PollFd::new(self.socket.as_fd(), flags)];
        wait(&mut fds, left.min(Duration::from_secs(1)))
    }

    pub(super) fn open(&self, command: &str, until: Instant, within: Duration) -> Result<Channel, SshError> {
        let session = &self.session.0;
        let as_root = self.by_sudo.then(|| format!("sudo -n -- sh -c {}", quote(command)));
        let command = as_root.as_deref().unwrap_or(command);
        let mut channel = self.drive("open a channel", until, within, || Ok(session.channel_session()?))?;
        self.drive("start a command", until, within, || Ok(channel.exec(command)?))?;
        Ok(channel)
    }

    /// A login shell on a terminal of this kind and size (columns, rows).
    pub(super) fn open_shell(
        &self,
        terminal: &str,
        (columns, rows): (u32, u32),
        until: Instant,
        within: Duration,
    ) -> Result<Channel, SshError> {
        let session = &self.session.0;
        let mut channel = self.drive("open a channel", until, within, || Ok(session.channel_session()?))?;
        let size = Some((columns, rows, 0, 0));
        self.drive("get a terminal", until, within, || Ok(channel.request_pty(terminal, None, size)?))?;
        self.drive("start a shell", until, within, || {
            let started = if self.by_sudo { channel.exec("sudo -n -i") } else { channel.shell() };
            Ok(started?)
        })?;
        Ok(channel)
    }

    /// What libssh2 waits for now.
    pub(super) fn directions(&self) -> PollFlags {
        directions(&self.session.0)
    }

    /// Runs a shell command to its end.
    ///
    /// # Errors
    /// [`SshError`]; a command that fails is none.
    pub fn run(&self, command: &str, within: Duration) -> Result<Finished, SshError> {
        self.run_with(command, &[], within)
    }

    /// Runs a shell command with this input to its end. A command that ends without having read all of it has its reasons, and says them.
    ///
    /// # Errors
    /// [`SshError`]; a command that fails is none.
    pub fn run_with(&self, command: &str, input: &[u8], within: Duration) -> Result<Finished, SshError> {
        self.run_from(command, &mut &*input, within)
    }

    /// As [`SshSession::run_with`]; the input is read piece by piece, so that it need not be in memory.
    ///
    /// # Errors
    /// [`SshError`], also where the input cannot be read; a command that fails is none.
    pub fn run_from(
        &self,
        command: &str,
        input: &mut dyn Read,
        within: Duration,
    ) -> Result<Finished, SshError> {
        let until = Instant::now() + within;
        let mut channel = self.open(command, until, within)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = 0..0;
        let mut said = Said::default();
        self.drive("send a command's input", until, within, || {
            loop {
                // A shell that has given up has said why, and its end shows only once that is read.
                said.read(&mut channel)?;
                if channel.eof() {
                    return Ok(());
                }
                if left.is_empty() {
                    left = 0..retry_interrupted(|| input.read(&mut piece))?;
                    if left.is_empty() {
                        return Ok(());
                    }
                }
                // libssh2 takes a window's worth at most, and wants the same bytes again after "would block".
                left.start += channel.write(&piece[left.clone()])?;
            }
        })?;
        self.drive("close a command's input", until, within, || Ok(channel.send_eof()?))?;
        self.finish(channel, said, until, within)
    }

    /// Reads a command's output to the end and learns how it ended.
    fn finish(
        &self,
        mut channel: Channel,
        mut said: Said,
        until: Instant,
        within: Duration,
    ) -> Result<Finished, SshError> {
        self.drive("read a command's output", until, within, || {
            said.read(&mut channel)?;
            if channel.eof() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        })?;
        self.drive("learn how a command ended", until, within, || Ok(channel.wait_close()?))?;
        let exit =
            learn_exit(&channel).map_err(|source| SshError::Failed { what: "learn how it ended", source })?;
        Ok(Finished { exit, stdout: said.stdout, stderr: said.stderr })
    }

    /// Writes a program into the guest's file system, whole or not at all, and makes it executable.
    ///
    /// # Errors
    /// [`SshError`]
    pub fn push(&self, path: &str, bytes: &[u8], within: Duration) -> Result<(), SshError> {
        let part = quote(&format!("{path}.part"));
        let path = quote(path);
        let command = format!("cat > {part} && chmod 755 {part} && wc -c < {part} && mv {part} {path}");
        let finished = self.run_with(&command, bytes, within)?;
        let arrived = String::from_utf8_lossy(&finished.stdout).trim().parse::<usize>();
        if finished.exit == Exit::Status(0) && arrived == Ok(bytes.len()) {
            return Ok(());
        }
        Err(SshError::Command {
            what: "take the agent's bytes",
            how: finished.exit.to_string(),
            stderr: plain(String::from_utf8_lossy(&finished.stderr).trim()),
        })
    }
}

fn unreachable_after(attempts: u32, within: Duration, last: &SshError) -> SshError {
    let last = match last {
        SshError::Failed { what, source } => format!("cannot {what}: {source}"),
        other => other.to_string(),
    };
    SshError::Unreachable { attempts, within, last }
}

/// Connects in the plan's namespace, which a thread of its own enters for that.
fn connect_within(plan: &SshPlan, within: Duration) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
    let connect = || {
        if let Some(namespace) = &plan.namespace {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET)?;
        }
        let socket = TcpStream::connect_timeout(&address, within)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    thread::scope(|scope| match scope.spawn(connect).join() {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::other("the connecting thread panicked")),
    })
}

/// What libssh2 waits for.
fn directions(session: &Session) -> PollFlags {
    match session.block_directions() {
        BlockDirections::None => PollFlags::empty(),
        BlockDirections::Inbound => PollFlags::POLLIN,
        BlockDirections::Outbound => PollFlags::POLLOUT,
        BlockDirections::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
    }
}

/// poll(2), also through signals.
pub(super) fn wait(fds: &mut [PollFd<'_>], at_most: Duration) -> io::Result<()> {
    let millis = u16::try_from(at_most.as_millis()).unwrap_or(u16::MAX).max(1);
    match poll(fds, PollTimeout::from(millis)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// A call that a signal cuts short is made again.
pub(super) fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What a command has said so far.
#[derive(Debug, Default)]
struct Said {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Said {
    /// Reads what is there. What one read leaves in libssh2's queue the socket does not announce any more: until both are empty.
    fn read(&mut self, channel: &mut Channel) -> io::Result<()> {
        while read_some(&mut channel.stream(0), &mut self.stdout)?
            | read_some(&mut channel.stream(ssh2::EXTENDED_DATA_STDERR), &mut self.stderr)?
        {}
        Ok(())
    }
}

/// Reads once; gives whether anything came. What is over the cap is dropped.
fn read_some(stream: &mut ssh2::Stream, kept: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(count) => {
            let room = OUTPUT_CAP_BYTES - kept.len();
            kept.extend_from_slice(&buffer[..count.min(room)]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// For a POSIX shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn fingerprint(key: &[u8]) -> String {
    format!("{:.16x}", Sha256::digest(key))
}

#[cfg(test)]
mod tests;
