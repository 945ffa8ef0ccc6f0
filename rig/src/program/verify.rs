//! Whether a program is still what it was when its cell was made.
//!
//! Must not know runs. Units: none. Errors: [`Changed`], which blames whoever changed the file. Tests: `tests.rs`.

use std::path::Path;

use miette::Diagnostic;
use rig_protocol::Program;
use thiserror::Error;

use super::digest::digest;

/// A part of a program is another one now.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{name} has changed since the run began: {path} {now}, it was {}", short(was))]
#[diagnostic(help(
    "bring back the file that the run began with, or begin a new run: all trials of a cell must be of the same program"
))]
pub struct Changed {
    /// The program, as the user wrote it.
    pub name: String,
    /// Which part.
    pub path: String,
    /// SHA-256 that it had.
    pub was: String,
    /// What it is now: `is sha256 4f53cda1…`, or that it cannot be read.
    pub now: String,
}

/// Whether every part has the digest that it had.
///
/// # Errors
/// [`Changed`], for the first that has not.
pub fn verify(program: &Program) -> Result<(), Changed> {
    for part in &program.parts {
        let now = match digest(Path::new(&part.path)) {
            Ok(found) if found.digest == part.digest => continue,
            Ok(found) => format!("is {}", short(&found.digest)),
            Err(fault) => format!("cannot be had ({fault})"),
        };
        return Err(Changed {
            name: program.name.clone(),
            path: part.path.clone(),
            was: part.digest.clone(),
            now,
        });
    }
    Ok(())
}

fn short(digest: &str) -> String {
    format!("sha256 {}…", digest.get(..8).unwrap_or(digest))
}
