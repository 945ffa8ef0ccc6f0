//! A QEMU of this host: what it says of itself, and its file.
//!
//! Plain data. Must not find one: `machine/qemu` does. Units: none. Errors: none. Tests: `requirement.rs`, `capability/host.rs`.

use std::path::PathBuf;

/// The QEMU that PATH has. What runs in a guest may be another: this one may be a script that starts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuProgram {
    /// What it says of itself.
    pub version: QemuVersion,
    /// Its file; or why that cannot be read (it may be for executing only).
    pub executable: Result<Executable, String>,
}

/// The file of a program, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// Absolute; all links are followed.
    pub path: PathBuf,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// What QEMU says of its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QemuVersion(pub String);

impl QemuVersion {
    /// Its number as it is written, and major and minor of it; `None` where it cannot be read.
    pub fn number(&self) -> Option<(&str, (u32, u32))> {
        let mut words = self.0.split(char::is_whitespace);
        let number = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
        let mut parts = number.split('.').map(|part| part.parse::<u32>().ok());
        Some((number, (parts.next()??, parts.next()??)))
    }
}
