//! The file that a name stands for, and whether the kernel would execute it as it is.
//!
//! Must not know what is in it. Units: none. Errors: [`Fault`]. Tests: `wrong.rs`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::error::Fault;
use super::tree::{shown, special, text, unreadable};
use crate::document::{closest, hint};
use crate::process::{complete_path, find_program};

/// Where the kernel keeps a file's capabilities (capabilities(7)).
const CAPABILITIES: &str = "security.capability";

/// The program's file: an absolute path, its last name not followed where it is a link.
pub(super) fn program(name: &str, directory: &Path) -> Result<PathBuf, Fault> {
    if name.contains('/') {
        return file(name, directory);
    }
    match find_program(name) {
        Some(found) => absolute(&found),
        None => Err(not_on_path(name, directory)),
    }
}

/// A file or folder that the user named.
pub(super) fn file(name: &str, directory: &Path) -> Result<PathBuf, Fault> {
    // Without `.` between: `./client3` is told as it is found.
    let path: PathBuf = directory.join(name).components().collect();
    match fs::metadata(&path) {
        Ok(_) => absolute(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(&path)),
        Err(error) => Err(unreadable(&path)(error)),
    }
}

/// Whether the kernel would execute it, with the rights that it has.
pub(super) fn executable(path: &Path) -> Result<(), Fault> {
    let metadata = fs::metadata(path).map_err(unreadable(path))?;
    let (kind, mode) = (metadata.file_type(), metadata.permissions().mode());
    let path_text = shown(path);
    if kind.is_dir() {
        return Err(Fault::Folder { path: path_text });
    }
    if !kind.is_file() {
        return Err(Fault::Special { path: path_text, kind: special(kind) });
    }
    if mode & 0o111 == 0 {
        return Err(Fault::NotExecutable { path: path_text });
    }
    if metadata.len() == 0 {
        return Err(Fault::Empty { path: path_text });
    }
    if let Some(what) = privileges(path, mode) {
        return Err(Fault::Privileged { path: path_text, what });
    }
    File::open(path).map(drop).map_err(unreadable(path))
}

fn privileges(path: &Path, mode: u32) -> Option<&'static str> {
    if mode & 0o4000 != 0 {
        return Some("is setuid");
    }
    if mode & 0o2000 != 0 {
        return Some("is setgid");
    }
    // Whatever it holds, the program has some. The longest form has 24 bytes.
    let mut value = [0_u8; 64];
    let held = rustix::fs::getxattr(path, CAPABILITIES, &mut value[..]);
    held.is_ok_and(|bytes| bytes > 0).then_some("has file capabilities")
}

/// Without `.` and `..`. Links stay as they were written: a guest gets them too, and some programs do what their name says.
fn absolute(path: &Path) -> Result<PathBuf, Fault> {
    let plain: PathBuf = path.components().collect();
    let leads_up = plain.components().any(|component| component == Component::ParentDir);
    let real = match (plain.parent(), plain.file_name()) {
        (Some(folder), Some(name)) if leads_up => {
            fs::canonicalize(folder).map_err(unreadable(folder))?.join(name)
        }
        (_, None) => fs::canonicalize(&plain).map_err(unreadable(&plain))?,
        (_, Some(_)) => plain,
    };
    text(&real)?;
    Ok(real)
}

fn missing(path: &Path) -> Fault {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().unwrap_or(Path::new("/"));
    let near = match names_in(folder) {
        Ok(names) => {
            let there_are = format!("in {} there are", folder.display());
            hint(&name, names.iter().map(String::as_str), &there_are)
        }
        Err(_) => format!("there is no folder {}", folder.display()),
    };
    Fault::Missing { path: shown(path), near }
}

fn not_on_path(name: &str, directory: &Path) -> Fault {
    let near = if directory.join(name).exists() {
        format!("there is a file of that name: did you mean `./{name}`?")
    } else {
        let folders: Vec<PathBuf> = std::env::split_paths(&complete_path()).collect();
        let known: BTreeSet<String> =
            folders.iter().filter_map(|folder| names_in(folder).ok()).flatten().collect();
        match closest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`? A file outside of PATH needs a `/`: `./{name}`"),
            None => format!("a file outside of PATH needs a `/`: `./{name}`"),
        }
    };
    Fault::NotOnPath { name: name.to_owned(), near }
}

fn names_in(folder: &Path) -> io::Result<BTreeSet<String>> {
    let names = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.into_string().ok()).collect())
}

/// The file's name, where it is text.
pub(super) fn base(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
