//! Whether QEMU starts on this host, and which it is.
//!
//! Must not know what it is started for. Units: none. Errors: [`Unable`], which blames the host.
//! Tests: `tests/trouble/host.rs`, `tests/qemu/identity.rs`.

use std::path::{Path, PathBuf};

use crate::configuration::{Executable, QemuProgram, QemuVersion};
use crate::path::Unable;
use crate::process::{self, NoAnswer, QEMU};

/// The QEMU that guests are started with: the first line of `qemu-system-x86_64 --version`, and the file that says it.
///
/// # Errors
/// There is none, or it fails.
pub fn program() -> Result<QemuProgram, Unable> {
    let option = "--version";
    let file = process::program_file(QEMU);
    let version = process::first_line(&file, option).map_err(|why| match why {
        NoAnswer::NotStarted(error) => Unable::NoQemu { program: QEMU, said: error.to_string() },
        NoAnswer::Fails(status) => {
            Unable::Fails { program: QEMU.to_owned(), option, status: status.to_string() }
        }
    })?;
    let executable = Executable::of(&file).map_err(|error| error.to_string());
    Ok(QemuProgram { version: QemuVersion(version), executable })
}

/// A program's file. One that is nowhere stays what it is, and its start will say so.
pub(super) fn file_of(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    program.to_str().map_or_else(|| program.to_owned(), process::program_file)
}
