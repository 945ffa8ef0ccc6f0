//! What the enclosure keeps of the host: its /proc and its network; and what the host does not see: a room for private directories.
//!
//! Holds the paths, the translation of a pid, and the way back into the network. Must not know whose pid it is. Units: pids.
//! Errors: `io::Error` of the call that failed. Outside an enclosure the same functions work on the host itself.
//! Tests: `tests/enclosure.rs` (root).

#![expect(
    unsafe_code,
    reason = "fork, clone, and what happens between fork and exec: only system calls that are safe there"
)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use tempfile::TempDir;

use super::error::EnclosureError;

/// A directory that every procfs has (`proc_root_init`, fs/proc/root.c) and that nothing in an enclosure needs. The tmpfs that is mounted
/// over it in the private mount namespace vanishes with that, and leaves no empty directory on any disk, not even after SIGKILL.
const MOUNT_POINT: &str = "/proc/fs";
const ROOM: &str = "/proc/fs/rig";
const HOST_PROC: &str = "/proc/fs/rig/host-proc";
const RUN_DIRS: &str = "/proc/fs/rig/run";

/// In the body: the network namespace from which the enclosure was made.
static HOST_NETWORK: OnceLock<OwnedFd> = OnceLock::new();

/// Whether this process called [`super::enclose`] and is the body.
pub fn is_enclosed() -> bool {
    HOST_NETWORK.get().is_some()
}

/// Makes a command start in the network that rig was called in, for what must reach the outside (a package mirror); in the body everything
/// else is in a network without any outside. Outside an enclosure it changes nothing.
///
/// # Errors
/// What fcntl(2) says of a new descriptor; a failing setns(2) is reported by `spawn`.
pub fn use_host_network(command: &mut Command) -> io::Result<()> {
    if let Some(network) = HOST_NETWORK.get() {
        let network = network.try_clone()?;
        // SAFETY: the closure makes one system call, between fork and exec.
        unsafe { command.pre_exec(move || setns(&network, CloneFlags::CLONE_NEWNET).map_err(Into::into)) };
    }
    Ok(())
}

/// The /proc in which the host's processes and kernel threads are (`vhost-<pid>` before Linux 6.4 is one): the outermost that can be seen.
pub fn host_proc() -> &'static Path {
    Path::new(if is_enclosed() { HOST_PROC } else { "/proc" })
}

/// Number that the process `pid` of this enclosure has in [`host_proc`]: the one that names of kernel threads carry.
///
/// # Errors
/// `ESRCH` where there is no such process (any more). A zombie still counts.
pub fn host_pid(pid: u32) -> io::Result<u32> {
    let pidfd = open_pidfd(pid)?;
    // The `Pid:` line is written for the PID namespace of the procfs instance that is read (`pidfd_show_fdinfo`, kernel/fork.c).
    let path = host_proc().join(format!("self/fdinfo/{}", pidfd.as_raw_fd()));
    let text = fs_err::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
    match line.and_then(|number| number.parse().ok()) {
        // 0: not in that namespace; -1: has ended and was waited for.
        Some(number @ 1..) => Ok(number as u32),
        Some(..=0_i64) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "the fdinfo of a pidfd has no Pid line")),
    }
}

/// pidfd_open(2), since Linux 5.3: readable once the process has ended. Of a child that was not waited for the number is its own.
///
/// # Errors
/// `ESRCH` where there is no such process, `EMFILE` and `ENFILE`.
pub fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A new directory for sockets and the like, mode 0700, gone when dropped. In an enclosure it lies on a tmpfs that the host does not see
/// and that goes with the enclosure, however that ends; elsewhere under `$XDG_RUNTIME_DIR`, /run or the directory for temporary files.
/// Its path is short: a unix socket's has 107 bytes (unix(7)).
///
/// # Errors
/// What mkdir(2) says.
pub fn new_run_dir() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("rig-").permissions(std::fs::Permissions::from_mode(0o700));
    if is_enclosed() {
        return builder.tempdir_in(RUN_DIRS);
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    for folder in [runtime, Some(PathBuf::from("/run"))].into_iter().flatten() {
        if let Ok(directory) = builder.tempdir_in(folder) {
            return Ok(directory);
        }
    }
    builder.tempdir()
}

/// Opens the outermost /proc that can be seen, before a new one hides it.
pub(super) fn open_host_proc() -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY);
    // Inside another enclosure, that one's host is ours. Its presence as a directory is the marker of a nested enclosure.
    match options.open(HOST_PROC) {
        Ok(folder) => Ok(folder),
        Err(_) => options.open("/proc"),
    }
}

/// Leaves the host's network namespace for a new one, but remembers it.
pub(super) fn leave_host_network() -> Result<(), EnclosureError> {
    let network = std::fs::File::open("/proc/self/ns/net")
        .map_err(EnclosureError::at("open the network namespace of the host"))?;
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| EnclosureError::at("make a network namespace")(errno.into()))?;
    // Set already where the body of an enclosure encloses itself: the outermost host stays the host.
    let _ = HOST_NETWORK.set(network.into());
    Ok(())
}

/// Mounts the room over its mount point, with the host's /proc and the place for run directories in it.
pub(super) fn furnish_room(host_proc: &std::fs::File) -> Result<(), EnclosureError> {
    let nowhere: Option<&str> = None;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("rig"), MOUNT_POINT, Some("tmpfs"), flags, Some("mode=0755"))
        .map_err(|errno| EnclosureError::at("mount a private tmpfs")(errno.into()))?;
    for folder in [ROOM, HOST_PROC, RUN_DIRS] {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(EnclosureError::at("make a private directory"))?;
    }
    let opened = format!("/proc/self/fd/{}", host_proc.as_raw_fd());
    mount(Some(opened.as_str()), HOST_PROC, nowhere, MsFlags::MS_BIND, nowhere)
        .map_err(|errno| EnclosureError::at("keep the host's /proc visible")(errno.into()))?;
    Ok(())
}
