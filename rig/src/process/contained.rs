//! A tool of the host that dies with us, and with everything that it starts, wherever it is called: outside the enclosure too, on the host's network.
//!
//! Holds the two processes between us and the tool, and how signals wait while one runs. Must not know which tool it is. Units: none.
//! ```text
//! rig -> keeper -> init (PID 1 of a PID namespace) -> the tool and what it starts
//! ```
//! Keeper and init have a parent-death signal, which a change of credentials would clear (prctl(2)): they make none. apt's download methods
//! do, so only the namespace ends those: the kernel kills everything in it when its init ends (pid_namespaces(7)).
//! Root makes the namespace itself. Another user makes a user namespace for it, in which they stay who they are: apt does not change
//! credentials then. Where the kernel allows neither, the tool still dies with us by its own parent-death signal, and what it started
//! ends when it notices that nobody reads its answers (for apt's methods: at the latest after the timeout of their connection).
//! Errors: `io::Error` of the call that failed. Tests: below; `tests/enclosure/fetching.rs` (root) with apt and a mirror that stalls.

#![expect(
    unsafe_code,
    reason = "clone, and what happens between clone and exec: only system calls that are safe there"
)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, getpid, pipe2, write};

use super::children::tie;

/// What asks a command to end.
const ENDING: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// Where a contained command has its temporary files: a tmpfs of its own over a directory that every procfs has and that nothing here needs, so
/// that a killed one leaves none (apt's signature check does). apt takes /tmp where this cannot be written to.
const SCRATCH: &CStr = c"/proc/fs";

/// Of an exit status that stands for a signal, as shells have it.
const BY_SIGNAL: i32 = 128;

/// Makes a command run in a PID namespace of its own, as the module says. It has a process group of its own, so that Ctrl-C at a terminal
/// reaches rig only. To be spawned from a thread that outlives it: its end is the thread's end.
pub fn contain(command: &mut Command) -> &mut Command {
    let parent = getpid();
    let user = User::current();
    command.process_group(0);
    command.env("TMPDIR", "/proc/fs");
    // SAFETY: the closure makes system calls only, between fork and exec.
    unsafe {
        command.pre_exec(move || {
            tie(parent)?;
            split(&user)
        })
    }
}

/// Who we are, in the words in which a user namespace is told; made before the fork, which may not allocate.
struct User {
    is_root: bool,
    uid_map: String,
    gid_map: String,
}

impl User {
    fn current() -> Self {
        let (uid, gid) = (geteuid(), getegid());
        Self { is_root: uid.is_root(), uid_map: format!("{uid} {uid} 1"), gid_map: format!("{gid} {gid} 1") }
    }

    /// In the init: the user stays who they are (user_namespaces(7)). Where that cannot be said, files still know them.
    fn map(&self) {
        let tell = |path: &CStr, text: &str| {
            if let Ok(file) = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()) {
                let _ = write(file, text.as_bytes());
            }
        };
        tell(c"/proc/self/setgroups", "deny");
        tell(c"/proc/self/uid_map", &self.uid_map);
        tell(c"/proc/self/gid_map", &self.gid_map);
    }
}

/// Returns in the tool-to-be alone.
fn split(user: &User) -> io::Result<()> {
    let (watched, held) = pipe2(OFlag::O_CLOEXEC)?;
    let own = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
    let kind = if user.is_root { own } else { own | libc::CLONE_NEWUSER };
    let (init, in_namespace) = match clone(kind) {
        Ok(init) => (init, true),
        // Not allowed here, or the kernel has none.
        Err(_) => (clone(0)?, false),
    };
    if init != 0 {
        keep(init, &held);
    }
    drop(held);
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // The keeper died before prctl: the signal will not come any more.
    if is_deserted(&watched) {
        exit(BY_SIGNAL + libc::SIGKILL);
    }
    if in_namespace && !user.is_root {
        user.map();
    }
    if in_namespace {
        furnish_scratch();
    }
    let tool = match clone(0) {
        Ok(tool) => tool,
        Err(error) => exit(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    if tool != 0 {
        serve(tool);
    }
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // What waits in us ends the tool at once.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    Ok(())
}

/// In the init, whose mounts are its own. Without it the tool takes another place for its files.
fn furnish_scratch() {
    let nothing: Option<&CStr> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    // Slave, not private: what the host unmounts is not kept busy here.
    let _ = mount(nothing, c"/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)
        .and_then(|()| mount(Some(c"rig"), SCRATCH, Some(c"tmpfs"), flags, Some(c"mode=1777,size=64m")));
}

/// fork(2) without what the C library does around it, which needs locks that another thread may have held.
fn clone(flags: libc::c_int) -> io::Result<libc::pid_t> {
    // SAFETY: no stack, no pointers: the child goes on with a copy of ours.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok(pid as libc::pid_t) }
}

/// In the keeper: ends as init ends. It is what rig knows as its child.
fn keep(init: libc::pid_t, held: &OwnedFd) -> ! {
    close_all_but(Some(held.as_raw_fd()));
    exit(await_end(init));
}

/// In the init: ends when the tool ends, and everything in the namespace with it. Reaps what is orphaned there.
fn serve(tool: libc::pid_t) -> ! {
    close_all_but(None);
    exit(await_end(tool));
}

/// Reaps until `child` has ended; how it ended, as an exit status.
fn await_end(child: libc::pid_t) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: writes to `status` alone.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if ended == child {
            return if libc::WIFSIGNALED(status) {
                BY_SIGNAL + libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            };
        }
        if ended < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return libc::ECHILD;
        }
    }
}

/// Whether nobody has the other end of the pipe any more.
fn is_deserted(watched: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(watched.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::ZERO);
    fds[0].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP))
}

/// Of what was inherited nothing may stay open here: whoever reads the tool's output, or waits for its exec, waits for the end of all copies.
fn close_all_but(one: Option<RawFd>) {
    let last = libc::c_uint::MAX;
    let one = one.and_then(|fd| libc::c_uint::try_from(fd).ok());
    let ranges = match one {
        Some(fd) => [(0, fd.saturating_sub(1)), (fd + 1, last)],
        None => [(0, last), (last, last)],
    };
    for (from, to) in ranges {
        // SAFETY: nothing here uses a descriptor any more.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
        if closed < 0 {
            // Before Linux 5.9.
            (from..=to.min(4096)).for_each(|fd| {
                // SAFETY: as above.
                let _ = unsafe { libc::close(fd as libc::c_int) };
            });
        }
    }
}

/// Ends the process without what the caller's program registered for its end.
fn exit(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// While it lives, what asks rig to end does not end it: it is seen by [`is_asked_to_end`], so that work ends in order. What the process was
/// told to ignore (nohup(1)) stays ignored. For a process with one thread: other threads would still take the signals.
#[derive(Debug)]
pub struct HeldSignals {
    held: SigSet,
    before: SigSet,
}

impl HeldSignals {
    /// Holds them from now on.
    pub fn hold() -> Self {
        let held: SigSet = ENDING.into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let mut before = SigSet::empty();
        // Neither can fail with valid sets.
        let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before));
        Self { held, before }
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        // Whoever held them was to look; let loose they would end the process instead of its work.
        while pending().is_some_and(|pending| self.held.iter().any(|signal| pending.contains(signal))) {
            if self.held.wait().is_err() {
                break;
            }
        }
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// Whether rig was asked to end while the signals for that are held.
pub fn is_asked_to_end() -> bool {
    pending().is_some_and(|pending| {
        ENDING.into_iter().any(|signal| pending.contains(signal) && !is_ignored(signal))
    })
}

/// sigpending(2)
fn pending() -> Option<SigSet> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call fills the set where it succeeds.
    unsafe {
        (libc::sigpending(set.as_mut_ptr()) == 0).then(|| SigSet::from_sigset_t_unchecked(set.assume_init()))
    }
}

fn is_ignored(signal: Signal) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks; the call fills the structure where it succeeds.
    unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;
    use std::time::Duration;

    use super::*;
    use crate::process::{open_pidfd, wait_exit};

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        contain(&mut command);
        command
    }

    #[test]
    fn output_and_exit_status_pass_through() {
        let output = shell("echo out; echo err >&2; exit 7").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), &b"out\n"[..]));
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(shell("kill -9 $$").status().unwrap().code(), Some(128 + 9));
        let error = contain(&mut Command::new("/nowhere/tool")).spawn().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_end_of_the_child_that_we_know_ends_what_the_tool_started() {
        let mut command = shell("setsid sleep 1000 & echo started; wait");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut word = [0; 8];
        io::Read::read_exact(&mut stdout, &mut word).unwrap();
        child.kill().unwrap();
        assert!(wait_exit(&mut child, Duration::from_secs(60)).unwrap().is_some());
        if !can_make_namespaces() {
            eprintln!("SKIPPED: no PID namespaces here");
            return;
        }
        // The sleeper has the pipe too, in a session of its own: it ends when the sleeper does.
        let mut rest = Vec::new();
        io::Read::read_to_end(&mut stdout, &mut rest).unwrap();
        assert_eq!(rest, b"");
    }

    fn can_make_namespaces() -> bool {
        let output = shell("echo $$").output().unwrap();
        output.stdout == b"2\n"
    }

    #[test]
    fn its_temporary_files_are_its_own() {
        if !can_make_namespaces() {
            eprintln!("SKIPPED: no PID namespaces here");
            return;
        }
        let output = shell("mktemp && stat -fc %T $TMPDIR && stat -c %a $TMPDIR").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("/proc/fs/tmp.") && said.ends_with("\ntmpfs\n1777\n"), "{said}");
        let left = std::fs::read_dir("/proc/fs").unwrap().flatten();
        assert!(!left.map(|one| one.file_name()).any(|name| name.to_string_lossy().starts_with("tmp.")));
    }

    #[test]
    fn it_dies_with_the_thread_that_started_it() {
        let child = std::thread::spawn(|| shell("sleep 1000").spawn().unwrap()).join().unwrap();
        let ended = open_pidfd(child.id()).unwrap();
        let mut fds = [PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(60_000_u16)), Ok(1));
        let mut child = child;
        child.wait().unwrap();
    }

    #[test]
    fn held_signals_are_seen_and_do_not_end_us() {
        assert!(!is_asked_to_end());
        let held = HeldSignals::hold();
        // To this thread: the others of a test run hold nothing.
        // SAFETY: no pointers.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), libc::SIGTERM) }, 0);
        assert!(is_asked_to_end());
        // A tool begins without what is held here.
        assert!(shell("grep -q 'SigBlk:.0*$' /proc/thread-self/status").status().unwrap().success());
        drop(held);
        assert!(!is_asked_to_end());
    }
}
