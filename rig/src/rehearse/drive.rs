//! The driver: starts the emulated KVM host, carries bytes and signals between it and this process, and ends it.
//!
//! Holds the effects; what follows from what is in `course`. Must not know what the command does. Units: bytes, `Duration`.
//! QEMU dies with this process (parent-death signal, and the enclosure where there is one) and with the end of [`rehearse`].
//! Errors: [`RehearsalError`]. Output is written by the thread that reads it, so a slow reader of ours slows the command and nothing else.
//! Tests: `tests/rehearsal.rs`; lines below.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec, and the first process of an emulated host"
)]

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fs_err::File;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

use super::argv::{self, Parts};
use super::course::{Action, Course, Event, Note, Outcome};
use super::error::RehearsalError;
use super::initramfs;
use super::plan::Rehearsal;
use super::wire::{Sink, Stream, ToHost, Window};
use crate::console::LineCutter;
use crate::image::Image;
use crate::process::{self, QEMU};

/// What a person sends to the command by sending it to us.
const PASSED_ON: [Signal; 4] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];

/// For QEMU to be gone after it was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command of `rehearsal` in an emulated KVM host and gives its end. Its output goes to this process's standard output and error
/// as it comes, input (unless it is a terminal) and signals go the other way. `console` keeps what the emulated host's kernel says.
///
/// Takes over the signals of this process: to be called once, before other threads are started.
///
/// # Errors
/// [`RehearsalError`]; never for what the command does.
pub fn rehearse(
    rehearsal: &Rehearsal,
    image: &Image,
    console: Option<&Path>,
    tell: &mut dyn FnMut(Note),
) -> Result<Outcome, RehearsalError> {
    let host = |what| move |source| RehearsalError::Host { what, source };
    let (events, happened) = channel();
    watch_signals(&events).map_err(host("watch for signals"))?;
    let log = console.map(File::create).transpose().map_err(host("create the console's log"))?;

    let folder = process::new_run_dir().map_err(host("make a folder for run-time files"))?;
    let whole = folder.path().join("initramfs");
    let rig = rehearsal
        .rig
        .to_str()
        .ok_or_else(|| RehearsalError::Inside { what: "the path of rig is not UTF-8".to_owned() })?;
    initramfs::write(&image.initramfs, rig, &whole).map_err(host("write the initramfs"))?;

    let pair = || UnixStream::pair().map_err(host("make a socket pair"));
    let ((console_end, their_console), (control, their_control)) = (pair()?, pair()?);
    let argv = argv::compose(&Parts {
        machine: rehearsal.machine,
        kernel: &image.kernel,
        initramfs: &whole,
        shares: &rehearsal.shares,
        console: their_console.as_raw_fd(),
        control: their_control.as_raw_fd(),
    });
    let mut qemu = Qemu::start(&argv, [their_console.into(), their_control.into()])?;
    let stderr = qemu.child.stderr.take().expect("standard error was asked to be a pipe");
    let lines = [
        spawn_reader("console", {
            let events = events.clone();
            move || read_lines(console_end, log, &events)
        }),
        spawn_reader("qemu-stderr", {
            let events = events.clone();
            move || read_lines(stderr, None, &events)
        }),
    ];
    let reading = control.try_clone().map_err(host("share a socket"))?;
    let sender = events.clone();
    spawn_reader("control", move || read_control(reading, &sender, lines));

    let sink = |terminal: bool| if terminal { Sink::Terminal } else { Sink::Pipe };
    let start =
        rehearsal.start(sink(io::stdout().is_terminal()), sink(io::stderr().is_terminal()), window_size());
    let course = Course::new(start, rehearsal.bounds, Instant::now());
    let result = follow(course, &happened, control, input_reader(&events), tell);
    qemu.end();
    result
}

/// Feeds the course with what happens until it has a result.
fn follow(
    mut course: Course,
    happened: &Receiver<Event>,
    mut control: UnixStream,
    input: Sender<usize>,
    tell: &mut dyn FnMut(Note),
) -> Result<Outcome, RehearsalError> {
    loop {
        let patience = course.deadline().saturating_duration_since(Instant::now());
        let event = match happened.recv_timeout(patience) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Nothing,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the signal thread keeps a sender"),
        };
        for action in course.take(event, Instant::now()) {
            match action {
                // A machine that is gone is told by the reader; the input window keeps this from blocking on one that hangs.
                Action::Send(message) => drop(message.write(&mut control)),
                // The reader ends with the input.
                Action::ReadInput(bytes) => drop(input.send(bytes)),
                Action::Tell(note) => tell(note),
            }
        }
        if let Some(result) = course.result() {
            return result;
        }
    }
}

/// A running QEMU, killed when dropped.
struct Qemu {
    child: Child,
}

impl Qemu {
    /// It keeps `sockets` under the numbers that they have here.
    fn start(argv: &[String], sockets: [OwnedFd; 2]) -> Result<Self, RehearsalError> {
        let keep: [RawFd; 2] = [sockets[0].as_raw_fd(), sockets[1].as_raw_fd()];
        let mut command = Command::new(process::program_file(QEMU));
        command.args(argv).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // SAFETY: the closure makes system calls only, between fork and exec.
        unsafe { command.pre_exec(move || before_exec(keep)) };
        let child =
            process::spawn(command).map_err(|source| RehearsalError::Qemu { program: QEMU, source })?;
        // Our copies must be closed, or the end of QEMU would not be the end of the streams.
        drop(sockets);
        Ok(Self { child })
    }

    /// Waits for the end of one that powers off, kills one that does not.
    fn end(&mut self) {
        // It is a child of ours and not waited for: neither call can fail in a way that leaves it running.
        let _ = self.child.kill();
        let _ = process::wait_exit(&mut self.child, KILL_PATIENCE);
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}

fn before_exec(keep: [RawFd; 2]) -> io::Result<()> {
    // Our own mask came along with the fork.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    for fd in keep {
        // SAFETY: fcntl(2) on a number; `Qemu::start` holds the descriptor open.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

fn spawn_reader(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(format!("rehearsal-{name}"))
        .spawn(work)
        .expect("a process that cannot start a thread cannot do anything else either")
}

/// Turns signals into events. They are blocked in every thread that is started after this.
fn watch_signals(events: &Sender<Event>) -> io::Result<()> {
    let mut watched = SigSet::from_iter(PASSED_ON);
    watched.add(Signal::SIGWINCH);
    watched.thread_block()?;
    let events = events.clone();
    spawn_reader("signals", move || {
        while let Ok(signal) = watched.wait() {
            let event = match signal {
                Signal::SIGWINCH => Event::Resized(window_size()),
                signal => Event::Signal(signal as i32),
            };
            if events.send(event).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Of the terminal behind standard output or error; a common one where there is none.
fn window_size() -> Window {
    [libc::STDOUT_FILENO, libc::STDERR_FILENO]
        .into_iter()
        .find_map(|fd| {
            // SAFETY: all zeroes is a valid winsize.
            let mut size: libc::winsize = unsafe { std::mem::zeroed() };
            // SAFETY: the kernel writes one winsize, which outlives the call.
            let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) };
            (result == 0 && size.ws_col > 0).then_some(Window { rows: size.ws_row, columns: size.ws_col })
        })
        .unwrap_or(Window { rows: 24, columns: 80 })
}

/// Reads input as far as it is asked to. A terminal is left alone: the command gets an empty input, Ctrl-C is a signal.
fn input_reader(events: &Sender<Event>) -> Sender<usize> {
    let (asked, asks) = channel::<usize>();
    let events = events.clone();
    spawn_reader("input", move || {
        let mut input = io::stdin();
        let none = input.is_terminal();
        let mut allowed = 0;
        loop {
            while allowed == 0 || none {
                match asks.recv() {
                    Ok(more) => allowed += more,
                    Err(_) => return,
                }
                if none {
                    break;
                }
            }
            let mut buffer = vec![0; allowed.min(16 << 10)];
            // An input that breaks has ended.
            let count = if none { 0 } else { input.read(&mut buffer).unwrap_or(0) };
            buffer.truncate(count);
            allowed -= count;
            if events.send(Event::Input(buffer)).is_err() || count == 0 {
                return;
            }
        }
    });
    asked
}

/// Reads messages to their end; writes output itself, and tells when it is at that.
fn read_control(mut control: UnixStream, events: &Sender<Event>, lines: [JoinHandle<()>; 2]) {
    let mut closed = [false; 2];
    loop {
        let event = match ToHost::read(&mut control) {
            Ok(Some(ToHost::Output(stream, bytes))) => {
                let closed = &mut closed[stream as usize];
                // An end that nobody receives is found by the next message.
                let _ = events.send(Event::Writing);
                let newly_closed = !*closed && write_out(stream, &bytes).is_err();
                let _ = events.send(Event::Written);
                if !newly_closed {
                    continue;
                }
                *closed = true;
                Event::OutputClosed(stream)
            }
            Ok(Some(message)) => Event::Message(message),
            Ok(None) => break,
            // QEMU was killed in the middle of a message.
            Err(error) if error.kind() != io::ErrorKind::InvalidData => break,
            Err(error) => Event::Garbled(error.to_string()),
        };
        let last = matches!(event, Event::Garbled(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
    // What it said last comes before that it is gone.
    for reader in lines {
        let _ = reader.join();
    }
    let _ = events.send(Event::Closed);
}

fn write_out(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(bytes)?;
            out.flush()
        }
        Stream::Stderr => io::stderr().lock().write_all(bytes),
    }
}

/// The log takes this much.
const LOG_BYTES: usize = 16 << 20;

fn read_lines(mut from: impl Read, mut log: Option<File>, events: &Sender<Event>) {
    let (mut cutter, mut logged) = (LineCutter::default(), 0);
    // The receiver is gone when the rehearsal has ended: the pipe is read on so that QEMU never waits for us.
    let tell = |line: String| {
        if !line.trim().is_empty() {
            let _ = events.send(Event::Line(line));
        }
    };
    let mut buffer = [0; 4096];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        logged += count;
        // A log that cannot be written stops no rehearsal.
        if logged > LOG_BYTES || log.as_mut().is_some_and(|log| log.write_all(&buffer[..count]).is_err()) {
            log = None;
        }
        cutter.feed(&buffer[..count], tell);
    }
    let _ = cutter.end().map(tell);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let (events, happened) = channel();
        read_lines(bytes, None, &events);
        drop(events);
        happened
            .into_iter()
            .map(|event| match event {
                Event::Line(line) => line,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn lines_are_clean_and_not_empty() {
        assert_eq!(lines(b"\x1b[2J\x1b[01;31mred\x1b[0m\r\n\r\n \nlast"), ["red", "last"]);
        assert_eq!(lines(b"\x1b["), Vec::<String>::new());
    }

    #[test]
    fn who_writes_says_so_before_and_after() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ToHost::Output(Stream::Stderr, vec![]).write(&mut theirs).unwrap();
        ToHost::Alive.write(&mut theirs).unwrap();
        drop(theirs);
        let (events, happened) = channel();
        read_control(ours, &events, [spawn_reader("none", || {}), spawn_reader("none", || {})]);
        drop(events);
        let all: Vec<Event> = happened.into_iter().collect();
        let expected = [Event::Writing, Event::Written, Event::Message(ToHost::Alive), Event::Closed];
        assert_eq!(format!("{all:?}"), format!("{expected:?}"));
    }

    #[test]
    fn the_log_has_the_raw_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console");
        let (events, _happened) = channel();
        read_lines(&b"\x1b[2Jone\ntwo"[..], Some(File::create(&path).unwrap()), &events);
        assert_eq!(fs_err::read(path).unwrap(), b"\x1b[2Jone\ntwo");
    }

    #[test]
    fn messages_come_in_order_and_the_last_words_before_the_end() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (events, happened) = channel();
        let sender = events.clone();
        let words = spawn_reader("words", move || sender.send(Event::Line("last words".to_owned())).unwrap());
        ToHost::Hello { release: "6.1".to_owned() }.write(&mut theirs).unwrap();
        ToHost::InputTaken(3).write(&mut theirs).unwrap();
        drop(theirs);
        read_control(ours, &events, [words, spawn_reader("none", || {})]);
        drop(events);
        let all: Vec<String> = happened.into_iter().map(|event| format!("{event:?}")).collect();
        let position = |text: &str| all.iter().position(|event| event.contains(text)).unwrap();
        assert!(position("Hello") < position("InputTaken"), "{all:?}");
        assert_eq!(all.last().map(String::as_str), Some("Closed"));
        assert!(position("last words") < all.len() - 1, "{all:?}");
    }

    #[test]
    fn garbage_ends_the_conversation() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(b"\x01\x00\x00\x00\x63").unwrap();
        let (events, happened) = channel();
        let none = [spawn_reader("none", || {}), spawn_reader("none", || {})];
        read_control(ours, &events, none);
        assert!(matches!(happened.try_recv(), Ok(Event::Garbled(_))));
        assert!(happened.try_recv().is_err(), "nothing is read after it");
    }
}
