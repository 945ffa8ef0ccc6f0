//! Keys of `[configuration.NAME]`.
//!
//! Holds the rows and the words that can be their values. Must not read anything. Units: MiB, vCPUs, queue pairs.
//! Errors: none. Tests: `keys/tests.rs`.

use super::file::KNOWN;
use super::row::{KeyRow, KeyTable, Unsaid, ValueKind, words_of};
use crate::configuration::{
    Accelerator, LEAST_MEMORY_MIB, Localtime, MACHINES, MOST_NODES, NicBackend, NicModel,
};

/// What executes the kernel: words of `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::matrix) enum Kind {
    /// The host, in a namespace.
    Host,
    /// A QEMU guest.
    Qemu,
}

pub(in crate::matrix) const KINDS: &[(&str, Kind)] = &[("host", Kind::Host), ("qemu", Kind::Qemu)];

pub(in crate::matrix) const MODELS: &[(&str, NicModel)] = &[
    ("virtio-net", NicModel::VirtioNet),
    ("vmxnet3", NicModel::Vmxnet3),
    ("e1000e", NicModel::E1000e),
    ("e1000", NicModel::E1000),
    ("igb", NicModel::Igb),
    ("rtl8139", NicModel::Rtl8139),
];

pub(in crate::matrix) const BACKENDS: &[(&str, NicBackend)] = &[
    ("tap", NicBackend::Tap),
    ("tap-vhost", NicBackend::TapVhost),
    ("macvtap", NicBackend::Macvtap),
    ("macvtap-vhost", NicBackend::MacvtapVhost),
    ("user", NicBackend::User),
    ("passt", NicBackend::Passt),
    ("socket", NicBackend::Socket),
];

pub(in crate::matrix) const ACCELERATORS: &[(&str, Accelerator)] =
    &[("auto", Accelerator::Auto), ("kvm", Accelerator::Kvm), ("tcg", Accelerator::Tcg)];

pub(in crate::matrix) const LOCALTIMES: &[(&str, Localtime)] =
    &[("present", Localtime::Present), ("absent", Localtime::Absent)];

/// A word that a key of a configuration can be.
#[derive(Debug, Clone, Copy)]
pub struct ConfigurationWord {
    /// Its key.
    pub key: &'static str,
    /// As it is written.
    pub word: &'static str,
    /// What it means.
    pub about: &'static str,
    /// What it needs: of the host, of the image, of the other keys.
    pub needs: &'static str,
}

const fn word(
    key: &'static str,
    word: &'static str,
    about: &'static str,
    needs: &'static str,
) -> ConfigurationWord {
    ConfigurationWord { key, word, about, needs }
}

/// Every word of every key; `keys/tests.rs` holds them against the rows.
pub const CONFIGURATION_WORDS: &[ConfigurationWord] = &[
    word(
        "kind",
        "host",
        "the kernel of this machine, in a network namespace: bare metal, unless the machine is itself virtual",
        "root, or a user namespace in which rig is root",
    ),
    word("kind", "qemu", "a guest in QEMU, started anew for each block", "QEMU; an image for each kernel"),
    word("localtime", "present", "the program finds an /etc/localtime", "nothing"),
    word(
        "localtime",
        "absent",
        "the program finds none: localtime() then leaves ENOENT in errno, unless TZ is set",
        "on the host: private mounts",
    ),
    word(
        "nic",
        "virtio-net",
        "the paravirtual NIC of KVM guests (virtio-net-pci)",
        "`virtio_net` in the image",
    ),
    word(
        "nic",
        "vmxnet3",
        "a NIC that is not virtio, to compare virtio with",
        "`vmxnet3` in the image; one queue pair; any backend without vhost-net",
    ),
    word(
        "nic",
        "e1000e",
        "Intel 82574, PCI Express",
        "`e1000e` in the image, as `6.1-full` has it; one queue pair; any backend without vhost-net",
    ),
    word(
        "nic",
        "e1000",
        "Intel 82540EM, PCI",
        "`e1000` in the image, as `6.1-full` has it; one queue pair; any backend without vhost-net",
    ),
    word(
        "nic",
        "igb",
        "Intel 82576, PCI Express",
        "QEMU 8.0 or later; `igb` in the image, as `6.1-full` has it; one queue pair; any backend without vhost-net",
    ),
    word(
        "nic",
        "rtl8139",
        "Realtek 8139C+",
        "`8139cp` in the image, as `6.1-full` has it; one queue pair; any backend without vhost-net",
    ),
    word("backend", "tap", "a tap device: each packet passes through the QEMU process", "/dev/net/tun"),
    word(
        "backend",
        "tap-vhost",
        "a tap device whose packets the host kernel's vhost-net worker moves",
        "/dev/net/tun and /dev/vhost-net; `nic = \"virtio-net\"`",
    ),
    word(
        "backend",
        "macvtap",
        "a macvtap on the host's end of the link, which it has for itself: no bridge has a port for the guest",
        "CONFIG_MACVTAP in the host's kernel, Linux 5.2 or later",
    ),
    word(
        "backend",
        "macvtap-vhost",
        "a macvtap whose packets the host kernel's vhost-net worker moves",
        "the same and /dev/vhost-net; `nic = \"virtio-net\"`",
    ),
    word(
        "backend",
        "user",
        "QEMU's user networking: it ends the guest's TCP itself, so these cells say nothing about the NIC",
        "a path that changes no segments; one queue pair",
    ),
    word(
        "backend",
        "passt",
        "passt, a process beside QEMU: it ends the guest's TCP itself, so these cells say nothing about the NIC",
        "passt; QEMU 7.2 or later; a path that changes no segments; one queue pair",
    ),
    word(
        "backend",
        "socket",
        "a pair of sockets to a second guest of the same image and hardware, which is the peer",
        "QEMU 7.2 or later; a plain path; one queue pair; memory for two guests",
    ),
    word(
        "accelerator",
        "auto",
        "KVM if a guest boots under it, otherwise TCG; the report says which",
        "nothing",
    ),
    word("accelerator", "kvm", "KVM only: if it does not work, the cell is skipped", "a working /dev/kvm"),
    word("accelerator", "tcg", "emulation: its times are not those of a real machine", "nothing"),
    word("machine", "q35", "QEMU's machine with PCI Express", "nothing"),
    word("machine", "pc", "QEMU's older machine with PCI (i440FX)", "nothing"),
];

pub(in crate::matrix) const KIND: KeyRow = KeyRow {
    name: "kind",
    kind: ValueKind::Word(|| words_of(KINDS)),
    unsaid: Unsaid::Required { example: "kind = \"qemu\" (or \"host\")" },
    about: "where the kernel runs: in a QEMU guest, or on the host itself",
};

pub(in crate::matrix) const NIC: KeyRow = KeyRow {
    name: "nic",
    kind: ValueKind::Word(|| words_of(MODELS)),
    unsaid: Unsaid::Required { example: "nic = \"virtio-net\"" },
    about: "the measured NIC, as the guest sees it",
};

pub(in crate::matrix) const BACKEND: KeyRow = KeyRow {
    name: "backend",
    kind: ValueKind::Word(|| words_of(BACKENDS)),
    unsaid: Unsaid::Required { example: "backend = \"tap\"" },
    about: "what carries the frames of the NIC on the host",
};

pub(in crate::matrix) const QUEUES: KeyRow = KeyRow {
    name: "queues",
    kind: ValueKind::Count { least: 1, most: 16, unit: "queue pairs" },
    unsaid: Unsaid::Count(1),
    about: "queue pairs of the NIC; more than one needs virtio-net on a tap",
};

pub(in crate::matrix) const ACCELERATOR: KeyRow = KeyRow {
    name: "accelerator",
    kind: ValueKind::Word(|| words_of(ACCELERATORS)),
    unsaid: Unsaid::Word("auto"),
    about: "what executes the guest; auto uses KVM if a guest boots under it, otherwise TCG",
};

pub(in crate::matrix) const MACHINE: KeyRow = KeyRow {
    name: "machine",
    kind: ValueKind::Word(|| MACHINES.to_vec()),
    unsaid: Unsaid::Word("q35"),
    about: "QEMU's machine type, or a version of one that this QEMU has: `pc-q35-7.0`, `pc-i440fx-7.2` (`qemu-system-x86_64 -machine help` lists them)",
};

pub(in crate::matrix) const DEVICE: KeyRow = KeyRow {
    name: "device",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("as QEMU has it"),
    about: "properties of the measured NIC's device, by QEMU's names: { packed = true, event_idx = false, rx_queue_size = 512 }. The QEMU at hand must have them. Read back: those that are features of virtio from the guest, the others from QEMU; a block where one differs is void",
};

pub(in crate::matrix) const CPU: KeyRow = KeyRow {
    name: "cpu",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("the host's under KVM; under TCG `max` without la57 and cx16"),
    about: "CPU model, with flags behind it: \"qemu64,+x2apic\" (`qemu-system-x86_64 -cpu help` lists them); read back",
};

pub(in crate::matrix) const QEMU: KeyRow = KeyRow {
    name: "qemu",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("the `qemu-system-x86_64` that PATH has"),
    about: "path of another QEMU for this configuration, as seen from the matrix file; a block's record has its path, hash and version. Where there is no such file, its cells are skipped",
};

pub(in crate::matrix) const NUMA: KeyRow = KeyRow {
    name: "numa",
    kind: ValueKind::Count { least: 1, most: MOST_NODES as u64, unit: "NUMA nodes" },
    unsaid: Unsaid::Means("the guest is told of no nodes"),
    about: "NUMA nodes among which the guest's processors and memory are divided; read back",
};

pub(in crate::matrix) const KERNEL_CMDLINE: KeyRow = KeyRow {
    name: "kernel_cmdline",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("nothing is added"),
    about: "words behind those that rig gives the guest's kernel: \"mitigations=off tsc=unstable\"; read back",
};

pub(in crate::matrix) const VCPUS: KeyRow = KeyRow {
    name: "vcpus",
    kind: ValueKind::Count { least: 1, most: 64, unit: "virtual CPUs" },
    unsaid: Unsaid::Count(1),
    about: "virtual CPUs of the guest",
};

pub(in crate::matrix) const MEMORY_MIB: KeyRow = KeyRow {
    name: "memory_mib",
    kind: ValueKind::Count { least: LEAST_MEMORY_MIB as u64, most: 65_536, unit: "MiB" },
    unsaid: Unsaid::Count(384),
    about: "memory of the guest",
};

pub(in crate::matrix) const LOCALTIME: KeyRow = KeyRow {
    name: "localtime",
    kind: ValueKind::Word(|| words_of(LOCALTIMES)),
    unsaid: Unsaid::Word("present"),
    about: "whether the measured program has an /etc/localtime; on the host it gets a private /etc, with at most that file",
};

pub(in crate::matrix) const TIMEZONE: KeyRow = KeyRow {
    name: "timezone",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("TZ is unset"),
    about: "TZ of the measured program, as `UTC0`; if it is set, localtime() does not look for /etc/localtime",
};

pub(in crate::matrix) const CHECKSUM_OFFLOAD: KeyRow = KeyRow {
    name: "checksum_offload",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Means("as QEMU and the kernel have it"),
    about: "whether the measured NIC computes and checks checksums; without it no long segments are handed over either (TSO). Of a guest: the features of its virtio NIC; of a host: its end of the link. Read back, and a block where it differs is void",
};

pub(in crate::matrix) const GRO: KeyRow = KeyRow {
    name: "gro",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Means("as the kernel has it"),
    about: "whether the target's kernel joins segments that it receives (generic receive offload); read back",
};

pub(in crate::matrix) const MRG_RXBUF: KeyRow = KeyRow {
    name: "mrg_rxbuf",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Means("as QEMU has it"),
    about: "whether one packet may take several receive buffers of the virtio NIC (VIRTIO_NET_F_MRG_RXBUF); read back",
};

pub(in crate::matrix) const VSOCK: KeyRow = KeyRow {
    name: "vsock",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Means("no such device"),
    about: "whether the guest has a vsock device (vhost-vsock-pci), by which scenarios with family = \"vsock\" reach the host; needs /dev/vhost-vsock. Its CID is recorded, and read back",
};

pub(in crate::matrix) const DISK: KeyRow = KeyRow {
    name: "disk",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("a kernel of the kernel axis, with rig's own root file system"),
    about: "a raw or qcow2 file that the guest boots by its BIOS, with its own kernel, C library and init, seen from the folder of this file. It is never written: each guest has a throw-away overlay. Its cells have the file's name as their kernel",
};

pub(in crate::matrix) const LOGIN: KeyRow = KeyRow {
    name: "login",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("rig's own key, which cloud-init takes from a seed (NoCloud)"),
    about: "how rig gets into a `disk` that has no cloud-init: { user = \"debian\", key = \"rig-key\" }. The image then gives its first address by DHCP to the NIC that answers (203.0.113.15)",
};

pub(in crate::matrix) const LOGIN_USER: KeyRow = KeyRow {
    name: "user",
    kind: ValueKind::Text,
    unsaid: Unsaid::Word("root"),
    about: "who logs in; another one than root becomes root by `sudo`, without a password",
};

pub(in crate::matrix) const LOGIN_KEY: KeyRow = KeyRow {
    name: "key",
    kind: ValueKind::Text,
    unsaid: Unsaid::Required { example: "key = \"rig-key\"" },
    about: "the file of the private key, without a passphrase, seen from the folder of this file",
};

pub(in crate::matrix) const CONFIGURATION_LOGIN: KeyTable = KeyTable {
    head: "[configuration.NAME.login]",
    parts: &[&[LOGIN_USER, LOGIN_KEY]],
    more: None,
    about: "the way into a guest that boots a disk of one's own",
};

pub(in crate::matrix) const SYSCTL: KeyRow = KeyRow {
    name: "sysctl",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("as the kernel has them"),
    about: "settings of the target's kernel, `net.ipv4.*` and `net.core.*`: set before the agent starts, read back, and recorded with what they were. A host's are those of a network namespace that ends with the block, so nothing needs to be restored",
};

pub(in crate::matrix) const INJECT: KeyRow = KeyRow {
    name: "inject",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("nothing"),
    about: "a known dose, by which a whole run can be checked: in so many of its trials select() returns this errno and is not reached (seccomp), in every cell but controls: { errno = \"EBADF\", rate = \"0.1%\" }. Cells with another verdict call than a plain select() are skipped, and claims take no evidence from it",
};

pub(in crate::matrix) const INJECT_ERRNO: KeyRow = KeyRow {
    name: "errno",
    kind: ValueKind::Text,
    unsaid: Unsaid::Required { example: "errno = \"EBADF\"" },
    about: "what the verdict call returns, in place of its own return",
};

pub(in crate::matrix) const INJECT_RATE: KeyRow = KeyRow {
    name: "rate",
    kind: ValueKind::Rate,
    unsaid: Unsaid::Required { example: "rate = \"0.1%\"" },
    about: "in which share of the trials",
};

pub(in crate::matrix) const CONFIGURATION_INJECT: KeyTable = KeyTable {
    head: "[configuration.NAME.inject]",
    parts: &[&[INJECT_ERRNO, INJECT_RATE]],
    more: None,
    about: "a known dose of an errno: what the configuration shows is then a proof of the measuring, and no measurement",
};

/// Keys of every kind.
pub(in crate::matrix) const ANY_KIND: &[KeyRow] =
    &[KIND, CHECKSUM_OFFLOAD, GRO, SYSCTL, INJECT, LOCALTIME, TIMEZONE, KNOWN];

/// Further keys of `kind = "qemu"`.
pub(in crate::matrix) const GUEST: &[KeyRow] = &[
    NIC,
    BACKEND,
    QUEUES,
    DEVICE,
    MRG_RXBUF,
    VSOCK,
    ACCELERATOR,
    QEMU,
    MACHINE,
    CPU,
    VCPUS,
    MEMORY_MIB,
    NUMA,
    KERNEL_CMDLINE,
    DISK,
    LOGIN,
];

pub(in crate::matrix) const CONFIGURATION: KeyTable = KeyTable {
    head: "[configuration.NAME]",
    parts: &[ANY_KIND, GUEST],
    more: None,
    about: "where the target's kernel runs; kind = \"host\" has no hardware",
};
