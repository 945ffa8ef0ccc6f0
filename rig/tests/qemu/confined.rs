//! What a running QEMU may do, looked at from outside: nothing that a guest that broke out of it could use.

use std::process::Command;

use rig::configuration::{NicBackend, NicModel};
use rig::machine::qemu::{Guest, GuestError, Medium, lacks};
use serde_json::{Value, json};

use crate::support::guest::{Bench, QEMU};
use crate::{LONG, boot, image_or_return, play, run, support};

/// A field of /proc/PID/status.
fn field(guest: &Guest, name: &str) -> String {
    let status = fs_err::read_to_string(format!("/proc/{}/status", guest.pid())).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

/// A shell command in the mounts of a guest's QEMU, as root: even so.
fn inside(guest: &Guest, command: &str) -> String {
    let output = Command::new("nsenter")
        .args(["-t", &guest.pid().to_string(), "--mount", "--root", "--wd", "sh", "-c", command])
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn qemu_is_nobody_and_writes_nowhere() {
    let image = image_or_return!("6.1");
    assert_eq!(lacks(&play::program(QEMU)), [], "this host lets rig take everything");
    for backend in [NicBackend::Tap, NicBackend::User] {
        let bench = Bench::new(&image, 1);
        let guest = boot(bench.plan(NicModel::VirtioNet, backend, 1)).await;
        for ids in ["Uid:", "Gid:"] {
            let ids = field(&guest, ids);
            let mut ids = ids.split_whitespace().map(|id| id.parse::<u32>().unwrap());
            assert!(ids.all(|id| (65_000..65_534).contains(&id)), "{ids:?}");
        }
        assert_eq!(field(&guest, "CapEff:"), "0000000000000000");
        assert_eq!(field(&guest, "Groups:"), "");
        assert_eq!(fs_err::read(format!("/proc/{}/environ", guest.pid())).unwrap(), b"");
        let said = inside(&guest, "touch /usr/rig-was-here /var/tmp/rig-was-here /dev/rig-was-here");
        assert_eq!(said.matches("Read-only file system").count(), 3, "{said}");
        let devices = inside(&guest, "echo /dev/*");
        assert!(
            devices.split_whitespace().all(|one| ["/dev/kvm", "/dev/null", "/dev/urandom"].contains(&one)),
            "{devices}"
        );

        let credentials = &guest.running().unwrap().credentials;
        assert!(credentials.uid >= 65_000 && credentials.environment_bytes == 0, "{credentials:?}");
        let log = fs_err::read_to_string(bench.folder().join("qmp.jsonl")).unwrap();
        let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let noted = lines.find(|line| line["message"]["uid"].is_number()).unwrap();
        assert_eq!(noted["message"]["uid"], credentials.uid);
        // It works all the same.
        assert_eq!(run(&bench, &guest, "uname -r").await.1, image.image.release);
        guest.stop().await;
    }
}

/// Who makes QEMU take more than it may have ends that QEMU, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn memory_over_the_limit_ends_that_guest() {
    let bench = Bench::new(&image_or_return!("6.1"), 1);
    let guest = boot(bench.plan(NicModel::VirtioNet, NicBackend::User, 1)).await;
    // Room for memory that the guest does not have, until there is no more of it.
    let (mut taken, mut number) = (0_u64, 0);
    for size in (12..32).rev().map(|power| 1_u64 << power) {
        loop {
            number += 1;
            let more = json!({ "qom-type": "memory-backend-ram", "id": format!("m{number}"), "size": size });
            if guest.qmp().execute_raw("object-add", more, LONG).await.is_err() {
                break;
            }
            taken += size;
        }
    }
    assert!(taken < 4 << 30, "{taken} bytes beside a guest of 256 MiB");
    // The monitor keeps a command until its end has come, so it needs memory for one as large as this.
    let path = "x".repeat(1 << 20);
    let asked = guest.qmp().execute_raw("qom-list", json!({ "path": path }), LONG).await;
    let death = tokio::time::timeout(LONG, guest.died()).await;
    assert!(asked.is_err() && death.is_ok(), "{asked:?} {death:?}");
}

/// The kernel that speaks on the console is the image's, or no trial is played.
#[tokio::test(flavor = "multi_thread")]
async fn another_kernel_than_the_images_is_not_as_asked() {
    let bench = Bench::new(&image_or_return!("6.1"), 1);
    let mut plan = bench.plan(NicModel::VirtioNet, NicBackend::User, 1);
    let Medium::Kernel { release, .. } = &mut plan.medium else { panic!("an image of rig's") };
    *release = Some("6.1.0-0-other".to_owned());
    let guest = boot(plan).await;
    let error = guest.verify().await.unwrap_err();
    assert!(matches!(error, GuestError::NotAsAsked { .. }), "{error}");
    assert!(error.to_string().contains("the image has \"6.1.0-0-other\""), "{error}");
}
