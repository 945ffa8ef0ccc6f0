//! What a thread does to itself, and how another one interrupts it.
//!
//! Holds thread ids, timer slack and the interrupting signal; must not know why a thread is interrupted.
//! Units: nanoseconds. Errors: set-up failures are returned as errno.
//! Source: prctl(2) `PR_SET_TIMERSLACK`, tgkill(2), sigaction(2), signal(7) "Interruption of system calls".
//! Tests: `tests/loopback.rs` (trial deadline).

use rig_protocol::Errno;

use super::errno::check;
use super::raw::syscall;

/// Sent to a thread whose trial has lasted too long.
const INTERRUPT: i32 = libc::SIGUSR1;

extern "C" fn return_at_once(_: libc::c_int) {}

/// Lets [`interrupt`] end a blocking call with `EINTR`: a handler that does nothing, without `SA_RESTART`.
pub(crate) fn prepare_interrupts() -> Result<(), Errno> {
    // SAFETY: a zeroed sigaction is valid (empty mask, no flags); the handler touches nothing.
    let returned = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = return_at_once as *const () as usize;
        libc::sigaction(INTERRUPT, &raw const action, std::ptr::null_mut())
    };
    if returned == 0 { Ok(()) } else { Err(Errno(super::errno::get())) }
}

/// Kernel id of the calling thread. As any system call, it lets a pending signal be handled before it returns.
pub(crate) fn id() -> i32 {
    // SAFETY: takes no argument.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) as i32 }
}

/// Interrupts whatever blocking call the thread is in; nothing if it is in none or gone.
pub(crate) fn interrupt(thread: i32) {
    let process = std::process::id() as usize;
    // SAFETY: takes no pointer; the thread group is our own, the handler harmless.
    unsafe { syscall(libc::SYS_tgkill, [process, thread as usize, INTERRUPT as usize, 0, 0, 0]) };
}

/// Lets timers of the calling thread (and of threads that it starts) fire as exactly as the kernel can, instead of up to
/// 50 us late.
pub(crate) fn sharpen_timers() {
    // SAFETY: takes no pointer; the call cannot fail with a positive slack (kernel/sys.c).
    unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_TIMERSLACK as usize, 1, 0, 0, 0, 0]) };
}

/// Gives up gaining privileges, for this thread: the condition under which seccomp(2) takes a filter.
pub(crate) fn give_up_new_privileges() -> Result<(), Errno> {
    // SAFETY: takes no pointer.
    let returned = unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as usize, 1, 0, 0, 0, 0]) };
    check(returned).map(|_| ())
}
