//! What the targets of a configuration really were: a QEMU that is not the one in PATH, and features that differ.

use rig::analysis::model::{Caution, EndCaution, MachineEnd, MachineSummary, ReportModel};
use rig::record::format::{BlockRecord, InterfaceRecord};

use crate::fixture::{Play, sound};
use crate::reports::model;

const REAL: &str = "/usr/bin/qemu-system-x86_64";

fn of<'m>(model: &'m ReportModel, configuration: &str, kernel: &str) -> Vec<&'m MachineSummary> {
    let here = |machine: &&MachineSummary| {
        (machine.configuration.as_str(), machine.kernel.as_str()) == (configuration, kernel)
    };
    model.machines.iter().filter(here).collect()
}

fn ends(model: &ReportModel) -> Vec<EndCaution> {
    let ends = model.cautions.iter().filter_map(|caution| match caution {
        Caution::Ends(
            end @ (EndCaution::OtherQemu { .. }
            | EndCaution::QemuNotSeen { .. }
            | EndCaution::MachinesDiffer { .. }),
        ) => Some(end.clone()),
        _ => None,
    });
    ends.collect()
}

#[test]
fn an_ordinary_run_has_one_kind_of_target_for_each_configuration() {
    let model = model(&sound());
    assert_eq!(ends(&model), []);
    let [guest] = of(&model, "virtio-tap", "6.1")[..] else { panic!("{:?}", model.machines) };
    assert_eq!((guest.qemu_path.as_str(), guest.added.len(), guest.blocks), (REAL, 0, 10));
    let [host] = of(&model, "bare-metal", "host")[..] else { panic!("{:?}", model.machines) };
    assert_eq!((host.qemu_path.as_str(), host.qemu_sha256.as_str()), ("", ""));
}

#[test]
fn a_script_of_qemus_name_cannot_hide_what_it_adds() {
    let mut bench = sound();
    let wrapper = "/opt/wrapper/qemu-system-x86_64";
    bench.record.environment.qemu_path = wrapper.into();
    bench.record.environment.qemu_sha256 = "ab".repeat(32);
    let words = ["-global", "virtio-net-pci.mrg_rxbuf=off"].map(str::to_owned);
    for (block, _) in &mut bench.blocks {
        if let Some(running) = &mut block.target.running {
            running.command_line.extend(words.clone());
        }
    }
    let model = model(&bench);
    let cautions = ends(&model);
    assert!(!cautions.is_empty());
    for caution in &cautions {
        let EndCaution::OtherQemu { found, ran, added, .. } = caution else { panic!("{caution:?}") };
        assert_eq!((found.as_str(), ran.as_str(), added.as_slice()), (wrapper, REAL, words.as_slice()));
    }
    let said = Caution::Ends(cautions[0].clone()).to_string();
    assert!(said.ends_with("with `-global virtio-net-pci.mrg_rxbuf=off` added"), "{said}");
    assert_eq!(of(&model, "virtio-tap", "6.1")[0].added, words);
}

fn agree(block: &mut BlockRecord, features: &[&str]) {
    let hello = block.target_hello.as_mut().expect("it said something");
    let features = features.iter().map(|&name| name.to_owned()).collect();
    hello.interfaces = vec![InterfaceRecord {
        name: "data".into(),
        driver: "virtio_net".into(),
        mtu_bytes: 1_500,
        virtio_features: Some(features),
        offloads: [("rx-gro".to_owned(), true)].into(),
    }];
}

#[test]
fn guests_that_agreed_on_other_features_are_of_another_kind() {
    let mut bench = sound();
    agree(bench.block(Play::Base, "virtio-tap", "6.1", 0), &["VIRTIO_NET_F_CSUM", "VIRTIO_NET_F_MRG_RXBUF"]);
    agree(bench.block(Play::Base, "virtio-tap", "6.1", 1), &["VIRTIO_NET_F_CSUM"]);
    let model = model(&bench);
    let kinds = of(&model, "virtio-tap", "6.1");
    assert_eq!(
        kinds.iter().map(|kind| kind.blocks).collect::<Vec<_>>(),
        [8, 1, 1],
        "the most frequent first"
    );
    let features = |kind: &MachineSummary| kind.interfaces[0].virtio_features.clone().expect("virtio");
    let has = |kind: &&&MachineSummary| features(kind).contains(&"VIRTIO_NET_F_MRG_RXBUF".to_owned());
    assert_eq!(kinds[1..].iter().filter(has).count(), 1);
    let differ =
        EndCaution::MachinesDiffer { configuration: "virtio-tap".into(), kernel: "6.1".into(), kinds: 3 };
    assert_eq!(ends(&model), [differ]);
}

#[test]
fn a_path_with_another_mtu_makes_no_other_machine() {
    let mut bench = sound();
    for (index, mtu_bytes) in [(0, 1_500), (1, 9_000)] {
        let block = bench.block(Play::Base, "virtio-tap", "6.1", index);
        agree(block, &["VIRTIO_NET_F_CSUM"]);
        block.target_hello.as_mut().expect("it said something").interfaces[0].mtu_bytes = mtu_bytes;
    }
    let kinds = model(&bench);
    assert_eq!(of(&kinds, "virtio-tap", "6.1").iter().map(|kind| kind.blocks).collect::<Vec<_>>(), [8, 2]);
}

#[test]
fn a_qemu_that_could_not_be_looked_at_and_a_peers_guest_do_not_hide() {
    let mut bench = sound();
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0);
    block.target.running = None;
    block.target.running_unknown = "it is in a PID namespace that cannot be seen".into();
    let mut peer = bench.block(Play::Base, "virtio-tap", "6.12", 0).target.clone();
    peer.console = String::new();
    peer.qmp = String::new();
    peer.running.as_mut().expect("a guest").command_line.push("-snapshot".into());
    bench.block(Play::Base, "virtio-tap", "6.12", 0).peer = Some(peer);
    let model = model(&bench);
    let said: Vec<String> = ends(&model).into_iter().map(|end| Caution::Ends(end).to_string()).collect();
    assert!(
        said.iter().any(|words| words.contains("could not be seen (it is in a PID namespace")),
        "{said:?}"
    );
    assert!(said.iter().any(|words| words.contains("with `-snapshot` added")), "{said:?}");
    let peers: Vec<_> = model.machines.iter().filter(|machine| machine.end == MachineEnd::Peer).collect();
    assert!(matches!(peers[..], [peer] if peer.blocks == 1 && peer.added == ["-snapshot"]), "{peers:?}");
}
