//! What is taken from QEMU before it runs, because a guest is not trusted: whoever breaks out of it has nobody's identity, no capability, no
//! environment, a root file system that is read-only, a /dev of three nodes, and an end to its memory and processor time.
//!
//! Holds what is taken ([`Confinement`], found out by trying it once), and how, between fork and exec. Its network namespace, its descriptors and its
//! own system call filter (`-sandbox`) are elsewhere. Must not know guests. Units: bytes, seconds.
//! Errors: `io::Error` of the call that failed; what this host does not let rig take is a [`Lack`], and QEMU runs without that part.
//! Sources: credentials(7), capabilities(7), mount_setattr(2), setrlimit(2), proc(5) on oom_score_adj; Debian policy 9.2.2 on user ids.
//! Tests: `spawn.rs` (root); on real guests in `tests/qemu/confined.rs`.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec of QEMU: only system calls, no allocation, no lock"
)]

mod calls;
mod identity;
mod limits;
mod mounts;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::process;
use identity::Identity;
pub(super) use limits::Limits;
use mounts::{Way, furnish};

/// What is taken from a QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Confinement {
    identity: Identity,
    mounts: Mounts,
}

/// What it sees of the file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mounts {
    /// All of the host's, read-only, but for its own /dev. Where its file lies in a folder that others may not enter, a way to it is made.
    ReadOnly(Option<Way>),
    /// As rig does.
    Shared,
}

/// What this host does not let rig take from QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It keeps rig's user id.
    Identity(String),
    /// It sees the host's file systems as rig does.
    Mounts(String),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity(why) => write!(f, "QEMU keeps rig's user id, without capabilities: {why}"),
            Self::Mounts(why) => write!(f, "QEMU sees the file systems as rig does: {why}"),
        }
    }
}

/// What can be taken from a program, and what not.
type Found = (Confinement, Vec<Lack>);

impl Confinement {
    /// What can be taken from this program here: tried, by having it say its version, once in the life of rig.
    pub(super) fn of(program: &Path) -> Found {
        static KNOWN: Mutex<BTreeMap<PathBuf, Found>> = Mutex::new(BTreeMap::new());
        let mut known = process::lock(&KNOWN);
        let (confinement, lacks) =
            known.entry(program.to_owned()).or_insert_with(|| Self::try_out(program)).clone();
        (Self { identity: confinement.identity.anew(), ..confinement }, lacks)
    }

    fn try_out(program: &Path) -> Found {
        let whole = Self { identity: Identity::free(), mounts: Mounts::ReadOnly(Way::to(program)) };
        let foreign = matches!(whole.identity, Identity::Other { .. });
        let mut lacks = Vec::new();
        let mut found = Self { identity: Identity::Own, mounts: Mounts::Shared };
        // A program that does not run in any way is told where it is started.
        if (foreign && whole.lets_run(program).is_ok()) || found.lets_run(program).is_err() {
            return (whole, lacks);
        }
        let with_mounts = Self { mounts: whole.mounts.clone(), ..found.clone() };
        match with_mounts.lets_run(program) {
            Ok(()) => found = with_mounts,
            Err(why) => lacks.push(Lack::Mounts(why)),
        }
        let with_identity = Self { identity: whole.identity, ..found.clone() };
        let tried = if foreign { with_identity.lets_run(program) } else { Err(NO_OTHER_ID.to_owned()) };
        match tried {
            Ok(()) => found = with_identity,
            Err(why) => lacks.push(Lack::Identity(why)),
        }
        (found, lacks)
    }

    /// Whether the program says its version within this.
    fn lets_run(&self, program: &Path) -> Result<(), String> {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env_clear().current_dir("/");
        let this = self.clone();
        // SAFETY: it makes system calls only.
        unsafe { command.pre_exec(move || this.enter(None)) };
        // By this thread, which waits for it: no other one may be begun before there is an enclosure.
        let mut child = process::bind(&mut command).spawn().map_err(|error| error.to_string())?;
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} then ends with {status}", program.display())),
            Err(error) => Err(error.to_string()),
        }
    }

    /// In the child, between fork and exec, where its network namespace is entered already. No allocation, no lock.
    pub(super) fn enter(&self, limits: Option<Limits>) -> io::Result<()> {
        die_first();
        match &self.mounts {
            Mounts::ReadOnly(way) => furnish(way.as_ref())?,
            Mounts::Shared => {}
        }
        if let Some(limits) = limits {
            limits.set()?;
        }
        self.identity.take()
    }

    /// Who it runs as, and what it sees, in words: for the log of the conversation with it.
    pub(super) fn describe(&self) -> String {
        let who = match self.identity {
            Identity::Other { id, .. } => format!("user and group {id}"),
            Identity::Own => "rig's user".to_owned(),
        };
        let sees = match self.mounts {
            Mounts::ReadOnly(_) => "a read-only root with a /dev of its own",
            Mounts::Shared => "the file systems as rig has them",
        };
        format!("{who}, no capability, no environment, {sees}")
    }
}

/// What this host does not let rig take from this QEMU; empty: everything is taken.
pub fn lacks(qemu: &Path) -> Vec<Lack> {
    Confinement::of(qemu).1
}

const NO_OTHER_ID: &str = "rig is not root, or its user namespace has no spare user id";

/// Where the host runs out of memory, the guest is to end and not rig. Where that cannot be said, nothing is lost.
fn die_first() {
    // SAFETY: open(2), write(2) and close(2) with constants.
    unsafe {
        let file = libc::open(c"/proc/self/oom_score_adj".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, c"1000".as_ptr().cast(), 4);
            libc::close(file);
        }
    }
}
