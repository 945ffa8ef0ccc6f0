//! A disk of the user's that guests boot: opened, looked at, and never written. Each guest gets an empty overlay of its own that goes with it.
//!
//! Must not know QEMU or cells. Units: bytes. Errors: [`DiskError`], which blames the file or the room for an overlay.
//! Tests: below; booted in `tests/disk.rs`.

use std::collections::BTreeMap;
use std::io::{self, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use miette::Diagnostic;
use thiserror::Error;

use super::qcow2::{self, Unfit};
use crate::configuration::{Disk, DiskFormat, Login};
use crate::process::{Fingerprint, file_digest};

/// Formats that people have disks in and that rig does not boot: what they begin with, and their names.
const OTHER_FORMATS: [(&[u8], &str); 6] = [
    (b"KDMV", "vmdk"),
    (b"<<< ", "vdi"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vpc"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\xfd7zXZ\0", "compressed (xz)"),
];

/// Why a disk cannot be booted.
#[derive(Debug, Error, Diagnostic)]
pub enum DiskError {
    /// It cannot be read.
    #[error("cannot read the disk {}", path.display())]
    #[diagnostic(help("`disk` names a raw or qcow2 file, seen from the folder of the matrix file"))]
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No file.
    #[error("{} cannot be a guest's disk: it is a {what}", path.display())]
    #[diagnostic(help("`disk` names a raw or qcow2 file"))]
    NoFile {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another format.
    #[error("{} is {format}, and rig boots raw and qcow2 disks", path.display())]
    #[diagnostic(help("unpack or convert it: `qemu-img convert -O qcow2 {} disk.qcow2`", path.display()))]
    Format {
        /// Its file.
        path: PathBuf,
        /// What it begins like.
        format: &'static str,
    },
    /// A qcow2 image that is not whole.
    #[error("{} cannot be booted: {unfit}", path.display())]
    #[diagnostic(help("make a whole one of it: `qemu-img convert -O qcow2 {} disk.qcow2`", path.display()))]
    Unfit {
        /// Its file.
        path: PathBuf,
        /// What it lacks.
        unfit: Unfit,
    },
    /// No firmware begins with it.
    #[error("{} has no boot sector: its first 512 bytes do not end with 55 AA", path.display())]
    #[diagnostic(help(
        "a disk that boots has a boot loader in its first sector; a file system alone has none. If it needs UEFI, it does not boot here"
    ))]
    NoBootSector {
        /// Its file.
        path: PathBuf,
    },
    /// The way in that the configuration names is none.
    #[error("cannot read the key {}", path.display())]
    #[diagnostic(help(
        "`login.key` names the file of a private key without a passphrase, seen from the folder of the matrix file"
    ))]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no private key, or one with a passphrase.
    #[error("{} is not a private key that rig can use: {why}", path.display())]
    #[diagnostic(help(
        "make one: `ssh-keygen -t ed25519 -N '' -f rig-key`, and put rig-key.pub into the image's authorized_keys"
    ))]
    NoKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Two disks whose kernels have one name.
    #[error("two disks are called {name}: {} and {}", one.display(), other.display())]
    #[diagnostic(help(
        "a guest with a disk has the name of its file as its kernel: rename one of the files"
    ))]
    SameName {
        /// Of both.
        name: String,
        /// The first.
        one: PathBuf,
        /// The second.
        other: PathBuf,
    },
    /// Somebody wrote to it.
    #[error("the disk {} has changed since the run began", path.display())]
    #[diagnostic(help("leave it alone while a run goes on; begin a new run"))]
    Changed {
        /// Its file.
        path: PathBuf,
    },
    /// A run goes on with what it began with.
    #[error("the disk {} is not the one that run {run} began with", path.display())]
    #[diagnostic(help("put that one back, or begin a new run"))]
    Other {
        /// Its file.
        path: PathBuf,
        /// Which run.
        run: String,
    },
    /// There is no place for what a guest writes.
    #[error("no room for what a guest writes, in {}", folder.display())]
    #[diagnostic(help("make it writable, or set TMPDIR"))]
    Overlay {
        /// Where.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A disk that is there and looks like one that boots.
#[derive(Debug, Clone)]
pub struct OpenDisk {
    /// Its file.
    pub path: PathBuf,
    file: Arc<File>,
    before: Fingerprint,
    /// How its bytes are laid out.
    pub format: DiskFormat,
    /// How large the disk is that the guest sees.
    pub bytes: u64,
    /// SHA-256 (hex) of the file.
    pub sha256: String,
}

/// The disks of a run, and the keys to them.
#[derive(Debug, Clone, Default)]
pub struct Disks {
    /// By the name that cells have for the kernel on it.
    pub files: BTreeMap<String, OpenDisk>,
    /// Private keys, by the file that a configuration names.
    keys: BTreeMap<String, String>,
}

impl Disks {
    /// Opens these, each once.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn open<'a>(disks: impl IntoIterator<Item = &'a Disk>) -> Result<Self, DiskError> {
        Self::of(disks, OpenDisk::open)
    }

    /// Whether these are there and can be booted, as far as their beginnings say.
    ///
    /// # Errors
    /// [`DiskError`]
    pub fn look<'a>(disks: impl IntoIterator<Item = &'a Disk>) -> Result<(), DiskError> {
        Self::of(disks, OpenDisk::begin).map(drop)
    }

    fn of<'a>(
        disks: impl IntoIterator<Item = &'a Disk>,
        open: fn(&Path) -> Result<OpenDisk, DiskError>,
    ) -> Result<Self, DiskError> {
        let mut found = Self::default();
        for disk in disks {
            let (name, path) = (disk.kernel().to_owned(), PathBuf::from(&disk.path));
            match found.files.get(&name) {
                Some(known) if known.path == path => {}
                Some(known) => {
                    return Err(DiskError::SameName { name, one: known.path.clone(), other: path });
                }
                None => _ = found.files.insert(name, open(&path)?),
            }
            if let Some(Login { key, .. }) = &disk.login
                && !found.keys.contains_key(key)
            {
                found.keys.insert(key.clone(), read_key(Path::new(key))?);
            }
        }
        Ok(found)
    }

    /// The user to log in as and the private key, for a guest with this disk; none: rig's own, brought by a seed.
    pub fn way_into(&self, disk: &Disk) -> Option<(String, String)> {
        let Login { user, key } = disk.login.as_ref()?;
        Some((user.clone(), self.keys.get(key)?.clone()))
    }
}

impl OpenDisk {
    /// Opens it and reads it once, for its digest.
    fn open(path: &Path) -> Result<Self, DiskError> {
        let begun = Self::begin(path)?;
        let unreadable = |source| DiskError::Unreadable { path: path.to_owned(), source };
        let sha256 = file_digest(&begun.file).map_err(unreadable)?;
        begun.check_unchanged()?;
        Ok(Self { sha256, ..begun })
    }

    /// Opens it; it is not read whole.
    fn begin(path: &Path) -> Result<Self, DiskError> {
        let path = path.to_owned();
        let unreadable = |source| DiskError::Unreadable { path: path.clone(), source };
        let file = std::fs::File::open(&path).map_err(unreadable)?;
        let file = File::from_parts(file, &path);
        let metadata = file.metadata().map_err(unreadable)?;
        let kind = metadata.file_type();
        if !kind.is_file() {
            let what = if kind.is_dir() {
                "folder"
            } else if kind.is_block_device() {
                "block device, of which rig would not know when it changes"
            } else {
                "special file"
            };
            return Err(DiskError::NoFile { path, what });
        }
        let before = Fingerprint::of(&file).map_err(unreadable)?;
        let mut beginning = vec![0; 512.min(usize::try_from(metadata.len()).unwrap_or(512))];
        file.file().read_exact_at(&mut beginning, 0).map_err(unreadable)?;
        let (format, bytes) = judge(&path, &beginning, metadata.len())?;
        Ok(Self { path: path.clone(), file: Arc::new(file), before, format, bytes, sha256: String::new() })
    }

    /// The file for one more reader, where it is still what was read.
    ///
    /// # Errors
    /// [`DiskError::Changed`], [`DiskError::Unreadable`]
    pub fn reader(&self) -> Result<OwnedFd, DiskError> {
        self.check_unchanged()?;
        // Opened anew: locks of QEMU's are of an open file (fcntl(2), F_OFD_SETLK), and each QEMU has its own.
        let again = std::fs::File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        again.map(OwnedFd::from).map_err(|source| DiskError::Unreadable { path: self.path.clone(), source })
    }

    fn check_unchanged(&self) -> Result<(), DiskError> {
        let path = || self.path.clone();
        let now =
            Fingerprint::of(&self.file).map_err(|source| DiskError::Unreadable { path: path(), source })?;
        if now == self.before { Ok(()) } else { Err(DiskError::Changed { path: path() }) }
    }

    /// An empty image for what one guest writes: a file without a name in `folder`, which is gone when the last descriptor is closed.
    ///
    /// # Errors
    /// [`DiskError::Overlay`]
    pub fn overlay(&self, folder: &Path) -> Result<OwnedFd, DiskError> {
        let made = tempfile::tempfile_in(folder).and_then(|mut file| {
            io::Write::write_all(&mut file, &qcow2::empty_over(self.bytes))?;
            file.rewind().map(|()| file)
        });
        made.map(OwnedFd::from).map_err(|source| DiskError::Overlay { folder: folder.to_owned(), source })
    }

    /// What a record says of it: its file's name and the beginning of its digest.
    pub fn package(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} (sha256 {:.16})", self.sha256)
    }
}

/// Format and size of what begins so.
fn judge(path: &Path, beginning: &[u8], file_bytes: u64) -> Result<(DiskFormat, u64), DiskError> {
    let path = || path.to_owned();
    if beginning.starts_with(&qcow2::MAGIC) {
        let header = &beginning[..beginning.len().min(qcow2::HEADER_BYTES)];
        let bytes = qcow2::virtual_bytes(header).map_err(|unfit| DiskError::Unfit { path: path(), unfit })?;
        return Ok((DiskFormat::Qcow2, bytes));
    }
    if let Some((_, format)) = OTHER_FORMATS.iter().find(|(magic, _)| beginning.starts_with(magic)) {
        return Err(DiskError::Format { path: path(), format });
    }
    match beginning.get(510..512) {
        Some([0x55, 0xaa]) => Ok((DiskFormat::Raw, file_bytes)),
        _ => Err(DiskError::NoBootSector { path: path() }),
    }
}

/// A private key, as libssh2 reads it.
fn read_key(path: &Path) -> Result<String, DiskError> {
    let path = path.to_owned();
    let text =
        fs_err::read_to_string(&path).map_err(|source| DiskError::Key { path: path.clone(), source })?;
    let no_key = |why: &str| DiskError::NoKey { path: path.clone(), why: why.to_owned() };
    if text.contains("BEGIN OPENSSH PRIVATE KEY") {
        let key = ssh_key::PrivateKey::from_openssh(&text).map_err(|error| no_key(&error.to_string()))?;
        if key.is_encrypted() {
            return Err(no_key("it has a passphrase"));
        }
    } else if text.contains("ENCRYPTED") {
        return Err(no_key("it has a passphrase"));
    } else if !(text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----")) {
        return Err(no_key("it has no line `-----BEGIN … PRIVATE KEY-----`"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::image::GuestKeys;

    fn disk(folder: &Path, name: &str, bytes: &[u8]) -> Disk {
        let path = folder.join(name);
        fs_err::write(&path, bytes).unwrap();
        Disk { path: path.display().to_string(), login: None }
    }

    fn open(disk: &Disk) -> Result<OpenDisk, DiskError> {
        Disks::look([disk])?;
        Disks::open([disk]).map(|disks| disks.files.into_values().next().unwrap())
    }

    fn bootable() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        bytes
    }

    #[test]
    fn raw_and_qcow2_disks_are_told_apart_and_measured() {
        let folder = tempfile::tempdir().unwrap();
        let raw = open(&disk(folder.path(), "a.raw", &bootable())).unwrap();
        assert_eq!((raw.format, raw.bytes), (DiskFormat::Raw, 4096));
        assert_eq!(raw.sha256, format!("{:x}", Sha256::digest(bootable())));
        let image = qcow2::empty_over(10 << 30);
        let qcow2 = open(&disk(folder.path(), "a.qcow2", &image)).unwrap();
        assert_eq!((qcow2.format, qcow2.bytes), (DiskFormat::Qcow2, 10 << 30));
        assert!(qcow2.package().starts_with("a.qcow2 (sha256 "));
    }

    #[test]
    fn what_does_not_boot_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let told = |disk: &Disk| {
            let error = open(disk).unwrap_err();
            let help = Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
            (error.to_string(), help)
        };
        let at = |name: &str, bytes: &[u8]| disk(folder.path(), name, bytes);
        let (error, help) = told(&at("root.ext4", &[0; 4096]));
        assert!(error.ends_with("do not end with 55 AA") && help.contains("boot loader"), "{error}: {help}");
        assert!(told(&at("empty", b"")).0.contains("no boot sector"));
        let (error, help) = told(&at("a.vmdk", b"KDMV....."));
        assert!(
            error.ends_with("is vmdk, and rig boots raw and qcow2 disks")
                && help.contains("qemu-img convert")
        );
        assert!(told(&at("a.xz", b"\xfd7zXZ\0....")).0.contains("compressed (xz)"));
        let mut overlay = qcow2::empty_over(1 << 20);
        overlay[15] = 1;
        let (error, help) = told(&at("over.qcow2", &overlay));
        assert!(error.contains("itself an overlay") && help.contains("qemu-img convert"), "{error}: {help}");
        assert!(told(&at("torn.qcow2", b"QFI\xfb\0\0\0\x03")).0.contains("within its header"));
        let here = Disk { path: folder.path().display().to_string(), login: None };
        assert!(told(&here).0.ends_with("it is a folder"));
        let gone = Disk { path: folder.path().join("gone").display().to_string(), login: None };
        assert!(told(&gone).0.starts_with("cannot read the disk "));
    }

    #[test]
    fn a_disk_that_changes_is_noticed_and_an_overlay_leaves_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let named = disk(folder.path(), "a.raw", &bootable());
        let opened = open(&named).unwrap();
        opened.reader().unwrap();
        let overlay = opened.overlay(folder.path()).unwrap();
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "the disk alone");
        let mut header = [0; 4];
        std::fs::File::from(overlay).read_exact(&mut header).unwrap();
        assert_eq!(header, qcow2::MAGIC);
        let mut bytes = bootable();
        bytes.push(0);
        fs_err::write(&named.path, bytes).unwrap();
        assert!(matches!(opened.reader(), Err(DiskError::Changed { .. })));
    }

    #[test]
    fn a_key_must_be_a_private_one_without_a_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let with = |key: &str| {
            fs_err::write(folder.path().join("key"), key).unwrap();
            let login = Login { user: "debian".into(), key: folder.path().join("key").display().to_string() };
            let disk = Disk { login: Some(login), ..disk(folder.path(), "a.raw", &bootable()) };
            Disks::open([&disk]).map(|disks| disks.way_into(&disk).unwrap())
        };
        let keys = GuestKeys::generate();
        let way = with(&keys.user_private_key()).unwrap();
        assert_eq!(way, ("debian".to_owned(), keys.user_private_key()));
        for (key, why) in [
            (keys.authorized_keys(), "it has no line"),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_owned(), "it has a passphrase"),
        ] {
            let error = with(&key).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
