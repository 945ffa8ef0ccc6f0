//! The outer process of an enclosure: the one that the shell knows.
//!
//! Holds its loop: wait for signals, tell init of them, end as the body ended. Must not know why.
//! Units: none. Errors: the body's failure to start, as the errno that fork(2) gave in init.
//! Tests: `tests/enclosure.rs` (root).

#![expect(
    unsafe_code,
    reason = "fork, clone, and what happens between fork and exec: only system calls that are safe there"
)]

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::init::{Ending, MESSAGE_BYTES};
use super::signals::watched_signals;

/// Waits for init and ends as the body ended. Returns only if there never was a body, with the reason.
pub(super) fn watch(init: Pid, mut socket: UnixStream) -> io::Error {
    let watched = watched_signals();
    loop {
        match watched.wait() {
            Ok(Signal::SIGCHLD) => {
                let fallback = match waitpid(init, Some(WaitPidFlag::WNOHANG)) {
                    Ok(WaitStatus::Exited(_, code)) => Ending::Exited(code),
                    Ok(WaitStatus::Signaled(_, signal, _)) => Ending::Killed(signal as i32),
                    // Stopped or continued: not the end.
                    Ok(_) | Err(nix::Error::EINTR) => continue,
                    Err(errno) => return errno.into(),
                };
                // Init is gone, so all that it said is in the socket. It says nothing when it was killed itself.
                let mut message = [0; MESSAGE_BYTES];
                let ending = match socket.read_exact(&mut message) {
                    Ok(()) => Ending::decode(message).unwrap_or(fallback),
                    Err(_) => fallback,
                };
                match ending {
                    // SAFETY: ends the process; what was buffered was flushed before the fork.
                    Ending::Exited(code) => unsafe { libc::_exit(code) },
                    Ending::Killed(signal) => die_by(signal),
                    Ending::NotStarted(errno) => return io::Error::from_raw_os_error(errno),
                }
            }
            Ok(signal) => {
                // If init is gone, SIGCHLD is pending and says so.
                let _ = socket.write_all(&[signal as u8]);
                if signal == Signal::SIGTSTP {
                    stop();
                }
            }
            Err(_) => continue,
        }
    }
}

/// Stops this process as the terminal's stop character would, until SIGCONT. In an orphaned process group nothing happens (setpgid(2)).
fn stop() {
    let only = SigSet::from(Signal::SIGTSTP);
    // None of the three can fail with a valid signal; the process stops in `thread_unblock`.
    let _ = raise(Signal::SIGTSTP);
    let _ = only.thread_unblock();
    let _ = only.thread_block();
}

/// Ends this process by the signal that ended the body, so that the shell sees the same.
fn die_by(signal: i32) -> ! {
    // One core file is enough, and the body has written it.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    if let Ok(signal) = Signal::try_from(signal) {
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: installs no handler.
        let _ = unsafe { sigaction(signal, &default) };
        let _ = raise(signal);
        let _ = SigSet::from(signal).thread_unblock();
    }
    // A signal that nix has no name for (real-time), or one whose default is not to end: the shell's convention.
    // SAFETY: ends the process.
    unsafe { libc::_exit(128 + signal) }
}
