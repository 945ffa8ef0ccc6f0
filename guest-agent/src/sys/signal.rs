//! Signals that a script sends to a lane, and SIGPIPE: their handlers, and how often they ran in a thread.
//!
//! Holds the handlers and their counts. Must not know why a lane is interrupted; the watchdog's own signal is in `thread.rs`.
//! Units: counts. Errors: `-errno` is returned; the set-up returns it as errno.
//! A signal carries the trial that it was sent in and the descriptor that its handler closes, so that a handler looks at nothing that another
//! thread writes: it adds to two words of its own thread, and makes one system call at most (signal-safety(7)).
//! Source: sigaction(2), rt_tgsigqueueinfo(2), signal(7). Tests: below, and `tests/loopback/signals.rs`.

use std::cell::Cell;

use rig_protocol::{Errno, Handler};

use super::errno;
use super::files;
use super::raw::syscall;

/// Above those that glibc takes for itself; the first ones of signal(7)'s real-time signals are queued, none is merged with another.
fn number(handler: Handler) -> i32 {
    let offset = match handler {
        Handler::Interrupt => 1,
        Handler::Restart => 2,
        Handler::Close => 3,
    };
    libc::SIGRTMIN() + offset
}

/// What a thread counts.
struct Counted {
    /// The trial's number and one, of the signals in `signals`.
    trial: Cell<u32>,
    signals: Cell<u32>,
    pipes: Cell<u32>,
}

thread_local! {
    // Without a destructor and with a constant beginning this is a plain place in the thread's memory: a handler may use it.
    static COUNTED: Counted =
        const { Counted { trial: Cell::new(0), signals: Cell::new(0), pipes: Cell::new(0) } };
}

/// `struct siginfo` of a queued signal, as far as it is used (include/uapi/asm-generic/siginfo.h).
#[repr(C)]
struct Queued {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    process: i32,
    user: u32,
    value: u64,
    rest: [u64; 12],
}

/// What a signal carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Carried {
    trial: u32,
    fd: i32,
}

impl Carried {
    fn pack(self) -> u64 {
        u64::from(self.trial) << 32 | u64::from(self.fd as u32)
    }

    fn unpack(value: u64) -> Self {
        Self { trial: (value >> 32) as u32, fd: value as u32 as i32 }
    }
}

fn carried(information: *mut libc::siginfo_t) -> Carried {
    // SAFETY: the kernel hands a whole siginfo to a handler with SA_SIGINFO; every bit pattern is a `Queued`.
    Carried::unpack(unsafe { (*information.cast::<Queued>()).value })
}

/// A signal of an earlier trial that comes late is not one of this trial.
fn count(trial: u32) {
    COUNTED.with(|counted| {
        if trial > counted.trial.get() {
            counted.trial.set(trial);
            counted.signals.set(0);
        }
        if trial == counted.trial.get() {
            counted.signals.set(counted.signals.get() + 1);
        }
    });
}

extern "C" fn on_signal(_: libc::c_int, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    count(carried(information).trial);
}

extern "C" fn on_close(_: libc::c_int, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let carried = carried(information);
    files::close(carried.fd);
    count(carried.trial);
}

extern "C" fn on_pipe(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    COUNTED.with(|counted| counted.pipes.set(counted.pipes.get() + 1));
}

type HandlerFunction = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs all handlers, for the whole process. A program that the agent starts has none of them: exec(2) sets them back.
pub(crate) fn install_handlers() -> Result<(), Errno> {
    let all: [(i32, HandlerFunction, i32); 4] = [
        (number(Handler::Interrupt), on_signal, 0),
        (number(Handler::Restart), on_signal, libc::SA_RESTART),
        (number(Handler::Close), on_close, 0),
        (libc::SIGPIPE, on_pipe, libc::SA_RESTART),
    ];
    for (signal, handler, flags) in all {
        // SAFETY: a zeroed sigaction is valid (empty mask); the handlers do what is safe in one.
        let returned = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = flags | libc::SA_SIGINFO;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if returned != 0 {
            return Err(Errno(errno::get()));
        }
    }
    Ok(())
}

/// Sends a signal of this trial to a thread of this process, for the handler; the handler `close` closes `fd`.
pub(crate) fn send(thread: i32, handler: Handler, trial: u64, fd: i32) -> i64 {
    let (signal, process) = (number(handler), std::process::id());
    let value = Carried { trial: tag(trial), fd }.pack();
    let queued = Queued {
        signal,
        errno: 0,
        code: libc::SI_QUEUE,
        padding: 0,
        process: process as i32,
        user: 0,
        value,
        rest: [0; 12],
    };
    let place = &raw const queued as usize;
    // SAFETY: the kernel reads a siginfo of 128 bytes, which is ours; the thread group is our own and has a handler.
    unsafe {
        let arguments = [process as usize, thread as usize, signal as usize, place, 0, 0];
        syscall(libc::SYS_rt_tgsigqueueinfo, arguments)
    }
}

/// The calling thread begins a trial: what SIGPIPE it met before is forgotten. Signals carry their trial, and one of this trial may have come.
pub(crate) fn begin_trial() {
    COUNTED.with(|counted| counted.pipes.set(0));
}

/// How many handlers have run in the calling thread in this trial.
pub(crate) fn seen(trial: u64) -> i64 {
    COUNTED.with(|counted| {
        let signals = if counted.trial.get() == tag(trial) { counted.signals.get() } else { 0 };
        i64::from(signals) + i64::from(counted.pipes.get())
    })
}

/// Not 0, which a thread begins with.
fn tag(trial: u64) -> u32 {
    (trial as u32).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signal_carries_comes_back() {
        assert_eq!(size_of::<Queued>(), 128);
        for carried in [Carried { trial: u32::MAX, fd: -1 }, Carried { trial: 1, fd: 1_048_575 }] {
            assert_eq!(Carried::unpack(carried.pack()), carried);
        }
    }

    #[test]
    fn signals_are_counted_in_their_thread_and_by_their_trial() {
        install_handlers().expect("four handlers");
        let own = super::super::thread::id();
        assert_eq!(seen(7), 0);
        for _ in 0..2 {
            assert_eq!(send(own, Handler::Interrupt, 7, -1), 0);
        }
        assert_eq!(send(own, Handler::Restart, 7, -1), 0);
        assert_eq!((seen(7), seen(8)), (3, 0));
        // Late ones of the trial before are no news.
        assert_eq!(send(own, Handler::Interrupt, 6, -1), 0);
        assert_eq!(seen(7), 3);
        assert_eq!(send(own, Handler::Interrupt, 8, -1), 0);
        assert_eq!((seen(7), seen(8)), (0, 1));
        std::thread::spawn(|| assert_eq!(seen(8), 0)).join().expect("another thread");
    }

    #[test]
    fn the_closing_handler_closes_what_the_signal_names() {
        install_handlers().expect("four handlers");
        let (read, write) = files::pipe().expect("a pipe");
        assert_eq!(send(super::super::thread::id(), Handler::Close, 1, read), 0);
        assert_eq!(files::descriptor_flags(read), -i64::from(libc::EBADF));
        assert_eq!(files::close(write), 0);
    }

    #[test]
    fn a_broken_pipe_is_counted_until_the_next_trial_begins() {
        install_handlers().expect("four handlers");
        let (read, write) = files::pipe().expect("a pipe");
        files::close(read);
        let byte = [0_u8];
        // SAFETY: the kernel reads one byte of ours.
        let returned =
            unsafe { syscall(libc::SYS_write, [write as usize, byte.as_ptr() as usize, 1, 0, 0, 0]) };
        assert_eq!((returned, seen(0)), (-i64::from(libc::EPIPE), 1));
        begin_trial();
        assert_eq!(seen(0), 0);
        files::close(write);
    }
}
