//! What a configuration or a path sets: kernel settings and offloads of this host's namespaces, read back and recorded.

use std::collections::BTreeMap;

use rig::configuration::{TargetSpec, Tuning};
use rig::path::{EndSysctls, Hook, Matches, PEER_PORT, PathSpec, Place, Rule, RuleSelect, RuleVerdict};
use rig::script::Scenario;
use rig::testbed::probe;

use crate::play::{OVERTAKEN, Played, cell, cell_of, play_cell, say_skipped, skipped};
use crate::{all, plain, tools};

fn settings(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn tuned(path: &PathSpec, tuning: Tuning) -> Played {
    let mut cell = cell(path, OVERTAKEN, 10);
    cell.subject.configuration.target = TargetSpec::plain_host().tuned(tuning);
    play_cell(&cell)
}

/// A connect() to nobody ends when the kernel has tried often enough.
const VANISHED: &str = r#"
title = "a SYN that vanishes"
expect = ["ETIMEDOUT"]
[lane.client]
steps = [
    { op = "connect", socket = "c", verdict = true },
    { op = "close", socket = "c" },
]
[lane.peer]
steps = [
    { op = "accept", socket = "c" },
    { op = "close", socket = "c" },
]
"#;

#[test]
fn a_syn_is_tried_as_often_as_the_kernel_setting_says() {
    if skipped("nft") || tools::needs("nft").is_none() {
        return;
    }
    if let Err(why) = probe::nft() {
        return say_skipped("nft", &why);
    }
    let rule = Rule {
        name: "drop".into(),
        at: Place::Peer,
        hook: Hook::Input,
        select: RuleSelect { destination_port: Some(PEER_PORT), ..RuleSelect::default() },
        verdict: RuleVerdict::Drop,
        matches: Matches::Sometimes,
    };
    let target = settings(&[("net.ipv4.tcp_syn_retries", "1")]);
    let peer = settings(&[("net.core.somaxconn", "77")]);
    let path = PathSpec { rules: vec![rule], sysctl: EndSysctls { target, peer }, ..plain() };
    let scenario = Scenario::parse("case", "case.toml", VANISHED).expect("a sound scenario");
    let played = play_cell(&cell_of(&path, &scenario, &BTreeMap::new(), 5));
    // With the kernel's own six retries it would take two minutes, longer than a trial may.
    all(&played, "ETIMEDOUT");
    // Twice each; once more where the kernel counts its first, linear time-outs apart (`tcp_syn_linear_timeouts`, Linux 6.5).
    let syns = played.counter("rule.drop");
    assert!((10..=15).contains(&syns), "{syns}");
    let said: Vec<_> = played
        .record
        .sysctls
        .iter()
        .map(|one| (one.end.as_str(), one.name.as_str(), one.after.as_str(), one.before != one.after))
        .collect();
    assert_eq!(
        said,
        [("peer", "net.core.somaxconn", "77", true), ("target", "net.ipv4.tcp_syn_retries", "1", true)]
    );
}

#[test]
fn a_configurations_setting_gives_way_to_the_paths() {
    if skipped("kernel settings") {
        return;
    }
    let name = "net.ipv4.tcp_retries2";
    let tuning = Tuning { sysctl: settings(&[(name, "7"), ("net.ipv4.tcp_sack", "0")]), ..Tuning::default() };
    let sysctl = EndSysctls { target: settings(&[(name, "9")]), peer: BTreeMap::new() };
    let played = tuned(&PathSpec { sysctl, ..plain() }, tuning);
    all(&played, "readable,data,ECONNRESET");
    let after: Vec<_> = played.record.sysctls.iter().map(|one| one.after.as_str()).collect();
    assert_eq!(after, ["9", "0"]);
}

#[test]
fn a_setting_that_no_namespace_has_makes_the_block_void() {
    if skipped("kernel settings") {
        return;
    }
    let tuning = Tuning { sysctl: settings(&[("net.ipv4.no_such_setting", "1")]), ..Tuning::default() };
    let reason = tuned(&plain(), tuning).reason().expect("void");
    assert!(
        reason.starts_with("kernel setting: net.ipv4.no_such_setting cannot be set to 1: No such file"),
        "{reason}"
    );
}

#[test]
fn the_targets_offloads_are_set_and_told() {
    if skipped("offloads") {
        return;
    }
    for on in [false, true] {
        let tuning = Tuning { checksum_offload: Some(on), gro: Some(on), ..Tuning::default() };
        let played = tuned(&plain(), tuning);
        all(&played, "readable,data,ECONNRESET");
        let hello = played.record.target_hello.as_ref().expect("it said hello");
        let interface =
            hello.interfaces.iter().find(|one| one.name == "target0").expect("its end of the link");
        for name in ["rx-gro", "rx-checksum", "tx-checksum-ip-generic"] {
            assert_eq!(interface.offloads.get(name), Some(&on), "{name}");
        }
    }
}

#[test]
fn a_nic_that_is_otherwise_makes_the_block_void() {
    if skipped("offloads") {
        return;
    }
    // A veth has no receive buffers of virtio's.
    let reason = tuned(&plain(), Tuning { mrg_rxbuf: Some(false), ..Tuning::default() }).reason();
    assert_eq!(
        reason.as_deref(),
        Some("the target's NIC is not as configured: VIRTIO_NET_F_MRG_RXBUF of target0 is not told")
    );
}
