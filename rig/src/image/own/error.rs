//! Why a kernel of one's own cannot be a guest's.
//!
//! Must not know where errors are shown. Units: in the names. All blame the files at the path, and whoever named it. Tests: where they are made.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use super::bzimage::Wrong;
use super::config::Lack;
use crate::image::modules::ModuleError;
use crate::image::package::PackageError;

/// Why a kernel of one's own cannot be a guest's.
#[derive(Debug, Error, Diagnostic)]
pub enum OwnError {
    /// Nothing lies there, or it cannot be read.
    #[error("cannot read the kernel at {}", .path.display())]
    #[diagnostic(help(
        "a kernel's path is that of a built tree, of a bzImage, or of a folder of .deb files; a path in a matrix file or recipe is seen from its folder"
    ))]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no kernel that a guest can boot.
    #[error("{} cannot be a guest's kernel: {wrong}", .path.display())]
    #[diagnostic(help("give the bzImage of an x86-64 kernel: `make bzImage` puts it into arch/x86/boot"))]
    NoBzImage {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        wrong: Wrong,
    },
    /// A source tree in which no kernel was built.
    #[error("{} is a kernel's source, and has no arch/x86/boot/bzImage", .path.display())]
    #[diagnostic(help("build it there: `make bzImage modules`; with `make O=FOLDER`, give that folder"))]
    NotBuilt {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has no kernel.
    #[error("{} has no kernel", .path.display())]
    #[diagnostic(help(
        "looked for arch/x86/boot/bzImage (a built tree), linux-*.deb with a kernel (`make bindeb-pkg`), boot/vmlinuz-* and \
         lib/modules/*/vmlinuz (an installed kernel)"
    ))]
    NoKernel {
        /// The folder.
        path: PathBuf,
    },
    /// The folder has several kernels.
    #[error("{} has {} kernels: {}", .path.display(), .releases.len(), .releases.join(", "))]
    #[diagnostic(help(
        "give one of them: the path of its .deb file, or a recipe with `bzimage` and `modules` in [kernel]"
    ))]
    Several {
        /// The folder.
        path: PathBuf,
        /// Their releases.
        releases: Vec<String>,
    },
    /// `modules` names a folder without modules of this kernel.
    #[error("{} has no modules of kernel {release}{}", .path.display(), also(.there))]
    #[diagnostic(help(
        "give the folder of `make modules_install INSTALL_MOD_PATH=FOLDER`: it has lib/modules/{release}; a kernel without modules needs no `modules`"
    ))]
    NoModules {
        /// The folder.
        path: PathBuf,
        /// Of the kernel.
        release: String,
        /// The releases that it has modules of.
        there: Vec<String>,
    },
    /// The kernel is built without what every guest needs.
    #[error("the kernel at {} ({release}) cannot be a guest's: it lacks {}", .path.display(), names(.lacks))]
    #[diagnostic(help("switch on and build again:\n{}\nas {from} has it", lines(.lacks)))]
    Lacks {
        /// Where it lies.
        path: PathBuf,
        /// Its release.
        release: String,
        /// All of them.
        lacks: Vec<Lack>,
        /// Where that is known from.
        from: String,
    },
    /// The modules cannot be put together.
    #[error("the modules of the kernel at {} cannot be put together", .path.display())]
    #[diagnostic(help(
        "build them all, `make modules`, or install them all, `make modules_install INSTALL_MOD_PATH=FOLDER`"
    ))]
    Modules {
        /// Where the kernel lies.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<ModuleError>,
    },
    /// A module is of another build.
    #[error("module {module} of the kernel at {} is of {of}, and the kernel is {release}", .path.display())]
    #[diagnostic(help("build kernel and modules together: `make bzImage modules`"))]
    OtherRelease {
        /// Where the kernel lies.
        path: PathBuf,
        /// The module.
        module: String,
        /// What the module says (`vermagic`).
        of: String,
        /// What the kernel's header says.
        release: String,
    },
    /// A package of the folder cannot be read.
    #[error("a package of {} cannot be read", .path.display())]
    #[diagnostic(help(
        "build it again: `make bindeb-pkg`; reading it needs dpkg-deb, which `rig setup` installs"
    ))]
    Package {
        /// The folder or the package.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PackageError,
    },
}

fn also(there: &[String]) -> String {
    if there.is_empty() { String::new() } else { format!(": it has those of {}", there.join(", ")) }
}

fn names(lacks: &[Lack]) -> String {
    let names = lacks.iter().map(|lack| lack.option.split('=').next().unwrap_or_default());
    names.collect::<Vec<_>>().join(", ")
}

fn lines(lacks: &[Lack]) -> String {
    lacks.iter().map(|lack| format!("{}  ({})", lack.option, lack.why)).collect::<Vec<_>>().join("\n")
}
