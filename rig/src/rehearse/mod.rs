//! The rehearsal: an emulated KVM host (nested SVM under TCG, Debian's full kernel) in which the whole rig runs, real vhost-net included.
//!
//! Holds both ends: the driver outside, and PID 1 inside. Must not know cells, scenarios or what the command does.
//! Units: `Duration`, MiB, bytes. Errors: [`RehearsalError`]; it blames the host, its QEMU or the emulated kernel, never the command.
//! The root file system inside is the host's own, read-only below a tmpfs; only the shares are written through. Time means nothing in there.
//! Tests: beside the pure parts; `tests/rehearsal.rs` boots one.

mod argv;
mod course;
mod drive;
mod error;
mod initramfs;
mod inside;
mod plan;
mod wire;

pub use course::{Note, Outcome};
pub use drive::{find_image, rehearse};
pub use error::RehearsalError;
pub use inside::serve_as_init;
pub use plan::{Bounds, Machine, Rehearsal, SharesError, normalise_shares, results_folder};
pub use wire::Ending;

/// Set to `1` for everything that runs inside: the record marks such a run, its timings mean nothing.
pub const REHEARSED: &str = "RIG_REHEARSED";

/// Whether this process runs inside a rehearsal.
pub fn is_inside() -> bool {
    std::env::var_os(REHEARSED).is_some_and(|value| value == "1")
}
