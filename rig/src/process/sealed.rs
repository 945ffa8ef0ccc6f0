//! Bytes of a file that were read once, and that nobody can change any more: what is checked is what is used.
//!
//! Must not know what the bytes are for. Units: bytes.
//! Errors: `io::Error` of the call that failed. Source: memfd_create(2), fcntl(2) on file sealing. Tests: below.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use sha2::{Digest, Sha256};

/// Sealed bytes in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct Sealed {
    memory: Arc<File>,
    bytes: u64,
    sha256: String,
}

impl Sealed {
    /// Reads a regular file to its end; the digest is of the bytes that are kept, not of what lies on the disk a moment later.
    ///
    /// # Errors
    /// What open(2), read(2) and memfd_create(2) say; `InvalidInput` for what is no regular file.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = fs_err::File::open(path)?;
        if !file.metadata()?.is_file() {
            let what = format!("{} is not a regular file", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Self::of(file)
    }

    /// Keeps everything that `source` gives.
    ///
    /// # Errors
    /// What its reads say, and memfd_create(2).
    pub fn of(mut source: impl Read) -> io::Result<Self> {
        let memory = memfd_create("rig-sealed", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        let mut memory = File::from(memory);
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            memory.write_all(&buffer[..count])?;
            hash.update(&buffer[..count]);
            bytes += count as u64;
        }
        let seals =
            SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self { memory: Arc::new(memory), bytes, sha256: format!("{:x}", hash.finalize()) })
    }

    /// How many.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their SHA-256, 64 hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Writes all of them. Several threads may do so at once.
    ///
    /// # Errors
    /// What the writes say.
    pub fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 16];
        let mut at = 0;
        while at < self.bytes {
            let count = self.memory.read_at(&mut buffer, at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out.write_all(&buffer[..count])?;
            at += count as u64;
        }
        Ok(())
    }
}

/// The descriptor. A program that is given it opens `/proc/self/fd/N`, and then reads from the beginning.
impl AsFd for Sealed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn what_was_read_stays_whatever_becomes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernel");
        fs_err::write(&path, "abc").unwrap();
        let sealed = Sealed::read(&path).unwrap();
        fs_err::write(&path, "another kernel").unwrap();
        let mut bytes = Vec::new();
        sealed.copy_to(&mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), sealed.bytes()), (b"abc".as_slice(), 3));
        // FIPS 180-2, appendix B.1.
        assert_eq!(sealed.sha256(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn nobody_can_write_to_it_by_any_way() {
        let sealed = Sealed::of(&b"abc"[..]).unwrap();
        assert!((&*sealed.memory).write_all(b"x").is_err());
        assert!(sealed.memory.set_len(0).is_err());
        let again = format!("/proc/self/fd/{}", sealed.as_fd().as_raw_fd());
        let reopened = std::fs::OpenOptions::new().write(true).open(&again);
        assert!(reopened.is_err() || reopened.unwrap().write_all(b"x").is_err());
        assert_eq!(std::fs::read(&again).unwrap(), b"abc");
    }

    #[test]
    fn only_a_regular_file_is_read() {
        for path in ["/dev/zero", "/"] {
            assert!(Sealed::read(Path::new(path)).is_err(), "{path}");
        }
    }
}
