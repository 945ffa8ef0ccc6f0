//! The asynchronous runtime that a command works in.
//!
//! Must not know what runs there. To be made inside the enclosure: a process that has threads cannot be enclosed any more.
//! Errors: [`RuntimeError`]; it blames the host. Tests: every command that plays a block.

use std::io;

use miette::Diagnostic;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

/// Why there is no runtime.
#[derive(Debug, Error, Diagnostic)]
#[error("cannot start threads to work in")]
#[diagnostic(help("the process may lack threads or descriptors: see `ulimit -u -n`"))]
pub struct RuntimeError {
    #[source]
    source: io::Error,
}

/// A runtime with a thread for each processor, with timers and sockets.
///
/// # Errors
/// [`RuntimeError`]
pub fn start_runtime() -> Result<Runtime, RuntimeError> {
    Builder::new_multi_thread().enable_all().build().map_err(|source| RuntimeError { source })
}
