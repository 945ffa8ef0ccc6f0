//! Why there is no agent in a guest.
//!
//! Holds [`SshError`]. Must not know libssh2. Units: `Duration`.
//! Errors: this is them; all blame the guest or the control network: a block becomes void.
//! Tests: beside `launch_ssh`.

use std::io;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

/// Why the guest could not be worked with over SSH.
#[derive(Debug, Error, Diagnostic)]
pub enum SshError {
    /// Nothing answered as an SSH server should.
    #[error("no ssh session with the guest after {attempts} attempts in {within:?}: {last}")]
    #[diagnostic(help("the guest's console log says whether its network and its ssh server came up"))]
    Unreachable {
        /// How many were made.
        attempts: u32,
        /// The deadline.
        within: Duration,
        /// What the last one met.
        last: String,
    },
    /// Somebody else answered.
    #[error("the ssh server is not this guest's: its host key is {found}, not {pinned}")]
    #[diagnostic(help(
        "another guest listens on the same port of the same network namespace, or the image ignores its overlay"
    ))]
    HostKey {
        /// SHA-256 of what came, in hex, first 16 digits.
        found: String,
        /// The same of the key that this guest was given.
        pinned: String,
    },
    /// The guest knows another user key.
    #[error("the guest refuses this run's key")]
    #[diagnostic(help("the image ignores its overlay (authorized_keys), or the two are of different runs"))]
    Refused {
        /// libssh2's words.
        #[source]
        source: io::Error,
    },
    /// A step of the conversation failed.
    #[error("ssh: cannot {what}")]
    #[diagnostic(help("the guest's console log may say more"))]
    Failed {
        /// Which step.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A step took too long.
    #[error("ssh: could not {what} within {within:?}")]
    #[diagnostic(help("the guest hangs, or the host is overloaded; its console log may say more"))]
    Late {
        /// Which step.
        what: &'static str,
        /// Its bound.
        within: Duration,
    },
    /// The guest died, or rig gave up.
    #[error("ssh: could not {what}: {reason}")]
    #[diagnostic(help("the guest's console log and qmp log say what came before"))]
    Abandoned {
        /// Which step.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A command that prepares the agent did not do it.
    #[error("the guest could not {what}: {how}: {stderr}")]
    #[diagnostic(help("a guest without free memory cannot hold the agent; raise memory_mib"))]
    Command {
        /// What it was for.
        what: &'static str,
        /// How it ended.
        how: String,
        /// What it said.
        stderr: String,
    },
}
