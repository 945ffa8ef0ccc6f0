//! Hardware that a matrix file asks for by name, as the guests' records show it: the file of page `hardware`, played whole.

use std::collections::BTreeMap;
use std::fs;

use rig::process::find_program;
use rig::record::format::{BlockRecord, BlockStatus};

use crate::QEMU;
use crate::blackbox::{Lab, Recorded};

const DOCUMENTED: &str = include_str!("../../docs/hardware.matrix.toml");

/// A few trials of each cell: what is looked at is the hardware.
const SHORT: &str =
    "trials = 40\nblocks = 1\nin_flight = 4\ncontrol_trials = 30\ncontrol_blocks = 1\nretries = 0\n";

/// The last block of each configuration's cell that is no control.
fn blocks(run: &Recorded) -> BTreeMap<String, BlockRecord> {
    let record = run.record();
    let cells = record.cells.iter().map(|record| &record.cell).filter(|cell| cell.control.is_none());
    let names: BTreeMap<_, _> =
        cells.map(|cell| (cell.id.clone(), cell.subject.configuration.name.clone())).collect();
    let played = run.played().into_iter();
    played.filter_map(|block| Some((names.get(&block.cell)?.clone(), block))).collect()
}

/// Driver and features of the measured NIC.
fn nic(block: &BlockRecord) -> (String, Vec<String>) {
    let hello = block.target_hello.as_ref().unwrap();
    let nic = hello.interfaces.iter().find(|interface| interface.name == "data").unwrap();
    (nic.driver.clone(), nic.virtio_features.clone().unwrap_or_default())
}

/// Why cells of a configuration are skipped.
fn skipped(run: &Recorded, configuration: &str) -> Vec<String> {
    let cells = run.record().cells.into_iter();
    let of = cells.filter(|cell| cell.cell.subject.configuration.name == configuration);
    of.filter_map(|cell| cell.skipped).collect()
}

pub(crate) fn the_documented_hardware_is_what_its_guests_show() {
    let text = DOCUMENTED.replace("trials = 2000\nblocks = 2\n", SHORT);
    assert_ne!(text, DOCUMENTED);
    let lab = Lab::new(&text);
    let own = lab.path().join("qemu");
    fs::create_dir(&own).unwrap();
    let own = own.join(QEMU);
    fs::copy(find_program(QEMU).unwrap(), &own).unwrap();
    // No control proves that an ENOENT would be seen: every cell is blind (3). How trials end is not asked here, and on a busy host QEMU's rtl8139
    // loses frames, which are sent again: then some end otherwise than expected (5).
    let ended = lab.run("matrix run --seed 7");
    assert!(matches!(ended.status.code(), Some(3 | 5)), "{ended:?}");
    let run = lab.only_run();
    let blocks = blocks(&run);
    for (name, block) in &blocks {
        assert_eq!(block.status, BlockStatus::Complete, "{name}");
    }
    let with = |name: &str, features: &[(&str, bool)]| {
        let (driver, taken) = nic(&blocks[name]);
        assert_eq!(driver, "virtio_net");
        for (feature, on) in features {
            assert_eq!(taken.iter().any(|bit| bit == feature), *on, "{name} {feature}: {taken:?}");
        }
    };
    with("mrg-rxbuf-off", &[("VIRTIO_NET_F_MRG_RXBUF", false), ("VIRTIO_RING_F_EVENT_IDX", true)]);
    with("event-idx-off", &[("VIRTIO_RING_F_EVENT_IDX", false), ("VIRTIO_RING_F_INDIRECT_DESC", false)]);
    with("csum-off", &[("VIRTIO_NET_F_CSUM", false), ("VIRTIO_NET_F_GUEST_CSUM", false)]);
    with("packed", &[("VIRTIO_F_RING_PACKED", true), ("VIRTIO_F_ACCESS_PLATFORM", true)]);
    let all =
        [("VIRTIO_NET_F_MRG_RXBUF", true), ("VIRTIO_NET_F_CSUM", true), ("VIRTIO_F_RING_PACKED", false)];
    with("all-said", &all);
    with("two-nodes", &[("VIRTIO_NET_F_MQ", true)]);
    assert_eq!(blocks["two-nodes"].target_hello.as_ref().unwrap().cpus, 2);
    assert_eq!(nic(&blocks["e1000e"]).0, "e1000e");
    assert_eq!(nic(&blocks["rtl8139"]).0, "8139cp");
    let running = |name: &str| blocks[name].target.running.clone().unwrap();
    assert_eq!(running("other-qemu").path, own.canonicalize().unwrap().display().to_string());
    assert_ne!(running("packed").path, running("other-qemu").path);
    assert!(running("other-qemu").version.starts_with(|c: char| c.is_ascii_digit()));
    let asked = |name: &str| running(name).command_line.join(" ");
    assert!(
        asked("older-machine").contains(" pc-q35-7.0 ") && asked("plain-cpu").contains(" qemu64,+x2apic ")
    );
    assert!(asked("macvtap").contains(" tap,id=data,fd=") && asked("passt").contains(" stream,id=data,"));
    with("macvtap", &[("VIRTIO_NET_F_CSUM", true)]);
    // A stream of whole frames has no checksums to leave to the other side.
    with("passt", &[("VIRTIO_NET_F_CSUM", false)]);
    assert_eq!(blocks.len(), 14, "{:?}", blocks.keys());
}

pub(crate) fn what_a_kernel_does_not_take_voids_and_what_it_lacks_is_skipped() {
    let guest = "kind = \"qemu\"\nbackend = \"tap\"\n";
    let lab = Lab::new(&format!(
        "[run]\naa_pair = false\n{SHORT}[axes]\nscenario = \"rst\"\nconfiguration = [\"metal\", \"coalesced\", \"intel\", \"gone\"]\n\
         kernel = \"6.1\"\npath = \"direct\"\n[path.direct]\n[configuration.metal]\nkind = \"host\"\n\
         [configuration.coalesced]\n{guest}nic = \"virtio-net\"\ndevice = {{ guest_rsc_ext = true }}\n\
         [configuration.intel]\n{guest}nic = \"e1000e\"\n\
         [configuration.gone]\n{guest}nic = \"virtio-net\"\nqemu = \"gone\"\n\
         [control.closed-descriptor]\nscenario = \"control-closed-descriptor\"\n"
    ));
    lab.run("matrix run --seed 7").expect(3);
    let run = lab.only_run();
    let block = blocks(&run).remove("coalesced").unwrap();
    let BlockStatus::Void { reason } = block.status else { panic!("{:?}", block.status) };
    assert_eq!(
        reason.to_string(),
        "the target's NIC is not as configured: guest_rsc_ext=on was asked for, and VIRTIO_NET_F_RSC_EXT is off at data: \
         the driver of this kernel does not take it, or the backend does not offer it"
    );
    let intel = skipped(&run, "intel");
    assert!(
        intel.iter().all(|why| why == "kernel 6.1 has no module e1000e; the image 6.1-full has it"),
        "{intel:?}"
    );
    let gone = skipped(&run, "gone");
    assert!(
        gone.iter().all(|why| why.starts_with("no QEMU: ") && why.contains("/gone cannot be started")),
        "{gone:?}"
    );
    assert_eq!((intel.len(), gone.len()), (2, 2));
}
