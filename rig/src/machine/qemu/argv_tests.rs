//! The command line of every shape of a configuration.

use super::*;
use crate::configuration::{Accelerator, Hardware, Localtime, Nic, Property, Tuning};

fn spec(model: NicModel, backend: NicBackend, queues: u32) -> QemuSpec {
    QemuSpec {
        accelerator: Accelerator::Auto,
        machine: "q35".into(),
        vcpus: 2,
        memory_mib: 512,
        nic: Nic { model, backend, queues },
        localtime: Localtime::Present,
        timezone: None,
        disk: None,
        tuning: Tuning::default(),
        hardware: Hardware::default(),
    }
}

fn net() -> GuestNet {
    let address = Ipv4Addr::new(192, 0, 2, 2);
    GuestNet { mac: DATA_MAC, address, prefix: 24, mtu_bytes: 1500, control_port: 2222 }
}

/// The descriptors of a guest that boots an image, and has nothing else.
const PLAIN: Wiring<'static> = Wiring {
    qmp: 10,
    console: 11,
    boot: Boot::Kernel { kernel: 13, initramfs: 12 },
    taps: &[],
    socket: None,
    vhosts: &[],
    vsock: None,
    stays: false,
    gdb: None,
};

/// One option a line, as a person would break the line.
fn render(spec: &QemuSpec, engine: Engine, taps: &[RawFd]) -> String {
    let vhosts: Vec<RawFd> = (30..).take(vhost_descriptors(spec)).collect();
    let socket = (socket_ends(spec) > 0).then_some(25);
    let wiring =
        Wiring { taps, socket, vhosts: &vhosts, vsock: spec.tuning.vsock.then_some((26, 3)), ..PLAIN };
    let argv = compose(spec, engine, &net(), &[], &wiring).unwrap();
    let mut text = String::new();
    for (index, word) in argv.iter().enumerate() {
        let begins = word.starts_with('-');
        text.push_str(match (index, begins) {
            (0, _) => "",
            (_, true) => "\n",
            (_, false) => " ",
        });
        text.push_str(word);
    }
    text
}

#[test]
fn each_configuration_has_its_command_line() {
    for (name, model, backend, queues, engine, taps) in [
        ("virtio-tap", NicModel::VirtioNet, NicBackend::Tap, 1, Engine::Tcg, &[20][..]),
        ("virtio-tap-mq", NicModel::VirtioNet, NicBackend::Tap, 2, Engine::Tcg, &[20, 21]),
        ("virtio-vhost", NicModel::VirtioNet, NicBackend::TapVhost, 1, Engine::Kvm, &[20]),
        ("virtio-vhost-mq", NicModel::VirtioNet, NicBackend::TapVhost, 4, Engine::Kvm, &[20, 21, 22, 23]),
        ("vmxnet3-tap", NicModel::Vmxnet3, NicBackend::Tap, 1, Engine::Tcg, &[20]),
        ("virtio-macvtap-mq", NicModel::VirtioNet, NicBackend::Macvtap, 2, Engine::Tcg, &[20, 21]),
        ("virtio-macvtap-vhost", NicModel::VirtioNet, NicBackend::MacvtapVhost, 1, Engine::Kvm, &[20]),
        ("virtio-passt", NicModel::VirtioNet, NicBackend::Passt, 1, Engine::Tcg, &[]),
        ("virtio-user", NicModel::VirtioNet, NicBackend::User, 1, Engine::Tcg, &[]),
        ("virtio-pair", NicModel::VirtioNet, NicBackend::Socket, 1, Engine::Tcg, &[]),
    ] {
        insta::assert_snapshot!(name, render(&spec(model, backend, queues), engine, taps));
    }
}

#[test]
fn only_what_differs_differs() {
    let tap = render(&spec(NicModel::VirtioNet, NicBackend::Tap, 1), Engine::Kvm, &[20]);
    let vhost = render(&spec(NicModel::VirtioNet, NicBackend::TapVhost, 1), Engine::Kvm, &[20]);
    assert_eq!(tap.replace("vhost=off", "vhost=on,vhostfd=30"), vhost);
    let virtio = render(&spec(NicModel::VirtioNet, NicBackend::Tap, 1), Engine::Tcg, &[20]);
    let vmxnet3 = render(&spec(NicModel::Vmxnet3, NicBackend::Tap, 1), Engine::Tcg, &[20]);
    assert_eq!(virtio.replace("virtio-net-pci,id=data-nic", "vmxnet3,id=data-nic"), vmxnet3);
    let pair = render(&spec(NicModel::VirtioNet, NicBackend::Socket, 1), Engine::Tcg, &[]);
    assert_eq!(
        virtio.replace("tap,id=data,fd=20,vhost=off", "dgram,id=data,local.type=fd,local.str=25"),
        pair
    );
}

#[test]
fn a_vsock_device_is_one_option_more() {
    let plain = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    let tuning = Tuning { vsock: true, ..Tuning::default() };
    let with = QemuSpec { tuning, ..plain.clone() };
    let device = "\n-device vhost-vsock-pci,id=vsock,guest-cid=3,vhostfd=26";
    let with = render(&with, Engine::Tcg, &[20]);
    assert_eq!(with.matches(device).count(), 1, "{with}");
    assert_eq!(with.replace(device, ""), render(&plain, Engine::Tcg, &[20]));
}

#[test]
fn hardware_by_name_is_given_as_it_was_named_and_shared_among_the_nodes() {
    let plain = spec(NicModel::E1000e, NicBackend::Tap, 1);
    let hardware = Hardware {
        device: [("init-vet".to_owned(), Property::Flag(false)), ("subsys".to_owned(), Property::Number(7))]
            .into(),
        cpu: Some("qemu64,+x2apic".to_owned()),
        numa: Some(3),
        kernel_cmdline: vec!["nokaslr".to_owned()],
        ..Hardware::default()
    };
    let text = render(&QemuSpec { hardware, ..plain }, Engine::Tcg, &[20]);
    for option in [
        "-cpu qemu64,+x2apic\n",
        "-object memory-backend-ram,id=numa0,size=171M\n-numa node,nodeid=0,memdev=numa0,cpus=0-0\n",
        "-object memory-backend-ram,id=numa1,size=171M\n-numa node,nodeid=1,memdev=numa1,cpus=1-1\n",
        "-object memory-backend-ram,id=numa2,size=170M\n-numa node,nodeid=2,memdev=numa2\n",
        "-device e1000e,init-vet=off,subsys=7,id=data-nic,netdev=data,",
        " nokaslr\n",
    ] {
        assert_eq!(text.matches(option).count(), 1, "{option}\n{text}");
    }
}

#[test]
fn a_peer_has_a_mac_address_of_its_own() {
    let spec = spec(NicModel::VirtioNet, NicBackend::Socket, 1);
    let net = GuestNet { mac: PEER_MAC, address: Ipv4Addr::new(192, 0, 2, 1), ..net() };
    let wiring = Wiring { socket: Some(25), ..PLAIN };
    let argv = compose(&spec, Engine::Tcg, &net, &[], &wiring).unwrap().join(" ");
    assert!(argv.contains(&format!("rig.data={PEER_MAC},192.0.2.1/24,1500")), "{argv}");
    assert!(argv.contains(&format!("mac={PEER_MAC},romfile=")) && !argv.contains(DATA_MAC), "{argv}");
}

#[test]
fn extra_words_end_the_kernels_command_line() {
    let spec = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    let line =
        kernel_command_line(&spec, Engine::Kvm, &net(), &["loglevel=7".into(), "rig.hostname=x".into()]);
    assert!(line.ends_with(" loglevel=7 rig.hostname=x"), "{line}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let refused = |spec: QemuSpec| check(&spec).unwrap_err().to_string();
    let good = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    check(&good).unwrap();
    assert_eq!(
        refused(QemuSpec { machine: "microvm".into(), ..good.clone() }),
        "machine type \"microvm\" is not one that rig boots"
    );
    assert_eq!(refused(QemuSpec { vcpus: 0, ..good.clone() }), "vcpus is 0, which is not within 1 to 255");
    assert_eq!(
        refused(QemuSpec { memory_mib: 64, ..good }),
        "memory_mib is 64, which is not within 128 to 1048576"
    );
    assert_eq!(
        refused(spec(NicModel::Vmxnet3, NicBackend::TapVhost, 1)),
        "vhost-net drives virtio NICs only, not vmxnet3"
    );
    assert_eq!(refused(spec(NicModel::Vmxnet3, NicBackend::Tap, 2)), "2 queues, but vmxnet3 has one");
    assert_eq!(refused(spec(NicModel::VirtioNet, NicBackend::Passt, 2)), "2 queues, but passt has one");
    assert_eq!(
        refused(spec(NicModel::E1000e, NicBackend::MacvtapVhost, 1)),
        refused(spec(NicModel::E1000e, NicBackend::TapVhost, 1))
    );
    assert_eq!(
        refused(spec(NicModel::VirtioNet, NicBackend::User, 3)),
        "3 queues, but user-mode networking has one"
    );
    assert_eq!(
        refused(spec(NicModel::VirtioNet, NicBackend::Socket, 2)),
        "2 queues, but a link of sockets has one"
    );
    assert_eq!(
        refused(spec(NicModel::VirtioNet, NicBackend::Tap, 0)),
        "queues is 0, which is not within 1 to 64"
    );
}

#[test]
fn another_number_of_descriptors_is_refused() {
    let refused = |spec: &QemuSpec, taps: &[RawFd], vhosts: &[RawFd]| {
        let wiring = Wiring { taps, vhosts, ..PLAIN };
        compose(spec, Engine::Tcg, &net(), &[], &wiring).unwrap_err()
    };
    let mq = spec(NicModel::VirtioNet, NicBackend::Tap, 2);
    assert_eq!(refused(&mq, &[20], &[]), Unsupported::Descriptors { what: "tap", given: 1, wanted: 2 });
    assert_eq!(
        refused(&mq, &[20, 21], &[30]),
        Unsupported::Descriptors { what: "vhost", given: 1, wanted: 0 }
    );
    assert_eq!(
        refused(&spec(NicModel::VirtioNet, NicBackend::Socket, 1), &[], &[]),
        Unsupported::Descriptors { what: "socket", given: 0, wanted: 1 }
    );
    let vhost = spec(NicModel::VirtioNet, NicBackend::TapVhost, 2);
    assert_eq!(
        refused(&vhost, &[20, 21], &[30]),
        Unsupported::Descriptors { what: "vhost", given: 1, wanted: 2 }
    );
}

#[test]
fn a_disk_is_read_only_and_has_an_overlay_and_a_seed() {
    let spec = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    let boot = Boot::Disk { disk: 30, format: DiskFormat::Raw, overlay: 31, seed: Some(32) };
    let wiring = Wiring { boot, taps: &[20], ..PLAIN };
    let argv = compose(&spec, Engine::Tcg, &net(), &[], &wiring).unwrap();
    assert!(!argv.iter().any(|word| word == "-kernel" || word == "-append"), "{argv:?}");
    insta::assert_snapshot!(
        "disk",
        argv.join("\n").replace("\n-", "\x00-").replace('\n', " ").replace('\x00', "\n")
    );
    let without = Boot::Disk { disk: 30, format: DiskFormat::Qcow2, overlay: 31, seed: None };
    let argv = compose(&spec, Engine::Tcg, &net(), &[], &Wiring { boot: without, ..wiring }).unwrap();
    assert_eq!(argv.iter().filter(|word| word.contains("virtio-blk-pci")).count(), 1, "{argv:?}");
}

#[test]
fn a_guest_whose_memory_is_kept_stays_when_it_ends_and_is_the_same_in_all_else() {
    let spec = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    let wiring = Wiring { taps: &[20], stays: true, ..PLAIN };
    let with = compose(&spec, Engine::Tcg, &net(), &[], &wiring).unwrap().join(" ");
    let without = compose(&spec, Engine::Tcg, &net(), &[], &Wiring { stays: false, ..wiring }).unwrap();
    assert_eq!(with.replace(" -action panic=pause,shutdown=pause", ""), without.join(" "));
    assert!(with.len() > without.join(" ").len(), "{with}");
}

#[test]
fn a_debuggers_stub_is_a_listening_socket_that_waits_for_nobody() {
    let spec = spec(NicModel::VirtioNet, NicBackend::Tap, 1);
    let wiring = Wiring { taps: &[20], gdb: Some(33), ..PLAIN };
    let with = compose(&spec, Engine::Tcg, &net(), &[], &wiring).unwrap().join(" ");
    let option = " -chardev socket,id=gdb,fd=33,server=on,wait=off -gdb chardev:gdb";
    let without = compose(&spec, Engine::Tcg, &net(), &[], &Wiring { gdb: None, ..wiring }).unwrap();
    assert_eq!(with.replace(option, ""), without.join(" "));
    assert!(with.contains(option), "{with}");
}
