//! Threads by the thousand: starting them, what a thread does to itself, and how another one interrupts it.
//!
//! Holds POSIX threads without std's trimmings (a signal stack and two more mappings each, and a panic where memory for those
//! is short: here that is an errno). Must not know why a thread is interrupted.
//! Units: nanoseconds, bytes. Errors: set-up failures are returned as errno.
//! Source: pthread_create(3), prctl(2) `PR_SET_TIMERSLACK`, tgkill(2), sigaction(2), signal(7) "Interruption of system calls".
//! Tests: below, and `tests/loopback` (trial deadline, refusals).

use std::ffi::{CString, c_void};

use rig_protocol::Errno;

use super::errno::check;
use super::raw::syscall;

/// Enough for a lane and for glibc's localtime; only touched pages cost memory.
const STACK_BYTES: usize = 128 << 10;

type Body = Box<dyn FnOnce() + Send>;

/// A started thread; dropped without [`Thread::join`] it goes on by itself.
#[derive(Debug)]
pub(crate) struct Thread {
    handle: Option<libc::pthread_t>,
}

/// Starts a thread with a small stack. The name (15 bytes of it) is for people who look with ps or strace.
pub(crate) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<Thread, Errno> {
    let name = CString::new(name).unwrap_or_default();
    let named = move || {
        let name = name.as_ptr() as usize;
        // SAFETY: the kernel reads at most 16 bytes of a terminated string.
        unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_NAME as usize, name, 0, 0, 0, 0]) };
        body();
    };
    let body: *mut Body = Box::into_raw(Box::new(Box::new(named)));
    let mut handle = 0;
    // SAFETY: the attributes are initialised, used and destroyed here; `run` takes ownership of the body if it is started.
    let failed = unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstacksize(&raw mut attributes, STACK_BYTES);
        let failed = libc::pthread_create(&raw mut handle, &raw const attributes, run, body.cast::<c_void>());
        libc::pthread_attr_destroy(&raw mut attributes);
        failed
    };
    if failed != 0 {
        // SAFETY: nobody took the body.
        drop(unsafe { Box::from_raw(body) });
        return Err(Errno(failed));
    }
    Ok(Thread { handle: Some(handle) })
}

extern "C" fn run(body: *mut c_void) -> *mut c_void {
    // SAFETY: `start` made this pointer from a box and gave it away. A panic does not come through here: the hook that `main` sets
    // ends the process before a stack is unwound.
    let body = unsafe { Box::from_raw(body.cast::<Body>()) };
    body();
    std::ptr::null_mut()
}

impl Thread {
    /// Waits for its end.
    pub(crate) fn join(mut self) {
        if let Some(handle) = self.handle.take() {
            // SAFETY: the handle is joined or detached once: it was taken out.
            unsafe { libc::pthread_join(handle, std::ptr::null_mut()) };
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // SAFETY: as in `join`.
            unsafe { libc::pthread_detach(handle) };
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_runs_its_body_under_its_name_and_can_be_joined() {
        let (sender, receiver) = channel();
        let thread = start("worker-12345678901", move || {
            let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
            sender.send((id(), name)).expect("received below");
        })
        .expect("one thread");
        thread.join();
        let (other, name) = receiver.recv().expect("sent before the join");
        assert_ne!(other, id());
        assert_eq!(name, "worker-12345678\n");
    }
}
