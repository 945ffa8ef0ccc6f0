//! The host's processes as /proc shows them: who descends from whom, and which network namespaces they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};

/// A process that cannot be confused with a later one of the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: String,
    name: String,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let (name, fields) = stat(pid)?;
        Some(Self { pid, started: fields.get(19)?.clone(), name })
    }

    /// Not even a zombie.
    pub(crate) fn is_gone(&self) -> bool {
        stat(self.pid).is_none_or(|(_, fields)| fields.get(19) != Some(&self.started))
    }

    /// Whether this is its name; the kernel keeps 15 bytes of it.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.as_bytes() == &name.as_bytes()[..name.len().min(15)]
    }

    /// Inode of its network namespace, while it lives.
    pub(crate) fn network(&self) -> Option<u64> {
        inode(&format!("/proc/{}/ns/net", self.pid))
    }

    /// Whether somebody listens on the peer's port (8083) in its network namespace: then trials are being played. proc(5), /proc/net/tcp.
    pub(crate) fn beside_the_peer(&self) -> bool {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.pid)).unwrap_or_default();
        table.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.len() > 3 && fields[1].ends_with(":1F93") && fields[3] == "0A"
        })
    }
}

/// Name, and the fields of /proc/PID/stat from the third on: state, ppid, ... proc_pid_stat(5).
fn stat(pid: u32) -> Option<(String, Vec<String>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(") ")?;
    Some((name.split_once('(')?.1.to_owned(), rest.split_whitespace().map(str::to_owned).collect()))
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Everything below `root`, and `root` itself.
pub(crate) fn family(root: u32) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pid in pids() {
        if let Some(parent) = stat(pid).and_then(|(_, fields)| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        found.extend(children.get(&found[next]).into_iter().flatten());
        next += 1;
    }
    found.into_iter().filter_map(Process::of).collect()
}

/// Network namespaces of these processes other than the one of the test.
pub(crate) fn networks(processes: &[Process]) -> BTreeSet<u64> {
    let own = inode("/proc/self/ns/net");
    processes.iter().filter_map(Process::network).filter(|network| Some(*network) != own).collect()
}

/// Descriptors of the processes' network namespaces: while they are open, no other namespace gets the inode of one of them.
pub(crate) fn pinned(processes: &[Process]) -> Vec<File> {
    let open = |process: &Process| File::open(format!("/proc/{}/ns/net", process.pid)).ok();
    processes.iter().filter_map(open).collect()
}

/// Which of these network namespaces any other process of the host is in, or holds by a descriptor.
pub(crate) fn held(networks: &BTreeSet<u64>) -> BTreeSet<u64> {
    let mut held = BTreeSet::new();
    for pid in pids().filter(|pid| *pid != std::process::id()) {
        held.extend(inode(&format!("/proc/{pid}/ns/net")));
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        held.extend(descriptors.filter_map(|entry| inode(entry.path().to_str()?)));
    }
    held.intersection(networks).copied().collect()
}

/// `net:[4026531840]`
fn inode(path: &str) -> Option<u64> {
    let target = fs::read_link(path).ok()?;
    target.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Names of the interfaces in the test's own network namespace: the host's.
pub(crate) fn interfaces() -> BTreeSet<String> {
    let names = fs::read_dir("/sys/class/net").unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
