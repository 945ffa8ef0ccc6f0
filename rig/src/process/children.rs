//! Children that end with us.
//!
//! Holds the thread from which they are started, and the wait for their end. Must not know what they do. Units: `Duration`.
//! The enclosure is the first line; the parent-death signal of each child is the second, for a body without an enclosure.
//! Errors: `io::Error` of the call that failed. Tests: below.

#![expect(
    unsafe_code,
    reason = "fork, clone, and what happens between fork and exec: only system calls that are safe there"
)]

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

use super::host::open_pidfd;
use super::lock::lock;

type Job = Box<dyn FnOnce() + Send>;

/// Runs `work` on the one thread of this process that lives as long as the process, and returns what it returns (or panics with it).
///
/// `PR_SET_PDEATHSIG` fires when the *thread* that forked the child ends (prctl(2)), so a child started from a worker thread
/// (tokio's blocking threads end after ten idle seconds) would die early. A `tokio::process::Command` may be spawned in here too:
/// enter the runtime's handle first.
pub fn on_spawner<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::Builder::new()
            .name("rig-spawner".into())
            .spawn(move || jobs.into_iter().for_each(|job| job()))
            .expect("a process that cannot start a thread cannot do anything else either");
        Mutex::new(sender)
    });
    let (sender, result) = channel();
    let job = move || {
        // The receiver waits below for as long as this runs.
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
    };
    lock(spawner).send(Box::new(job)).expect("the spawner thread lives as long as the process");
    match result.recv().expect("the spawner thread answers every job") {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}

/// Makes a child die with the thread that spawns it (see [`on_spawner`]), gives it a process group of its own, so that Ctrl-C at a terminal
/// reaches rig only.
pub fn bind(command: &mut Command) -> &mut Command {
    let parent = getpid();
    command.process_group(0);
    // SAFETY: the closure makes system calls only, between fork and exec.
    unsafe { command.pre_exec(move || tie(parent)) }
}

/// In a child, before exec: it dies with the thread that forked it, and at once where `parent` is gone already.
pub(super) fn tie(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Died before prctl: the signal will not come any more.
    if getppid() != parent {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

/// Spawns a [`bind`]-ed command on the spawner thread.
///
/// # Errors
/// What fork(2), the command's hooks and execve(2) say.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    bind(&mut command);
    on_spawner(move || command.spawn())
}

/// Makes every descriptor but 0, 1 and 2 close at exec, also what a library opened without `O_CLOEXEC`. For a hook between fork and exec:
/// it makes one system call. close_range(2) knows the flag since Linux 5.11; an older kernel is left as it is.
///
/// # Errors
/// What the call says.
pub fn seal_descriptors() -> io::Result<()> {
    // SAFETY: marks descriptors, closes none.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, 3_u32, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    match io::Error::last_os_error() {
        error if result < 0 && !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}

/// Waits for a child's end, at most this long; `None` when it is still running then.
///
/// # Errors
/// What pidfd_open(2), poll(2) and waitpid(2) say.
pub fn wait_exit(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pidfd = open_pidfd(child.id())?;
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last poll does not end before the deadline.
        let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("1000");
        command
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut child = thread::spawn(|| spawn(sleeper())).join().expect("no panic").expect("sleep starts");
        // The asking thread is gone; had it been the parent, the signal would have been sent before `join` returned.
        assert_eq!(wait_exit(&mut child, Duration::from_millis(100)).expect("can wait"), None);
        child.kill().expect("is ours");
        let status = wait_exit(&mut child, Duration::from_secs(60)).expect("can wait").expect("was killed");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));
    }

    #[test]
    fn a_child_dies_with_the_thread_that_forked_it_and_has_its_own_group() {
        let mut child = thread::spawn(|| {
            let mut command = sleeper();
            bind(&mut command);
            command.spawn()
        })
        .join()
        .expect("no panic")
        .expect("sleep starts");
        let status = wait_exit(&mut child, Duration::from_secs(60)).expect("can wait").expect("died");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL));

        let mut other = spawn(sleeper()).expect("sleep starts");
        let pid = Pid::from_raw(other.id() as i32);
        assert_eq!(nix::unistd::getpgid(Some(pid)), Ok(pid));
        other.kill().expect("is ours");
        other.wait().expect("is ours");
    }

    #[test]
    fn a_panic_on_the_spawner_reaches_the_caller_and_leaves_it_usable() {
        let caught = catch_unwind(|| on_spawner(|| panic!("on purpose")));
        assert!(caught.is_err());
        assert_eq!(on_spawner(|| 7), 7);
        assert!(spawn(Command::new("/nonexistent/program")).is_err());
    }
}
