//! What differs from guest to guest of one image: keys and /etc/localtime, as a second archive behind the base initramfs.
//!
//! The kernel unpacks archives one after the other (buffer-format.rst). Must not know cells or QEMU. Units: bytes.
//! Errors: none. Format of /etc/localtime: tzfile(5), RFC 8536.
//! Tests: below; booted in `tests/qemu.rs`.

use super::cpio::{Archive, Entry};
use super::keys::GuestKeys;
use crate::configuration::Localtime;

/// The guest's own part of an initramfs.
#[derive(Debug, Clone)]
pub struct Overlay {
    /// dropbear's ed25519 host key.
    pub host_key: Vec<u8>,
    /// Who may log in.
    pub authorized_keys: String,
    /// Whether there is an /etc/localtime.
    pub localtime: Localtime,
}

impl Overlay {
    /// For a guest with these keys.
    pub fn new(keys: &GuestKeys, localtime: Localtime) -> Self {
        Self { host_key: keys.dropbear_host_key(), authorized_keys: keys.authorized_keys(), localtime }
    }

    /// As a cpio archive, to be put behind the base initramfs.
    pub fn to_cpio(&self) -> Vec<u8> {
        let mut archive = Archive::default();
        // dropbear wants root's home and what is in it to be root's alone.
        for private in ["root", "root/.ssh", "etc/dropbear"] {
            archive.insert(private, Entry::Directory { mode: 0o700 });
        }
        archive.file("root/.ssh/authorized_keys", 0o600, self.authorized_keys.as_str());
        archive.file("etc/dropbear/host_ed25519", 0o600, self.host_key.clone());
        match self.localtime {
            Localtime::Present => archive.file("etc/localtime", 0o644, utc_localtime()),
            Localtime::Absent => {}
        }
        archive.to_bytes()
    }
}

/// The /etc/localtime of every guest that has one, and of the host's target: a version 2 TZif file that says UTC: one local time type and no transition, once with 32-bit and once with 64-bit times.
pub fn utc_localtime() -> Vec<u8> {
    let mut block = b"TZif2".to_vec();
    block.extend_from_slice(&[0; 15]);
    // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
    for count in [0_u32, 0, 0, 0, 1, 4] {
        block.extend_from_slice(&count.to_be_bytes());
    }
    // Offset from UTC in seconds, daylight saving, index of the designation.
    block.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    block.extend_from_slice(b"UTC\0");
    let mut file = block.repeat(2);
    file.extend_from_slice(b"\nUTC0\n");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn localtime_is_there_or_not() {
        let keys = GuestKeys::generate();
        let with = Overlay::new(&keys, Localtime::Present).to_cpio();
        let without = Overlay::new(&keys, Localtime::Absent).to_cpio();
        assert!(contains(&with, b"etc/localtime\0") && contains(&with, b"TZif2"));
        assert!(!contains(&without, b"localtime"));
        for archive in [&with, &without] {
            assert!(contains(archive, &keys.dropbear_host_key()));
            assert!(contains(archive, keys.authorized_keys().as_bytes()));
            assert!(!contains(archive, keys.user_private_key().as_bytes()));
        }
    }

    /// RFC 8536 3.1: the lengths that the header gives must lead exactly to the second header and to the footer.
    #[test]
    fn the_time_zone_file_adds_up() {
        let file = utc_localtime();
        let mut at = 0;
        for time_size in [4, 8] {
            assert_eq!(&file[at..at + 5], b"TZif2");
            let count = |index: usize| {
                let from = at + 20 + 4 * index;
                u32::from_be_bytes(file[from..from + 4].try_into().unwrap()) as usize
            };
            let [isut, isstd, leap, times, types, chars] = [0, 1, 2, 3, 4, 5].map(count);
            assert!(types >= 1, "at least one local time type");
            at += 44 + times * time_size + times + types * 6 + chars + leap * (time_size + 4) + isstd + isut;
        }
        assert_eq!(&file[at..], b"\nUTC0\n");
    }

    /// The C library's own reader takes it for UTC.
    #[test]
    fn the_c_library_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let zone = folder.path().join("zone");
        fs_err::write(&zone, utc_localtime()).unwrap();
        let output = std::process::Command::new("date")
            .args(["-d@0", "+%H:%M %Z"])
            .env("TZ", format!(":{}", zone.display()))
            .output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), "00:00 UTC\n");
    }
}
