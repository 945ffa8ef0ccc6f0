//! Cells that share a boot of a guest: what the record says of it, and that each is told what it is told in a guest of its own.

use std::collections::BTreeMap;

use rig::record::format::{BlockRecord, BlockStatus};

use crate::blackbox::packets::has_tshark;
use crate::blackbox::{Lab, Recorded};

const TRIALS: u64 = 40;

/// One block of each, so one round: `rst` is the cell that the A/A pair repeats, in a guest of its own.
fn lab() -> Lab {
    Lab::new(&format!(
        r#"
[run]
trials = {TRIALS}
blocks = 1
in_flight = 10
control_trials = 300

[axes]
scenario = ["rst", "fin"]
configuration = ["virtio-tap"]
kernel = ["6.1"]
path = ["direct"]

[scenario.rst]
client_delay = "200ms"

[[include]]
scenario = "rst"
path = "far"
client_delay = "200ms"

[configuration.virtio-tap]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
vcpus = 1

[path.direct]

[path.far]
delay = {{ both = "20ms" }}

[control.inject-enoent]
scenario = "control-inject-enoent"
"#
    ))
}

pub(crate) fn cells_share_a_boot_and_each_is_told_what_a_lone_one_is() {
    if !has_tshark() {
        return;
    }
    let lab = lab();
    lab.run("matrix run --seed 7 --capture always");
    let run = lab.only_run();
    let plan = run.record();
    let blocks = run.played();
    assert!(blocks.iter().all(|block| block.status == BlockStatus::Complete), "{blocks:#?}");

    // Four cells are planned for one boot, and the second of the A/A pair for one of its own.
    let planned = |block: &BlockRecord| {
        plan.blocks.iter().find(|planned| planned.id == block.id).and_then(|planned| planned.boot.clone())
    };
    let (shared, lone): (Vec<_>, Vec<_>) = blocks.iter().partition(|block| planned(block).is_some());
    let boots: Vec<_> = shared.iter().map(|block| block.boot.clone().expect("a guest")).collect();
    let told: Vec<_> = boots.iter().map(|boot| (boot.name.as_str(), boot.place)).collect();
    assert_eq!(told, [("r0-b0.1", 0), ("r0-b0.1", 1), ("r0-b0.1", 2), ("r0-b0.1", 3)]);
    let [lone] = lone[..] else { panic!("{lone:#?}") };
    let boot = lone.boot.clone().expect("a guest");
    assert_eq!((boot.name, boot.place), (format!("{}.1", lone.id), 0));
    the_guest_was_the_same(&run, &shared);

    // The same cell, shared and alone.
    let again = plan.cells.iter().find(|cell| cell.cell.repeats.is_some()).expect("the A/A pair");
    let twin =
        shared.iter().find(|block| Some(&block.cell) == again.cell.repeats.as_ref()).expect("its twin");
    assert_eq!(counted(twin), counted(lone));
    for block in &blocks {
        first_asks_for_its_neighbour(&run, block);
    }
}

/// One QEMU, whose logs go on in a file of each block.
fn the_guest_was_the_same(run: &Recorded, shared: &[&BlockRecord]) {
    for block in shared {
        assert_eq!(block.target.command_line, shared[0].target.command_line);
        let first = block.boot.as_ref().expect("a guest").place == 0;
        let console = run.read(&block.target.console);
        assert_eq!(console.contains("rig: ready"), first, "{console}");
        let qmp = run.read(&block.target.qmp);
        assert!(qmp.starts_with("{\"format\"") || qmp.starts_with("{\"kind\":\"format\""), "{qmp}");
        assert!(qmp.contains("query-kvm"), "verified for each block: {qmp}");
    }
}

/// What a cell counts, as far as it does not depend on a busy host.
fn counted(block: &BlockRecord) -> (BTreeMap<String, u64>, BTreeMap<&str, i64>) {
    let names = ["Tcp.ActiveOpens", "Tcp.PassiveOpens", "Tcp.AttemptFails", "Tcp.OutRsts", "Tcp.InErrs"];
    let counters = names.map(|name| (name, block.tally.counters.get(name).copied().unwrap_or(0)));
    assert_eq!(block.tally.counters.get("Tcp.ActiveOpens"), Some(&i64::try_from(TRIALS).unwrap()));
    (block.tally.outcomes.clone(), counters.into())
}

/// A guest that knew its neighbour from another block would begin with a SYN.
fn first_asks_for_its_neighbour(run: &Recorded, block: &BlockRecord) {
    let file = block.captures.iter().find(|file| file.contains(".target.")).expect("captured");
    let shown = std::process::Command::new("tshark")
        .args([
            "-r",
            run.folder.join(file).to_str().unwrap(),
            "-c",
            "1",
            "-T",
            "fields",
            "-e",
            "arp.dst.proto_ipv4",
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shown.stdout).trim(), "192.0.2.1", "{file}");
}
