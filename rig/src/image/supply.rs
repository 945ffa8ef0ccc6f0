//! Where the files of an image come from: the boundary between building (pure) and fetching (apt, network).
//!
//! Must not know how. Units: bytes. Errors: `ImageError`. Tests: the fakes of `build.rs` live behind it.

use serde::{Deserialize, Serialize};

use super::error::ImageError;
use super::package::Files;
use super::recipe::Recipe;

/// A package, exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId {
    /// Its name.
    pub name: String,
    /// Its Debian version.
    pub version: String,
    /// SHA-256 of the package file, in hex.
    pub sha256: String,
}

/// What a recipe asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplies {
    /// The package that holds the kernel.
    pub kernel_package: PackageId,
    /// Of the kernel packages: `boot/vmlinuz-*`, modules and `modules.builtin`.
    pub kernel: Files,
    /// Of the initramfs packages and what they depend on: everything.
    pub programs: Files,
    /// All packages that files were taken from, sorted.
    pub packages: Vec<PackageId>,
}

/// How new the package lists must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The mirror must be asked.
    Current,
    /// Lists of an earlier time do when the mirror cannot be reached.
    AnyKnown,
}

/// What a long piece of work is at, for a person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Package lists of a release are being fetched.
    Lists {
        /// Debian release.
        release: String,
    },
    /// The mirror is out of reach; older lists serve.
    OldLists {
        /// Debian release.
        release: String,
        /// Why.
        reason: String,
    },
    /// Packages are being fetched.
    Packages {
        /// Their names.
        names: Vec<String>,
    },
    /// The image is being put together.
    Assembly {
        /// Kernel package and version.
        kernel: String,
    },
    /// Another rig works on the cache.
    OtherRig,
}

/// Someone who can get packages.
pub trait Supply {
    /// Gets what `recipe` asks for.
    fn supply(
        &self,
        recipe: &Recipe,
        freshness: Freshness,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Supplies, ImageError>;
}
