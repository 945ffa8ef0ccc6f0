//! Why a testbed cannot be made or used.
//!
//! Holds the room's one error type. Must not know how a caller reports it. Units: none.
//! Errors: these; they blame the host, and make a block void.
//! Tests: `tests/netns.rs`.

use std::io;

use miette::Diagnostic;
use thiserror::Error;

use crate::middlebox::MiddleboxError;
use crate::path::PathError;

/// Why a testbed cannot be made or used.
#[derive(Debug, Error, Diagnostic)]
pub enum TestbedError {
    /// The path itself makes no sense.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Path(#[from] PathError),
    /// No new network namespace.
    #[error("cannot make a network namespace")]
    #[diagnostic(help(
        "run as root (sudo); the kernel needs CONFIG_NET_NS and room under /proc/sys/user/max_net_namespaces"
    ))]
    Create {
        /// unshare(2) or open(2).
        source: io::Error,
    },
    /// A namespace of ours cannot be entered.
    #[error("cannot enter a network namespace")]
    #[diagnostic(help("run as root (sudo)"))]
    Enter {
        /// setns(2) or the start of a thread.
        source: io::Error,
    },
    /// An operation of the path failed.
    #[error("cannot carry out \"{op}\"")]
    #[diagnostic(help("`rig doctor` says which network functions this host's kernel lacks"))]
    Operation {
        /// Its text form.
        op: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A setting that the matrix file names.
    #[error("{name} cannot be set to {value}")]
    #[diagnostic(help(
        "a network namespace has no setting that is one of the whole host (net.core.rmem_max): set those in a guest, or leave them out"
    ))]
    Sysctl {
        /// Its name.
        name: String,
        /// What it was to be.
        value: String,
        /// What the kernel said, or what it reads then.
        source: io::Error,
    },
    /// No netlink.
    #[error("cannot talk to the kernel's routing netlink")]
    #[diagnostic(help("the process may lack descriptors: see `ulimit -n`"))]
    Netlink {
        /// Why.
        source: io::Error,
    },
    /// The own middlebox.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Middlebox(#[from] MiddleboxError),
    /// A mechanism that is a program or a queue of the kernel.
    #[error("{what}: {why}")]
    #[diagnostic(help("`rig doctor` says what this host has; `rig setup` installs programs"))]
    Mechanism {
        /// Which.
        what: &'static str,
        /// In plain words.
        why: String,
    },
    /// The packet socket.
    #[error("the witness on {interface} cannot {step}")]
    #[diagnostic(help("the kernel needs packet sockets (CONFIG_PACKET); root needs CAP_NET_RAW"))]
    Witness {
        /// Where.
        interface: String,
        /// What it tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The packet rings.
    #[error("the capture on {interface} cannot {step}")]
    #[diagnostic(help(
        "the kernel needs packet sockets (CONFIG_PACKET) and some 20 MiB of memory; without --capture no packet is kept"
    ))]
    Capture {
        /// Where.
        interface: String,
        /// What it tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The kernel's errno, where it gave one.
pub(super) fn to_io(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}
