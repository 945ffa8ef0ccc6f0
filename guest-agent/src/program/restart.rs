//! Calls that a signal interrupts and that begin again, without their program's knowledge.
//!
//! Holds the kernel's numbers for that. Must not know witnesses. Units: none. Errors: none.
//! Source: include/linux/errno.h, signal(7) "Interruption of system calls and library functions by signal handlers". Tests: `tests/program`.

/// `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`: no program sees them.
pub(super) const RESTARTS: [i64; 4] = [-512, -513, -514, -516];

/// `restart_syscall`: how the kernel goes on with a wait that has a timeout.
pub(super) const RESTART: u32 = 219;
