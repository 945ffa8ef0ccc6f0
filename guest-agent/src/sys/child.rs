//! A child process that only has this process's descriptors for a time.
//!
//! Holds its fork, its sleep and its end; must not know trials. The child makes nothing but system calls: another thread may have held the heap's
//! lock at the fork.
//! Units: nanoseconds. Errors: none, `-errno` is returned.
//! Source: fork(2), clone(2) `CLONE_VFORK`, execve(2), signal-safety(7), PR_SET_PDEATHSIG(2const). Tests: `tests/loopback`.

use std::ffi::CString;
use std::time::Duration;

use super::process::exit;
use super::raw::syscall;
use super::{time, trace};

/// The argument after which the agent's own program sleeps for so many nanoseconds, and ends.
pub(crate) const SLEEP: &str = "--sleep";

/// A child that lives for so long, and dies with the calling thread. With `exec` it executes the agent's program to sleep, and the call returns
/// when it does: descriptors with `O_CLOEXEC` are closed by then.
pub(crate) fn start(length: Duration, exec: bool) -> i64 {
    let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let arguments = [c"guest-agent".to_owned(), argument(SLEEP), argument(&length_ns.to_string())];
    let [name, sleep, number] = arguments.each_ref().map(|text| text.as_ptr());
    let vector = [name, sleep, number, std::ptr::null()];
    let environment = [std::ptr::null::<libc::c_char>()];
    let parent = i64::from(std::process::id());
    let wait = if exec { libc::CLONE_VFORK } else { 0 };
    let flags = (libc::SIGCHLD | wait) as usize;
    // SAFETY: without CLONE_VM this is fork(2), on the same stack in memory of the child's own; the child does not return from `live`.
    let forked = unsafe { syscall(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]) };
    if forked == 0 {
        live(length, exec, parent, [vector.as_ptr() as usize, environment.as_ptr() as usize]);
    }
    forked
}

fn argument(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn live(length: Duration, exec: bool, parent: i64, [arguments, environment]: [usize; 2]) -> ! {
    // SAFETY: the path is terminated, the vectors end with null and were made before the fork.
    unsafe {
        let death = libc::SIGKILL as usize;
        syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, death, 0, 0, 0, 0]);
        if syscall(libc::SYS_getppid, [0; 6]) != parent {
            exit(1);
        }
        if exec {
            let path = c"/proc/self/exe".as_ptr() as usize;
            syscall(libc::SYS_execve, [path, arguments, environment, 0, 0, 0]);
            exit(1);
        }
    }
    time::sleep(length);
    exit(0)
}

/// What the agent's program does after [`SLEEP`].
pub(crate) fn sleep(length_ns: &str) -> ! {
    time::sleep(Duration::from_nanos(length_ns.parse().unwrap_or(0)));
    exit(0)
}

/// Kills it, if it lives, and takes it away.
pub(crate) fn end(pid: i32) {
    trace::kill(pid);
    while let Err(rig_protocol::Errno::EINTR) = trace::wait(pid, libc::__WALL) {}
}
