//! What concerns the whole process and the machine: limits, exit, environment, identity of the kernel and CPU.
//!
//! Holds calls made once, before or after the measurement; must not be used while a trial is played.
//! Units: counts. Errors: none; what cannot be raised stays as it is and shows as a refusal to start threads.
//! Source: setrlimit(2), mallopt(3), uname(2), statfs(2), CPUID leaf 1.
//! Tests: `tests/loopback` (hello, end of input).

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

use super::raw::syscall;

/// Ends the process at once, with all its threads: no destructors, no flushing.
pub(crate) fn exit(status: i32) -> ! {
    // SAFETY: _exit(2) takes no pointer and does not return.
    unsafe { libc::_exit(status) }
}

/// The process's standard input and output as plain files, without std's buffers and locks.
///
/// # Panics
/// Never; called once, by `main`.
pub(crate) fn standard_streams() -> (File, File) {
    // SAFETY: descriptors 0 and 1 are the pipes to the controller and are used through these two values only.
    unsafe { (File::from_raw_fd(0), File::from_raw_fd(1)) }
}

/// Keeps the heap small with thousands of threads: glibc would give each eight of them per CPU an arena of its own.
pub(crate) fn limit_heaps() {
    // SAFETY: mallopt takes two integers.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

/// What is raised for the agent itself.
const RAISED: [libc::__rlimit_resource_t; 2] = [libc::RLIMIT_NOFILE, libc::RLIMIT_NPROC];

/// The soft limits as they were, for the programs that the agent starts; 0 where they were not read.
static FORMER: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// As many descriptors and threads as the hard limits allow.
pub(crate) fn raise_limits() {
    for (resource, former) in RAISED.into_iter().zip(&FORMER) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both calls use a structure of ours.
        unsafe {
            if libc::getrlimit(resource, &raw mut limit) == 0 {
                former.store(limit.rlim_cur, Ordering::Relaxed);
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(resource, &raw const limit);
            }
        }
    }
}

/// Lets descriptors have this number; the hard limit, where that is too low, is raised by whoever may. Err: the number below which they must stay.
pub(crate) fn allow_descriptor(number: i32) -> Result<(), u64> {
    let wanted = u64::try_from(number).map_or(0, |number| number + 1);
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls use a structure of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 || wanted <= limit.rlim_cur {
            return Ok(());
        }
        let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max.max(wanted) };
        match libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) {
            0 => Ok(()),
            _ => Err(limit.rlim_cur),
        }
    }
}

/// Gives the calling process the soft limits that the agent was started with. Only system calls: for a child between fork and exec.
pub(crate) fn restore_limits() -> i64 {
    for (resource, former) in RAISED.into_iter().zip(&FORMER) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let resource = resource as usize;
        // SAFETY: the kernel fills and reads a structure of ours.
        let returned = unsafe {
            match syscall(libc::SYS_prlimit64, [0, resource, 0, &raw mut limit as usize, 0, 0]) {
                0 if former.load(Ordering::Relaxed) > 0 => {
                    limit.rlim_cur = former.load(Ordering::Relaxed);
                    syscall(libc::SYS_prlimit64, [0, resource, &raw const limit as usize, 0, 0, 0])
                }
                returned => returned,
            }
        };
        if returned != 0 {
            return returned;
        }
    }
    0
}

/// `uname -r` and `uname -v`.
pub(crate) fn kernel() -> (String, String) {
    // SAFETY: utsname is plain arrays; the kernel fills them with terminated strings.
    unsafe {
        let mut names: libc::utsname = std::mem::zeroed();
        syscall(libc::SYS_uname, [&raw mut names as usize, 0, 0, 0, 0, 0]);
        let text = |field: &[libc::c_char]| CStr::from_ptr(field.as_ptr()).to_string_lossy().into_owned();
        (text(&names.release), text(&names.version))
    }
}

/// CPUID leaf 1, ECX bit 31: "hypervisor present" (Intel SDM: always 0 on a physical CPU; hypervisors set it).
pub(crate) fn hypervisor() -> bool {
    std::arch::x86_64::__cpuid(1).ecx >> 31 == 1
}

/// Online CPUs.
pub(crate) fn cpus() -> u32 {
    // SAFETY: sysconf takes an integer.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    u32::try_from(count).unwrap_or(0)
}

/// Whether the root file system lives in memory, as only a guest's initramfs does: nobody else uses this kernel then.
pub(crate) fn root_in_memory() -> bool {
    // include/uapi/linux/magic.h
    const RAMFS: i64 = 0x8584_58f6;
    const TMPFS: i64 = 0x0102_1994;
    // SAFETY: statfs is plain integers, filled by the kernel; the path is terminated.
    let kind = unsafe {
        let mut about: libc::statfs = std::mem::zeroed();
        if libc::statfs(c"/".as_ptr(), &raw mut about) != 0 {
            return false;
        }
        about.f_type
    };
    kind == RAMFS || kind == TMPFS
}
