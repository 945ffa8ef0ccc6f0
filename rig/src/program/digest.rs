//! What a part is, as a number: SHA-256 of a file's content, or of a folder's names, modes and contents.
//!
//! A file that has not changed since it was last read in this process is not read again. Must not know programs. Units: bytes.
//! Errors: [`Fault`]. Tests: `tests.rs`.

use std::fs::{self, File};
use std::path::Path;

use rig_protocol::Part;
use sha2::{Digest, Sha256};

use super::error::Fault;
use super::tree::{Node, look, text, unreadable, walk};
use crate::process::file_digest;

/// The row of a part. A link at `path` itself is followed.
pub(super) fn digest(path: &Path) -> Result<Part, Fault> {
    let real = fs::canonicalize(path).map_err(unreadable(path))?;
    let (digest, bytes) = match look(&real)? {
        Node::Folder { .. } => of_folder(&real)?,
        Node::File { bytes, .. } => (of_file(&real)?, bytes),
        Node::Link { .. } => unreachable!("a canonical path is no link"),
    };
    Ok(Part { path: text(path)?.to_owned(), digest, bytes })
}

fn of_folder(folder: &Path) -> Result<(String, u64), Fault> {
    let (mut sum, mut total) = (Sha256::new(), 0_u64);
    walk(folder, &mut |path, node| {
        let name = path.strip_prefix(folder).unwrap_or(path);
        sum.update(text(name)?.as_bytes());
        match node {
            Node::Folder { mode } => sum.update(format!("\0folder {mode:o}\0")),
            Node::Link { target } => sum.update(format!("\0link {target}\0")),
            Node::File { mode, bytes } => {
                sum.update(format!("\0file {mode:o}\0"));
                sum.update(of_file(path)?);
                total = total.saturating_add(*bytes);
            }
        }
        Ok(())
    })?;
    Ok((format!("{:x}", sum.finalize()), total))
}

fn of_file(path: &Path) -> Result<String, Fault> {
    let file = File::open(path).map_err(unreadable(path))?;
    file_digest(&fs_err::File::from_parts(file, path)).map_err(unreadable(path))
}
