//! Why something could not be measured.
//!
//! Holds [`BenchError`]. Must not know what was measured. Units: `Duration`.
//! Errors: this is them; they blame the host. Tests: `tests/trouble/bench.rs` (root).

use std::io;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use crate::agent::AgentError;
use crate::machine::HostError;
use crate::machine::qemu::GuestError;
use crate::middlebox::MiddleboxError;
use crate::process::RuntimeError;
use crate::testbed::TestbedError;

/// Why something could not be measured.
#[derive(Debug, Error, Diagnostic)]
pub enum BenchError {
    /// No network.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Testbed(#[from] TestbedError),
    /// No middlebox.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Middlebox(#[from] MiddleboxError),
    /// No agent.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Host(#[from] HostError),
    /// An agent that ended badly.
    #[error("the agent cannot be measured")]
    #[diagnostic(help("`rig scenario run rst` plays the same program and says more"))]
    Agent(#[from] AgentError),
    /// No guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Guest(#[from] GuestError),
    /// No threads for the work.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Runtime(#[from] RuntimeError),
    /// A system call of the measurement itself.
    #[error("cannot {step}")]
    #[diagnostic(help("the host may be overloaded, or out of descriptors or memory: see `ulimit -a`"))]
    Step {
        /// What it tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A measurement that did not come to its end.
    #[error("no packet arrived within {} s: {what}", .within.as_secs())]
    #[diagnostic(help("`rig doctor` says what does not work here"))]
    Stuck {
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
    },
}

/// A system call of the measurement failed.
pub(super) fn step(step: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |source| BenchError::Step { step, source }
}
