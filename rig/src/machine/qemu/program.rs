//! Whether QEMU starts on this host, and which it is.
//!
//! Must not know what it is started for. Units: none. Errors: [`Unable`], which blames the host.
//! Tests: `tests/trouble/host.rs`, `tests/qemu/identity.rs`.

use crate::configuration::{Executable, QemuProgram, QemuVersion};
use crate::path::Unable;
use crate::process::{self, NoAnswer, QEMU};

/// QEMU as PATH has it: the first line of `qemu-system-x86_64 --version`, and the file that says it.
///
/// # Errors
/// It is not in PATH, or fails.
pub fn program() -> Result<QemuProgram, Unable> {
    let option = "--version";
    let version = process::first_line(QEMU, option).map_err(|why| match why {
        NoAnswer::NotStarted(error) => Unable::NoQemu { program: QEMU, said: error.to_string() },
        NoAnswer::Fails(status) => {
            Unable::Fails { program: QEMU.to_owned(), option, status: status.to_string() }
        }
    })?;
    let executable = match process::find_in_path(QEMU) {
        Some(path) => Executable::of(&path).map_err(|error| error.to_string()),
        None => Err(format!("PATH has no {QEMU} any more")),
    };
    Ok(QemuProgram { version: QemuVersion(version), executable })
}
