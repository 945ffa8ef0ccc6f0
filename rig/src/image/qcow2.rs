//! As much of QEMU's qcow2 as a throw-away overlay needs: what the header of an image says, and an empty image over another one.
//!
//! Pure. Must not open files. Units: bytes; numbers are big-endian. Errors: [`Unfit`], which blames the image.
//! Format: QEMU's docs/interop/qcow2.txt. Tests: below (`qemu-img` reads what is made where it is there); booted in `tests/disk.rs`.

use thiserror::Error;

/// The first bytes of every qcow2 image.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// As much of a file's beginning as [`virtual_bytes`] reads.
pub(super) const HEADER_BYTES: usize = 104;

const CLUSTER_BITS: u32 = 16;
const CLUSTER_BYTES: u64 = 1 << CLUSTER_BITS;
/// One table of the second level (8 bytes for each cluster) leads to so many bytes of the disk.
const L2_REACH_BYTES: u64 = CLUSTER_BYTES * (CLUSTER_BYTES / 8);
const SECTOR_BYTES: u64 = 512;

/// Bits of `incompatible_features`.
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;

/// Why a qcow2 image cannot be booted as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It has less than a header.
    #[error("it ends within its header")]
    Short,
    /// A number that is none of this format's.
    #[error("it says version {0}, and there are 2 and 3")]
    Version(u32),
    /// Parts of it are in another image.
    #[error("it is itself an overlay: it needs a backing file")]
    Backed,
    /// Its data are in another file.
    #[error("its data are in another file")]
    ExternalData,
    /// It needs a password.
    #[error("it is encrypted")]
    Encrypted,
    /// QEMU has found it broken.
    #[error("it is marked as corrupt")]
    Corrupt,
}

/// The size of the disk that an image of this beginning is.
///
/// # Errors
/// [`Unfit`]
pub(super) fn virtual_bytes(header: &[u8]) -> Result<u64, Unfit> {
    let long =
        |at: usize| header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok().map(u64::from_be_bytes));
    let word =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok().map(u32::from_be_bytes));
    let (version, backing) = (word(4).ok_or(Unfit::Short)?, long(8).ok_or(Unfit::Short)?);
    let (size, method) = (long(24).ok_or(Unfit::Short)?, word(32).ok_or(Unfit::Short)?);
    let features = match version {
        2 => 0,
        3 => long(72).ok_or(Unfit::Short)?,
        other => return Err(Unfit::Version(other)),
    };
    if backing != 0 {
        Err(Unfit::Backed)
    } else if features & EXTERNAL_DATA != 0 {
        Err(Unfit::ExternalData)
    } else if method != 0 {
        Err(Unfit::Encrypted)
    } else if features & CORRUPT != 0 {
        Err(Unfit::Corrupt)
    } else {
        Ok(size)
    }
}

/// An empty image for a disk of `base_bytes`: all that it does not hold yet is read from whatever QEMU is told lies below it.
///
/// Clusters of 64 KiB: the header, the table of reference counts, the one block of them that is needed, and the empty first level.
pub(super) fn empty_over(base_bytes: u64) -> Vec<u8> {
    let size = base_bytes.next_multiple_of(SECTOR_BYTES);
    let l1_entries = size.div_ceil(L2_REACH_BYTES).max(1);
    let l1_clusters = (l1_entries * 8).div_ceil(CLUSTER_BYTES);
    let clusters = 3 + l1_clusters;
    let mut image = vec![0; usize::try_from(clusters * CLUSTER_BYTES).expect("some clusters")];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(4, &3_u32.to_be_bytes());
    put(20, &CLUSTER_BITS.to_be_bytes());
    put(24, &size.to_be_bytes());
    put(36, &u32::try_from(l1_entries).expect("a disk of less than 2 EiB").to_be_bytes());
    put(40, &(3 * CLUSTER_BYTES).to_be_bytes());
    put(48, &CLUSTER_BYTES.to_be_bytes());
    put(56, &1_u32.to_be_bytes());
    // Counts of 16 bits, and the length of this header.
    put(96, &4_u32.to_be_bytes());
    put(100, &104_u32.to_be_bytes());
    let cluster = usize::try_from(CLUSTER_BYTES).expect("64 KiB");
    put(cluster, &(2 * CLUSTER_BYTES).to_be_bytes());
    for used in 0..usize::try_from(clusters).expect("some") {
        put(2 * cluster + 2 * used, &1_u16.to_be_bytes());
    }
    image
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn header(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut header = empty_over(5 << 30);
        change(&mut header);
        header.truncate(HEADER_BYTES);
        header
    }

    #[test]
    fn a_header_says_how_large_the_disk_is_and_what_it_needs_besides() {
        assert_eq!(virtual_bytes(&header(|_| ())), Ok(5 << 30));
        assert_eq!(virtual_bytes(&header(|bytes| bytes[7] = 2)), Ok(5 << 30));
        for (at, value, unfit) in [
            (7, 1, Unfit::Version(1)),
            (15, 1, Unfit::Backed),
            (35, 1, Unfit::Encrypted),
            (79, 4, Unfit::ExternalData),
            (79, 2, Unfit::Corrupt),
        ] {
            assert_eq!(virtual_bytes(&header(|bytes| bytes[at] = value)), Err(unfit), "byte {at}");
        }
        for length in [0, 7, 31, 35, 79] {
            assert_eq!(virtual_bytes(&header(|_| ())[..length]), Err(Unfit::Short), "{length}");
        }
    }

    #[test]
    fn the_size_is_of_whole_sectors() {
        assert_eq!(virtual_bytes(&empty_over(1)), Ok(512));
        assert_eq!(virtual_bytes(&empty_over(513)), Ok(1024));
    }

    /// QEMU's own tool finds nothing wrong with it, whatever the size. Not every host has the tool; a guest boots from such an image in `tests/disk.rs`.
    #[test]
    fn qemus_own_tool_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("overlay.qcow2");
        for bytes in [512, 3 << 20, (512 << 20) + 512, 2 << 40, 40 << 40] {
            fs_err::write(&path, empty_over(bytes)).unwrap();
            let Ok(checked) = Command::new("qemu-img").args(["check", "-f", "qcow2"]).arg(&path).output()
            else {
                eprintln!("not on this host: qemu-img, which reads the overlay besides QEMU");
                return;
            };
            let said = String::from_utf8_lossy(&checked.stdout).into_owned();
            assert!(checked.status.success() && said.contains("No errors"), "{bytes}: {said}");
            let info = Command::new("qemu-img").args(["info", "--output=json"]).arg(&path).output().unwrap();
            let info: serde_json::Value = serde_json::from_slice(&info.stdout).unwrap();
            assert_eq!(info["virtual-size"], bytes);
        }
    }
}
