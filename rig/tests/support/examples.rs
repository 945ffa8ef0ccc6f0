//! Plays an example of a command's help as its reader would: pasted into a shell, with `rig` in PATH.
//!
//! Must not know which examples there are. Errors: a panic that shows what was said. Used by the tiers that can run them.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rig::cli::{Example, Runs};

/// Runs it in a folder of its own and checks how it ends.
pub(crate) fn play(example: &Example) {
    let folder = tempfile::Builder::new().prefix("rig-example-").tempdir().unwrap();
    furnish(folder.path());
    if example.line.contains("shard-*") {
        pack_a_shard(folder.path());
    }
    let line = without_missing_reader(example.line);
    let bin = folder.path().join("bin");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let here = folder.path().join("here");
    let mut bash = Command::new("bash");
    if matches!(example.runs, Runs::Guest | Runs::Rehearsal) {
        // Images are made once and shared by all tests.
        let own = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(own);
        bash.env("XDG_CACHE_HOME", cache.unwrap());
    } else {
        bash.env_remove("XDG_CACHE_HOME");
    }
    let output = bash
        .args(["-o", "pipefail", "-c", line])
        .current_dir(&here)
        .stdin(Stdio::null())
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "")
        .env("RIG_CALLED_AS", "rig")
        .env_remove("RIG_REHEARSED")
        .output()
        .unwrap();
    let code = output.status.code();
    let allowed = example.ends.iter().any(|end| code == Some(i32::from(*end as u8)));
    assert!(
        allowed,
        "`{line}` ends with {code:?}, not one of {:?}\n{}{}",
        example.ends,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the examples take for granted: the program, a run, a scenario file.
fn furnish(folder: &Path) {
    let of_tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(folder.join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_rig"), folder.join("bin/rig")).unwrap();
    let here = folder.join("here");
    copy(&of_tree.join("tests/golden/runs/format-2"), &here.join("results/20261121-201950-1f3a"));
    fs::copy(of_tree.join("scenarios/rst.toml"), here.join("mine.toml")).unwrap();
}

/// The run as a file that came from elsewhere.
fn pack_a_shard(folder: &Path) {
    let packed = Command::new(folder.join("bin/rig"))
        .args(["results", "export", "--output", "shard-1.tar.gz"])
        .current_dir(folder.join("here"))
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// `rig man X | man -l -` where there is no man: only what rig does.
fn without_missing_reader(line: &str) -> &str {
    let Some((rig, reader)) = line.split_once(" | ") else { return line };
    let program = reader.split(' ').next().unwrap_or_default();
    let there = Command::new(program).arg("--version").output().is_ok();
    if there { line } else { rig }
}
