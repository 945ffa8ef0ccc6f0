//! Why a middlebox cannot do what it is asked.
//!
//! Must not know how anything is done. Units: none.
//! Errors: [`MiddleboxError`]; it blames the spec, missing privileges, or an interface. Tests: where each error is raised.

use std::io;

/// Why a middlebox cannot do what it is asked.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum MiddleboxError {
    /// A value that is not valid.
    #[error("{of}: `{key}` is {what}")]
    #[diagnostic(help("each key of a middlebox is documented at its type, with its unit"))]
    Spec {
        /// The table that it stands in.
        of: String,
        /// Its key.
        key: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A command for an action that the spec does not declare.
    #[error("no action `{name}` in this middlebox (declared: {})", if .known.is_empty() { "none".to_owned() } else { .known.join(", ") })]
    #[diagnostic(help("declare the action with `armed = false` and arm it at its moment"))]
    UnknownAction {
        /// The name.
        name: String,
        /// The declared ones.
        known: Vec<String>,
    },
    /// A command for a box that the spec does not have.
    #[error("this middlebox has no {what}")]
    #[diagnostic(help("declare the {what} in the middlebox's spec"))]
    NoBox {
        /// Which.
        what: &'static str,
    },
    /// A packet socket could not be made ready.
    #[error("cannot {what} on interface `{interface}`")]
    #[diagnostic(help(
        "packet sockets need root (CAP_NET_RAW), and the interface must exist in the calling thread's network namespace"
    ))]
    Socket {
        /// The step that failed.
        what: &'static str,
        /// The interface.
        interface: String,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The forwarding thread could not go on.
    #[error("the middlebox stopped: cannot {what}")]
    #[diagnostic(help("the packets of this block did not meet what its path says: the block is void"))]
    Stopped {
        /// What it was doing.
        what: &'static str,
        /// What the kernel said.
        #[source]
        cause: io::Error,
    },
    /// The forwarding thread is gone, or did not answer.
    #[error("the middlebox does not answer ({what})")]
    #[diagnostic(help("it was stopped before, or the machine is overloaded"))]
    Silent {
        /// What was asked.
        what: &'static str,
    },
}
