//! The most telling of the reported cases and of the known answers, on a guest's kernel.

use rig::record::format::BlockRecord;
use serde_json::Value as Json;

use crate::blackbox::Lab;
use crate::fixture::{self, Cells};

/// Scenario, configuration, and how every trial ends, over a plain path.
const RIGHT: &[(&str, &str, &str)] = &[
    ("high-descriptor", "virtio-tap", "readable,ECONNRESET,EBADF"),
    ("server-side", "virtio-tap", "ok,readable,ECONNRESET,eof"),
    ("full-queue", "virtio-tap", "ok,ok,EINPROGRESS,timeout"),
    ("after-rst:so-error", "virtio-tap", "ECONNRESET,eof,eof,EPIPE"),
    ("after-rst:fd-check", "virtio-tap", "ok,ECONNRESET,eof"),
    ("after-rst:poll", "virtio-tap", "readable+writable+error+hangup+peer-closed,ECONNRESET,eof"),
    ("never-opened", "virtio-tap", "timeout"),
    ("closed-before-call", "virtio-tap", "EBADF"),
    ("rst", "virtio-plain", "readable,data,ECONNRESET"),
];

pub(crate) fn the_cases_give_their_right_values_in_a_guest() {
    let lab = fixture::lab(include_str!("../catalogue/cases/guest.matrix"));
    // Without controls no zero proves anything, and a run says so by its exit code.
    lab.run("matrix run --seed 7").expect(3);
    let cells = Cells::of(&lab);
    for (scenario, configuration, outcome) in RIGHT {
        cells.all(scenario, configuration, "direct", outcome);
    }
    for path in ["translated", "ipv6"] {
        cells.all("rst", "virtio-set", path, "readable,data,ECONNRESET");
        is_set(&lab, cells.cell("rst", "virtio-set", path));
    }
    cells.all("vsock-closed", "virtio-tap", "loopback", "readable,data,eof");
    let blocked = cells.cell("blocked-writer-counted", "virtio-tap", "direct");
    assert_eq!(blocked["anomalies"], 0, "{blocked}");
    cells.expected_mostly("poll-for-nothing", "virtio-tap", "error+hangup,error+hangup,ECONNRESET");
    assert_eq!(cells.0.len(), RIGHT.len() + 5, "every cell is looked at");
    for cell in &cells.0 {
        assert!(cell["kernel_release"].as_str().unwrap().starts_with("6.1."), "{cell}");
    }
    computes_its_checksums(&lab, cells.cell("rst", "virtio-plain", "direct"));
}

/// The one block of a cell, and the guest's measured interface.
fn block_of(lab: &Lab, cell: &Json) -> (BlockRecord, Json) {
    let id = cell["id"].as_str().unwrap();
    let block = lab.only_run().played().into_iter().find(|block| block.id.0.starts_with(id)).unwrap();
    let guest = serde_json::to_value(&block.target_hello).unwrap();
    let mut all = guest["interfaces"].as_array().unwrap().iter();
    let measured = all.find(|one| one["name"] == "data").unwrap().clone();
    (block, measured)
}

/// The record has what the guest's kernel and NIC were set to, as they read afterwards.
fn is_set(lab: &Lab, cell: &Json) {
    let (block, measured) = block_of(lab, cell);
    let set = |name: &str| block.sysctls.iter().find(|one| one.name == name).map(|one| one.after.as_str());
    assert_eq!(set("net.ipv4.tcp_syn_retries"), Some("2"), "{:?}", block.sysctls);
    assert_eq!(set("net.ipv4.tcp_rmem"), Some("4096 16384 65536"), "{:?}", block.sysctls);
    assert_eq!(measured["offloads"]["rx-gro"], false, "{measured}");
    let agreed = measured["virtio_features"].as_array().unwrap();
    assert!(!agreed.contains(&"VIRTIO_NET_F_MRG_RXBUF".into()), "{measured}");
    assert!(agreed.contains(&"VIRTIO_NET_F_CSUM".into()), "{measured}");
}

/// The record says what the guest and its NIC agreed: neither end leaves a checksum to the other.
fn computes_its_checksums(lab: &Lab, cell: &Json) {
    let (_, measured) = block_of(lab, cell);
    assert_eq!(measured["offloads"]["tx-checksum-ip-generic"], false, "{measured}");
    let agreed = measured["virtio_features"].as_array().unwrap();
    for feature in ["VIRTIO_NET_F_CSUM", "VIRTIO_NET_F_GUEST_CSUM"] {
        assert!(!agreed.contains(&feature.into()), "{measured}");
    }
}

pub(crate) fn what_qemus_user_network_makes_of_a_reset_is_told() {
    let lab = fixture::lab(include_str!("../catalogue/cases/user-network.matrix"));
    let said = lab.run("matrix run --seed 7").expect(5);
    let run = lab.only_run();
    let cells = Cells::of(&lab);
    cells.all("rst", "bare-metal", "direct", "readable,data,ECONNRESET");
    let guest = cells.cell("rst", "virtio-user", "direct");
    let as_end = guest["outcomes"]["readable,data,eof"].as_u64().unwrap_or(0);
    // libslirp passes a reset on as a reset or as an end of file, by whether it had read the data before the reset came: how many of
    // each is a race in it. That a share ends so which no host has is what the report must find.
    assert!(
        8 * as_end > guest["trials"].as_u64().unwrap(),
        "resets reach the guest as an end of file: {guest}"
    );
    assert_eq!(guest["expectation"]["status"], "unexpected", "{guest}");
    // Both ends with their shares, that they differ, and where.
    let text = run.read("report.txt").split_whitespace().collect::<Vec<_>>().join(" ");
    let shares = format!("readable,data,eof in {as_end} (");
    for words in ["ended as readable,data,ECONNRESET in 40 (100 %)", shares.as_str(), "virtio-user 6.1"] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let report = run.report();
    assert!(!report["outcome_comparisons"].as_array().unwrap().is_empty(), "{report}");
    let control = |configuration: &str| {
        let mut all = report["controls"].as_array().unwrap().iter();
        let this = |control: &&Json| {
            (&control["configuration"], &control["control"])
                == (&configuration.into(), &"inject-enoent".into())
        };
        all.find(this).unwrap()
    };
    assert_eq!(control("bare-metal")["passed"], true);
    let behind = control("virtio-user");
    assert_eq!(behind["passed"], false, "{behind}");
    assert!(
        behind["reason"].as_str().unwrap().contains("ended otherwise than its scenario expects"),
        "{behind}"
    );
    said.says(&["What differs", "virtio-user"]);
}
