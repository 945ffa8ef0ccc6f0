//! A script of QEMU's name that adds an option: what it did stands in the record and in the report, and in what the guest's kernel shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rig::record::format::BlockRecord;

use crate::QEMU;
use crate::blackbox::{Lab, Recorded, matrix};

const OFF: &str = "virtio-net-pci.mrg_rxbuf=off";
const MERGEABLE: &str = "VIRTIO_NET_F_MRG_RXBUF";

pub(crate) fn a_script_of_qemus_name_is_visible_in_the_record() {
    let sizes = "control_trials = 150\ncontrol_blocks = 1";
    let lab = Lab::new(&matrix(sizes, r#""rst""#, r#""virtio-tap""#));
    let real = real_qemu();
    let folder = lab.path().join("before-qemu");
    fs::create_dir(&folder).unwrap();
    let script = folder.join(QEMU);
    fs::write(&script, format!("#!/bin/sh\nexec {} \"$@\" -global {OFF}\n", real.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();

    lab.run("matrix run --seed 7 control=closed-descriptor").expect(0);
    let ordinary = lab.only_run();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut wrapped = lab.rig("matrix run --seed 8 control=closed-descriptor");
    wrapped.env("PATH", path);
    lab.start(wrapped).end().expect(0).says(&["ran, with", "-global", OFF]);
    let wrapped = lab.runs().into_iter().find(|run| *run != ordinary.folder).unwrap();
    let wrapped = Recorded::new(&wrapped);

    assert_eq!(wrapped.record().environment.qemu_path, fs::canonicalize(&script).unwrap().to_str().unwrap());
    let (ordinary_block, block) = (guest_of(&ordinary), guest_of(&wrapped));
    let [before, running] = [&ordinary_block, &block].map(|block| block.target.running.as_ref().unwrap());
    assert_eq!(
        (&running.path, &running.sha256),
        (&before.path, &before.sha256),
        "the real one ran both times"
    );
    assert_eq!(Path::new(&running.path), real);
    assert_eq!(before.command_line[1..], ordinary_block.target.command_line[1..]);
    assert!(running.command_line.ends_with(&["-global".to_owned(), OFF.to_owned()]), "{running:?}");
    assert!(!block.target.command_line.contains(&OFF.to_owned()), "rig did not ask for it");

    let report = wrapped.report();
    let machine = &report["machines"].as_array().unwrap()[0];
    assert_eq!(machine["added"], serde_json::json!(["-global", OFF]));
    for (block, agreed) in [(&ordinary_block, true), (&block, false)] {
        let hello = block.target_hello.as_ref().unwrap();
        let data = hello.interfaces.iter().find(|interface| interface.name == "data").unwrap();
        let features = data.virtio_features.as_ref().unwrap();
        assert_eq!(features.contains(&MERGEABLE.to_owned()), agreed, "{features:?}");
        assert!(features.contains(&"VIRTIO_F_VERSION_1".to_owned()) && data.driver == "virtio_net");
        assert!(data.offloads.contains_key("tx-checksum-ip-generic"), "{:?}", data.offloads);
    }
}

fn guest_of(run: &Recorded) -> BlockRecord {
    run.played().into_iter().find(|block| !block.target.command_line.is_empty()).unwrap()
}

/// What PATH has, links followed.
fn real_qemu() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(QEMU)).find(|file| file.is_file());
    fs::canonicalize(found.unwrap()).unwrap()
}
