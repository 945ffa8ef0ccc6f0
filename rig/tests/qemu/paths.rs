//! Shipped paths with a guest at their end: what is done to its packets, to its own kernel, to its processors and to its cable.

use std::collections::BTreeMap;

use rig::record::format::{BlockRecord, BlockStatus};
use rig_protocol::Returned;

use crate::play::{MANY, Scene, reason};
use crate::support::guest::kill;
use crate::{image_or_return, support};

const TAP: &str = "configuration=virtio-tap";

fn counter(record: &BlockRecord, name: &str) -> u64 {
    *record.path.counters.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", record.path))
}

fn all_ended_as(record: &BlockRecord, outcome: &str) {
    assert_eq!(record.status, BlockStatus::Complete, "{:#?}", record.path);
    assert_eq!(record.tally.outcomes, BTreeMap::from([(outcome.to_owned(), record.tally.trials)]));
    assert_eq!(record.tally.void(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_overtakes_the_data_loses_none_of_it_on_its_way_to_a_guest() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "quick", &["scenario=rst", TAP, "path=overtake"]);
    let record = scene.play(100, async |_| {}).await;
    all_ended_as(&record, "readable,data,ECONNRESET");
    assert_eq!(counter(&record, "action.overtake.held"), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_is_not_exact_leaves_a_guests_connection_alive() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "nightly", &["scenario=forged-rst", TAP, "path=forged-plus-1000"]);
    let record = scene.play(50, async |_| {}).await;
    assert_eq!(record.status, BlockStatus::Complete, "{:#?}", record.path);
    assert_eq!(record.tally.returns, BTreeMap::from([(Returned::ZERO, 50)]));
    assert!(
        record.tally.outcomes.keys().all(|outcome| outcome.ends_with("data")),
        "{:?}",
        record.tally.outcomes
    );
    assert!(counter(&record, "action.forge.injected.to_target") >= 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_of_the_guests_own_kernel_is_there_and_matches_nothing() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "nightly", &["scenario=rst", TAP, "path=reject-on-client"]);
    let record = scene.play(50, async |_| {}).await;
    all_ended_as(&record, "readable,data,ECONNRESET");
    assert_eq!(counter(&record, "rule.reject"), 0);
    assert!(record.path.mechanisms.iter().any(|words| words.contains("guest's kernel")), "{:?}", record.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_guest_both_ends_are_its_kernels() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "nightly", &["scenario=rst", TAP, "path=loopback"]);
    let record = scene.play(100, async |_| {}).await;
    all_ended_as(&record, "readable,data,ECONNRESET");
    assert_eq!(record.path.mechanisms, ["loopback: the peer is in the target's own kernel"]);
    assert!(record.witness.absent, "nobody watched, and the record says so");
    assert_eq!(record.peer, None, "no second guest was booted");
    assert!(record.target.boot_ns > 0);
    let (target, peer) = (record.target_hello.unwrap(), record.peer_hello.unwrap());
    assert_eq!((&target.kernel_release, &target.hypervisor), (&peer.kernel_release, &peer.hypervisor));
    assert!(record.peer_tally.counters["Tcp.OutRsts"] >= 100, "{:?}", record.peer_tally.counters);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_both_ends_that_is_killed_is_the_voids_reason() {
    let scene = Scene::with(image_or_return!("6.1"), "nightly", &["scenario=rst", TAP, "path=loopback"]);
    let record = scene.play(MANY, async |scene| kill(scene.qemus()[0])).await;
    assert_eq!(reason(&record), "guest died: qemu was killed by SIGKILL");
    assert_eq!(scene.qemus(), Vec::<u32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_is_paused_goes_on_as_if_nothing_had_been() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "nightly", &["scenario=rst", TAP, "path=pause"]);
    // Some seconds' worth: a fault that comes every second must come.
    let record = scene.play(1_000, async |_| {}).await;
    all_ended_as(&record, "readable,data,ECONNRESET");
    assert!(counter(&record, "fault.pause") >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_cable_that_is_pulled_loses_packets_and_makes_no_call_fail() {
    let image = image_or_return!("6.1");
    let scene = Scene::with(image, "nightly", &["scenario=rst-patient", TAP, "path=flap"]);
    let record = scene.play(500, async |_| {}).await;
    assert_eq!(record.status, BlockStatus::Complete, "{:#?}", record.path);
    assert!(counter(&record, "fault.flap") >= 1);
    assert!(
        record.tally.returns.keys().all(|returned| returned.errno.is_none()),
        "{:?}",
        record.tally.returns
    );
}
