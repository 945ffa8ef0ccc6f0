//! What a guest boots: a kernel with an initramfs of rig's, or a disk of the user's with its own.
//!
//! Must not know where either comes from. Units: bytes. Errors: `io::Error` of the call that failed.
//! Tests: below; `tests/qemu.rs`, `tests/disk.rs` (real guests).

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::argv::Boot;
use crate::configuration::DiskFormat;
use crate::process::Sealed;

/// What a guest boots.
#[derive(Debug)]
pub enum Medium {
    /// A kernel that QEMU loads, with an initramfs that is the whole system.
    Kernel {
        /// A bzImage.
        kernel: Sealed,
        /// What `uname -r` must say in it.
        release: Option<String>,
        /// The image's initramfs.
        initramfs: Sealed,
        /// A cpio archive (newc, not compressed) that is unpacked over it: this run's keys. May be empty.
        overlay: Vec<u8>,
    },
    /// A disk, by the machine's firmware.
    Disk {
        /// Read only.
        disk: OwnedFd,
        /// How its bytes are laid out.
        format: DiskFormat,
        /// How large the guest sees it, in bytes.
        bytes: u64,
        /// An empty qcow2 image of that size, open for writing: what the guest writes. It lives as long as this descriptor and QEMU's.
        overlay: OwnedFd,
        /// The image of a second disk, with a seed for cloud-init; none where there is another way in.
        seed: Option<Vec<u8>>,
    },
}

/// The descriptors of a medium as QEMU gets them.
#[derive(Debug)]
pub(super) struct Inserted<'a> {
    lent: Vec<BorrowedFd<'a>>,
    made: Option<OwnedFd>,
    boot: Boot,
}

impl Medium {
    /// What `uname -r` must say in the guest, where that is known before.
    pub(super) fn release(&self) -> Option<&str> {
        match self {
            Self::Kernel { release, .. } => release.as_deref(),
            Self::Disk { .. } => None,
        }
    }

    /// The largest file that QEMU may write: an overlay holds the disk at most once, and what leads to it.
    pub(super) fn writes_bytes(&self) -> u64 {
        const AROUND_BYTES: u64 = 64 << 20;
        match self {
            Self::Kernel { .. } => 0,
            Self::Disk { bytes, .. } => bytes + bytes / 64 + AROUND_BYTES,
        }
    }

    /// Makes what it needs in memory.
    pub(super) fn insert(&self) -> io::Result<Inserted<'_>> {
        match self {
            Self::Kernel { kernel, initramfs, overlay, .. } => {
                let joined = join_initramfs(initramfs, overlay)?;
                let boot = Boot::Kernel { kernel: kernel.as_fd().as_raw_fd(), initramfs: joined.as_raw_fd() };
                Ok(Inserted { lent: vec![kernel.as_fd()], made: Some(joined), boot })
            }
            Self::Disk { disk, format, overlay, seed, .. } => {
                let seed = seed.as_deref().map(read_only).transpose()?;
                let boot = Boot::Disk {
                    disk: disk.as_raw_fd(),
                    format: *format,
                    overlay: overlay.as_raw_fd(),
                    seed: seed.as_ref().map(AsRawFd::as_raw_fd),
                };
                Ok(Inserted { lent: vec![disk.as_fd(), overlay.as_fd()], made: seed, boot })
            }
        }
    }
}

impl Inserted<'_> {
    /// By their numbers.
    pub(super) fn boot(&self) -> Boot {
        self.boot
    }

    /// Those that QEMU inherits.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.lent.iter().copied().chain(self.made.as_ref().map(AsFd::as_fd))
    }
}

fn in_memory(name: &str, pieces: &[&[u8]]) -> io::Result<OwnedFd> {
    let memory = memfd_create(name, MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?;
    let mut file = std::fs::File::from(memory);
    pieces.iter().try_for_each(|piece| file.write_all(piece))?;
    Ok(file.into())
}

/// Opened anew, for reading alone: of a set of descriptors (`-add-fd`) QEMU takes the one whose access is what it wants.
fn read_only(bytes: &[u8]) -> io::Result<OwnedFd> {
    let written = in_memory("rig-seed", &[bytes])?;
    let again = std::fs::File::open(format!("/proc/self/fd/{}", written.as_raw_fd()))?;
    Ok(again.into())
}

/// The image's initramfs with the overlay behind it, in memory: this run's keys never touch a disk.
///
/// The kernel looks for a further archive at the next multiple of 4 bytes and skips zeros before it (init/initramfs.c).
fn join_initramfs(base: &Sealed, overlay: &[u8]) -> io::Result<OwnedFd> {
    let mut joined = std::fs::File::from(in_memory("rig-initramfs", &[])?);
    base.copy_to(&mut joined)?;
    let padding = base.bytes().next_multiple_of(4) - base.bytes();
    joined.write_all(&[0; 4][..usize::try_from(padding).expect("padding is under 4")])?;
    joined.write_all(overlay)?;
    Ok(joined.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn the_overlay_begins_at_the_next_multiple_of_four() {
        for (bytes, joined) in [("", "over"), ("12345", "12345\0\0\0over"), ("12345678", "12345678over")] {
            let base = Sealed::of(bytes.as_bytes()).unwrap();
            let mut file = std::fs::File::from(join_initramfs(&base, b"over").unwrap());
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, joined);
        }
    }

    #[test]
    fn a_guest_without_a_disk_writes_no_file() {
        let sealed = || Sealed::of(&b""[..]).unwrap();
        let kernel = Medium::Kernel { kernel: sealed(), release: None, initramfs: sealed(), overlay: vec![] };
        assert_eq!(kernel.writes_bytes(), 0);
        let empty = || in_memory("test", &[]).unwrap();
        let disk = Medium::Disk {
            disk: empty(),
            format: DiskFormat::Raw,
            bytes: 1 << 30,
            overlay: empty(),
            seed: Some(vec![7; 512]),
        };
        assert!(disk.writes_bytes() > 1 << 30);
        let inserted = disk.insert().unwrap();
        assert_eq!(inserted.descriptors().count(), 3);
        let Boot::Disk { seed: Some(seed), .. } = inserted.boot() else { panic!("{inserted:?}") };
        assert_eq!(std::fs::read(format!("/proc/self/fd/{seed}")).unwrap(), [7; 512]);
    }
}
