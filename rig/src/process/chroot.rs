//! A root folder that can be kept private, also in a plain chroot (a debootstrap tree that was entered with chroot(8)).
//!
//! Whether a mount is seen by others is a property of a mount, and the root folder of a plain chroot is none: mount(2) refuses to make it private (EINVAL), and rig
//! could mount nothing. Holds the way out. Must not know what is mounted later. Units: none. Errors: none; where it fails, everything is as it was, and what
//! needs a private mount says so. Sources: chroot(2), mount_namespaces(7), open_tree and move_mount in the kernel's fs/namespace.c. Tests: `tests/trouble/chroot.rs` (root).

#![expect(unsafe_code, reason = "statx(2), open_tree(2) and move_mount(2) have no wrapper in nix")]

use std::env;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, stat};
use nix::unistd::{chdir, chroot, fchdir, geteuid};

/// More folders are never above one another: a path has 4,096 bytes.
const DEEPEST: usize = 2_048;

/// In a plain chroot: moves the process into a mount namespace of its own, in which its root folder is a mount. Elsewhere it does nothing. To be called before
/// there is a second thread.
pub fn leave_plain_chroot() {
    if !geteuid().is_root() || root_is_a_mount() {
        return;
    }
    let Ok(here) = env::current_dir() else { return };
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        return;
    }
    // From here on every mount is a copy: nothing that follows is seen outside.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(root) = open(c"/", flags, Mode::empty()) else { return };
    let _ = make_slaves(&root).and_then(|()| mount_on_itself(&root));
    let _ = chdir(&here);
}

/// Whether the root folder is the root of a mount (statx(2), Linux 5.8). An older kernel does not say it, and is believed to have one.
fn root_is_a_mount() -> bool {
    // SAFETY: all zeroes is a valid statx.
    let mut found: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel reads the C string and fills one statx; both outlive the call.
    let result = unsafe { libc::statx(libc::AT_FDCWD, c"/".as_ptr(), 0, 0, &raw mut found) };
    let mask = libc::STATX_ATTR_MOUNT_ROOT as u64;
    result != 0 || found.stx_attributes_mask & mask == 0 || found.stx_attributes & mask != 0
}

/// Makes every mount of this namespace one that passes nothing on. That takes the root of the namespace, which lies outside of the chroot; the process is back
/// in its own root when this returns, whatever happened.
fn make_slaves(root: &OwnedFd) -> nix::Result<()> {
    let nothing: Option<&str> = None;
    let made =
        climb(root).and_then(|()| mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing));
    enter(root)?;
    made
}

/// Makes the root of the mount namespace the root folder: from a folder outside of one's root, `..` leads up to it.
fn climb(root: &OwnedFd) -> nix::Result<()> {
    // Any folder below the root.
    chroot("/proc")?;
    fchdir(root.as_fd())?;
    for _ in 0..DEEPEST {
        let (below, above) = (stat(".")?, stat("..")?);
        if (below.st_dev, below.st_ino) == (above.st_dev, above.st_ino) {
            return chroot(".");
        }
        chdir("..")?;
    }
    Err(Errno::ELOOP)
}

fn enter(folder: &OwnedFd) -> nix::Result<()> {
    fchdir(folder.as_fd())?;
    chroot(".")
}

/// As `mount --rbind / /`, but without a name for the new mount, and goes into it.
fn mount_on_itself(root: &OwnedFd) -> nix::Result<()> {
    let flags = libc::OPEN_TREE_CLONE as libc::c_int | libc::OPEN_TREE_CLOEXEC as libc::c_int;
    let flags = flags | libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: a descriptor, a C string and flags; the result is checked, and owned by nobody else.
    let copy = unsafe {
        let copy = libc::syscall(libc::SYS_open_tree, root.as_raw_fd(), c"".as_ptr(), flags);
        OwnedFd::from_raw_fd(Errno::result(copy)? as libc::c_int)
    };
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: two descriptors, two C strings and flags.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            copy.as_raw_fd(),
            c"".as_ptr(),
            root.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    };
    Errno::result(moved)?;
    enter(&copy)
}
