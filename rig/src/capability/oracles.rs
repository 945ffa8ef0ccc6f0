//! The Python environment whose packages judge rig's statistics and its pages: which it is, where it lies, whether it is made.
//!
//! Must not know how it is made (`cli/setup/oracles.rs`), nor what is asked there (`tests/oracles`). Units: none.
//! Errors: none: an environment that is not whole is not there. Tests: below.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::process::NoAnswer;

/// What is installed there: pip's requirements, every version and every file's hash.
pub const REQUIREMENTS: &str = include_str!("../../tests/oracles/requirements.txt");

/// The Python that it is made with: Debian's, for which `python3-venv` is. PATH may name another one, with no wheels for it.
pub const PYTHON: &str = "/usr/bin/python3";

/// Its folder in rig's cache, where other programs have theirs.
pub const FOLDER: &str = "oracles";

/// Written last, with the version of the Python that it was made with.
const MADE: &str = "made-with";

/// An environment for [`REQUIREMENTS`], there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oracles {
    folder: PathBuf,
}

impl Oracles {
    /// That of the cache in this folder. Another list of packages has another folder.
    pub fn of(cache: &Path) -> Self {
        let digest = format!("{:x}", Sha256::digest(REQUIREMENTS.as_bytes()));
        Self { folder: cache.join(FOLDER).join(&digest[..16]) }
    }

    /// Where it is, or will be.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A file of a package, by its path below where packages are installed.
    pub fn file(&self, path: &str) -> Option<PathBuf> {
        let versions = fs_err::read_dir(self.folder.join("lib")).ok()?;
        let mut found = versions.filter_map(|version| {
            Some(version.ok()?.path().join("site-packages").join(path)).filter(|file| file.is_file())
        });
        found.next()
    }

    /// Whether it is whole. A system whose Python has become another one since has none.
    pub fn is_made(&self) -> bool {
        let made_with = fs_err::read_to_string(self.folder.join(MADE));
        made_with.is_ok_and(|version| version_of_python().is_ok_and(|now| now == version))
    }

    /// Says that it is whole.
    ///
    /// # Errors
    /// Where the file cannot be written, or the Python says no version.
    pub fn declare_made(&self) -> std::io::Result<()> {
        let version = version_of_python().map_err(std::io::Error::other)?;
        fs_err::write(self.folder.join(MADE), version)
    }

    /// The packages that somebody chose, with their versions: numpy 2.0.
    pub fn packages() -> Vec<String> {
        let lines = REQUIREMENTS.lines().filter_map(|line| line.split_once("=="));
        lines.map(|(name, rest)| format!("{name} {}", rest.trim_end_matches(['\\', ' ']))).collect()
    }
}

fn version_of_python() -> Result<String, NoAnswer> {
    crate::process::first_line(PYTHON, "--version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_to_a_version_and_to_files() {
        let packages = Oracles::packages();
        for wanted in ["numpy", "scipy", "axe-playwright-python"] {
            assert!(packages.iter().any(|one| one.split(' ').next() == Some(wanted)), "{packages:?}");
        }
        let mut hashes = 0;
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
            match line.trim_end_matches(['\\', ' ']).trim_start().strip_prefix("--hash=sha256:") {
                Some(hash) => {
                    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
                    hashes += 1;
                }
                None => assert_eq!(line.matches("==").count(), 1, "{line}"),
            }
        }
        assert!(hashes >= packages.len(), "{hashes} hashes of {} packages", packages.len());
    }

    #[test]
    fn an_environment_is_there_once_it_is_declared_made() {
        let cache = tempfile::tempdir().expect("a folder");
        let oracles = Oracles::of(cache.path());
        assert!(oracles.folder().starts_with(cache.path().join(FOLDER)) && !oracles.is_made());
        if !Path::new(PYTHON).exists() {
            return;
        }
        fs_err::create_dir_all(oracles.folder()).expect("a new folder");
        assert!(!oracles.is_made());
        oracles.declare_made().expect("it is written");
        assert!(oracles.is_made());
        fs_err::write(oracles.folder().join(MADE), "Python 2.7.18").expect("it is written");
        assert!(!oracles.is_made(), "made with another Python");
        let package = oracles.folder().join("lib/python3.11/site-packages/one");
        fs_err::create_dir_all(&package).expect("a new folder");
        assert_eq!((oracles.file("one"), oracles.file("one/file.js")), (None, None));
        fs_err::write(package.join("file.js"), "").expect("it is written");
        assert_eq!(oracles.file("one/file.js"), Some(package.join("file.js")));
    }
}
