//! Two guests, joined by a pair of sockets: the peer has a kernel of its own too.

use rig::record::format::BlockStatus;

use crate::play::{MANY, Scene, reason};
use crate::support::guest::kill;
use crate::{image_or_return, support};

fn scene(image: crate::TestImage) -> Scene {
    Scene::of(image, "nightly", "virtio-pair")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_between_two_guests_is_complete_and_leaves_nothing() {
    let scene = scene(image_or_return!("6.1"));
    let mut running = vec![];
    let record = scene.play(100, async |scene| running = scene.qemus()).await;
    assert_eq!(record.status, BlockStatus::Complete);
    assert_eq!((record.tally.trials, record.tally.void()), (100, 0), "{:?}", record.tally.voids);
    // The RST is there long before the call.
    let outcomes: Vec<_> = record.tally.outcomes.iter().collect();
    assert!(matches!(&outcomes[..], [(label, 100)] if label.starts_with("readable")), "{outcomes:?}");
    support::say(&format!("{outcomes:?}"));

    let (target, peer) = (record.target_hello.unwrap(), record.peer_hello.unwrap());
    assert_eq!(target.kernel_release, peer.kernel_release);
    assert!(target.kernel_release.starts_with("6.1.") && target.hypervisor == peer.hypervisor);
    assert!(record.peer_tally.counters["Tcp.OutRsts"] >= 100, "the peer's own kernel says what it sent");

    let seat = record.peer.expect("the peer is a guest");
    let words = |command_line: &[String]| command_line.join(" ");
    assert!(
        words(&seat.command_line).contains("dgram,id=data")
            && words(&seat.command_line).contains("192.0.2.1/24")
    );
    assert!(words(&record.target.command_line).contains("192.0.2.2/24"));
    assert_eq!((seat.accelerator.as_str(), seat.vhost_proof.as_str()), ("tcg", ""));
    assert!(seat.boot_ns > 0 && record.target.boot_ns > 0);
    for log in [&seat.console, &seat.qmp, &record.target.console, &record.target.qmp] {
        assert!(scene.laboratory.results.join(log).metadata().unwrap().len() > 0, "{log}");
    }
    assert_ne!(seat.console, record.target.console);
    assert!(record.witness.absent, "nobody watched, and the record says so");
    assert_eq!((record.witness.rst_to_target, record.witness.lost_packets), (0, 0));

    assert_eq!(running.len(), 2, "two guests played");
    assert_eq!(scene.qemus(), Vec::<u32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_guest_killed_in_mid_play_is_the_voids_reason() {
    let scene = scene(image_or_return!("6.1"));
    let is_peer = |pid: &u32| {
        let command_line = fs_err::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        command_line.contains("192.0.2.1/24")
    };
    let record = scene.play(MANY, async |scene| kill(scene.qemus().into_iter().find(is_peer).unwrap())).await;
    assert_eq!(reason(&record), "guest died: the peer's: qemu was killed by SIGKILL");
    assert_eq!(scene.qemus(), Vec::<u32>::new());
}
