//! Files that a command writes for its user to change: all of them or none, and never over another one.
//!
//! Must not know what is in them. Units: none.
//! Errors: [`Failure`]: exit 2 where something is in the way, 4 where the disk is. Tests: below; `tests/cli_input.rs`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{Exit, Failure};

/// A file to be written.
pub(super) type Fresh = (PathBuf, String);

/// Writes the files and the folders that they need. Where one of them is there already, nothing is written.
pub(super) fn write(files: &[Fresh]) -> Result<(), Failure> {
    let mut taken: Vec<String> = files.iter().filter_map(|(path, _)| in_the_way(path)).collect();
    taken.dedup();
    if !taken.is_empty() {
        let (is, them) = if taken.len() == 1 { ("is", "it") } else { ("are", "them") };
        return Err(Failure::say(
            Exit::Input,
            format!("{} {is} there already; nothing was written", taken.join(", ")),
            format!("move {them} away, or name another place: nothing of yours is overwritten"),
        ));
    }
    let mut written: Vec<&Path> = Vec::new();
    for (path, text) in files {
        if let Err(error) = write_one(path, text) {
            // All or none: what was just made holds nothing of the user's.
            written.iter().for_each(|path| drop(fs::remove_file(path)));
            let what = format!("cannot write {}: {error}; nothing was written", path.display());
            return Err(Failure::say(
                Exit::Testbed,
                what,
                "look at the folder, its permissions and its disk",
            ));
        }
        written.push(path);
    }
    Ok(())
}

/// The file itself, or a file where a folder is needed.
fn in_the_way(path: &Path) -> Option<String> {
    if fs::symlink_metadata(path).is_ok() {
        return Some(path.display().to_string());
    }
    let above = path.ancestors().skip(1).find(|above| fs::metadata(above).is_ok())?;
    (!above.is_dir()).then(|| format!("{} (a file where a folder is needed)", above.display()))
}

fn write_one(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    // `create_new`: what somebody else made meanwhile stays theirs.
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_written_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let files = |names: &[&str]| -> Vec<Fresh> {
            names.iter().map(|name| (at(name), format!("text of {name}"))).collect()
        };
        write(&files(&["one", "below/two"])).expect("nothing is in the way");
        assert_eq!(fs::read_to_string(at("below/two")).expect("there"), "text of below/two");
        fs::write(at("one"), "the user's").expect("written");
        write(&files(&["new", "one"])).expect_err("one is there");
        assert!(!at("new").exists());
        assert_eq!(fs::read_to_string(at("one")).expect("there"), "the user's");
        write(&files(&["new", "one/below"])).expect_err("one is no folder");
        assert!(!at("new").exists());
        std::os::unix::fs::symlink("nowhere", at("link")).expect("a link");
        write(&files(&["link"])).expect_err("a link to nothing is something, too");
    }
}
