//! Dying together: the enclosure in which everything that rig starts lives and dies, its private directories, its children, its own panics.
//!
//! Must not know what is started, nor any namespace of a testbed. Units: none.
//! Errors: [`EnclosureError`], which blames missing privileges or the host; plain `io::Error` where there is one call to blame.
//! Tests: beside `init` (pure); `tests/enclosure.rs` (root).

mod children;
mod chroot;
mod contained;
mod digest;
mod enclosure;
mod error;
mod host;
mod init;
mod lock;
mod outer;
mod panics;
mod program;
mod runtime;
mod sealed;
mod signals;
mod tail;

pub use children::{bind, on_spawner, seal_descriptors, spawn, wait_exit};
pub use chroot::leave_plain_chroot;
pub use contained::{HeldSignals, contain, is_asked_to_end};
pub use digest::{Fingerprint, file_digest};
pub use enclosure::enclose;
pub use error::EnclosureError;
pub use host::{host_pid, host_proc, is_enclosed, new_run_dir, open_pidfd, use_host_network};
pub use lock::lock;
pub use panics::{keep_panics, panicked, untold_panics};
pub use program::{NoAnswer, QEMU, complete_path, find_program, first_line, program_file};
pub use runtime::{RuntimeError, start_runtime};
pub use sealed::Sealed;
pub use tail::Tail;
