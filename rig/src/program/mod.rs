//! A user's program as the client: which file it is, what it consists of, and how that goes into a guest.
//!
//! Finds the file, follows its first line, its loader and its libraries as the kernel and the loader do, and gives rows with digests; writes them
//! as an archive when a guest asks for it. Must not know scenarios, cells or SSH. Units: bytes.
//! Errors: [`ProgramError`], which blames what the user named; [`Changed`], where a file is no longer what it was.
//! Tests: `tests.rs`, `tests/wrong.rs`, with programs that are built for them; in a guest, `tests/qemu/program.rs`.

mod archive;
mod capacity;
mod closure;
mod digest;
mod error;
mod find;
mod ld_cache;
mod loader;
mod runtime;
mod script;
mod tree;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use rig_protocol::{Part, Program};

pub use archive::write_archive;
pub use capacity::{Place, guest_memory_mib, in_flight};
pub use error::{About, Fault, ProgramError};
pub use verify::{Changed, verify};

/// All parts of a program together are not larger.
pub const MOST_BYTES: u64 = 1 << 30;

/// How long a trial of a program may last where its scenario names no `deadline`.
pub const USUAL_TIME_LIMIT: Duration = Duration::from_secs(60);

/// What the user named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The program: a path, or a name on PATH.
    pub name: String,
    /// What relative paths start at, and where the program is started: an absolute path.
    pub directory: PathBuf,
    /// Files and folders that go along.
    pub with: Vec<String>,
    /// The file that is its standard input.
    pub input: Option<String>,
    /// Commands that the shell runs before it: the shell and the programs that they name go along.
    pub before: Vec<String>,
}

/// What a program consists of. Holds no content: [`write_archive`] reads that when it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packed {
    /// The file that is executed: an absolute path.
    pub path: String,
    /// Where it is started: an absolute path.
    pub directory: String,
    /// The file that is its standard input: an absolute path.
    pub input: Option<String>,
    /// The PATH that finds its interpreter, where `#!/usr/bin/env NAME` finds it outside of the system's folders.
    pub search_path: Option<String>,
    /// Its files and folders, by path. None lies in another.
    pub parts: Vec<Part>,
    /// What the user should know: links that lead to nothing in a guest, libraries that a plug-in may miss. Each a sentence.
    pub notes: Vec<String>,
}

impl Packed {
    /// Size of all content.
    pub fn bytes(&self) -> u64 {
        bytes(&self.parts)
    }

    /// Writes into `program` what was found: its file, directory, input and parts, and PATH where it needs one and has none.
    pub fn describe(&self, program: &mut Program) {
        program.path.clone_from(&self.path);
        program.directory.clone_from(&self.directory);
        program.input.clone_from(&self.input);
        program.parts.clone_from(&self.parts);
        if let Some(folders) = &self.search_path {
            program.environment.entry("PATH".to_owned()).or_insert_with(|| folders.clone());
        }
    }
}

/// Size of the content of all these parts.
pub fn bytes(parts: &[Part]) -> u64 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
}

/// Finds the program and all that it consists of, on this host.
///
/// # Errors
/// [`ProgramError`]: it could not be started here, or not in a guest.
pub fn inspect(asked: &Asked) -> Result<Packed, ProgramError> {
    closure::pack(asked)
}

#[cfg(test)]
mod tests;
