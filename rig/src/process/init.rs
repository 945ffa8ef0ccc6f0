//! PID 1 of an enclosure: reaps orphans, passes signals to the body, and ends when the body or the outer process ends.
//!
//! Holds a poll loop and the rule which signals are passed on. Must not know what the body does. Units: `Duration`.
//! A signal sent to the process group (a terminal, `kill %1`, `timeout`) reaches outer, init and body alike and must not reach the body
//! twice; one sent to the outer process alone must reach it once: what init saw itself is not passed on ([`Relay`]).
//! Errors: none that init could tell anybody; where it cannot go on it ends, and all with it. Tests: below; `tests/enclosure.rs` (root).

#![expect(
    unsafe_code,
    reason = "fork, clone, and what happens between fork and exec: only system calls that are safe there"
)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::error::EnclosureError;
use super::signals::watched_signals;

/// How the body ended: init's last words to the outer process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// There was no body: the errno of fork(2).
    NotStarted(i32),
}

/// A tag and a little-endian `i32`.
pub(super) const MESSAGE_BYTES: usize = 5;

impl Ending {
    fn encode(self) -> [u8; MESSAGE_BYTES] {
        let (tag, value) = match self {
            Self::Exited(code) => (b'E', code),
            Self::Killed(signal) => (b'K', signal),
            Self::NotStarted(errno) => (b'N', errno),
        };
        let [a, b, c, d] = value.to_le_bytes();
        [tag, a, b, c, d]
    }

    pub(super) fn decode([tag, a, b, c, d]: [u8; MESSAGE_BYTES]) -> Option<Self> {
        let value = i32::from_le_bytes([a, b, c, d]);
        match tag {
            b'E' => Some(Self::Exited(value)),
            b'K' => Some(Self::Killed(value)),
            b'N' => Some(Self::NotStarted(value)),
            _ => None,
        }
    }
}

/// In init, first: dies with the outer process from now on, and at once if that is dead already.
pub(super) fn tie_to_outer(socket: &UnixStream) {
    // A second line behind the socket, whose end the loop sees too; this one works even while init is stopped.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // The outer process may have died before prctl; then nobody holds the other end any more.
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::ZERO);
    if fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)) {
        end();
    }
}

/// In init: there is no body.
pub(super) fn give_up(mut socket: &UnixStream, error: &EnclosureError) -> ! {
    let errno = match error {
        EnclosureError::Refused { source, .. } | EnclosureError::Step { source, .. } => source.raw_os_error(),
        EnclosureError::NotRoot { .. } | EnclosureError::Threads { .. } => None,
    };
    let _ = socket.write_all(&Ending::NotStarted(errno.unwrap_or(libc::EIO)).encode());
    end();
}

/// In init: serves until the body or the outer process ends.
pub(super) fn serve(body: Pid, mut socket: UnixStream) -> ! {
    // For `ps`; after the fork, so that the body keeps its name.
    let _ = prctl::set_name(c"rig-init");
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let (Ok(signals), Ok(())) =
        (SignalFd::with_flags(&watched_signals(), flags), socket.set_nonblocking(true))
    else {
        end();
    };
    let mut relay = Relay::default();
    loop {
        let wait = relay.next_due(Instant::now()).map_or(PollTimeout::NONE, |due| {
            // Rounded up: a poll that ends too early would spin.
            PollTimeout::try_from(due + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut fds, wait), Ok(_) | Err(nix::Error::EINTR)) {
            end();
        }
        // First what came here, then what the outer process saw: the kernel hands a group's signal to the youngest member first.
        while let Ok(Some(info)) = signals.read_signal() {
            match Signal::try_from(info.ssi_signo as i32) {
                Ok(Signal::SIGCHLD) => {
                    if let Some(ending) = reap(body) {
                        let _ = socket.write_all(&ending.encode());
                        end();
                    }
                }
                Ok(signal) => relay.saw(signal, Instant::now()),
                Err(_) => {}
            }
        }
        if !hear(&mut socket, &mut relay) {
            end();
        }
        for signal in relay.take_due(Instant::now()) {
            // ESRCH: it ended meanwhile, and SIGCHLD is on its way.
            let _ = kill(body, signal);
        }
    }
}

/// Reads what the outer process saw; false when that is gone.
fn hear(socket: &mut UnixStream, relay: &mut Relay) -> bool {
    let mut numbers = [0; 64];
    loop {
        match socket.read(&mut numbers) {
            Ok(0) => return false,
            Ok(count) => {
                for &number in &numbers[..count] {
                    if let Ok(signal) = Signal::try_from(i32::from(number)) {
                        relay.heard(signal, Instant::now());
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

/// Reaps every process that has ended; returns the body's end if it is among them.
fn reap(body: Pid) -> Option<Ending> {
    let mut ending = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == body => ending = Some(Ending::Exited(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == body => {
                ending = Some(Ending::Killed(signal as i32));
            }
            Ok(WaitStatus::StillAlive) | Err(nix::Error::ECHILD) => return ending,
            Ok(_) | Err(_) => {}
        }
    }
}

/// Ends init, and by that everything in the enclosure (pid_namespaces(7)).
fn end() -> ! {
    // SAFETY: ends the process without running what the caller's program registered with atexit(3).
    unsafe { libc::_exit(0) }
}

/// Which signals are passed on.
#[derive(Debug, Default)]
struct Relay {
    /// When init itself last got each signal.
    seen: BTreeMap<Signal, Instant>,
    /// What the outer process got, and when init was told.
    waiting: Vec<(Signal, Instant)>,
}

impl Relay {
    /// A signal of the outer process waits this long for the same one to arrive at init: timeout(1) signals its child first and the
    /// process group right after.
    const SETTLE: Duration = Duration::from_millis(30);
    /// The outer process may have been told to report this late (a loaded machine).
    const LATE: Duration = Duration::from_secs(1);

    fn saw(&mut self, signal: Signal, now: Instant) {
        self.seen.insert(signal, now);
    }

    fn heard(&mut self, signal: Signal, now: Instant) {
        self.waiting.push((signal, now));
    }

    /// Time until something is due.
    fn next_due(&self, now: Instant) -> Option<Duration> {
        self.waiting.iter().map(|(_, at)| (*at + Self::SETTLE).saturating_duration_since(now)).min()
    }

    /// What must be passed on now.
    fn take_due(&mut self, now: Instant) -> Vec<Signal> {
        let seen = &self.seen;
        let mut due = Vec::new();
        self.waiting.retain(|&(signal, at)| {
            if now < at + Self::SETTLE {
                return true;
            }
            let to_the_group = seen.get(&signal).is_some_and(|&here| here + Self::LATE >= at);
            if !to_the_group {
                due.push(signal);
            }
            false
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn endings_come_back() {
        for ending in [Ending::Exited(0), Ending::Exited(255), Ending::Killed(9), Ending::NotStarted(11)] {
            assert_eq!(Ending::decode(ending.encode()), Some(ending));
        }
        assert_eq!(Ending::decode([0; MESSAGE_BYTES]), None);
    }

    #[test]
    fn a_signal_to_the_outer_process_alone_is_passed_on_once_after_settling() {
        let start = Instant::now();
        let mut relay = Relay::default();
        relay.heard(Signal::SIGINT, start);
        assert_eq!(relay.next_due(start), Some(Relay::SETTLE));
        assert_eq!(relay.take_due(start + Relay::SETTLE - MS), []);
        assert_eq!(relay.take_due(start + Relay::SETTLE), [Signal::SIGINT]);
        assert_eq!(relay.take_due(start + 2 * Relay::SETTLE), []);
        assert_eq!(relay.next_due(start), None);
    }

    #[test]
    fn a_signal_to_the_group_is_not_passed_on_whichever_comes_first() {
        let start = Instant::now();
        for seen_at in [start, start + Relay::LATE, start + Relay::LATE + Relay::SETTLE - MS] {
            let mut relay = Relay::default();
            relay.saw(Signal::SIGINT, seen_at);
            relay.heard(Signal::SIGINT, start + Relay::LATE);
            assert_eq!(relay.take_due(start + Relay::LATE + Relay::SETTLE), []);
        }
    }

    #[test]
    fn another_signal_or_an_old_one_does_not_hold_a_signal_back() {
        let start = Instant::now();
        let mut relay = Relay::default();
        relay.saw(Signal::SIGTERM, start + 2 * Relay::LATE);
        relay.saw(Signal::SIGINT, start);
        relay.heard(Signal::SIGINT, start + Relay::LATE + MS);
        assert_eq!(relay.take_due(start + 2 * Relay::LATE), [Signal::SIGINT]);
    }
}
