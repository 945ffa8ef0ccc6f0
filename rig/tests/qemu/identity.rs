//! Scripts of QEMU's name: what they add is seen, whether they become QEMU or start it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rig::configuration::{Executable, NicBackend, NicModel};
use rig::machine::qemu::Guest;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::guest::{Bench, QEMU, TestImage, kill};
use crate::{boot, image_or_return, play, run, support};

const OFF: &str = "virtio-net-pci.mrg_rxbuf=off";

/// Says whether the guest's driver and QEMU agreed on VIRTIO_NET_F_MRG_RXBUF: bit 15 (virtio 1.2, section 5.1.3), so the sixteenth digit.
pub(crate) const MERGEABLE: &str = "cut -c 16 /sys/class/net/data/device/features";

/// A folder for PATH with a script of QEMU's name; `QEMU` in its text stands for the real one's path.
fn wrapper(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let script = fs_err::canonicalize(folder.path()).unwrap().join(QEMU);
    let real = play::program(QEMU);
    fs_err::write(&script, format!("#!/bin/sh\n{}\n", text.replace("QEMU", real.to_str().unwrap()))).unwrap();
    fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, script)
}

/// A guest whose QEMU was asked for by the script's path.
async fn boot_by(script: &Path, bench: &Bench) -> Guest {
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1);
    plan.qemu = script.to_owned();
    boot(plan).await
}

/// What runs is the real QEMU, with what was asked for and what the script adds; and the guest's kernel has it so.
async fn shows_the_option(bench: &Bench, guest: &Guest, script: &Path) {
    let running = guest.running().unwrap();
    assert_eq!(running.executable, Executable::of(&play::program(QEMU)).unwrap());
    let asked = guest.command_line();
    assert_eq!(asked[0], script.to_str().unwrap());
    let (own, added) = running.command_line[1..].split_at(asked.len() - 1);
    assert_eq!(own, &asked[1..]);
    assert_eq!(added, ["-global", OFF]);
    let exe = fs_err::read_link(format!("/proc/{}/exe", guest.pid())).unwrap();
    // In a chroot the kernel tells the path as it is outside.
    assert!(exe.ends_with(running.executable.path.strip_prefix("/").unwrap()), "{exe:?}");
    assert_eq!(run(bench, guest, MERGEABLE).await.1, "0");
    let log = fs_err::read_to_string(bench.folder().join("qmp.jsonl")).unwrap();
    let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(lines.next().unwrap()["kind"], "format");
    let noted = lines.find(|line| line["message"]["sha256"].is_string()).unwrap();
    assert_eq!(noted["message"]["sha256"], running.executable.sha256.as_str());
    assert_eq!(noted["message"]["command_line"], serde_json::json!(running.command_line));
    assert_eq!(guest.verify().await.unwrap().vcpus, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_becomes_qemu_cannot_hide_what_it_adds() {
    let bench = Bench::new(&image_or_return!("6.1"), 1);
    let (_folder, script) = wrapper(&format!("exec QEMU \"$@\" -global {OFF}"));
    let guest = boot_by(&script, &bench).await;
    shows_the_option(&bench, &guest, &script).await;
    assert_eq!(guest.stop().await.status, "ended with exit status 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_starts_qemu_cannot_hide_what_it_adds_and_takes_it_along() {
    let bench = Bench::new(&image_or_return!("6.1"), 1);
    let (_folder, script) = wrapper(&format!("QEMU \"$@\" -global {OFF}\nexit $?"));
    let guest = boot_by(&script, &bench).await;
    shows_the_option(&bench, &guest, &script).await;
    let qemu = guest.pid();
    let parent = parent_of(qemu);
    assert!(fs_err::read_to_string(format!("/proc/{parent}/cmdline")).unwrap().contains(QEMU));
    // The script alone: who kills it shall not have to look for what it has started.
    kill(parent);
    let death = guest.died().await;
    assert_eq!(death.reason, "qemu was killed by SIGKILL");
    guest.stop().await;
    let gone = async {
        while Path::new(&format!("/proc/{qemu}/exe")).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("qemu ends with the script");
}

fn parent_of(pid: u32) -> u32 {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

#[test]
fn the_doctor_says_which_file_path_has() {
    if let Err(reason) = TestImage::find("6.1") {
        return support::skip(&reason);
    }
    let (folder, script) = wrapper("exec QEMU \"$@\"");
    let path = std::env::join_paths([folder.path(), Path::new("/usr/sbin"), Path::new("/usr/bin")]).unwrap();
    let said = |format: &str| {
        let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
        rig.args(["doctor", "--format", format]).env("PATH", &path).stdin(Stdio::null());
        String::from_utf8(rig.output().unwrap().stdout).unwrap()
    };
    let answer: Value = serde_json::from_str(&said("json")).unwrap();
    let rows = answer["capabilities"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    let wrapper = Executable::of(&script).unwrap();
    assert_eq!(wrapper.path, script);
    let program = serde_json::json!({ "path": wrapper.path, "sha256": wrapper.sha256 });
    assert_eq!(row("qemu")["program"], program);
    assert_ne!(Executable::of(&play::program(QEMU)).unwrap().sha256, wrapper.sha256);
    assert_eq!(row("tap").get("program"), None);
    let text = said("text");
    let line = text.lines().find(|line| line.starts_with("qemu")).unwrap();
    assert!(line.contains("version") && line.ends_with(script.to_str().unwrap()), "{line}");
}
