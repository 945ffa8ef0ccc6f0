//! What is in a file, as a number that is known again without a second reading.
//!
//! Must not know what a file is for. Units: none. Errors: `io::Error` with the file. Tests: below.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use fs_err::File;
use sha2::{Digest, Sha256};

use super::lock::lock;

/// What a file is known by while nobody changes it: device, inode, bytes, and when it and its inode were changed, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    // Unlike the time before, nobody can set this one (utimensat(2)).
    changed_ns: i128,
}

impl Fingerprint {
    /// Of an open file, as it is now.
    ///
    /// # Errors
    /// fstat(2)
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

type Digests = Mutex<BTreeMap<Fingerprint, String>>;

/// SHA-256 of a file, in hexadecimal digits. It is read once in the life of this process, unless it changes.
///
/// # Errors
/// It cannot be read.
pub fn file_digest(file: &File) -> io::Result<String> {
    static KNOWN: Digests = Mutex::new(BTreeMap::new());
    digest_once(file, &KNOWN, |mut file| {
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash)?;
        Ok(format!("{:x}", hash.finalize()))
    })
}

/// The digest that is known of this file; or what `hash` says, which is then known. Others wait meanwhile, and then know it too.
fn digest_once(
    file: &File,
    known: &Digests,
    hash: impl FnOnce(&File) -> io::Result<String>,
) -> io::Result<String> {
    let mut known = lock(known);
    let before = Fingerprint::of(file)?;
    if let Some(digest) = known.get(&before) {
        return Ok(digest.clone());
    }
    let digest = hash(file)?;
    if Fingerprint::of(file)? == before {
        known.insert(before, digest.clone());
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_file_is_read_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let (known, reads) = (Digests::default(), Cell::new(0));
        let look = || {
            let hash = |_: &File| {
                reads.set(reads.get() + 1);
                Ok(format!("read {}", reads.get()))
            };
            digest_once(&File::open(&path).unwrap(), &known, hash).unwrap()
        };
        fs_err::write(&path, "one").unwrap();
        assert_eq!([look(), look(), look()], ["read 1"; 3]);
        fs_err::write(&path, "other").unwrap();
        assert_eq!([look(), look()], ["read 2"; 2]);
        // Another file in its place, of the same size.
        fs_err::write(folder.path().join("new"), "third").unwrap();
        fs_err::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!([look(), look()], ["read 3"; 2]);
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_not_known_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs_err::write(&path, "one").unwrap();
        let (file, known) = (File::open(&path).unwrap(), Digests::default());
        let hash = |_: &File| fs_err::write(&path, "longer").map(|()| "torn".to_owned());
        assert_eq!(digest_once(&file, &known, hash).unwrap(), "torn");
        assert!(lock(&known).is_empty());
    }
}
