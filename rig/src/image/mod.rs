//! Guest images: kernel package, module closure, initramfs, and what differs from guest to guest.
//!
//! Must not know cells or QEMU. Units: bytes. Errors: [`ImageError`]; it blames the recipe, the mirror or the disk.
//! A guest reads its network from the kernel command line and says on its console when it is ready: see `init.sh`.
//! Tests: beside the modules; real packages and boots in `tests/qemu.rs`.

pub mod apt;
pub mod build;
pub mod cache;
pub mod cpio;
mod depmod;
pub mod elf;
pub mod error;
pub mod initramfs;
pub mod keys;
pub mod modules;
pub mod overlay;
pub mod package;
pub mod recipe;
pub mod sources;
pub mod supply;

use std::path::PathBuf;

pub use build::{Fetch, Recipes, any_built, ensure, ensure_image, ensure_with};
pub use cache::{Cache, Freed, Keep};
pub use error::ImageError;
pub use keys::GuestKeys;
pub use overlay::Overlay;
pub use supply::{PackageId, Step, narrate};

/// A guest image on disk, checked and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Of its recipe.
    pub name: String,
    /// The kernel, for `-kernel`.
    pub kernel: PathBuf,
    /// The base initramfs; an [`Overlay`] goes behind it.
    pub initramfs: PathBuf,
    /// `uname -r` of the guest.
    pub release: String,
    /// Kernel package and version.
    pub package: String,
    /// Of kernel and initramfs: the same digest, the same guest.
    pub digest: String,
    /// Size of both files.
    pub bytes: u64,
    /// Everything that files were taken from.
    pub packages: Vec<PackageId>,
    /// Kernel modules in the order in which they are loaded.
    pub modules: Vec<String>,
}

/// The name among `known` that was probably meant.
fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = |other: &&str| strsim::damerau_levenshtein(name, other);
    let best = known.into_iter().min_by_key(near)?;
    (near(&best) <= 1 + name.len() / 4).then(|| best.to_owned())
}
