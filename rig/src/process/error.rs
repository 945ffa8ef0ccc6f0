//! Why there is no enclosure.
//!
//! Must not know the steps of making one. Units: none.
//! It blames missing privileges or the host's kernel; [`EnclosureError::Threads`] blames rig. Tests: `tests/enclosure.rs` (root).

use std::io;

use miette::Diagnostic;
use thiserror::Error;

/// Why there is no enclosure.
#[derive(Debug, Error, Diagnostic)]
pub enum EnclosureError {
    /// Namespaces are the superuser's.
    #[error("user {uid} may not make namespaces")]
    #[diagnostic(help(
        "run as root (sudo), or as root of a user namespace: `unshare --user --map-root-user rig …` does for configurations without a tap, once \
         their images are built"
    ))]
    NotRoot {
        /// Effective user.
        uid: u32,
    },
    /// Root without the capability, as in a container.
    #[error("the kernel refused {what}")]
    #[diagnostic(help(
        "root needs CAP_SYS_ADMIN and CAP_NET_ADMIN here: outside a container, or in one that was started with --privileged"
    ))]
    Refused {
        /// Which step.
        what: &'static str,
        /// EPERM or EACCES.
        source: io::Error,
    },
    /// fork(2) after the first thread: a bug of the caller.
    #[error("the enclosure must be made before the first thread, but there are {threads}")]
    #[diagnostic(help("this is a bug in rig: please report it"))]
    Threads {
        /// How many.
        threads: usize,
    },
    /// Anything else.
    #[error("cannot {what}")]
    #[diagnostic(help(
        "/proc must be mounted, the kernel needs PID, mount and network namespaces (CONFIG_PID_NS, CONFIG_NET_NS)"
    ))]
    Step {
        /// Which step.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl EnclosureError {
    pub(super) fn at(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Refused { what, source },
            _ => Self::Step { what, source },
        }
    }

    pub(super) fn nix(what: &'static str) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self::at(what)(errno.into())
    }
}
