//! The kernel's door: safe wrappers over raw system calls, and the few libc calls that are measured or unavoidable.
//!
//! Holds every `unsafe` of the agent; knows no script, trial or tally.
//! Units: nanoseconds; return values are the kernel's own (`-errno` on failure), libc's errno stays untouched unless said.
//! Errors: none, an errno is a value; set-up calls return it as [`rig_protocol::Errno`].
//! Tests: beside each module, and `tests/loopback`.

pub(crate) mod child;
pub(crate) mod diag;
pub(crate) mod epoll;
pub(crate) mod errno;
pub(crate) mod files;
pub(crate) mod filler;
pub(crate) mod filter;
pub(crate) mod futex;
pub(crate) mod interface;
pub(crate) mod log;
pub(crate) mod option;
pub(crate) mod orphans;
pub(crate) mod pass;
pub(crate) mod perf;
pub(crate) mod poll;
pub(crate) mod probe;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod readiness;
pub(crate) mod remote;
mod ring;
pub(crate) mod seccomp;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod terminal;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod tracefs;
pub(crate) mod transfer;
pub(crate) mod uring;
pub(crate) mod vsock;
