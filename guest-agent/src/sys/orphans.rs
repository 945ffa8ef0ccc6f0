//! Processes whose parents have ended: they become children of the agent, and are taken away here.
//!
//! Holds their adoption, by the thread that calls it first (the session's), and their end. Must not know who started them.
//! Units: none. Errors: none; where the kernel gives them to someone else they are not ours to take away.
//! Source: PR_SET_CHILD_SUBREAPER(2const), proc(5) /proc/PID/task/TID/children. Tests: `tests/program`.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::raw::syscall;
use super::trace;

/// Orphans of the agent's descendants are its own children from now on.
pub(crate) fn adopt() {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_CHILD_SUBREAPER as usize, 1, 0, 0, 0, 0]) };
}

/// Process groups that nobody traces: their processes would outlive the agent.
static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process group that ends with the agent, as long as this value lives.
#[derive(Debug)]
pub(crate) struct Group(i32);

impl Group {
    /// The group of this leader.
    pub(crate) fn enlist(leader: i32) -> Self {
        groups().insert(leader);
        Self(leader)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        groups().remove(&self.0);
    }
}

/// The agent ends: so do these groups, what came of their leaders, and the orphans.
pub(crate) fn end_groups() {
    groups().iter().for_each(|leader| end_tree(*leader));
    list().into_iter().for_each(end_tree);
}

/// Ends a process group, and the descendants of its leader that have left it.
pub(crate) fn end_tree(leader: i32) {
    let mut tree = vec![leader];
    let mut looked_at = 0;
    while let Some(pid) = tree.get(looked_at) {
        tree.extend(children_of(*pid));
        looked_at += 1;
    }
    trace::kill(-leader);
    tree.into_iter().for_each(trace::kill);
}

/// The children of all its threads.
fn children_of(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let texts =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts.flat_map(|text| numbers(&text)).collect()
}

fn numbers(text: &str) -> Vec<i32> {
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
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
    numbers(&text)
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
