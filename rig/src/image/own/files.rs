//! The files of a kernel that was installed somewhere: in a folder, or in packages.
//!
//! Must not know what a guest needs of them. Units: bytes. Errors: [`OwnError`]. Tests: in `own.rs`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::config::Config;
use super::error::OwnError;
use crate::image::modules::{Content, ModuleTree};
use crate::image::package::{self, Node, config_release, kernel_release};

/// Files by their path, seen from the root of the system that they are of.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Content>);

/// What may be a module.
fn is_module(path: &str) -> bool {
    [".ko", ".ko.xz", ".ko.gz", ".ko.zst"].iter().any(|end| path.ends_with(end))
}

fn is_of_a_kernel(path: &str) -> bool {
    kernel_release(path).is_some()
        || config_release(path).is_some()
        || is_module(path)
        || path.ends_with("/modules.builtin")
}

impl Files {
    /// Of the system whose root is this folder.
    pub(super) fn of_root(root: &Path) -> Result<Self, OwnError> {
        let mut files = Self::default();
        for folder in ["boot", "lib/modules", "usr/lib/modules"] {
            // What is a link is another name of what is looked at too.
            let at = root.join(folder);
            if at.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                walk(&at, &mut |file| files.take(root, file)).map_err(unreadable(&at))?;
            }
        }
        Ok(files)
    }

    /// Of the modules' folder of one release, wherever it lies.
    pub(super) fn of_modules(folder: &Path, release: &str) -> Result<Self, OwnError> {
        let mut files = Self::default();
        walk(folder, &mut |file| {
            let Some(path) = file.strip_prefix(folder).ok().and_then(Path::to_str) else { return };
            files.keep(&format!("lib/modules/{release}/{path}"), file);
        })
        .map_err(unreadable(folder))?;
        Ok(files)
    }

    fn take(&mut self, root: &Path, file: &Path) {
        if let Some(path) = file.strip_prefix(root).ok().and_then(Path::to_str) {
            self.keep(path, file);
        }
    }

    fn keep(&mut self, path: &str, file: &Path) {
        if is_of_a_kernel(path) {
            self.0.insert(path.to_owned(), Content::File(file.to_owned()));
        }
    }

    /// Of these packages, which were asked for as `asked`.
    pub(super) fn of_packages(packages: &[PathBuf], asked: &Path) -> Result<Self, OwnError> {
        let mut files = Self::default();
        for package in packages {
            let read = package::read(package, is_of_a_kernel)
                .map_err(|source| OwnError::Package { path: asked.to_owned(), source })?;
            let contents = read.into_iter().filter_map(|(path, node)| match node {
                Node::File(bytes) => Some((path, Content::Bytes(bytes))),
                Node::Symlink(_) => None,
            });
            files.0.extend(contents);
        }
        Ok(files)
    }

    /// The one kernel among them: where it lies among them. `asked` is what was given for them.
    pub(super) fn kernel(&self, asked: &Path) -> Result<&str, OwnError> {
        let found: Vec<(&str, &str)> =
            self.0.keys().filter_map(|path| Some((path.as_str(), kernel_release(path)?))).collect();
        let mut releases: Vec<String> = found.iter().map(|(_, release)| (*release).to_owned()).collect();
        releases.sort();
        releases.dedup();
        match (releases.len(), found.first()) {
            (1, Some((path, _))) => Ok(path),
            (_, None) => Err(OwnError::NoKernel { path: asked.to_owned() }),
            _ => Err(OwnError::Several { path: asked.to_owned(), releases }),
        }
    }

    /// The content of one of them.
    pub(super) fn read(&self, path: &str, asked: &Path) -> Result<Vec<u8>, OwnError> {
        match self.0.get(path) {
            Some(Content::Bytes(bytes)) => Ok(bytes.clone()),
            Some(Content::File(file)) => fs_err::read(file).map_err(unreadable(file)),
            None => Err(unreadable(&asked.join(path))(io::ErrorKind::NotFound.into())),
        }
    }

    /// The configuration of this release, where it lies among them.
    pub(super) fn config(&self, release: &str, asked: &Path) -> Result<Option<Config>, OwnError> {
        let Some(path) = self.0.keys().find(|path| config_release(path) == Some(release)) else {
            return Ok(None);
        };
        Ok(Some(Config::parse(&self.read(path, asked)?, format!("{path} of {}", asked.display()))))
    }

    /// The modules of this release.
    pub(super) fn modules(self, release: &str, asked: &Path) -> Result<ModuleTree, OwnError> {
        let of = |path: &str| {
            let path = path.strip_prefix("usr/").unwrap_or(path).to_owned();
            path.strip_prefix("lib/modules/")
                .and_then(|rest| rest.strip_prefix(release))
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let list = self.0.keys().find(|path| of(path) && path.ends_with("/modules.builtin"));
        let builtin = list.map(|path| self.read(path, asked)).transpose()?.unwrap_or_default();
        let files = self.0.into_iter().filter(|(path, _)| of(path) && is_module(path));
        Ok(ModuleTree::new(release, &String::from_utf8_lossy(&builtin), files))
    }
}

/// For `map_err` on a file at this path.
pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> OwnError {
    move |source| OwnError::Unreadable { path: path.to_owned(), source }
}

/// Every regular file below `folder`; links are not followed: `build` and `source` of a modules' folder lead out of it.
fn walk(folder: &Path, found: &mut dyn FnMut(&Path)) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else if kind.is_file() {
            found(&entry.path());
        }
    }
    Ok(())
}
