//! How a command in a guest ended.
//!
//! Holds [`Exit`] and the question that libssh2 answers. Must not know which command it was.
//! Errors: `io::Error`, where the answer cannot be had. Tests: `tests/qemu.rs`.

use std::io;

use ssh2::Channel;

/// How a command in the guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal, `KILL`.
    Signal(String),
    /// Nobody knows: the connection or the guest ended first.
    Broken(String),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "killed by SIG{signal}"),
            Self::Broken(reason) => f.write_str(reason),
        }
    }
}

/// How the remote program ended; to be asked after its channel was closed by the other side.
pub(super) fn learn_exit(channel: &Channel) -> io::Result<Exit> {
    match channel.exit_signal()?.exit_signal {
        Some(signal) => Ok(Exit::Signal(signal)),
        None => Ok(Exit::Status(channel.exit_status()?)),
    }
}
