//! Numbers of tracepoints, from the kernel's trace file system.
//!
//! Holds the reading, and a private mount where the system has none; nothing of it stays. Must not know what the tracepoints are for.
//! Units: none. Errors: a reason in words. Source: Documentation/trace/ftrace.rst, mount(2). Tests: `tests/program`.

use std::ffi::CString;
use std::fs;
use std::path::Path;

use rig_protocol::Errno;

use super::errno::check;
use super::perf::Tracepoints;
use super::raw::syscall;

/// Where a system has it.
const USUAL: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The numbers of raw_syscalls:sys_enter and sys_exit.
pub(crate) fn tracepoints() -> Result<Tracepoints, String> {
    if let Some(found) = USUAL.iter().find_map(|place| read(Path::new(place))) {
        return Ok(found);
    }
    let folder = std::env::temp_dir().join(format!("tracefs.{}", std::process::id()));
    let refuse =
        |what: &str, why: &str| format!("tracepoints: {what}: {why}; the witness \"ptrace\" needs none");
    fs::create_dir(&folder).map_err(|error| refuse(&folder.display().to_string(), &error.to_string()))?;
    let mounted = mount(&folder);
    let found = mounted.is_ok().then(|| read(&folder)).flatten();
    if mounted.is_ok() {
        unmount(&folder);
    }
    // Not what may still be mounted there.
    let _ = fs::remove_dir(&folder);
    match (mounted, found) {
        (_, Some(found)) => Ok(found),
        (Err(errno), None) => Err(refuse("mount tracefs", &errno.to_string())),
        (Ok(()), None) => Err(refuse("events/raw_syscalls", "this kernel has none")),
    }
}

fn read(place: &Path) -> Option<Tracepoints> {
    let id = |name: &str| {
        let text = fs::read_to_string(place.join("events/raw_syscalls").join(name).join("id")).ok()?;
        text.trim().parse().ok()
    };
    Some(Tracepoints { enter: id("sys_enter")?, exit: id("sys_exit")? })
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
