//! What git says a kernel's tree is.
//!
//! Must not know kernels. Units: none. Errors: none: where git says nothing, nothing is known. Tests: below, where there is git.

use std::path::Path;
use std::process::Command;

use super::tool;
use crate::process;

/// `git describe --always --dirty` of the tree, or of the one that it was built from (`make O=FOLDER` leaves a link `source`). None where neither is
/// the top of a work tree, or where git refuses it: it does so for a tree that is another user's.
pub(super) fn describe(tree: &Path) -> Option<String> {
    let linked = tree.join("source");
    // Only its own: a tree that was unpacked below another work tree is none of that.
    let top = [tree, linked.as_path()].into_iter().find(|folder| folder.join(".git").exists())?;
    let mut command = Command::new(process::program_file("git"));
    command.env("PATH", process::complete_path()).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    // What the repository asks to be run is not run.
    command.arg("-C").arg(top).args(["-c", "core.fsmonitor=false"]);
    command.args(["describe", "--always", "--dirty"]);
    let output = tool::run(command, "git", "the description of a tree").ok().filter(tool::Output::success)?;
    let word = output.stdout.trim();
    (!word.is_empty() && word.len() < 256 && !word.contains(char::is_whitespace)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_described_with_whether_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("linux");
        fs_err::create_dir_all(&tree).unwrap();
        assert_eq!(describe(&tree), None);
        let git = |words: &[&str]| {
            let mut command = Command::new("git");
            command.arg("-C").arg(&tree).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(words);
            command.output().map(|output| output.status.success()).unwrap_or(false)
        };
        if !git(&["init", "-q"]) {
            eprintln!("skipped: no git here");
            return;
        }
        fs_err::write(tree.join("a"), "a").unwrap();
        assert!(
            git(&["add", "a"]) && git(&["commit", "-q", "-m", "a"]) && git(&["tag", "-a", "v1", "-m", "v1"])
        );
        assert_eq!(describe(&tree).as_deref(), Some("v1"));
        fs_err::write(tree.join("a"), "b").unwrap();
        assert_eq!(describe(&tree).as_deref(), Some("v1-dirty"));
        let below = tree.join("below");
        fs_err::create_dir_all(&below).unwrap();
        assert_eq!(describe(&below), None, "a folder of another tree");
        fs_err::os::unix::fs::symlink(&tree, below.join("source")).unwrap();
        assert_eq!(describe(&below).as_deref(), Some("v1-dirty"));
    }
}
