//! Guest images: kernel package, module closure, initramfs, and what differs from guest to guest.
//!
//! Must not know cells or QEMU. Units: bytes. Errors: [`ImageError`]; it blames the recipe, the mirror or the disk.
//! A guest reads its network from the kernel command line and says on its console when it is ready: see `init.sh`.
//! Tests: beside the modules; real packages and boots in `tests/qemu.rs`.

pub mod apt;
mod assemble;
pub mod build;
pub mod cache;
mod clean;
pub mod cpio;
mod depmod;
mod disk;
pub mod error;
pub mod exact;
mod git;
mod held;
pub mod initramfs;
pub mod keys;
mod listed;
mod loaded;
pub mod modules;
pub mod overlay;
pub mod own;
pub mod package;
mod part;
mod qcow2;
pub mod recipe;
pub mod recipes;
mod seed;
pub mod sources;
mod state;
pub mod supply;
mod tool;
mod vmlinux;
mod words;

pub use assemble::recipe_key;
pub use build::{Fetch, any_built, check_kernel, ensure, ensure_image, ensure_with};
pub use cache::{Cache, Image};
pub use clean::{Doomed, Freed, Keep, What};
pub use disk::{DiskError, Disks, OpenDisk};
pub use error::ImageError;
pub use held::Held;
pub use keys::GuestKeys;
pub use listed::count_listed;
pub use loaded::Loaded;
pub use overlay::{Overlay, utc_localtime};
pub use recipes::{Recipes, USUAL};
pub use seed::{ControlLink, seed};
pub use supply::{PackageId, Step, narrate};
pub use vmlinux::find_vmlinux;
