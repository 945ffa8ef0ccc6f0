//! QEMU's command line, built in this one place from plain data.
//!
//! Must not open, spawn or look at anything of the host: descriptors come in as numbers. Units: MiB, vCPUs, bytes of MTU.
//! Errors: [`Unsupported`], which blames the configuration: no QEMU of ours can be what it asks for.
//! What each option means: qemu-system-x86_64(1), version 7.2; the kernel's: Documentation/admin-guide/kernel-parameters.txt.
//! Tests: below, one snapshot for every shape of a configuration.

use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use crate::configuration::{
    CHECKSUMS, DiskFormat, Engine, NicBackend, NicModel, QemuSpec, Unsupported, check, socket_ends,
    tap_queues, vhost_descriptors,
};
use crate::path::passt;

/// MAC address of the measured NIC (QEMU's own prefix, locally administered).
pub const DATA_MAC: &str = "52:54:00:00:01:01";
/// MAC address of the measured NIC of a guest that is the peer.
pub const PEER_MAC: &str = "52:54:00:00:01:03";
/// MAC address of the control NIC, which never carries a measured packet.
pub const CONTROL_MAC: &str = "52:54:00:00:01:02";

/// The guest's side of both networks; the guest's init takes it from the kernel command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestNet {
    /// MAC address of the measured NIC: [`DATA_MAC`], or [`PEER_MAC`] where the guest is the peer.
    pub mac: &'static str,
    /// Address of the measured NIC.
    pub address: Ipv4Addr,
    /// Prefix length of the measured link.
    pub prefix: u8,
    /// MTU of the measured link, in bytes.
    pub mtu_bytes: u32,
    /// TCP port on 127.0.0.1, in QEMU's network namespace, behind which the guest's SSH server is.
    pub control_port: u16,
}

impl GuestNet {
    /// Address with its prefix length, and the gateway where there is one, of the measured NIC: behind a proxy they are the proxy's.
    pub(in crate::machine) fn measured(&self, proxied: bool) -> (String, Option<Ipv4Addr>) {
        if proxied {
            (format!("{}/{}", passt::GUEST, passt::PREFIX), Some(passt::GATEWAY))
        } else {
            (format!("{}/{}", self.address, self.prefix), None)
        }
    }

    /// The measured NIC as the guest has it: behind a proxy it lives in a network of the proxy's own, whose gateway forwards.
    fn data(&self, backend: NicBackend) -> String {
        let (mac, mtu) = (self.mac, self.mtu_bytes);
        let (address, gateway) = self.measured(backend.is_proxied());
        let gateway = gateway.map_or(String::new(), |gateway| format!(",{gateway}"));
        format!("{mac},{address},{mtu}{gateway}")
    }
}

/// The guest's address on the control network.
pub const CONTROL_GUEST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 15);
const CONTROL_GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// Descriptors that QEMU inherits, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring<'a> {
    /// One end of a connected stream socket: QMP.
    pub qmp: RawFd,
    /// One end of a connected stream socket: the first serial port.
    pub console: RawFd,
    /// What the guest boots.
    pub boot: Boot,
    /// One open tap queue for each queue pair; empty without a tap.
    pub taps: &'a [RawFd],
    /// One end of a pair of datagram sockets, for the backend that is one.
    pub socket: Option<RawFd>,
    /// One open /dev/vhost-net for each queue pair; empty where vhost is not asked for.
    pub vhosts: &'a [RawFd],
    /// A listening stream socket: QEMU's stub for a debugger.
    pub gdb: Option<RawFd>,
    /// Whether a guest that panics, resets or shuts down stays, and QEMU with it: its memory may be asked for.
    pub stays: bool,
    /// An open /dev/vhost-vsock that holds this CID, for a guest with such a device.
    pub vsock: Option<(RawFd, u32)>,
}

/// What a guest boots, by the numbers of its descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// Two files.
    Kernel {
        /// The kernel.
        kernel: RawFd,
        /// The whole initramfs.
        initramfs: RawFd,
    },
    /// A disk, by the machine's firmware (SeaBIOS).
    Disk {
        /// Open for reading.
        disk: RawFd,
        /// How its bytes are laid out.
        format: DiskFormat,
        /// A qcow2 image, open for reading and writing, that holds what the guest writes.
        overlay: RawFd,
        /// A second disk, open for reading.
        seed: Option<RawFd>,
    },
}

/// The guest kernel's command line.
///
/// `quiet` keeps the console to errors and worse (level 4), which a panic is; an oops becomes a panic, because a guest that goes on
/// after one measures nothing; a panic ends the guest at once (`-1`: reboot, which `-no-reboot` makes the end of QEMU). Under emulation
/// `no_timer_check`, which a kernel under KVM sets for itself (arch/x86/kernel/kvm.c): on a busy host the emulated timer misses the
/// check's few milliseconds, and the boot hangs after "MP-BIOS bug: 8254 timer not connected to IO-APIC". Nothing else is switched
/// off or tuned: what is measured is the distribution's kernel as it comes.
pub fn kernel_command_line(spec: &QemuSpec, engine: Engine, net: &GuestNet, extra: &[String]) -> String {
    let timer = match engine {
        Engine::Kvm => "",
        Engine::Tcg => " no_timer_check",
    };
    let data = net.data(spec.nic.backend);
    let mut line = format!(
        "console=ttyS0 quiet panic=-1 oops=panic{timer} rig.data={data} \
         rig.control={CONTROL_MAC},{CONTROL_GUEST}/24,{CONTROL_GATEWAY}"
    );
    for word in spec.hardware.kernel_cmdline.iter().chain(extra) {
        let _ = write!(line, " {word}");
    }
    line
}

/// The arguments of `qemu-system-x86_64` (its own name is not among them).
///
/// # Errors
/// [`Unsupported`]
pub fn compose(
    spec: &QemuSpec,
    engine: Engine,
    net: &GuestNet,
    extra: &[String],
    wiring: &Wiring<'_>,
) -> Result<Vec<String>, Unsupported> {
    check(spec)?;
    for (what, given, wanted) in [
        ("tap", wiring.taps.len(), tap_queues(spec)),
        ("socket", wiring.socket.iter().len(), socket_ends(spec)),
        ("vhost", wiring.vhosts.len(), vhost_descriptors(spec)),
        ("vsock", wiring.vsock.iter().len(), usize::from(spec.tuning.vsock)),
    ] {
        if given != wanted {
            return Err(Unsupported::Descriptors { what, given, wanted });
        }
    }
    let mut argv = Argv::default();
    argv.flag("-nodefaults").flag("-no-user-config").flag("-no-reboot");
    argv.option("-display", "none");
    argv.option("-name", "guest=rig,debug-threads=on");
    argv.option("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    argv.option("-machine", machine(spec, wiring.boot));
    processors_and_memory(&mut argv, spec, engine);
    match wiring.boot {
        // Both by descriptor: what was checked is what boots. QEMU knows files by names only.
        Boot::Kernel { kernel, initramfs } => {
            argv.option("-kernel", format_args!("/proc/self/fd/{kernel}"));
            argv.option("-initrd", format_args!("/proc/self/fd/{initramfs}"));
            argv.option("-append", kernel_command_line(spec, engine, net, extra));
        }
        Boot::Disk { disk, format, overlay, seed } => disks(&mut argv, (disk, format), overlay, seed),
    }
    argv.option("-chardev", format_args!("socket,id=qmp,fd={}", wiring.qmp));
    argv.option("-mon", "chardev=qmp,mode=control");
    argv.option("-chardev", format_args!("socket,id=console,fd={}", wiring.console));
    argv.option("-serial", "chardev:console");
    argv.option("-device", "pvpanic-pci");
    if let Some(listener) = wiring.gdb {
        argv.option("-chardev", format_args!("socket,id=gdb,fd={listener},server=on,wait=off"));
        argv.option("-gdb", "chardev:gdb");
    }
    if wiring.stays {
        // `-no-reboot` makes a reset a shutdown; a kernel without pvpanic's driver ends its panic with a reset (`panic=-1`).
        argv.option("-action", "panic=pause,shutdown=pause");
    }
    data_nic(&mut argv, spec, net.mac, wiring);
    if let Some((device, cid)) = wiring.vsock {
        argv.option("-device", format_args!("vhost-vsock-pci,id=vsock,guest-cid={cid},vhostfd={device}"));
    }
    control_nic(&mut argv, net);
    Ok(argv.0)
}

fn processors_and_memory(argv: &mut Argv, spec: &QemuSpec, engine: Engine) {
    let (accelerator, usual_cpu) = match engine {
        Engine::Kvm => ("kvm", "host"),
        // Without five-level page tables, which `max` brings along: their walks cost, and few physical machines run with them.
        // Without cmpxchg16b: kernel 6.12's lockless slab, which uses it, oopsed in every third boot under QEMU 7.2's TCG,
        // in 0 of 24 without it; the slab then falls back to a spin lock.
        Engine::Tcg => ("tcg,thread=multi", "max,la57=off,cx16=off"),
    };
    argv.option("-accel", accelerator).option("-cpu", spec.hardware.cpu.as_deref().unwrap_or(usual_cpu));
    argv.option("-smp", spec.vcpus).option("-m", format_args!("{}M", spec.memory_mib));
    numa(argv, spec);
}

fn control_nic(argv: &mut Argv, net: &GuestNet) {
    argv.option(
        "-netdev",
        format_args!(
            "user,id=control,net=203.0.113.0/24,host={CONTROL_GATEWAY},restrict=on,hostfwd=tcp:127.0.0.1:{}-{CONTROL_GUEST}:22",
            net.control_port
        ),
    );
    argv.option(
        "-device",
        format_args!("virtio-net-pci,id=control-nic,netdev=control,mac={CONTROL_MAC},romfile="),
    );
}

/// The machine's type. Where the firmware has something to do, it says on the serial console what: without graphics it looks for its own
/// option ROM (sgabios) or, as SeaBIOS since 1.11 does, redirects its output there.
fn machine(spec: &QemuSpec, boot: Boot) -> String {
    match boot {
        Boot::Kernel { .. } => spec.machine.clone(),
        Boot::Disk { .. } => format!("{},graphics=off", spec.machine),
    }
}

/// A disk that is only read, with an image over it that takes what is written; and the seed. All by descriptor (`-add-fd`): QEMU may open no file.
fn disks(argv: &mut Argv, (disk, format): (RawFd, DiskFormat), overlay: RawFd, seed: Option<RawFd>) {
    let mut set = |number: u32, fd: RawFd| {
        argv.option("-add-fd", format_args!("fd={fd},set={number}"));
        format!("driver=file,filename=/dev/fdset/{number}")
    };
    let (base, over) = (set(1, disk), set(2, overlay));
    let seed = seed.map(|seed| set(3, seed));
    argv.option("-blockdev", format_args!("{base},node-name=disk-file,read-only=on"));
    let format = format.word();
    argv.option("-blockdev", format_args!("driver={format},node-name=disk,file=disk-file,read-only=on"));
    argv.option("-blockdev", format_args!("{over},node-name=overlay-file"));
    argv.option("-blockdev", "driver=qcow2,node-name=overlay,file=overlay-file,backing=disk");
    argv.option("-device", "virtio-blk-pci,drive=overlay,bootindex=0");
    if let Some(seed) = seed {
        argv.option("-blockdev", format_args!("{seed},node-name=seed-file,read-only=on"));
        argv.option("-blockdev", "driver=raw,node-name=seed,file=seed-file,read-only=on");
        argv.option("-device", "virtio-blk-pci,drive=seed");
    }
}

/// The measured NIC and what stands behind it.
fn data_nic(argv: &mut Argv, spec: &QemuSpec, mac: &str, wiring: &Wiring<'_>) {
    let taps = descriptors("fd", wiring.taps);
    match spec.nic.backend {
        NicBackend::Tap | NicBackend::Macvtap => {
            argv.option("-netdev", format_args!("tap,id=data,{taps},vhost=off"))
        }
        NicBackend::TapVhost | NicBackend::MacvtapVhost => {
            let vhosts = descriptors("vhostfd", wiring.vhosts);
            argv.option("-netdev", format_args!("tap,id=data,{taps},vhost=on,{vhosts}"))
        }
        NicBackend::User => {
            argv.option("-netdev", format_args!("user,id=data,net=198.51.100.0/24,host={}", passt::GATEWAY))
        }
        // One Ethernet frame in each datagram, without a header of ours and so without offloads: a frame that finds the pair's buffer full
        // waits in QEMU (net/dgram.c).
        NicBackend::Socket => {
            let end = wiring.socket.map(|end| end.to_string()).unwrap_or_default();
            argv.option("-netdev", format_args!("dgram,id=data,local.type=fd,local.str={end}"))
        }
        // A connected stream; before each frame its length in four bytes (net/stream.c, passt(1)).
        NicBackend::Passt => {
            let end = wiring.socket.map(|end| end.to_string()).unwrap_or_default();
            argv.option("-netdev", format_args!("stream,id=data,server=off,addr.type=fd,addr.str={end}"))
        }
    };
    let queues = spec.nic.queues;
    let device = match spec.nic.model {
        // One vector for the configuration, one for control, two for each queue pair (virtio 1.2, section 5.1.2).
        NicModel::VirtioNet if queues > 1 => format!("virtio-net-pci,mq=on,vectors={}", 2 * queues + 2),
        NicModel::VirtioNet => "virtio-net-pci".to_owned(),
        other => other.device().to_owned(),
    };
    let mut features = features(spec);
    for (name, value) in &spec.hardware.device {
        let _ = write!(features, ",{name}={value}");
    }
    argv.option("-device", format_args!("{device}{features},id={DATA_NIC},netdev=data,mac={mac},romfile="));
}

/// Memory and processors in equal shares among the nodes; the first have what is left over. A node without a processor is one all the same.
fn numa(argv: &mut Argv, spec: &QemuSpec) {
    let Some(nodes) = spec.hardware.numa else { return };
    let share = |whole: u32, node: u32| whole / nodes + u32::from(node < whole % nodes);
    let mut first = 0;
    for node in 0..nodes {
        let (memory, cpus) = (share(spec.memory_mib, node), share(spec.vcpus, node));
        argv.option("-object", format_args!("memory-backend-ram,id=numa{node},size={memory}M"));
        let own = match cpus {
            0 => String::new(),
            _ => format!(",cpus={first}-{}", first + cpus - 1),
        };
        argv.option("-numa", format_args!("node,nodeid={node},memdev=numa{node}{own}"));
        first += cpus;
    }
}

/// Features of a virtio NIC that are not as QEMU has them: `,mrg_rxbuf=off`.
fn features(spec: &QemuSpec) -> String {
    let mut text = String::new();
    let word = |on| if on { "on" } else { "off" };
    let checksums = match spec.tuning.checksum_offload {
        None => &[][..],
        Some(true) => &CHECKSUMS[..2],
        Some(false) => &CHECKSUMS[..],
    };
    let merged = spec.tuning.mrg_rxbuf.map(|on| ("mrg_rxbuf", on));
    let sums = checksums.iter().map(|name| (*name, spec.tuning.checksum_offload == Some(true)));
    for (name, on) in sums.chain(merged) {
        let _ = write!(text, ",{name}={}", word(on));
    }
    text
}

/// `fd=3`, `fds=3:4`.
fn descriptors(name: &str, numbers: &[RawFd]) -> String {
    match numbers {
        [one] => format!("{name}={one}"),
        several => format!("{name}s={}", several.iter().map(RawFd::to_string).collect::<Vec<_>>().join(":")),
    }
}

/// QEMU's name of the measured NIC, for `set_link` and for queries.
pub const DATA_NIC: &str = "data-nic";

#[derive(Debug, Default)]
struct Argv(Vec<String>);

impl Argv {
    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.to_owned());
        self
    }

    fn option(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        self.0.push(name.to_owned());
        self.0.push(value.to_string());
        self
    }
}

#[cfg(test)]
#[path = "argv_tests.rs"]
mod tests;
