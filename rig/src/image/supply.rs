//! Where the files of an image come from: the boundary between building (pure) and fetching (apt, network).
//!
//! Holds the steps of that work in words too. Must not know how packages are fetched, nor where steps are printed. Units: bytes.
//! Errors: `ImageError`. Tests: below; the fakes of `build.rs` live behind it.

use std::fmt;

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
    /// The kernel; none where the recipe's is one's own.
    pub kernel: Option<KernelSupply>,
    /// Of the initramfs packages and what they depend on: everything.
    pub programs: Files,
    /// All packages that files were taken from, sorted.
    pub packages: Vec<PackageId>,
}

/// Name and version, for people.
impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// A kernel out of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSupply {
    /// The package that holds it.
    pub package: PackageId,
    /// Of it and the packages beside it: the kernel ([`kernel_release`](super::package::kernel_release)), its configuration, modules and `modules.builtin`.
    pub files: Files,
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
    /// The mirror cannot be reached; the lists of an earlier time are used.
    OldLists {
        /// Debian release.
        release: String,
        /// Why.
        reason: String,
    },
    /// What the package lists say does not fit together; they are fetched anew.
    Renewal {
        /// Debian release.
        release: String,
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
    /// Another rig uses the cache, and is waited for.
    OtherRig,
}

/// One line for a person.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lists { release } => write!(f, "fetching the package lists of {release}"),
            Self::OldLists { release, reason } => {
                write!(f, "the mirror is unreachable ({reason}): using the cached package lists of {release}")
            }
            Self::Renewal { release } => {
                write!(f, "the cached package lists of {release} may be damaged: fetching them again")
            }
            Self::Packages { names } => write!(f, "fetching {}", names.join(", ")),
            Self::Assembly { kernel } => write!(f, "building the image with {kernel}"),
            Self::OtherRig => write!(f, "waiting for another rig that uses the image cache"),
        }
    }
}

/// A listener that says each step once, however often it is repeated in a row: a wait reports itself again and again.
pub fn narrate(mut say: impl FnMut(&Step)) -> impl FnMut(Step) {
    let mut last = None;
    move |step| {
        if last.as_ref() != Some(&step) {
            say(&step);
            last = Some(step);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_repeats_is_said_once() {
        let mut lines = Vec::new();
        let mut tell = narrate(|step| lines.push(step.to_string()));
        let lists = Step::Lists { release: "bookworm".to_owned() };
        for step in [Step::OtherRig, Step::OtherRig, lists.clone(), Step::OtherRig, lists] {
            tell(step);
        }
        drop(tell);
        let waiting = "waiting for another rig that uses the image cache";
        let fetching = "fetching the package lists of bookworm";
        assert_eq!(lines, [waiting, fetching, waiting, fetching]);
    }
}
