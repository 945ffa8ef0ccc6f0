//! What is in a Debian package: read through `dpkg-deb`, without installing or running anything of it.
//!
//! Must not know recipes or caches. Units: bytes.
//! Errors: [`PackageError`]; it blames the file, or a host without dpkg.
//! Tests: below, with packages built by dpkg-deb where there is one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use thiserror::Error;

use crate::process;

/// Why a package cannot be read.
#[derive(Debug, Error)]
pub enum PackageError {
    /// dpkg-deb does not start.
    #[error("cannot run dpkg-deb")]
    Tool(#[source] io::Error),
    /// Its output is no tar archive.
    #[error("cannot read {}", .path.display())]
    Content {
        /// The package file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// dpkg-deb refuses it.
    #[error("dpkg-deb cannot read {}: {said}", .path.display())]
    Refused {
        /// The package file.
        path: PathBuf,
        /// Its words.
        said: String,
    },
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link and its target.
    Symlink(String),
}

/// Files by their path, relative and without a leading `./`.
pub type Files = BTreeMap<String, Node>;

/// The files of the package at `path` that `keep` wants. Directories and devices are left out.
pub fn read(path: &Path, keep: impl Fn(&str) -> bool) -> Result<Files, PackageError> {
    let mut command = Command::new(process::program_file("dpkg-deb"));
    command.env("PATH", process::complete_path()).arg("--fsys-tarfile").arg(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::contain(&mut command).spawn().map_err(PackageError::Tool)?;
    let stdout = child.stdout.take().expect("its standard output is a pipe");
    let files = unpack(stdout, &keep);
    let said =
        finish(&mut child).map_err(|source| PackageError::Content { path: path.to_owned(), source })?;
    // What dpkg-deb says is nearer to the cause than that the archive ends early.
    if let Some(said) = said {
        return Err(PackageError::Refused { path: path.to_owned(), said });
    }
    files.map_err(|source| PackageError::Content { path: path.to_owned(), source })
}

/// Waits for the child; what it said on standard error when it failed.
fn finish(child: &mut Child) -> io::Result<Option<String>> {
    let mut said = String::new();
    if let Some(stderr) = child.stderr.as_mut() {
        stderr.read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    Ok((!status.success()).then(|| format!("{} ({status})", said.trim())))
}

/// The files of a tar archive that `keep` wants, as [`read`] has them from dpkg-deb.
///
/// # Errors
/// It is no tar archive, or ends early.
pub fn unpack(mut input: impl Read, keep: &impl Fn(&str) -> bool) -> io::Result<Files> {
    let mut files = Files::new();
    {
        let mut archive = tar::Archive::new(&mut input);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Some(path) = relative(&entry.path()?) else { continue };
            if !keep(&path) {
                continue;
            }
            let node = match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    Some(Node::File(bytes))
                }
                tar::EntryType::Symlink => {
                    entry.link_name()?.map(|target| Node::Symlink(target.to_string_lossy().into_owned()))
                }
                // A second name of a file that came before.
                tar::EntryType::Link => {
                    let first = entry.link_name()?.and_then(|target| relative(&target));
                    first.and_then(|first| files.get(&first).cloned())
                }
                _ => None,
            };
            if let Some(node) = node {
                files.insert(path, node);
            }
        }
    }
    // dpkg-deb would die of a closed pipe in the middle of the padding.
    io::copy(&mut input, &mut io::sink())?;
    Ok(files)
}

fn relative(path: &Path) -> Option<String> {
    let path = path.to_str()?;
    let path = path.strip_prefix("./").unwrap_or(path).trim_matches('/');
    (!path.is_empty() && path != ".").then(|| path.to_owned())
}

/// The file at `path` in `files`, through symbolic links as the packages' own file system has them. The path may be absolute.
pub fn resolve<'a>(files: &'a Files, path: &str) -> Option<&'a [u8]> {
    // Merged /usr: what packages ship in /lib may be asked for in /usr/lib, and the other way round.
    let mut path = normal(path);
    for _ in 0..8 {
        let other = match path.strip_prefix("usr/") {
            Some(rest) => rest.to_owned(),
            None => format!("usr/{path}"),
        };
        let (at, node) = files.get_key_value(&path).or_else(|| files.get_key_value(&other))?;
        match node {
            Node::File(bytes) => return Some(bytes),
            Node::Symlink(target) if target.starts_with('/') => path = normal(target),
            Node::Symlink(target) => {
                let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
                path = normal(&format!("{folder}/{target}"));
            }
        }
    }
    None
}

/// The release of the kernel that lies at this path of a package; none where no kernel does. Debian's kernels have it in /boot, those since 7.2
/// beside their modules.
pub(super) fn kernel_release(path: &str) -> Option<&str> {
    let beside =
        || path.strip_prefix("usr/").unwrap_or(path).strip_prefix("lib/modules/")?.strip_suffix("/vmlinuz");
    let release = path.strip_prefix("boot/vmlinuz-").or_else(beside)?;
    (!release.is_empty() && !release.contains('/')).then_some(release)
}

/// The release of the kernel whose configuration lies at this path of a package; none where none does. Debian has it in /boot, since 7.2 beside the modules.
pub(super) fn config_release(path: &str) -> Option<&str> {
    let beside =
        || path.strip_prefix("usr/").unwrap_or(path).strip_prefix("lib/modules/")?.strip_suffix("/config");
    path.strip_prefix("boot/config-").or_else(beside).filter(|release| !release.contains('/'))
}

fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Files {
        Files::from([
            ("lib/x86_64-linux-gnu/libc.so.6".to_owned(), Node::File(b"c".to_vec())),
            ("lib64/ld.so".to_owned(), Node::Symlink("/lib/x86_64-linux-gnu/libc.so.6".to_owned())),
            ("usr/lib/libz.so.1".to_owned(), Node::Symlink("../lib/libz.so.1.2".to_owned())),
            ("usr/lib/libz.so.1.2".to_owned(), Node::File(b"z".to_vec())),
            ("loop".to_owned(), Node::Symlink("loop".to_owned())),
        ])
    }

    #[test]
    fn links_are_followed_also_across_merged_usr() {
        let files = sample();
        assert_eq!(resolve(&files, "/lib64/ld.so"), Some(&b"c"[..]));
        assert_eq!(resolve(&files, "usr/lib/libz.so.1"), Some(&b"z"[..]));
        assert_eq!(resolve(&files, "/usr/lib/x86_64-linux-gnu/libc.so.6"), Some(&b"c"[..]));
        assert_eq!(resolve(&files, "/lib/libz.so.1"), Some(&b"z"[..]));
        assert_eq!(resolve(&files, "loop"), None);
        assert_eq!(resolve(&files, "gone"), None);
    }

    #[test]
    fn a_kernel_is_known_by_its_place() {
        assert_eq!(kernel_release("boot/vmlinuz-6.1.0-50-cloud-amd64"), Some("6.1.0-50-cloud-amd64"));
        assert_eq!(kernel_release("usr/lib/modules/7.3.4+deb13/vmlinuz"), Some("7.3.4+deb13"));
        assert_eq!(kernel_release("lib/modules/6.1/vmlinuz"), Some("6.1"));
        for other in
            ["boot/vmlinuz-", "boot/config-6.1", "usr/lib/modules/7.3/a/vmlinuz", "usr/lib/modules/vmlinuz"]
        {
            assert_eq!(kernel_release(other), None, "{other}");
        }
        assert_eq!(config_release("boot/config-6.1.0-50"), Some("6.1.0-50"));
        assert_eq!(config_release("usr/lib/modules/7.3/config"), Some("7.3"));
        assert_eq!(config_release("lib/modules/7.3/kernel/config"), None);
    }

    fn build(folder: &Path) -> Option<PathBuf> {
        let tree = folder.join("tree");
        fs_err::create_dir_all(tree.join("DEBIAN")).unwrap();
        fs_err::create_dir_all(tree.join("usr/bin")).unwrap();
        fs_err::write(
            tree.join("DEBIAN/control"),
            "Package: t\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: t\n",
        )
        .unwrap();
        fs_err::write(tree.join("usr/bin/one"), "one").unwrap();
        fs_err::hard_link(tree.join("usr/bin/one"), tree.join("usr/bin/two")).unwrap();
        fs_err::os::unix::fs::symlink("one", tree.join("usr/bin/three")).unwrap();
        let deb = folder.join("t.deb");
        let built = Command::new("dpkg-deb")
            .args(["--build", "--root-owner-group"])
            .arg(&tree)
            .arg(&deb)
            .output()
            .ok()?;
        assert!(built.status.success(), "{built:?}");
        Some(deb)
    }

    #[test]
    fn reads_what_is_wanted_of_a_real_package() {
        let folder = tempfile::tempdir().unwrap();
        let Some(deb) = build(folder.path()) else {
            eprintln!("skipped: no dpkg-deb here");
            return;
        };
        let files = read(&deb, |_| true).unwrap();
        let one = Node::File(b"one".to_vec());
        let wanted = Files::from([
            ("usr/bin/one".to_owned(), one.clone()),
            ("usr/bin/three".to_owned(), Node::Symlink("one".to_owned())),
            ("usr/bin/two".to_owned(), one),
        ]);
        assert_eq!(files, wanted);
        assert_eq!(read(&deb, |path| path.ends_with("three")).unwrap().len(), 1);
    }

    #[test]
    fn damage_is_said_with_the_words_of_dpkg() {
        let folder = tempfile::tempdir().unwrap();
        let Some(deb) = build(folder.path()) else {
            eprintln!("skipped: no dpkg-deb here");
            return;
        };
        let bytes = fs_err::read(&deb).unwrap();
        fs_err::write(&deb, &bytes[..bytes.len() / 2]).unwrap();
        let error = read(&deb, |_| true).unwrap_err();
        assert!(matches!(error, PackageError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("t.deb"), "{error}");
        assert!(matches!(read(&folder.path().join("gone.deb"), |_| true), Err(PackageError::Refused { .. })));
    }
}
