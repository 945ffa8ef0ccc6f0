//! What can go wrong on the way to a guest image.
//!
//! Must not know commands or exit codes. Units: in the names. It blames the recipe ([`ImageError::blames_input`]), the mirror,
//! the host's tools or the disk. Tests: where the errors are made.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::initramfs::InitramfsError;
use super::modules::ModuleError;
use super::package::PackageError;
use crate::document::Problems;

/// Why there is no image.
#[derive(Debug, Error, Diagnostic)]
pub enum ImageError {
    /// No recipe has this name.
    #[error("no image recipe is called {name:?}")]
    UnknownRecipe {
        /// What was asked for.
        name: String,
        /// What to try.
        #[help]
        help: String,
    },
    /// The recipe is wrong.
    #[error("the recipe {path} has {} problem{}", .problems.len(), if .problems.len() == 1 { "" } else { "s" })]
    Recipe {
        /// Where it is.
        path: String,
        /// All that is wrong with it.
        #[related]
        problems: Problems,
    },
    /// There is no built image, and nothing may be fetched.
    #[error("image {name} is not built yet")]
    #[diagnostic(help("run `rig image build {name}` where the package mirror can be reached"))]
    NotBuilt {
        /// Its name.
        name: String,
    },
    /// The host's apt sources have no Debian archive.
    #[error("the apt sources of this host name no Debian archive that could serve {release}")]
    #[diagnostic(help(
        "say in the recipe where it is: `[mirror]` with `uri = \"http://…/debian\"` and `signed_by = \"/usr/share/keyrings/debian-archive-keyring.gpg\"` \
         (package debian-archive-keyring)"
    ))]
    NoArchive {
        /// Debian release.
        release: String,
    },
    /// Package lists or packages cannot be fetched.
    #[error("cannot fetch {what} of {release}: {said}")]
    Mirror {
        /// What is being fetched.
        what: String,
        /// Debian release.
        release: String,
        /// apt's words.
        said: String,
        /// What to try.
        #[help]
        help: String,
    },
    /// The release has no such package.
    #[error("{release} has no package {package}")]
    UnknownPackage {
        /// Its name, with `=version` where one is pinned.
        package: String,
        /// Debian release.
        release: String,
        /// What to try.
        #[help]
        help: String,
    },
    /// A kernel package without a kernel.
    #[error("package {package} of {release} holds no kernel, and depends on none")]
    #[diagnostic(help("name a kernel package like `linux-image-cloud-amd64` or `linux-image-amd64`"))]
    NoKernel {
        /// Its name.
        package: String,
        /// Debian release.
        release: String,
    },
    /// A download that is not what the signed list says.
    #[error("{} is not what the signed package list says", .path.display())]
    #[diagnostic(help(
        "the file was removed; try again, and look at the mirror or the disk if it happens again"
    ))]
    Corrupt {
        /// The package file.
        path: PathBuf,
    },
    /// The files in the cache are not those that were checked a moment ago.
    #[error("the image {image} in the cache has changed since it was checked: it is not {digest} any more")]
    #[diagnostic(help("another program writes in the cache: end it, then `rig image build {image}`"))]
    Changed {
        /// Its name.
        image: String,
        /// What it was.
        digest: String,
    },
    /// A tool of the host is missing or does not start.
    #[error("cannot run {tool}")]
    #[diagnostic(help(
        "images are made of Debian packages: this needs `apt` and `dpkg`; `rig setup` says what is missing"
    ))]
    Tool {
        /// Which.
        tool: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A tool did not end in time.
    #[error("{tool} did not end within {seconds} s while fetching {what}")]
    #[diagnostic(help("look at the network and the package mirror, then try again"))]
    Deadline {
        /// Which.
        tool: String,
        /// What it was doing.
        what: String,
        /// The bound.
        seconds: u64,
    },
    /// A package cannot be read.
    #[error("a fetched package cannot be read")]
    #[diagnostic(help("`rig image clean --all` removes what was fetched; then try again"))]
    Package(#[from] PackageError),
    /// The modules cannot be put together.
    #[error("the image's kernel modules cannot be put together")]
    Module {
        /// What is wrong.
        source: ModuleError,
        /// What to try.
        #[help]
        help: Option<String>,
    },
    /// The initramfs cannot be put together.
    #[error("the image's programs cannot be put together")]
    Initramfs {
        /// What is wrong.
        source: InitramfsError,
        /// What to try.
        #[help]
        help: Option<String>,
    },
    /// Another rig is building for too long.
    #[error("another rig holds the image cache {} for more than {seconds} s", .path.display())]
    #[diagnostic(help("wait for it, or end it"))]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// The bound.
        seconds: u64,
    },
    /// Neither XDG_CACHE_HOME nor HOME says where caches belong.
    #[error("no folder for caches: neither XDG_CACHE_HOME nor HOME is set")]
    #[diagnostic(help("set XDG_CACHE_HOME to a folder with about 200 MB of space"))]
    NoCacheFolder,
    /// The disk fails or is full.
    #[error("{doing}")]
    #[diagnostic(help("look at the space and the permissions there; XDG_CACHE_HOME moves the cache"))]
    Disk {
        /// What was being done.
        doing: String,
        /// Why it failed; it names the path.
        #[source]
        source: io::Error,
    },
}

impl ImageError {
    /// Whether the user's recipe or argument is wrong, rather than the machine.
    pub fn blames_input(&self) -> bool {
        match self {
            Self::UnknownRecipe { .. }
            | Self::Recipe { .. }
            | Self::UnknownPackage { .. }
            | Self::NoKernel { .. } => true,
            Self::Module { source, .. } => {
                matches!(source, ModuleError::Unknown { needed_by: None, .. })
            }
            Self::Initramfs { source, .. } => match source {
                InitramfsError::Command { .. } => true,
                InitramfsError::Library { .. } | InitramfsError::Elf { .. } => false,
            },
            Self::NotBuilt { .. }
            | Self::NoArchive { .. }
            | Self::Mirror { .. }
            | Self::Corrupt { .. }
            | Self::Changed { .. }
            | Self::Tool { .. }
            | Self::Deadline { .. }
            | Self::Package(_)
            | Self::Busy { .. }
            | Self::NoCacheFolder
            | Self::Disk { .. } => false,
        }
    }

    /// apt could not fetch `what`, and `said` why.
    pub(super) fn mirror(what: &str, release: &str, said: String) -> Self {
        let help = if said.contains("GPG error") || said.contains("is not signed") {
            "the archive is signed with keys that the keyring does not have: install a newer debian-archive-keyring, or name the \
             right keyring (`signed_by`)"
        } else {
            "the package mirror of this host's apt sources must be reachable once per image: try `apt-get update`, or copy \
             the cache folder from a machine that has the image"
        };
        Self::Mirror { what: what.to_owned(), release: release.to_owned(), said, help: help.to_owned() }
    }

    /// For `map_err` on file operations.
    pub(super) fn disk(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Disk { doing, source }
    }
}

impl From<ModuleError> for ImageError {
    fn from(source: ModuleError) -> Self {
        let help = match &source {
            ModuleError::Unknown { help, .. } => help.clone(),
            ModuleError::Unreadable { .. } | ModuleError::Cycle { .. } => None,
        };
        Self::Module { source, help }
    }
}

impl From<InitramfsError> for ImageError {
    fn from(source: InitramfsError) -> Self {
        let help = match &source {
            InitramfsError::Command { help, .. } => help.clone(),
            InitramfsError::Library { .. } => Some("add the package that has it to `packages`".to_owned()),
            InitramfsError::Elf { .. } => None,
        };
        Self::Initramfs { source, help }
    }
}
