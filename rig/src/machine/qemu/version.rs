//! Whether QEMU starts on this host, and which it is.
//!
//! Must not know what it is started for. Units: none. Errors: [`Unable`], which blames the host. Tests: `tests/trouble/host.rs`.

use crate::configuration::QemuVersion;
use crate::path::Unable;
use crate::process::{self, NoAnswer, QEMU};

/// First line of `qemu-system-x86_64 --version`.
///
/// # Errors
/// It is not in PATH, or fails.
pub fn version() -> Result<QemuVersion, Unable> {
    let option = "--version";
    process::first_line(QEMU, option).map(QemuVersion).map_err(|why| match why {
        NoAnswer::NotStarted(error) => Unable::NoQemu { program: QEMU, said: error.to_string() },
        NoAnswer::Fails(status) => {
            Unable::Fails { program: QEMU.to_owned(), option, status: status.to_string() }
        }
    })
}
