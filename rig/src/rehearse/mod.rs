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
mod image;
mod initramfs;
mod inside;
mod plan;
mod wire;

pub use course::{Note, Outcome};
pub use drive::rehearse;
pub use error::RehearsalError;
pub use image::find_image;
pub use inside::serve_as_init;
pub use plan::{Bounds, Machine, Rehearsal, SharesError, normalise_shares, results_folder};
pub use wire::Ending;

pub use crate::clock::{REHEARSED, is_rehearsed as is_inside};
