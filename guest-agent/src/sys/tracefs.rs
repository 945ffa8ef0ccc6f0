//! Numbers and fields of tracepoints, from the kernel's trace file system.
//!
//! Holds the reading, and a private mount where the system has none; nothing of it stays. Must not know what the tracepoints are for.
//! Units: none. Errors: a reason in words, or an errno. Source: Documentation/trace/ftrace.rst, mount(2). Tests: `tests/program`, `tests/loopback/traces.rs`.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rig_protocol::Errno;

use super::errno::check;
use super::perf::Tracepoints;
use super::raw::syscall;

/// Where a system has it.
const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The numbers of raw_syscalls:sys_enter and sys_exit.
pub(crate) fn tracepoints() -> Result<Tracepoints, String> {
    let read = |place: &Path| {
        let id = |name: &str| {
            let text = fs::read_to_string(place.join("events/raw_syscalls").join(name).join("id")).ok()?;
            text.trim().parse().ok()
        };
        Some(Tracepoints { enter: id("sys_enter")?, exit: id("sys_exit")? })
    };
    let lacks =
        |what: &str, why: &str| format!("tracepoints: {what}: {why}; the witness \"ptrace\" needs none");
    match look(read) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(lacks("events/raw_syscalls", "this kernel has none")),
        Err(lack) => Err(lacks(&lack.what, &lack.errno.to_string())),
    }
}

/// What the kernel says of an event of a group: its number and its fields. `ENOENT` where there is no such event.
pub(super) fn format(group: &str, name: &str) -> Result<String, Errno> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !plain(group) || !plain(name) {
        return Err(Errno(libc::EINVAL));
    }
    let read =
        |place: &Path| fs::read_to_string(place.join("events").join(group).join(name).join("format")).ok();
    look(read).map_err(|lack| lack.errno)?.ok_or(Errno(libc::ENOENT))
}

/// Why there is no trace file system.
struct Lack {
    what: String,
    errno: Errno,
}

/// Looks where the system has it, and otherwise in a private mount.
fn look<T>(read: impl Fn(&Path) -> Option<T>) -> Result<Option<T>, Lack> {
    /// The place of the private mount is the process's.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if let Some(found) = USUAL.iter().find_map(|place| read(Path::new(place))) {
        return Ok(Some(found));
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = std::env::temp_dir().join(format!("tracefs.{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|error| Lack {
        what: folder.display().to_string(),
        errno: Errno(error.raw_os_error().unwrap_or(libc::EIO)),
    })?;
    let mounted = mount(&folder);
    let found = mounted.is_ok().then(|| read(&folder)).flatten();
    if mounted.is_ok() {
        unmount(&folder);
    }
    // Not what may still be mounted there.
    let _ = fs::remove_dir(&folder);
    mounted.map(|()| found).map_err(|errno| Lack { what: "mount tracefs".to_owned(), errno })
}

fn mount(folder: &Path) -> Result<(), Errno> {
    let target = CString::new(folder.as_os_str().as_encoded_bytes()).unwrap_or_default();
    let kind = c"tracefs".as_ptr() as usize;
    let flags = (libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC) as usize;
    // SAFETY: the strings are terminated.
    check(unsafe { syscall(libc::SYS_mount, [kind, target.as_ptr() as usize, kind, flags, 0, 0]) })
        .map(|_| ())
}

fn unmount(folder: &Path) {
    let target = CString::new(folder.as_os_str().as_encoded_bytes()).unwrap_or_default();
    let lazily = libc::MNT_DETACH as usize;
    // SAFETY: the string is terminated.
    unsafe { syscall(libc::SYS_umount2, [target.as_ptr() as usize, lazily, 0, 0, 0, 0]) };
}
