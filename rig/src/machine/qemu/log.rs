//! The two logs of a guest: lines of its console, and JSON lines of everything said to and by its QEMU.
//!
//! Must not know what the lines mean. Units: milliseconds since the log was opened, bytes.
//! A log that cannot be written does not stop a guest: the first failure is kept, and whoever ends the guest asks for it.
//! Errors: `io::Error` when a log cannot be opened, which blames the disk; later a sentence.
//! Tests: beside `console` and `qmp`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fs_err::File;
use serde_json::{Value, json};

/// A file that takes up to so many bytes, and then one line which says so.
#[derive(Debug)]
struct Capped {
    file: Option<File>,
    path: PathBuf,
    left_bytes: u64,
    opened: Instant,
    trouble: Option<String>,
}

impl Capped {
    fn create(path: &Path, cap_bytes: u64) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(Self {
            file: Some(file),
            path: path.to_owned(),
            left_bytes: cap_bytes,
            opened: Instant::now(),
            trouble: None,
        })
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes a whole line, or `full` in its place when it does not fit any more.
    fn write(&mut self, line: &str, full: &str) {
        let Some(file) = &mut self.file else { return };
        let bytes = line.len() as u64;
        let written = if bytes <= self.left_bytes {
            self.left_bytes -= bytes;
            file.write_all(line.as_bytes())
        } else {
            let written = file.write_all(full.as_bytes());
            self.file = None;
            written
        };
        if let Err(error) = written {
            self.trouble = Some(format!("{}: {error}", self.path.display()));
            self.file = None;
        }
    }
}

/// `{"at_ms": …, "kind": "sent", "message": {…}}` a line.
#[derive(Debug)]
pub struct JsonLog(Option<Capped>);

/// A conversation of this length is one that runs wild.
const JSON_CAP_BYTES: u64 = 16 << 20;

impl JsonLog {
    /// Creates (or empties) the file.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Some(Capped::create(path, JSON_CAP_BYTES)?)))
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    pub(super) fn write(&mut self, kind: &str, message: &Value) {
        let Some(log) = &mut self.0 else { return };
        let line = json!({ "at_ms": log.elapsed_ms(), "kind": kind, "message": message });
        log.write(&format!("{line}\n"), "{\"kind\":\"note\",\"message\":\"log is full\"}\n");
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|log| log.trouble.clone())
    }
}

/// `   1.234 text` a line: seconds since the log was opened, then what the guest printed.
#[derive(Debug)]
pub struct LineLog(Option<Capped>);

impl LineLog {
    /// Creates (or empties) the file, which takes up to `cap_bytes`.
    ///
    /// # Errors
    /// The disk's.
    pub fn create(path: &Path, cap_bytes: u64) -> io::Result<Self> {
        Ok(Self(Some(Capped::create(path, cap_bytes)?)))
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    pub(super) fn write(&mut self, text: &str) {
        let Some(log) = &mut self.0 else { return };
        let at_ms = log.elapsed_ms();
        let line = format!("{:4}.{:03} {text}\n", at_ms / 1000, at_ms % 1000);
        log.write(&line, "rig: this log is full, what follows is lost\n");
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|log| log.trouble.clone())
    }
}
