//! The page `nightly`, followed word by word: every line of its shell blocks is played, in order, by a shell that stops at the first failure.
//!
//! What belongs to another machine (mail, systemd, a cluster, a registry of images) is a stand-in that writes down how it was called. Root's own folders are not touched.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::blackbox::is_root;
use crate::unit::as_the_service_sees_it;

/// Programs of the page that a test must not start.
const STAND_INS: [&str; 6] = ["mail", "systemctl", "journalctl", "sbatch", "podman", "kubectl"];

/// The shell blocks of a page, joined.
fn script(page: &str) -> String {
    let blocks = page.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_line_of_the_page_works() {
    if !is_root("netns") {
        return;
    }
    as_the_service_sees_it(|| {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        for name in STAND_INS {
            let file = folder.path().join(name);
            fs::write(&file, format!("#!/bin/sh\necho {name} \"$@\" >> {at}/called\necho 1\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        // /usr/local/bin is the test's own; these two are not.
        let script = script(rig::docs::find("nightly").unwrap().text)
            .replace("/etc/systemd/system/", &format!("{at}/"))
            .replace("/etc/default/rig", &format!("{at}/options"))
            // It would fetch images.
            .replace("rig setup --yes\n", "rig setup\n");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script]).current_dir(folder.path()).stdin(Stdio::null());
        bash.env("PATH", format!("{at}:/usr/local/bin:{}", std::env::var("PATH").unwrap()));
        bash.env("HOME", folder.path()).env("NO_COLOR", "1");
        let output = bash.output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        let called = fs::read_to_string(folder.path().join("called")).unwrap();
        let names: BTreeSet<&str> = called.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, BTreeSet::from(STAND_INS), "{called}");
        assert!(
            called.contains(&format!("mail -s rig on this machine root -A {at}/results/nightly.md\n")),
            "{called}"
        );
        assert!(called.contains("--array=0-2") && called.contains("--dependency=afterany:1"), "{called}");
        let runs = rig::record::list(&folder.path().join("results"));
        assert_eq!(runs.len(), 2, "two nights: {said}");
        assert!(
            fs::read_to_string(folder.path().join("options"))
                .unwrap()
                .contains("--notify /usr/local/bin/tell")
        );
    });
}
