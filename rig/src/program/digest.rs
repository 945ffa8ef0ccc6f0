//! What a part is, as a number: SHA-256 of a file's content, or of a folder's names, modes and contents.
//!
//! A file that has not changed since it was last read in this process is not read again. Must not know programs. Units: bytes.
//! Errors: [`Fault`]. Tests: `tests.rs`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use rig_protocol::Part;
use sha2::{Digest, Sha256};

use super::error::Fault;
use super::tree::{Node, look, text, unreadable, walk};
use crate::process;

/// What a file is known by: device, inode, size, and when its content or its inode last changed.
type Identity = (u64, u64, u64, (i64, i64), (i64, i64));

static KNOWN: LazyLock<Mutex<HashMap<Identity, [u8; 32]>>> = LazyLock::new(Mutex::default);

/// The row of a part. A link at `path` itself is followed.
pub(super) fn digest(path: &Path) -> Result<Part, Fault> {
    let real = fs::canonicalize(path).map_err(unreadable(path))?;
    let (digest, bytes) = match look(&real)? {
        Node::Folder { .. } => of_folder(&real)?,
        Node::File { bytes, .. } => (of_file(&real)?, bytes),
        Node::Link { .. } => unreachable!("a canonical path is no link"),
    };
    Ok(Part { path: text(path)?.to_owned(), digest: hex(&digest), bytes })
}

fn of_folder(folder: &Path) -> Result<([u8; 32], u64), Fault> {
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
    Ok((sum.finalize().into(), total))
}

fn of_file(path: &Path) -> Result<[u8; 32], Fault> {
    let mut file = File::open(path).map_err(unreadable(path))?;
    let metadata = file.metadata().map_err(unreadable(path))?;
    let identity = (
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
    );
    if let Some(known) = process::lock(&KNOWN).get(&identity) {
        return Ok(*known);
    }
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer).map_err(unreadable(path))? {
            0 => break,
            count => sum.update(&buffer[..count]),
        }
    }
    let digest = sum.finalize().into();
    process::lock(&KNOWN).insert(identity, digest);
    Ok(digest)
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
