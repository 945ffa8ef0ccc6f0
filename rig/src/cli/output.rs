//! A command's answer on standard output.
//!
//! Holds how it is written, and sizes as people read them. Must not know what is written; lines beside the answer are in `streams.rs`.
//! Units: bytes. Errors: [`Failure`], for an answer that a full disk cuts short. Tests: `tests/trouble/deaf.rs` (root).

use std::io;

use super::streams::write;
use super::{Exit, Failure};

/// Writes a command's answer to standard output. A reader that went away (`rig matrix plan | head`) is no failure.
pub(super) fn print(text: &str) -> Result<Exit, Failure> {
    match write(&mut io::stdout().lock(), text) {
        Ok(()) => Ok(Exit::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(Failure::say(
            Exit::Testbed,
            format!("cannot write to standard output: {error}"),
            "is the disk behind it full?",
        )),
    }
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}
