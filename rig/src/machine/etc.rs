//! The /etc that a program on this host finds: one of its own, with this /etc/localtime or none, and else nothing or all that the host's has.
//!
//! Holds what is read before the fork and what is mounted after it. Must not know why. Units: none. Errors: of the system call that failed.
//! Source: mount_namespaces(7), mount(2). Tests: `tests/trouble/arms.rs`, `tests/trouble/program.rs` (root).

#![expect(unsafe_code, reason = "a descriptor under a number that is known before the fork")]

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, mode_t};
use nix::unistd::{dup2_raw, mkdir, symlinkat, write};

const ETC: &CStr = c"/etc";
const LOCALTIME: &str = "localtime";
/// The number under which a child has the host's /etc for a moment: the names below it are made before the fork. Far from 0, and below the usual
/// limit of 1024.
const HOSTS_OWN: RawFd = 900;

/// What is in an /etc beside localtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing: rig's own agent needs none of it.
    Nothing,
    /// All that the host's has: names, certificates, alternatives, for a program of the user's.
    HostsOwn,
}

/// An /etc, ready to be mounted by a child between fork and exec.
#[derive(Debug)]
pub(super) struct Etc {
    localtime: Option<Vec<u8>>,
    /// What is there of the host's: nothing for [`Beside::Nothing`].
    host: Vec<Entry>,
}

/// Something of the host's /etc.
#[derive(Debug)]
struct Entry {
    /// Its path in the new one.
    here: CString,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A symbolic link to this.
    Link(CString),
    /// The host's folder, by this path below /proc.
    Folder(CString),
    /// The same of a file.
    File(CString),
}

impl Etc {
    /// Reads what is needed of the host's.
    pub(super) fn prepare(localtime: Option<Vec<u8>>, beside: Beside) -> io::Result<Self> {
        let host = match beside {
            Beside::Nothing => Vec::new(),
            Beside::HostsOwn => entries(Path::new("/etc"))?,
        };
        Ok(Self { localtime, host })
    }

    /// Moves the caller (a thread that ends, or a child before its exec) into a mount namespace of its own, where /etc is this one. Mounts of the
    /// host stay as they are: propagation is cut first. Makes system calls only.
    pub(super) fn furnish(&self) -> io::Result<()> {
        let nothing: Option<&CStr> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(nothing, c"/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
        let _host = self.keep_hosts_own()?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some(c"rig"), ETC, Some(c"tmpfs"), flags, Some(c"mode=0755,size=1m"))?;
        self.host.iter().try_for_each(Entry::furnish)?;
        let Some(bytes) = &self.localtime else { return Ok(()) };
        let file = open(c"/etc/localtime", new_file(), mode(0o644))?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            rest = &rest[write(&file, rest)?..];
        }
        Ok(())
    }
}

impl Etc {
    /// The host's folder, open as [`HOSTS_OWN`]: it is not to be seen behind the mount. Opened in this mount namespace, for what belongs to another
    /// cannot be bound (EINVAL).
    fn keep_hosts_own(&self) -> io::Result<Option<OwnedFd>> {
        if self.host.is_empty() {
            return Ok(None);
        }
        let folder = open(ETC, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        // SAFETY: the number is ours: nothing of this process has it, and what is made here owns it.
        unsafe { Ok(Some(dup2_raw(&folder, HOSTS_OWN)?)) }
    }
}

impl Entry {
    fn furnish(&self) -> io::Result<()> {
        let nothing: Option<&CStr> = None;
        let bind = |from: &CStr| {
            let bound =
                mount(Some(from), self.here.as_c_str(), nothing, MsFlags::MS_BIND | MsFlags::MS_REC, nothing);
            match bound {
                // Gone since it was read: then it is not there here, either.
                Err(Errno::ENOENT) => Ok(()),
                bound => bound.map_err(io::Error::from),
            }
        };
        match &self.what {
            What::Link(to) => Ok(symlinkat(to.as_c_str(), nix::fcntl::AT_FDCWD, self.here.as_c_str())?),
            What::Folder(from) => {
                mkdir(self.here.as_c_str(), mode(0o755))?;
                bind(from)
            }
            What::File(from) => {
                drop(open(self.here.as_c_str(), new_file(), mode(0o644))?);
                bind(from)
            }
        }
    }
}

fn new_file() -> OFlag {
    OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC
}

fn mode(bits: mode_t) -> Mode {
    Mode::from_bits_truncate(bits)
}

/// What `folder` has besides localtime: files, folders and links; sockets, pipes and devices have no place there.
fn entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let below = format!("/proc/self/fd/{HOSTS_OWN}");
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == OsStr::new(LOCALTIME) {
            continue;
        }
        let kind = entry.file_type()?;
        let from = || joined(below.as_bytes(), name.as_bytes());
        let what = if kind.is_symlink() {
            What::Link(CString::new(fs::read_link(entry.path())?.as_os_str().as_bytes())?)
        } else if kind.is_dir() {
            What::Folder(from()?)
        } else if kind.is_file() {
            What::File(from()?)
        } else {
            continue;
        };
        entries.push(Entry { here: joined(ETC.to_bytes(), name.as_bytes())?, what });
    }
    Ok(entries)
}

fn joined(folder: &[u8], name: &[u8]) -> io::Result<CString> {
    Ok(CString::new([folder, b"/", name].concat())?)
}
