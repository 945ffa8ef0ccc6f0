//! The folder of a run on disk: everything below it is read, written and removed through here.
//!
//! A folder may come from elsewhere, and rig may be root: no name leads out of it or through a symbolic link, and only regular files are
//! read (openat2(2), Linux 5.6). The folder itself may be reached through links: the user named it.
//! Must not know what the files mean.
//! Units: bytes. Errors: [`RecordError`]; it blames the disk, or names what is in the way. Tests: here, `tests/golden/hostile.rs`.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::RecordError;

/// A folder that is open. Its names are relative, at most one folder deep: `run.json`, `blocks/x.json`.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

/// What a name must belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    File,
    Folder,
}

/// A larger file is not hashed: no file of a run comes near, and a sparse one of an exabyte would never end.
const MOST_HASHED_BYTES: u64 = 16 << 30;

/// How the names of half-written files end.
pub(super) const UNFINISHED: &str = ".unfinished";

impl Folder {
    /// Opens a folder that exists.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let descriptor = open(path, flags, Mode::empty())
            .map_err(|errno| RecordError::disk("open", path)(errno.into()))?;
        Ok(Self { descriptor, path: path.to_owned() })
    }

    /// Opens a folder in it, which is no link.
    ///
    /// # Errors
    /// [`RecordError::InTheWay`] where a file or a link has its name, or what the disk says.
    pub(super) fn below(&self, name: &str) -> Result<Self, RecordError> {
        Ok(Self { descriptor: self.subfolder("open", name)?, path: self.at(name) })
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file to read it.
    ///
    /// # Errors
    /// [`RecordError::InTheWay`] for what is no file or lies behind a link, or what the disk says.
    pub fn file(&self, name: &str) -> Result<File, RecordError> {
        self.regular("read", name, OFlag::O_RDONLY)
    }

    /// Opens a regular file to read it and to append to it; makes it where there is none.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn log(&self, name: &str) -> Result<File, RecordError> {
        let file = self.regular("open", name, OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT)?;
        let names = file.metadata().map_err(RecordError::disk("open", &self.at(name)))?.nlink();
        if names > 1 { Err(self.in_the_way(name, "a file of several names", Wanted::File)) } else { Ok(file) }
    }

    /// The bytes of a regular file of at most so many.
    ///
    /// # Errors
    /// As [`Folder::file`]; [`RecordError::Damaged`] for a larger one.
    pub fn read(&self, name: &str, most_bytes: u64) -> Result<Vec<u8>, RecordError> {
        self.read_all(name, self.file(name)?, most_bytes)
    }

    /// The bytes of `file`, which is `name`.
    pub(super) fn read_all(
        &self,
        name: &str,
        file: impl Read,
        most_bytes: u64,
    ) -> Result<Vec<u8>, RecordError> {
        let mut bytes = Vec::new();
        let read = file.take(most_bytes + 1).read_to_end(&mut bytes);
        let read = read.map_err(RecordError::disk("read", &self.at(name)))?;
        if read as u64 > most_bytes { Err(self.too_large(name, most_bytes)) } else { Ok(bytes) }
    }

    /// Makes a regular file that somebody else wrote, and its name, survive a power loss (fsync(2)).
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub(super) fn sync(&self, name: &str) -> Result<(), RecordError> {
        self.file(name)?.sync_all().map_err(RecordError::disk("sync", &self.at(name)))?;
        match name.rsplit_once('/') {
            Some((folder, _)) => {
                let opened = File::from(self.subfolder("sync", folder)?);
                opened.sync_all().map_err(RecordError::disk("sync", &self.at(folder)))
            }
            None => Ok(()),
        }
    }

    /// SHA-256 of a regular file, in hexadecimal digits.
    ///
    /// # Errors
    /// As [`Folder::file`]; [`RecordError::Damaged`] for one that is too large to be of a run.
    pub fn sha256(&self, name: &str) -> Result<String, RecordError> {
        let file = self.file(name)?;
        let mut hasher = Sha256::new();
        let read = io::copy(&mut file.take(MOST_HASHED_BYTES + 1), &mut hasher);
        if read.map_err(RecordError::disk("read", &self.at(name)))? > MOST_HASHED_BYTES {
            return Err(self.too_large(name, MOST_HASHED_BYTES));
        }
        Ok(format!("{:x}", hasher.finalize()))
    }

    /// Either the whole file is there under its name, or what was there before, whenever the power goes: written beside, synced, renamed, and
    /// the folder synced (rename(2), fsync(2)). A link of that name is replaced; what it leads to is not touched.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
        self.write_from(name, bytes)
    }

    /// As [`Folder::write`], of a file of another folder, which need not fit into memory.
    pub(super) fn copy(&self, name: &str, from: &Self, source: &str) -> Result<(), RecordError> {
        self.write_from(name, from.file(source)?)
    }

    fn write_from(&self, name: &str, mut bytes: impl Read) -> Result<(), RecordError> {
        let (parent, base) = self.parent("write", name)?;
        let beside = format!("{base}.{:08x}{UNFINISHED}", ChaCha8Rng::from_os_rng().next_u32());
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(&parent, beside.as_str(), flags, Mode::from_bits_truncate(0o644))
            .map_err(|errno| self.refused("write", name, Wanted::File, errno))?;
        let mut file = File::from(file);
        let written = io::copy(&mut bytes, &mut file).and_then(|_| file.sync_all());
        let moved = written.map_err(RecordError::disk("write", &self.at(name))).and_then(|()| {
            renameat(&parent, beside.as_str(), &parent, base)
                .map_err(|errno| self.refused("write", name, Wanted::File, errno))
        });
        if moved.is_err() {
            // On a full disk the half file is the first thing that can go.
            let _ = unlinkat(&parent, beside.as_str(), UnlinkatFlags::NoRemoveDir);
            return moved;
        }
        fsync(&parent).map_err(|errno| RecordError::disk("sync", &self.at(name))(errno.into()))
    }

    /// Removes a file, or a link but not what it leads to. Nothing of that name: nothing to do.
    ///
    /// # Errors
    /// As [`Folder::file`].
    pub fn remove(&self, name: &str) -> Result<(), RecordError> {
        let (parent, base) = self.parent("remove", name)?;
        match unlinkat(&parent, base, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.refused("remove", name, Wanted::File, errno)),
        }
    }

    /// Makes a folder, unless it is there.
    ///
    /// # Errors
    /// [`RecordError::InTheWay`] where a file or a link has its name, or what the disk says.
    pub fn make_folder(&self, name: &str) -> Result<(), RecordError> {
        match mkdirat(&self.descriptor, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) => Ok(()),
            Err(Errno::EEXIST) => self.subfolder("make", name).map(drop),
            Err(errno) => Err(self.refused("make", name, Wanted::Folder, errno)),
        }
    }

    /// Names of the files in one of its folders, sorted, with what is not plain text escaped.
    ///
    /// # Errors
    /// [`RecordError::InTheWay`] for anything in it that is no file, or what the disk says.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, RecordError> {
        let mut names = Vec::new();
        for (name, kind) in self.entries(folder)? {
            if kind != SFlag::S_IFREG {
                return Err(self.in_the_way(&name, word_of(kind), Wanted::File));
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    /// What is in one of its folders, or in itself (`.`), with its kind.
    pub(super) fn entries(&self, folder: &str) -> Result<Vec<(String, SFlag)>, RecordError> {
        let disk = |errno: Errno| RecordError::disk("read", &self.at(folder))(errno.into());
        let mut dir = Dir::from_fd(self.subfolder("read", folder)?).map_err(disk)?;
        let mut found = Vec::new();
        for entry in dir.iter() {
            let entry = entry.map_err(disk)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                found.push(entry.file_name().to_owned());
            }
        }
        let mut entries = Vec::new();
        for entry in found {
            let name = format!("{folder}/{}", entry.to_string_lossy().escape_debug());
            let stat = match fstatat(&dir, entry.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                // Removed since.
                Err(Errno::ENOENT) => continue,
                stat => stat.map_err(disk)?,
            };
            entries.push((name, SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT));
        }
        Ok(entries)
    }

    /// Removes what interrupted calls of [`Folder::write`] left in one of its folders, or in itself (`.`).
    ///
    /// # Errors
    /// [`RecordError::InTheWay`] where the folder is none, or what the disk says.
    pub fn remove_unfinished(&self, folder: &str) -> Result<(), RecordError> {
        self.entries(folder)?
            .iter()
            .filter(|(name, kind)| *kind == SFlag::S_IFREG && name.ends_with(UNFINISHED))
            .try_for_each(|(name, _)| self.remove(name))
    }

    /// Where a name lies, for words.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn regular(&self, doing: &'static str, name: &str, flags: OFlag) -> Result<File, RecordError> {
        // Without O_NONBLOCK a pipe keeps its reader waiting for ever.
        let flags = flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let file = self
            .resolve(name, flags)
            .map(File::from)
            .map_err(|errno| self.refused(doing, name, Wanted::File, errno))?;
        let kind = file.metadata().map_err(RecordError::disk(doing, &self.at(name)))?.file_type();
        if kind.is_file() { Ok(file) } else { Err(self.in_the_way(name, word(kind), Wanted::File)) }
    }

    fn subfolder(&self, doing: &'static str, name: &str) -> Result<OwnedFd, RecordError> {
        self.resolve(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
            .map_err(|errno| self.refused(doing, name, Wanted::Folder, errno))
    }

    /// The folder of a name, and the rest of it.
    fn parent<'a>(&self, doing: &'static str, name: &'a str) -> Result<(OwnedFd, &'a str), RecordError> {
        let (parent, base) = name.rsplit_once('/').unwrap_or((".", name));
        let descriptor = self
            .resolve(parent, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
            .map_err(|errno| self.refused(doing, name, Wanted::File, errno))?;
        Ok((descriptor, base))
    }

    fn resolve(&self, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        // openat2 refuses a mode where nothing is made.
        let mode = if flags.contains(OFlag::O_CREAT) { 0o644 } else { 0 };
        let how =
            OpenHow::new().flags(flags | OFlag::O_CLOEXEC).mode(Mode::from_bits_truncate(mode)).resolve(
                ResolveFlag::RESOLVE_BENEATH
                    | ResolveFlag::RESOLVE_NO_SYMLINKS
                    | ResolveFlag::RESOLVE_NO_MAGICLINKS,
            );
        openat2(&self.descriptor, name, how)
    }

    /// What the kernel refused: the first thing on the way to a name that is not what it must be, or else the kernel's word.
    fn refused(&self, doing: &'static str, name: &str, wanted: Wanted, errno: Errno) -> RecordError {
        let parts = name.match_indices('/').map(|(end, _)| (&name[..end], Wanted::Folder));
        for (part, wanted) in parts.chain([(name, wanted)]) {
            // O_PATH and O_NOFOLLOW: the link itself, and no pipe is waited for.
            let Ok(found) = self.resolve(part, OFlag::O_PATH | OFlag::O_NOFOLLOW) else { break };
            let Ok(kind) = File::from(found).metadata().map(|data| data.file_type()) else { break };
            if !wanted.is(kind) {
                return self.in_the_way(part, word(kind), wanted);
            }
        }
        RecordError::disk(doing, &self.at(name))(errno.into())
    }

    fn in_the_way(&self, name: &str, found: &'static str, wanted: Wanted) -> RecordError {
        let wanted = match wanted {
            Wanted::File => "a file",
            Wanted::Folder => "a folder",
        };
        RecordError::InTheWay { path: self.at(name), found, wanted }
    }

    fn too_large(&self, name: &str, most_bytes: u64) -> RecordError {
        let reason = format!("it is larger than {} MiB, which no such file of a run is", most_bytes >> 20);
        RecordError::Damaged { path: self.at(name), reason }
    }
}

impl Wanted {
    fn is(self, kind: FileType) -> bool {
        match self {
            Self::File => kind.is_file(),
            Self::Folder => kind.is_dir(),
        }
    }
}

fn word(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    word_of(match kind {
        kind if kind.is_symlink() => SFlag::S_IFLNK,
        kind if kind.is_dir() => SFlag::S_IFDIR,
        kind if kind.is_fifo() => SFlag::S_IFIFO,
        kind if kind.is_socket() => SFlag::S_IFSOCK,
        kind if kind.is_file() => SFlag::S_IFREG,
        _ => SFlag::S_IFCHR,
    })
}

fn word_of(kind: SFlag) -> &'static str {
    match kind {
        SFlag::S_IFLNK => "a symbolic link",
        SFlag::S_IFDIR => "a folder",
        SFlag::S_IFIFO => "a pipe",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFREG => "a file",
        _ => "a device",
    }
}

/// SHA-256 of bytes, in hexadecimal digits.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
