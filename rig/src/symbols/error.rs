//! Why a kernel's debug information cannot be had.
//!
//! Must not know how it is read. Units: none. Errors: this is them; they blame the file. Tests: in `symbols/tests.rs`.

use std::path::PathBuf;

use thiserror::Error;

/// Why places have no lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SymbolsError {
    /// The file cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// It is no ELF file, or a damaged one, or its sections are compressed.
    #[error("{} has no debug information that can be read: {why}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It has none.
    #[error("{} has no debug information: build the kernel with CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT", path.display())]
    NoDebug {
        /// Which.
        path: PathBuf,
    },
    /// It is an ELF file, and no kernel's.
    #[error("{} is not a kernel's: it has no linux_banner", path.display())]
    NoKernel {
        /// Which.
        path: PathBuf,
    },
    /// It was built together with another kernel.
    #[error("{} is of another build than the kernel that ran: it is {own:?}", path.display())]
    OtherBuild {
        /// Which.
        path: PathBuf,
        /// What it says of itself.
        own: String,
    },
}
