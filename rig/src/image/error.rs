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
use super::own::OwnError;
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
    /// A kernel of one's own cannot be a guest's.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Own(#[from] OwnError),
    /// There is no built image, and nothing may be fetched.
    #[error("image {name} is not built yet")]
    #[diagnostic(help("run `rig image build {name}` where the package mirror can be reached"))]
    NotBuilt {
        /// Its name.
        name: String,
    },
    /// The host's apt sources have no Debian archive.
    #[error("the apt sources of this host name no Debian archive that has {release}")]
    #[diagnostic(help(
        "give its address in the recipe: `[mirror]` with `uri = \"http://…/debian\"` and `signed_by = \"/usr/share/keyrings/debian-archive-keyring.gpg\"` \
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
    /// The lists name a file that the archive does not have.
    #[error("the archive of {release} no longer has {file} (404 Not Found)")]
    #[diagnostic(help(
        "its package lists still name the file: fetch newer lists with `rig image build NAME --refresh`, or name another `version` in the recipe"
    ))]
    Gone {
        /// Name of the package file.
        file: String,
        /// Debian release.
        release: String,
    },
    /// The package lists cannot be read.
    #[error("the package lists of {release} cannot be read: {said}")]
    #[diagnostic(help("remove the downloads with `rig image clean`, then try again"))]
    Lists {
        /// Debian release.
        release: String,
        /// apt's words.
        said: String,
    },
    /// The release has the package, but not in the version that the recipe names.
    #[error("{release} has no version {version} of {package}")]
    #[diagnostic(help(
        "it has {there}: name one of these as `version` in the recipe, or none to take the newest"
    ))]
    NoVersion {
        /// Its name.
        package: String,
        /// What was asked for.
        version: String,
        /// Debian release.
        release: String,
        /// The versions that it has.
        there: String,
    },
    /// None of the releases has a kernel of exactly this version.
    #[error("{releases}: no kernel {version} of the flavour of {package}; {there}")]
    #[diagnostic(help(
        "`rig image list` shows the versions that there are; without an exact version it is the newest of a recipe"
    ))]
    NoExact {
        /// The package whose flavour it is.
        package: String,
        /// What was asked for.
        version: String,
        /// Debian releases.
        releases: String,
        /// What of its series they have.
        there: String,
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
    #[error("package {package} of {release} has no kernel, and depends on no package with one")]
    #[diagnostic(help("name a kernel package like `linux-image-cloud-amd64` or `linux-image-amd64`"))]
    NoKernel {
        /// Its name.
        package: String,
        /// Debian release.
        release: String,
    },
    /// A download that is not what the signed list says.
    #[error("{} differs from the signed package list, although it was fetched twice", .path.display())]
    #[diagnostic(help("the mirror or this disk damages it: check both (`dmesg`), then try again"))]
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
    /// apt has no room to write in: neither the mirror nor the lists are to blame.
    #[error("apt has no room to write {what} of {release}: {said}")]
    #[diagnostic(help(
        "the disk of the cache or of /tmp is full: make room, or set XDG_CACHE_HOME to a folder with space"
    ))]
    Full {
        /// What it was about.
        what: String,
        /// Debian release.
        release: String,
        /// Its words.
        said: String,
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
    #[diagnostic(help("remove the downloads with `rig image clean --all`, then try again"))]
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
    /// The user stopped it.
    #[error("interrupted")]
    #[diagnostic(help("the downloads are kept: the same command continues from there"))]
    Interrupted,
    /// Another rig is building for too long.
    #[error("another rig has held the image cache {} for more than {seconds} s", .path.display())]
    #[diagnostic(help("wait for it, or end it"))]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// The bound.
        seconds: u64,
    },
    /// What is to be removed is in use.
    #[error("the images in {} are in use by {holder}: nothing was removed", .root.display())]
    #[diagnostic(help("clean when it has ended"))]
    InUse {
        /// The cache.
        root: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// Not to be cleaned: it is not known to be rig's.
    #[error("{} is not cleaned: {why}", .path.display())]
    #[diagnostic(help("rig removes only what it has made; look at that folder, and at XDG_CACHE_HOME"))]
    NotOfRig {
        /// Which folder.
        path: PathBuf,
        /// What is odd about it.
        why: String,
    },
    /// Neither XDG_CACHE_HOME nor HOME says where caches belong.
    #[error("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set")]
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
            | Self::NoVersion { .. }
            | Self::NoExact { .. }
            | Self::NoKernel { .. }
            | Self::Own(_) => true,
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
            | Self::Gone { .. }
            | Self::Lists { .. }
            | Self::Full { .. }
            | Self::Corrupt { .. }
            | Self::Changed { .. }
            | Self::Interrupted
            | Self::Tool { .. }
            | Self::Deadline { .. }
            | Self::Package(_)
            | Self::Busy { .. }
            | Self::InUse { .. }
            | Self::NotOfRig { .. }
            | Self::NoCacheFolder
            | Self::Disk { .. } => false,
        }
    }

    /// Whether what a recipe asks for is in the archive no more, a version or a whole release: nothing that this host or its user has done wrong.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Gone { .. } | Self::NoVersion { .. } | Self::NoExact { .. } => true,
            Self::Mirror { said, .. } => said.contains(NO_RELEASE),
            _ => false,
        }
    }

    /// Why what a recipe asks for is gone, said behind the kernel's name: without it.
    pub fn why_gone(&self) -> String {
        match self {
            Self::NoExact { releases, package, there, .. } => {
                format!("{releases}: none of the flavour of {package}; {there}")
            }
            _ => self.to_string(),
        }
    }

    /// Whether lists with a wrong bit in them lead here: fetched anew they may lead elsewhere.
    pub(super) fn may_come_of_damaged_lists(&self) -> bool {
        match self {
            Self::Corrupt { .. }
            | Self::Lists { .. }
            | Self::NoVersion { .. }
            | Self::NoExact { .. }
            | Self::UnknownPackage { .. }
            | Self::NoKernel { .. } => true,
            Self::Mirror { said, .. } => {
                said.contains("Hash Sum mismatch") || said.contains("unexpected size")
            }
            Self::UnknownRecipe { .. }
            | Self::Recipe { .. }
            | Self::Own(_)
            | Self::NotBuilt { .. }
            | Self::NoArchive { .. }
            | Self::Gone { .. }
            | Self::Full { .. }
            | Self::Changed { .. }
            | Self::Tool { .. }
            | Self::Deadline { .. }
            | Self::Package(_)
            | Self::Module { .. }
            | Self::Initramfs { .. }
            | Self::Interrupted
            | Self::Busy { .. }
            | Self::InUse { .. }
            | Self::NotOfRig { .. }
            | Self::NoCacheFolder
            | Self::Disk { .. } => false,
        }
    }

    /// The release that it is about, where it is about one.
    pub(super) fn release(&self) -> Option<&str> {
        match self {
            Self::NoArchive { release }
            | Self::Mirror { release, .. }
            | Self::Gone { release, .. }
            | Self::Full { release, .. }
            | Self::Lists { release, .. }
            | Self::NoVersion { release, .. }
            | Self::UnknownPackage { release, .. }
            | Self::NoKernel { release, .. } => Some(release),
            _ => None,
        }
    }

    /// apt could not fetch `what`, and `said` why.
    pub(super) fn mirror(what: &str, release: &str, said: String) -> Self {
        if let Some(file) = gone(&said) {
            return Self::Gone { file, release: release.to_owned() };
        }
        // First: apt calls it a failed signature or a broken list as well.
        if is_full(&said) {
            return Self::Full { what: what.to_owned(), release: release.to_owned(), said };
        }
        let help = if said.contains("GPG error") || said.contains("is not signed") {
            "the archive is signed with keys that the keyring does not have: install a newer debian-archive-keyring, or name the \
             right keyring (`signed_by`)"
        } else if said.contains(NO_RELEASE) {
            "the archive has no such release: look at `release` in the recipe (`bookworm`, `trixie-backports`), and at the address of \
             the archive"
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

/// What apt says where an archive answers, and has no such release: not yet, no more, or under another name.
const NO_RELEASE: &str = "does not have a Release file";

/// Whether apt complains of a disk without space.
pub(super) fn is_full(said: &str) -> bool {
    said.contains("No space left") || said.contains("temporary file")
}

/// The package file that the archive answers 404 for, where apt says so.
fn gone(said: &str) -> Option<String> {
    let line = said.split("; ").find(|line| line.contains(".deb  404 "))?;
    let address = line.split_whitespace().find(|word| word.ends_with(".deb"))?;
    // The epoch's colon is quoted in addresses.
    address.rsplit('/').next().map(|file| file.replace("%3a", ":"))
}

impl From<ModuleError> for ImageError {
    fn from(source: ModuleError) -> Self {
        let help = match &source {
            ModuleError::Unknown { help, .. } => Some(help.clone()),
            ModuleError::Unreadable { .. } | ModuleError::Cycle { .. } => None,
        };
        Self::Module { source, help }
    }
}

impl From<InitramfsError> for ImageError {
    fn from(source: InitramfsError) -> Self {
        let help = match &source {
            InitramfsError::Command { help, .. } => Some(help.clone()),
            InitramfsError::Library { .. } => Some("add the package that has it to `packages`".to_owned()),
            InitramfsError::Elf { .. } => None,
        };
        Self::Initramfs { source, help }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_archive_has_no_more_is_named() {
        let said = "Failed to fetch http://m.test/pool/main/l/linux-image-5.10.0-32-cloud-amd64_5.10.223-1_amd64.deb  404  Not Found [IP: 192.0.2.1 80]";
        let error = ImageError::mirror("packages", "bullseye", said.to_owned());
        assert!(error.is_gone() && !error.blames_input(), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the archive of bullseye no longer has linux-image-5.10.0-32-cloud-amd64_5.10.223-1_amd64.deb (404 Not Found)"
        );
        let said = "Failed to fetch http://m.test/dists/bookworm/InRelease  404  Not Found";
        assert!(matches!(
            ImageError::mirror("package lists", "bookworm", said.to_owned()),
            ImageError::Mirror { .. }
        ));
    }

    #[test]
    fn a_release_that_left_the_archive_is_gone_and_one_out_of_reach_is_not() {
        let gone = |said: &str| ImageError::mirror("package lists", "bullseye", said.to_owned()).is_gone();
        assert!(gone("The repository 'http://m.test/debian bullseye Release' does not have a Release file."));
        assert!(!gone("Failed to fetch http://m.test/dists/bullseye/InRelease  Unable to connect"));
        assert!(!gone("Release file for http://m.test/dists/sid/InRelease is expired"));
    }

    /// Seen with /tmp on a full disk: apt calls the signature and the lists wrong too.
    #[test]
    fn a_full_disk_is_told_before_what_comes_of_it() {
        let said = "GPG error: http://m.test bookworm InRelease: Splitting up /c/InRelease into data and signature failed; \
                    Write error - write (28: No space left on device); The package lists or status file could not be parsed or opened.";
        let error = ImageError::mirror("package lists", "bookworm", said.to_owned());
        assert!(matches!(error, ImageError::Full { .. }), "{error:?}");
        assert!(!error.blames_input() && !error.may_come_of_damaged_lists());
        assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("or of /tmp"));
    }

    #[test]
    fn help_follows_what_apt_says() {
        let help = |said: &str| {
            let error = ImageError::mirror("package lists", "bookworm", said.to_owned());
            miette::Diagnostic::help(&error).unwrap().to_string()
        };
        assert!(help("Couldn't create temporary file /tmp/apt.conf.x").contains("or of /tmp"));
        assert!(
            help("The repository 'http://m.test x Release' does not have a Release file.")
                .contains("`release`")
        );
        assert!(help("GPG error: no key").contains("keyring"));
        assert!(help("Unable to connect").contains("apt-get update"));
    }
}
