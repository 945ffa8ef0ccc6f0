//! Processes whose parents have ended: they become children of the agent, and are taken away here.
//!
//! Holds their adoption, by the thread that calls it first (the session's), and their end. Must not know who started them.
//! Units: none. Errors: none; where the kernel gives them to someone else they are not ours to take away.
//! Source: PR_SET_CHILD_SUBREAPER(2const), proc(5) /proc/PID/task/TID/children. Tests: `tests/program`.

use std::fs;
use std::time::Duration;

use super::raw::syscall;
use super::trace;

/// Orphans of the agent's descendants are its own children from now on.
pub(crate) fn adopt() {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_CHILD_SUBREAPER as usize, 1, 0, 0, 0, 0]) };
}

/// Takes away those that have ended: children of the calling thread.
pub(crate) fn reap() {
    let options = libc::__WALL | libc::__WNOTHREAD | libc::WNOHANG;
    while matches!(trace::wait(-1, options), Ok(Some(_))) {}
}

/// Those that there are.
pub(crate) fn list() -> Vec<i32> {
    let agent = std::process::id();
    let text = fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Ends all of them, and takes them away; the calling thread is the one whose children they are.
pub(crate) fn end() {
    loop {
        let left = list();
        left.iter().for_each(|pid| trace::kill(*pid));
        reap();
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
