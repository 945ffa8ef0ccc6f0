//! Carries bytes between an SSH channel and a local stream, both ways, on one thread.
//!
//! Each direction has one buffer, and is not read from while that is not empty: so a slow reader on either side slows the writer on
//! the other. Must not know what the bytes mean. Units: bytes.
//! Errors: none leave; how it ended is an [`ProgramEnd`], and the local stream is closed first.
//! Sources: libssh2_channel_write_ex(3) (the same bytes again after "would block"), poll(2). Tests: `tests/qemu.rs`.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use ssh2::Channel;

use super::error::SshError;
use super::exit::{Exit, learn_exit};
use super::session::{SshSession, retry_interrupted, wait};
use crate::process::{Tail, lock};

const BUFFER_BYTES: usize = 64 << 10;
/// For the server to hear of a new size of the terminal.
const RESIZE_DEADLINE: Duration = Duration::from_secs(5);
/// A program that has closed its output ends within this.
const EXIT_DEADLINE: Duration = Duration::from_secs(5);

/// How the program behind a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramEnd {
    /// How.
    pub exit: Exit,
    /// The last part of its standard error.
    pub stderr: String,
}

/// Tells a shell the size of the terminal that it is seen on. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Window(Arc<Mutex<Option<(u32, u32)>>>);

impl Window {
    /// Columns and rows; the shell hears of it within a second.
    pub fn resize(&self, size: (u32, u32)) {
        *lock(&self.0) = Some(size);
    }

    fn take(&self) -> Option<(u32, u32)> {
        lock(&self.0).take()
    }
}

/// Bytes on their way.
#[derive(Debug)]
struct Buffer {
    bytes: Box<[u8]>,
    begin: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), begin: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// Fills it when it is empty.
    fn fill(&mut self, from: &mut impl Read) -> io::Result<Moved> {
        if !self.is_empty() {
            return Ok(Moved::Nothing);
        }
        match retry_interrupted(|| from.read(&mut self.bytes)) {
            Ok(0) => Ok(Moved::End),
            Ok(count) => {
                (self.begin, self.end) = (0, count);
                Ok(Moved::Something)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Moved::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Gives what the other side takes.
    fn drain(&mut self, to: &mut impl Write) -> io::Result<Moved> {
        if self.is_empty() {
            return Ok(Moved::Nothing);
        }
        match retry_interrupted(|| to.write(&self.bytes[self.begin..self.end])) {
            Ok(count) => {
                self.begin += count;
                Ok(if count == 0 { Moved::Nothing } else { Moved::Something })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Moved::Nothing),
            Err(error) => Err(error),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Nothing,
    Something,
    End,
}

/// Why no more bytes are carried.
enum Stopped {
    /// The program closed its output, and all of it was handed on.
    Output,
    /// Nobody reads on the host any more.
    Host,
    /// The connection broke.
    Guest(io::Error),
}

struct Pump<'a> {
    session: &'a SshSession,
    channel: Channel,
    near: UnixStream,
    to_guest: Buffer,
    to_host: Buffer,
    stderr: Stderr,
    window: Window,
    /// The host has closed its writing side.
    input_ended: bool,
    /// ... and the program was told.
    eof_sent: bool,
    output_ended: bool,
}

/// What a program says on standard error: the last part is kept, all of it is passed on to its reader, if it has one.
pub(super) struct Stderr {
    tail: Tail,
    reader: Option<Box<dyn Write + Send>>,
}

impl Stderr {
    pub(super) fn new(reader: Option<Box<dyn Write + Send>>) -> Self {
        Self { tail: Tail::default(), reader }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.reader.as_mut().is_some_and(|reader| reader.write_all(bytes).is_err()) {
            // A reader that is gone does not end the program.
            self.reader = None;
        }
        self.tail.push(bytes);
    }
}

/// Runs until one side ends. The local stream is closed when this returns.
pub(super) fn pump(
    session: &SshSession,
    channel: Channel,
    near: UnixStream,
    stderr: Stderr,
    window: Window,
) -> ProgramEnd {
    let mut pump = Pump {
        session,
        channel,
        near,
        to_guest: Buffer::new(),
        to_host: Buffer::new(),
        stderr,
        window,
        input_ended: false,
        eof_sent: false,
        output_ended: false,
    };
    let stopped = pump.carry();
    let Pump { channel, near, mut stderr, .. } = pump;
    // At once: whoever reads must not wait for the formalities.
    drop(near);
    let exit = match stopped {
        Stopped::Output => learn_end(session, channel, &mut stderr),
        Stopped::Host => Exit::Broken("rig closed the agent's stream".to_owned()),
        Stopped::Guest(error) => Exit::Broken(match session.abandon.reason_soon() {
            Some(reason) => reason,
            None => format!("the ssh connection broke: {error}"),
        }),
    };
    ProgramEnd { exit, stderr: stderr.tail.text() }
}

impl Pump<'_> {
    fn carry(&mut self) -> Stopped {
        loop {
            if let Some(size) = self.window.take() {
                self.resize(size);
            }
            let moved = match self.carry_once() {
                Ok(moved) => moved,
                Err(stopped) => return stopped,
            };
            if self.output_ended && self.to_host.is_empty() {
                return Stopped::Output;
            }
            if moved {
                continue;
            }
            if let Err(error) = self.wait() {
                return Stopped::Guest(error);
            }
        }
    }

    /// A server that does not take it has a shell of the wrong width, no more: a broken connection shows in the next round.
    fn resize(&mut self, (columns, rows): (u32, u32)) {
        let until = Instant::now() + RESIZE_DEADLINE;
        let channel = &mut self.channel;
        let _ = self.session.drive("tell the terminal's size", until, RESIZE_DEADLINE, || {
            Ok(channel.request_pty_size(columns, rows, None, None)?)
        });
    }

    /// One round over all four ends; gives whether anything moved.
    fn carry_once(&mut self) -> Result<bool, Stopped> {
        let mut moved = false;
        if !self.input_ended {
            match self.to_guest.fill(&mut self.near) {
                Ok(Moved::End) => self.input_ended = true,
                Ok(what) => moved |= what == Moved::Something,
                Err(_) => return Err(Stopped::Host),
            }
        }
        moved |= self.to_guest.drain(&mut self.channel).map_err(Stopped::Guest)? == Moved::Something;
        if self.input_ended && self.to_guest.is_empty() && !self.eof_sent {
            self.eof_sent = done(self.channel.send_eof()).map_err(Stopped::Guest)?;
        }
        if !self.output_ended {
            match self.to_host.fill(&mut self.channel).map_err(Stopped::Guest)? {
                Moved::End => self.output_ended = true,
                what => moved |= what == Moved::Something,
            }
        }
        match self.to_host.drain(&mut self.near) {
            Ok(what) => moved |= what == Moved::Something,
            Err(_) => return Err(Stopped::Host),
        }
        moved |= read_stderr(&mut self.channel, &mut self.stderr).map_err(Stopped::Guest)?;
        Ok(moved)
    }

    /// Sleeps until one of the ends that matter now is ready.
    fn wait(&self) -> io::Result<()> {
        let mut socket = self.session.directions();
        // What libssh2 would block on after a read is always "in"; while the host does not take what is here, nothing more is read.
        socket.set(PollFlags::POLLIN, self.to_host.is_empty() || !self.to_guest.is_empty());
        let mut near = PollFlags::empty();
        near.set(PollFlags::POLLIN, !self.input_ended && self.to_guest.is_empty());
        near.set(PollFlags::POLLOUT, !self.to_host.is_empty());
        let tick = Duration::from_secs(1);
        if near.is_empty() {
            // Not polled at all: one that the host has closed would announce that for ever.
            return self.look(&mut [PollFd::new(self.session.socket.as_fd(), socket)], tick);
        }
        self.look(
            &mut [PollFd::new(self.session.socket.as_fd(), socket), PollFd::new(self.near.as_fd(), near)],
            tick,
        )
    }

    /// Waits; a socket that is closed both ways is told here, because it may not be read from at the moment.
    fn look(&self, fds: &mut [PollFd<'_>], tick: Duration) -> io::Result<()> {
        wait(fds, tick)?;
        let seen = fds[0].revents().unwrap_or(PollFlags::empty());
        if seen.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL)
            && !self.to_host.is_empty()
        {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// Whether a step of libssh2 is done, or must be repeated.
fn done(step: Result<(), ssh2::Error>) -> io::Result<bool> {
    match step.map_err(io::Error::from) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes what the program says on standard error; gives whether anything came.
fn read_stderr(channel: &mut Channel, stderr: &mut Stderr) -> io::Result<bool> {
    let mut buffer = [0; 4 << 10];
    match channel.stderr().read(&mut buffer) {
        Ok(count) => {
            stderr.take(&buffer[..count]);
            Ok(count > 0)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for the server's word on how the program ended. It must be the server that closes: told to close, it forgets the status.
fn learn_end(session: &SshSession, mut channel: Channel, stderr: &mut Stderr) -> Exit {
    let until = Instant::now() + EXIT_DEADLINE;
    let ended = session.drive("learn how the agent ended", until, EXIT_DEADLINE, || {
        while read_stderr(&mut channel, stderr)? {}
        Ok(channel.wait_close()?)
    });
    match ended {
        Ok(()) => learn_exit(&channel).unwrap_or_else(|error| Exit::Broken(error.to_string())),
        Err(SshError::Abandoned { reason, .. }) => Exit::Broken(reason),
        Err(SshError::Late { within, .. }) => {
            Exit::Broken(format!("the agent closed its output and did not end within {within:?}"))
        }
        Err(error) => Exit::Broken(error.to_string()),
    }
}
