//! A reproducible "newc" cpio archive, the format of an initramfs (Linux: Documentation/driver-api/early-userspace/buffer-format.rst).
//!
//! The same entries give the same bytes: sorted paths, mtime 0, owner root, sequential inode numbers.
//! Must not know what the files are for. Units: bytes.
//! Errors: none; a path that cannot be stored is a bug of the caller and panics.
//! Tests: below, with golden bytes, and GNU cpio or busybox where there is one.

use std::collections::BTreeMap;

/// One thing in an archive. Modes are permission bits only; the file type is the variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: String,
    },
    /// A character device.
    Device {
        /// Permission bits.
        mode: u32,
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Archive members are padded to this, headers with their names too (buffer-format.rst: ALGN(4)).
const MEMBER_ALIGNMENT: usize = 4;

/// Whole archives are padded to this, so that another one may follow (the kernel wants 4, cpio programs want 512).
const ARCHIVE_ALIGNMENT: usize = 512;

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// The files of an initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archive {
    // Byte order puts a directory before what is in it, which is what the kernel needs: it does not make parents.
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Puts `entry` at `path` (relative, without a leading slash), replacing what is there. Missing parent directories are made
    /// with mode 0755.
    ///
    /// # Panics
    /// When the path is empty, absolute, holds a NUL byte or has a component that is empty, `.` or `..`.
    pub fn insert(&mut self, path: &str, entry: Entry) {
        assert!(
            !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | "..")),
            "an archive path is relative and normal: {path:?}"
        );
        for (end, _) in path.match_indices('/') {
            self.entries.entry(path[..end].to_owned()).or_insert(Entry::Directory { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Shorthand for a regular file.
    pub fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.insert(path, Entry::File { mode, bytes: bytes.into() });
    }

    /// What is at `path`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All paths in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The archive, ending in zeros up to a multiple of 512 bytes, so that another archive may be appended.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            write_member(&mut out, inode, path, entry);
        }
        write_header(&mut out, &Header { links: 1, ..Header::default() }, "TRAILER!!!");
        pad(&mut out, ARCHIVE_ALIGNMENT);
        out
    }
}

#[derive(Debug, Default)]
struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    size: u32,
    major: u32,
    minor: u32,
}

fn write_member(out: &mut Vec<u8>, inode: u32, path: &str, entry: &Entry) {
    let header = Header { inode, links: 1, ..Header::default() };
    let (header, data): (Header, &[u8]) = match entry {
        Entry::Directory { mode } => (Header { mode: DIRECTORY | mode, links: 2, ..header }, &[]),
        Entry::File { mode, bytes } => (Header { mode: REGULAR | mode, ..header }, bytes),
        Entry::Symlink { target } => (Header { mode: SYMLINK | 0o777, ..header }, target.as_bytes()),
        Entry::Device { mode, major, minor } => {
            (Header { mode: CHARACTER_DEVICE | mode, major: *major, minor: *minor, ..header }, &[])
        }
    };
    let size = u32::try_from(data.len()).expect("a file of an initramfs is far below 4 GiB");
    write_header(out, &Header { size, ..header }, path);
    out.extend_from_slice(data);
    pad(out, MEMBER_ALIGNMENT);
}

fn write_header(out: &mut Vec<u8>, header: &Header, name: &str) {
    let name_size = u32::try_from(name.len() + 1).expect("a path is far below 4 GiB");
    out.extend_from_slice(b"070701");
    // inode, mode, uid, gid, links, mtime, size, device major and minor, special device major and minor, name size, checksum
    let fields = [
        header.inode,
        header.mode,
        0,
        0,
        header.links,
        0,
        header.size,
        0,
        0,
        header.major,
        header.minor,
        name_size,
        0,
    ];
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    pad(out, MEMBER_ALIGNMENT);
}

fn pad(out: &mut Vec<u8>, alignment: usize) {
    out.resize(out.len().next_multiple_of(alignment), 0);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive.file("etc/motd", 0o644, "hello\n");
        archive.insert("bin/sh", Entry::Symlink { target: "busybox".to_owned() });
        archive.insert("dev/console", Entry::Device { mode: 0o600, major: 5, minor: 1 });
        archive
    }

    #[test]
    fn has_the_bytes_of_the_format() {
        let mut archive = Archive::default();
        archive.file("a", 0o644, "hi\n");
        let header = |fields: &str| format!("070701{}", fields.replace(' ', ""));
        let mut wanted = header(
            "00000001 000081a4 00000000 00000000 00000001 00000000 00000003 00000000 00000000 00000000 00000000 00000002 00000000",
        );
        wanted.push_str("a\0hi\n\0");
        wanted.push_str(&header(
            "00000000 00000000 00000000 00000000 00000001 00000000 00000000 00000000 00000000 00000000 00000000 0000000b 00000000",
        ));
        wanted.push_str("TRAILER!!!\0");
        let bytes = archive.to_bytes();
        assert_eq!(&bytes[..wanted.len()], wanted.as_bytes());
        assert_eq!(bytes.len(), 512);
        assert!(bytes[wanted.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn parents_come_before_their_children() {
        let archive = sample();
        let paths: Vec<&str> = archive.paths().collect();
        assert_eq!(paths, ["bin", "bin/sh", "dev", "dev/console", "etc", "etc/motd"]);
    }

    #[test]
    fn a_parent_keeps_the_mode_that_it_was_given() {
        let mut archive = Archive::default();
        archive.insert("root", Entry::Directory { mode: 0o700 });
        archive.file("root/.profile", 0o644, "");
        assert_eq!(archive.get("root"), Some(&Entry::Directory { mode: 0o700 }));
    }

    #[test]
    #[should_panic(expected = "relative and normal")]
    fn refuses_a_path_that_leaves_the_archive() {
        Archive::default().file("../etc/passwd", 0o644, "");
    }

    /// An independent reader: busybox or GNU cpio list what we wrote, also when a second archive follows the first.
    #[test]
    fn other_programs_read_it() {
        let reader = [("cpio", &["-tv"][..]), ("busybox", &["cpio", "-tv"])].into_iter().find_map(
            |(program, arguments)| {
                Command::new(program)
                    .args(arguments)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null())
                    .spawn()
                    .ok()
            },
        );
        let Some(mut reader) = reader else {
            eprintln!("skipped: neither cpio nor busybox here");
            return;
        };
        reader.stdin.take().unwrap().write_all(&sample().to_bytes()).unwrap();
        let output = reader.wait_with_output().unwrap();
        let listing = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{listing}");
        for part in ["etc/motd", "-rw-r--r--", "bin/sh -> busybox", "crw-------", "5,"] {
            assert!(listing.contains(part), "{part} in {listing}");
        }
    }

    proptest! {
        /// Whatever the order of insertion, the bytes are the same.
        #[test]
        fn order_of_insertion_does_not_matter(names in proptest::collection::btree_set("[a-z]{1,6}(/[a-z]{1,6}){0,2}", 1..12), seed: u64) {
            use rand::seq::SliceRandom;
            use rand::SeedableRng;
            // A path that is both file and directory has two meanings; such sets are not what this is about.
            let names: Vec<&String> =
                names.iter().filter(|name| !names.iter().any(|other| other.starts_with(&format!("{name}/")))).collect();
            let mut shuffled = names.clone();
            shuffled.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
            let build = |names: &[&String]| {
                let mut archive = Archive::default();
                for name in names {
                    archive.file(name, 0o644, name.as_bytes());
                }
                archive.to_bytes()
            };
            let bytes = build(&names);
            prop_assert_eq!(&bytes, &build(&shuffled));
            prop_assert_eq!(bytes.len() % 512, 0);
        }
    }
}
