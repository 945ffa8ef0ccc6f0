//! What is asked of this room, and what it gives: a program's name and company, and what it consists of.
//!
//! Plain data, and the bounds of it. Must not know how it is found. Units: bytes. Errors: none. Tests: `tests.rs`.

use std::path::PathBuf;
use std::time::Duration;

use rig_protocol::{Part, Program};

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

/// What a program consists of. Holds no content: [`write_archive`](super::write_archive) reads that when it is asked for.
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
