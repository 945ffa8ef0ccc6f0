//! rig in a plain chroot, whose root folder is no mount point: what needs mounts of its own works there as elsewhere.
//!
//! The tree is made of mounts in a mount namespace that ends with the test. Nothing is ever removed recursively: the folders below the tree are this host's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::host::with_private_mounts;

/// Folders of the tree that are mount points.
const FOLDERS: [&str; 9] = ["usr", "etc", "dev", "proc", "sys", "tmp", "run", "var", "rig"];
/// What is a link into /usr on this host.
const LINKS: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// An empty tree. It goes away folder by folder, by rmdir(2), which takes nothing that has something in it.
struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap().keep();
        FOLDERS.iter().for_each(|name| fs::create_dir(root.join(name)).unwrap());
        for name in LINKS {
            if let Ok(to) = fs::read_link(Path::new("/").join(name)) {
                std::os::unix::fs::symlink(to, root.join(name)).unwrap();
            }
        }
        Self(root)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        LINKS.iter().for_each(|name| drop(fs::remove_file(self.0.join(name))));
        FOLDERS.iter().for_each(|name| drop(fs::remove_dir(self.0.join(name))));
        let _ = fs::remove_dir(&self.0);
    }
}

/// Mounts what rig needs. In a mount namespace that is private.
fn furnish(root: &Path) {
    let script = r#"
        for name in usr etc; do mount --bind "/$name" "$1/$name"; mount -o remount,bind,ro "$1/$name"; done
        mount --bind "$2" "$1/rig"; mount -o remount,bind,ro "$1/rig"
        mount --rbind /dev "$1/dev"; mount --rbind /sys "$1/sys"; mount -t proc proc "$1/proc"
        for name in tmp run var; do mount -t tmpfs tmpfs "$1/$name"; done
    "#;
    let rig = Path::new(env!("CARGO_BIN_EXE_rig")).parent().unwrap();
    let done = Command::new("sh").args(["-ec", script, "sh"]).arg(root).arg(rig).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_plain_chroot_is_as_good_as_a_root_of_its_own() {
    let tree = Tree::new();
    let root = tree.0.clone();
    with_private_mounts(move || {
        furnish(&root);
        let inside = |words: &[&str]| {
            let mut rig = Command::new("chroot");
            rig.arg(&root).arg("/rig/rig").args(words).env("HOME", "/tmp").current_dir("/");
            rig.output().unwrap()
        };
        let doctor: Json = serde_json::from_slice(&inside(&["doctor", "--format", "json"]).stdout).unwrap();
        let mounts = doctor["capabilities"].as_array().unwrap().iter().find(|one| one["name"] == "mounts");
        assert_eq!(mounts.unwrap()["state"], "usable", "{mounts:?}");

        let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let words = ["scenario", "run", "rst", "client_delay=10ms", "--trials", "20", "--format", "json"];
        let run = inside(&words);
        let said: Json =
            serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        assert_eq!(said["trials"], 20, "{said}");
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before, "a mount is seen outside");
    });
}
