//! Tier *guest*: guests that boot a disk of the user's. Needs root, QEMU, debootstrap and GRUB, and this host's package archive.
//!
//! The disk is made once for all of them, from packages: a Debian with systemd, cloud-init, a packet filter and a setting of its own.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[expect(dead_code, reason = "other tiers use more of it")]
mod blackbox;
#[path = "disk/image.rs"]
mod image;

use std::fs;

use rig::record::format::{BlockRecord, BlockStatus};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use blackbox::tools::{needs, skip};
use blackbox::{Lab, is_root};

/// The base program on the host, in an image of rig's, and on the disk: with a seed, and with a login that is on it.
const MATRIX: &str = r#"
[run]
trials = 60
blocks = 1
control_trials = 150
control_blocks = 1
aa_pair = false
block_deadline = "15min"

[axes]
scenario = ["rst"]
configuration = ["bare-metal", "virtio-tap", "debian", "debian-login"]
kernel = ["6.1"]
path = ["direct"]

[scenario.rst]
client_delay = "50ms"

[control.closed-descriptor]
scenario = "control-closed-descriptor"

[control.inject-enoent]
scenario = "control-inject-enoent"
parameters = { rate = "20%" }

[configuration.bare-metal]
kind = "host"

[configuration.virtio-tap]
kind = "qemu"
nic = "virtio-net"
backend = "tap"

[configuration.debian]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
memory_mib = 512
vcpus = 2
disk = "debian.qcow2"

[configuration.debian-login]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
memory_mib = 512
vcpus = 2
disk = "debian.qcow2"
login = { user = "tester", key = "key" }

[path.direct]
"#;

fn digest(path: &std::path::Path) -> String {
    format!("{:x}", Sha256::digest(fs::read(path).unwrap()))
}

/// Whether the tests of this tier can run here.
fn can_run() -> bool {
    is_root("guest")
        && ["qemu-system-x86_64", "debootstrap", "grub-mkimage", "qemu-img"]
            .map(needs)
            .iter()
            .all(Option::is_some)
}

#[test]
fn a_disk_with_a_whole_system_is_a_configuration_like_any_other() {
    if !can_run() {
        return;
    }
    let lab = Lab::new(MATRIX);
    if let Err(why) = image::make(lab.path()) {
        return skip(&format!("no disk: {why}"));
    }
    let disk = lab.path().join("debian.qcow2");
    let before = digest(&disk);
    lab.run("matrix run --seed 7").expect(0);
    let run = lab.only_run();
    let played = run.played();
    for block in &played {
        assert_eq!(block.status, BlockStatus::Complete, "{block:#?}");
    }
    for configuration in ["debian", "debian-login"] {
        let systems: Vec<_> =
            played.iter().filter(|block| is_of(block, &run.report(), configuration)).collect();
        assert_eq!(systems.len(), 3, "one block, and one of each control: {configuration}");
        systems.iter().for_each(|block| has_its_own_system(block));
        assert!(systems.iter().any(|block| block.boot.as_ref().unwrap().place > 0), "blocks share a boot");
    }
    is_compared(&run.report());
    assert_eq!(digest(&disk), before, "nothing of it is changed");
    let text = run.read("report.txt").split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "debian boots a system of its own (Debian GNU/Linux",
        "its packet filter has rules",
        "net.ipv4.tcp_retries2 is 8",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    assert!(!text.contains("key\n-----BEGIN"));
    assert_eq!(run.record().images["debian.qcow2"].digest, before);
}

fn is_of(block: &BlockRecord, report: &Json, configuration: &str) -> bool {
    let cells = report["cells"].as_array().unwrap();
    let controls = report["controls"].as_array().unwrap();
    let mut all = cells.iter().chain(controls);
    let id = block.cell.to_string();
    all.any(|cell| {
        (cell["id"].as_str(), cell["configuration"].as_str()) == (Some(id.as_str()), Some(configuration))
    })
}

/// The kernel, the init, the rules and the settings are the image's.
fn has_its_own_system(block: &BlockRecord) {
    let hello = block.target_hello.as_ref().unwrap();
    assert!(hello.kernel_release.contains("cloud"), "{}", hello.kernel_release);
    if let Some(system) = &block.target.system {
        assert!(system.os.starts_with("Debian GNU/Linux"), "{system:?}");
        assert!(system.init.starts_with("systemd "), "{system:?}");
        assert!(system.rules.contains("tcp dport 22 counter packets"), "{system:?}");
        assert_eq!(system.sysctls["net.ipv4.tcp_retries2"], "8");
    }
    assert!(
        block.target.kernel_package.starts_with("debian.qcow2 (sha256 "),
        "{}",
        block.target.kernel_package
    );
}

/// Each guest's cell stands beside that of the host, and ends as it does.
fn is_compared(report: &Json) {
    let cells = report["cells"].as_array().unwrap();
    let cells: Vec<&Json> = cells.iter().filter(|cell| cell["scenario"] == "rst").collect();
    for cell in &cells {
        assert_eq!(cell["outcomes"]["readable,data,ECONNRESET"], 60, "{cell:#}");
    }
    let of = |configuration: &str| {
        let mut those = cells.iter().filter(|cell| cell["configuration"] == configuration);
        let cell = those.next().unwrap();
        assert!(those.next().is_none(), "{configuration} has the kernel of its disk alone");
        cell["id"].as_str().unwrap()
    };
    let comparisons = report["comparisons"].as_array().unwrap();
    for configuration in ["debian", "debian-login"] {
        let is_it = |one: &&Json| one["cell"] == of(configuration);
        let one = comparisons.iter().find(is_it).unwrap();
        let compared = (one["baseline"].as_str(), one["kernel"].as_str());
        assert_eq!(compared, (Some(of("bare-metal")), Some("debian.qcow2")), "{one}");
        assert_eq!((one["n1"].as_u64(), one["n2"].as_u64()), (Some(60), Some(60)), "{one}");
    }
}

#[test]
fn a_disk_that_does_not_boot_is_told_as_such() {
    if !is_root("guest") || needs("qemu-system-x86_64").is_none() || needs("qemu-img").is_none() {
        return;
    }
    let matrix = MATRIX
        .replace(r#"["bare-metal", "virtio-tap", "debian", "debian-login"]"#, r#"["debian"]"#)
        .replace("\nblocks = 1\n", "\nblocks = 1\nretries = 0\n");
    // Nothing is proven, and nothing needs to be.
    let controls = matrix.find("[control.").unwrap()..matrix.find("[configuration.").unwrap();
    let lab = Lab::new(&(matrix[..controls.start].to_owned() + &matrix[controls.end..]));
    let disk = lab.path().join("debian.qcow2");
    let made =
        std::process::Command::new("qemu-img").args(["create", "-f", "qcow2"]).arg(&disk).arg("16M").output();
    assert!(made.unwrap().status.success());
    lab.run("matrix run --seed 7");
    let run = lab.only_run();
    assert_eq!(run.played().len(), 1);
    for block in run.played() {
        let why = format!("{:?}", block.status);
        assert!(
            why.contains("the disk does not boot: its firmware says") && why.contains("No bootable device"),
            "{why}"
        );
    }
}
