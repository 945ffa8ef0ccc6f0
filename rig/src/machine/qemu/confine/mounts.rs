//! What QEMU sees of the file systems: all of the host's, read-only, but for a small /dev of its own and, where it is needed, a way to its file.
//!
//! Holds the mounts that are made between fork and exec, in a mount namespace that ends with QEMU. Must not know QEMU. Units: none.
//! Errors: `io::Error` of the call. Sources: mount_namespaces(7), mount_setattr(2). Tests: below, and in `spawn.rs`.

#![expect(
    unsafe_code,
    reason = "what happens between fork and exec of QEMU: only system calls, no allocation, no lock"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::calls::{check, check_long};

/// For an argument of mount(2) that is not given.
const NOTHING: Option<&CStr> = None;

/// What is in QEMU's /dev, where the host has it.
const NODES: [&CStr; 3] = [c"/dev/null", c"/dev/urandom", c"/dev/kvm"];

/// A way to a file in a folder that others may not enter: an empty folder is mounted over that one, in which only the file's own folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// The folder that others may not enter.
    closed: CString,
    /// The folders below it that lead to `open`, in their order.
    between: Vec<CString>,
    /// What is shown: the program's folder, or the program where that is `closed` itself.
    open: CString,
    is_file: bool,
}

impl Way {
    /// To this file (absolute, links followed), where there is no way for others.
    pub(super) fn to(program: &Path) -> Option<Self> {
        let folder = program.parent()?;
        let enters = |folder: &&Path| {
            !std::fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0)
        };
        let chain: Vec<&Path> = folder.ancestors().collect();
        let closed = chain.iter().rev().copied().find(|folder| !enters(folder))?;
        let is_file = closed == folder || !enters(&folder);
        let open = if is_file { program } else { folder };
        let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).ok();
        let between = chain.iter().rev().filter(|one| one.starts_with(closed) && **one != closed);
        let between = between.filter(|one| **one != open).map(|one| text(one)).collect::<Option<_>>()?;
        Some(Self { closed: text(closed)?, between, open: text(open)?, is_file })
    }

    /// Mounts it. `shown` is what is to be seen there.
    fn make(&self, shown: &Opened) -> io::Result<()> {
        tmpfs(&self.closed)?;
        for folder in &self.between {
            make_folder(folder)?;
        }
        if self.is_file {
            make_file(&self.open)?
        } else {
            make_folder(&self.open)?
        }
        shown.bind(&self.open)
    }
}

/// Moves the caller into mounts of its own: everything as it is and read-only, but for a small /dev and, where it is needed, a way to its file.
pub(super) fn furnish(way: Option<&Way>) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NOTHING, c"/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    // Opened here: what another mount namespace has cannot be bound in this one.
    let nodes = NODES.map(|node| Opened::new(node).ok());
    let shown = way.map(|way| Opened::new(&way.open)).transpose()?;
    tmpfs(c"/dev")?;
    for (name, node) in NODES.iter().zip(&nodes) {
        if let Some(node) = node {
            node.again(name)?;
        }
    }
    if let (Some(way), Some(shown)) = (way, &shown) {
        way.make(shown)?;
    }
    read_only()
}

/// A path, opened so that it can be mounted elsewhere (`O_PATH`).
struct Opened(OwnedFd);

impl Opened {
    fn new(path: &CStr) -> io::Result<Self> {
        // SAFETY: open(2) with a C string; the result is checked, and owned by nobody else.
        unsafe {
            let fd = libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
            check(fd).map(|()| Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// The device again, for everybody; where rig may not make devices, the host's own with the host's permissions.
    fn again(&self, name: &CStr) -> io::Result<()> {
        // SAFETY: all zeroes is a valid stat; fstat(2) fills it; mknod(2) takes a C string and numbers.
        let made = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            check(libc::fstat(self.0.as_raw_fd(), &raw mut stat))?;
            let before = libc::umask(0);
            let made = libc::mknod(name.as_ptr(), libc::S_IFCHR | 0o666, stat.st_rdev);
            libc::umask(before);
            made
        };
        if made == 0 {
            return Ok(());
        }
        make_file(name)?;
        self.bind(name)
    }

    fn bind(&self, place: &CStr) -> io::Result<()> {
        let mut name = [0; 32];
        let opened = own_descriptor(self.0.as_raw_fd(), &mut name);
        Ok(mount(Some(opened), place, NOTHING, MsFlags::MS_BIND, NOTHING)?)
    }
}

/// `/proc/self/fd/N`, without the allocation that `format!` makes.
fn own_descriptor(fd: RawFd, room: &mut [u8; 32]) -> &CStr {
    const FOLDER: &[u8] = b"/proc/self/fd/";
    room[..FOLDER.len()].copy_from_slice(FOLDER);
    let (mut digits, mut count, mut left) = ([0; 10], 0, fd.unsigned_abs());
    loop {
        digits[count] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        (count, left) = (count + 1, left / 10);
        if left == 0 {
            break;
        }
    }
    for (to, digit) in room[FOLDER.len()..].iter_mut().zip(digits[..count].iter().rev()) {
        *to = *digit;
    }
    CStr::from_bytes_until_nul(room).unwrap_or(c"")
}

fn tmpfs(place: &CStr) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    Ok(mount(Some(c"rig"), place, Some(c"tmpfs"), flags, Some(c"mode=0755,size=64k"))?)
}

fn make_folder(path: &CStr) -> io::Result<()> {
    // SAFETY: mkdir(2) and chmod(2) with C strings; the second because of the mask.
    unsafe {
        check(libc::mkdir(path.as_ptr(), 0o755))?;
        check(libc::chmod(path.as_ptr(), 0o755))
    }
}

fn make_file(path: &CStr) -> io::Result<()> {
    // SAFETY: mknod(2) with a C string and numbers.
    check(unsafe { libc::mknod(path.as_ptr(), libc::S_IFREG | 0o444, 0) })
}

/// Every mount of this namespace, since Linux 5.12.
fn read_only() -> io::Result<()> {
    // struct mount_attr of linux/mount.h: attr_set, attr_clr, propagation, userns_fd.
    let attributes = [libc::MOUNT_ATTR_RDONLY, 0, 0, 0];
    let recursive = libc::AT_RECURSIVE.unsigned_abs();
    // SAFETY: the kernel reads as many bytes as it is told, which are there.
    check_long(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            recursive,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_its_name() {
        for fd in [0, 7, 10, 65_535, RawFd::MAX] {
            let mut room = [0; 32];
            assert_eq!(own_descriptor(fd, &mut room).to_str().unwrap(), format!("/proc/self/fd/{fd}"));
        }
    }

    #[test]
    fn a_way_is_made_only_where_there_is_none() {
        assert_eq!(Way::to(Path::new("/bin/sh")), None);
        let folder = tempfile::tempdir().unwrap();
        let folder = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
        let c = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
        // The folder itself is closed (0700): the file alone is shown.
        let alone = Way::to(&folder.join("qemu")).unwrap();
        assert_eq!((alone.closed, alone.open, alone.is_file), (c(&folder), c(&folder.join("qemu")), true));
        fs_err::create_dir_all(folder.join("a/b")).unwrap();
        let way = Way::to(&folder.join("a/b/qemu")).unwrap();
        assert_eq!((way.closed, way.open, way.is_file), (c(&folder), c(&folder.join("a/b")), false));
        assert_eq!(way.between, [c(&folder.join("a"))]);
    }
}
