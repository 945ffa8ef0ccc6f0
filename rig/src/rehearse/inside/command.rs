//! The command that runs inside: its streams are pumped to the driver, signals and input come from there.
//!
//! An output stream that is a terminal on the host is one inside. Must not know mounts or who PID 1 is. Units: bytes.
//! Errors: a sentence. Every thread ends when the command and all that inherited its streams have ended.
//! Tests: below, as an ordinary process.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec, and the first process of an emulated host"
)]

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::uplink::{Uplink, send};
use crate::process;
use crate::rehearse::wire::{Sink, Start, Stream, ToHost, Window};

/// A command under way.
#[derive(Debug)]
pub(super) struct Running {
    pid: Pid,
    /// None once it has ended: the number may be another's then.
    group: Mutex<Option<Pid>>,
    input: Sender<Vec<u8>>,
    terminals: Vec<OwnedFd>,
    /// By [`Stream`].
    closed: [Arc<AtomicBool>; 2],
    pumped: Mutex<[Receiver<()>; 2]>,
}

/// Our end of an output stream, and the command's.
struct Output {
    ours: File,
    theirs: OwnedFd,
}

impl Running {
    pub(super) fn start(start: &Start, uplink: &Uplink) -> Result<Self, String> {
        let (program, arguments) = start.command.split_first().ok_or("there is no command")?;
        let open =
            |sink| open_output(sink, start.window).map_err(|error| format!("make an output stream: {error}"));
        let (stdout, stderr) = (open(start.stdout)?, open(start.stderr)?);
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(&start.folder)
            .env_clear()
            .envs(&start.environment)
            .stdin(Stdio::piped())
            .stdout(stdout.theirs)
            .stderr(stderr.theirs)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start {program} in {}: {error}", start.folder))?;
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid fits its own type"));
        let mut terminals = Vec::new();
        for (sink, output) in [(start.stdout, &stdout.ours), (start.stderr, &stderr.ours)] {
            if sink == Sink::Terminal {
                let copy = output.as_fd().try_clone_to_owned();
                terminals.push(copy.map_err(|error| format!("keep a terminal: {error}"))?);
            }
        }
        let closed = [Arc::default(), Arc::default()];
        let pumped = [
            pump(Stream::Stdout, stdout.ours, uplink, &closed[0]),
            pump(Stream::Stderr, stderr.ours, uplink, &closed[1]),
        ];
        let input = feed(child.stdin.take().expect("it was asked to be a pipe"), uplink);
        Ok(Self { pid, group: Mutex::new(Some(pid)), input, terminals, closed, pumped: Mutex::new(pumped) })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The command has ended: no signal must reach whoever gets its number next.
    pub(super) fn forget(&self) {
        *process::lock(&self.group) = None;
    }

    /// To the whole process group, as a terminal does it.
    pub(super) fn signal(&self, number: i32) {
        if let Some(group) = *process::lock(&self.group) {
            // SAFETY: no pointers. It fails for a number that is no signal, which no driver sends.
            unsafe { libc::killpg(group.as_raw(), number) };
        }
    }

    /// Hands input on; the empty one is its end.
    pub(super) fn input(&self, bytes: Vec<u8>) {
        // A command that has closed its input does not want it.
        let _ = self.input.send(bytes);
    }

    pub(super) fn resize(&self, window: Window) {
        for terminal in &self.terminals {
            set_window(terminal, window);
        }
        // The kernel signals the foreground group of a controlling terminal only, and these control nobody.
        self.signal(libc::SIGWINCH);
    }

    /// Lets the command's next write fail, as it would on the host.
    pub(super) fn close(&self, stream: Stream) {
        self.closed[stream as usize].store(true, Ordering::Relaxed);
    }

    /// Waits until all output has been sent.
    pub(super) fn drain(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        for pumped in process::lock(&self.pumped).iter() {
            let _ = pumped.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }
}

fn open_output(sink: Sink, window: Window) -> io::Result<Output> {
    match sink {
        Sink::Pipe => {
            let (ours, theirs): (PipeReader, _) = io::pipe()?;
            Ok(Output { ours: File::from(OwnedFd::from(ours)), theirs: theirs.into() })
        }
        Sink::Terminal => {
            let (ours, theirs) = open_terminal()?;
            set_window(&ours, window);
            Ok(Output { ours: ours.into(), theirs })
        }
    }
}

/// A pseudo terminal that passes bytes unchanged: the real one on the host does the rest.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut ours, mut theirs) = (-1, -1);
    // SAFETY: all zeroes is a valid termios, and cfmakeraw(3) changes nothing else.
    let raw = unsafe {
        let mut raw: libc::termios = std::mem::zeroed();
        libc::cfmakeraw(&raw mut raw);
        raw.c_cflag |= libc::CREAD;
        raw
    };
    // SAFETY: openpty(3) writes two descriptors and reads one termios; all outlive the call. No name and no window size are passed.
    let result = unsafe {
        libc::openpty(&raw mut ours, &raw mut theirs, std::ptr::null_mut(), &raw const raw, std::ptr::null())
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given them to us; nobody else knows them.
    let pair = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    for fd in [&pair.0, &pair.1] {
        // SAFETY: fcntl(2) on a descriptor that we own. openpty(3) knows no O_CLOEXEC.
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(pair)
}

fn set_window(terminal: &OwnedFd, window: Window) {
    let size = libc::winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one winsize, which outlives the call. It cannot fail on a pseudo terminal.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}

/// Sends what the command writes until nobody can write any more or nobody wants to read it.
fn pump(stream: Stream, mut from: File, uplink: &Uplink, closed: &Arc<AtomicBool>) -> Receiver<()> {
    let (uplink, closed) = (Arc::clone(uplink), Arc::clone(closed));
    let (done, pumped) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        while !closed.load(Ordering::Relaxed) {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => send(&uplink, &ToHost::Output(stream, buffer[..count].to_vec())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // EIO: the last one has closed the terminal (tty_ldisc: a hangup). Anything else is an end too.
                Err(error) => {
                    debug_assert_eq!(error.raw_os_error(), Some(Errno::EIO as i32));
                    break;
                }
            }
        }
        drop(from);
        let _ = done.send(());
    });
    pumped
}

/// Writes input to the command, and tells the driver when it was taken.
fn feed(input: ChildStdin, uplink: &Uplink) -> Sender<Vec<u8>> {
    let uplink = Arc::clone(uplink);
    let (sender, receiver) = channel::<Vec<u8>>();
    thread::spawn(move || {
        let mut input = input;
        for bytes in receiver {
            // EPIPE: it does not read any more.
            if bytes.is_empty() || input.write_all(&bytes).is_err() {
                break;
            }
            send(&uplink, &ToHost::InputTaken(bytes.len()));
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::net::UnixStream;

    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;

    const WINDOW: Window = Window { rows: 33, columns: 77 };

    fn start(script: &str, stdout: Sink) -> Start {
        Start {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            folder: "/".to_owned(),
            environment: BTreeMap::from([
                ("PATH".to_owned(), std::env::var("PATH").unwrap()),
                ("A".to_owned(), "b c".to_owned()),
            ]),
            mounts: vec![],
            stdout,
            stderr: Sink::Pipe,
            window: WINDOW,
        }
    }

    /// The command, and the driver's end of the wire.
    fn run(script: &str, stdout: Sink) -> (Running, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let uplink: Uplink = Arc::new(Mutex::new(Box::new(theirs)));
        (Running::start(&start(script, stdout), &uplink).unwrap(), ours)
    }

    fn finish(running: &Running) -> WaitStatus {
        let status = waitpid(running.pid(), None).unwrap();
        running.forget();
        running.drain(Duration::from_secs(60));
        status
    }

    /// Everything that has come once the command is gone and the wire closed.
    fn said(running: Running, mut wire: UnixStream) -> (String, String, usize) {
        drop(running);
        let (mut out, mut err, mut taken) = (vec![], vec![], 0);
        while let Some(message) = ToHost::read(&mut wire).unwrap() {
            match message {
                ToHost::Output(Stream::Stdout, bytes) => out.extend(bytes),
                ToHost::Output(Stream::Stderr, bytes) => err.extend(bytes),
                ToHost::InputTaken(count) => taken += count,
                other => panic!("{other:?}"),
            }
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), taken)
    }

    #[test]
    fn streams_environment_input_and_exit_code() {
        let (running, wire) = run("pwd; echo \"$A\"; cat; echo oh >&2; exit 7", Sink::Pipe);
        running.input(b"in\n".to_vec());
        running.input(vec![]);
        assert_eq!(finish(&running), WaitStatus::Exited(running.pid(), 7));
        assert_eq!(said(running, wire), ("/\nb c\nin\n".to_owned(), "oh\n".to_owned(), 3));
    }

    #[test]
    fn a_terminal_is_one_and_passes_bytes_unchanged() {
        let (running, wire) =
            run("test -t 1 && ! test -t 2 && stty size <&1 && printf 'a\\nb'", Sink::Terminal);
        finish(&running);
        assert_eq!(said(running, wire).0, "33 77\na\nb");
    }

    #[test]
    fn a_signal_reaches_the_whole_group() {
        let (running, mut wire) = run("sleep 1000 & echo ready; wait", Sink::Pipe);
        let ready = ToHost::read(&mut wire).unwrap();
        assert_eq!(ready, Some(ToHost::Output(Stream::Stdout, b"ready\n".to_vec())));
        running.signal(libc::SIGTERM);
        // Output would not end if the sleeper had survived.
        let status = finish(&running);
        assert!(
            matches!(status, WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGTERM, _)),
            "{status:?}"
        );
        running.signal(libc::SIGKILL);
        assert_eq!(said(running, wire), (String::new(), String::new(), 0));
    }

    #[test]
    fn a_command_that_nobody_listens_to_ends_as_it_would_on_the_host() {
        let (running, mut wire) = run("exec yes", Sink::Pipe);
        ToHost::read(&mut wire).unwrap();
        running.close(Stream::Stdout);
        // The pump may be in the middle of a message.
        let reader = thread::spawn(move || while let Ok(Some(_)) = ToHost::read(&mut wire) {});
        let status = finish(&running);
        assert!(
            matches!(status, WaitStatus::Signaled(_, nix::sys::signal::Signal::SIGPIPE, _)),
            "{status:?}"
        );
        drop(running);
        reader.join().unwrap();
    }

    #[test]
    fn what_cannot_start_is_told() {
        let uplink: Uplink = Arc::new(Mutex::new(Box::new(io::sink())));
        let mut wrong = start("", Sink::Pipe);
        wrong.command = vec!["/nonexistent/rig".to_owned()];
        let told = Running::start(&wrong, &uplink).unwrap_err();
        assert_eq!(told, "cannot start /nonexistent/rig in /: No such file or directory (os error 2)");
        wrong.command.clear();
        assert_eq!(Running::start(&wrong, &uplink).unwrap_err(), "there is no command");
    }
}
