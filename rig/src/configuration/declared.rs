//! The declared form of a configuration: plain data, complete (no optional "use the default").

use serde::{Deserialize, Serialize};

/// A `[configuration.NAME]` of the matrix, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Its name in the matrix.
    pub name: String,
    /// What it is.
    pub target: TargetSpec,
}

/// Where the client's kernel runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TargetSpec {
    /// A network namespace of the host: the baseline, "bare metal" when the host itself is not virtual.
    Host,
    /// A QEMU guest.
    Qemu(QemuSpec),
}

impl TargetSpec {
    /// Whether packets pass a TCP-terminating proxy (libslirp) on the way: such cells never stand for the NIC that the guest sees.
    pub fn proxied(&self) -> bool {
        matches!(self, Self::Qemu(QemuSpec { nic: Nic { backend: NicBackend::User, .. }, .. }))
    }

    /// Whether the other end of its NIC is a second guest's, which is the peer.
    pub fn is_paired(&self) -> bool {
        matches!(self, Self::Qemu(QemuSpec { nic: Nic { backend: NicBackend::Socket, .. }, .. }))
    }
}

/// A guest's hardware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QemuSpec {
    /// KVM, TCG or whichever functions.
    pub accelerator: Accelerator,
    /// QEMU machine type: `q35`, `pc`, `microvm`.
    pub machine: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Guest memory.
    pub memory_mib: u32,
    /// The measured NIC.
    pub nic: Nic,
    /// Whether the guest has an /etc/localtime (an arm of the ENOENT hypotheses).
    pub localtime: Localtime,
}

/// The measured NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// What the guest sees.
    pub model: NicModel,
    /// What stands behind it.
    pub backend: NicBackend,
    /// Queue pairs (virtio-net multiqueue when over 1).
    pub queues: u32,
}

/// What the guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NicModel {
    /// virtio-net-pci
    VirtioNet,
    /// vmxnet3: not virtio, and in Debian's cloud kernels.
    Vmxnet3,
}

/// What stands behind the NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NicBackend {
    /// A tap device; every packet passes through the QEMU process.
    Tap,
    /// A tap device driven by the host kernel's vhost-net worker.
    TapVhost,
    /// libslirp: QEMU terminates TCP itself.
    User,
    /// A pair of datagram sockets whose other end a second guest's QEMU holds: that guest, of the same image and hardware, is the peer.
    Socket,
}

/// How the guest's CPU is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// KVM if it functions (a guest boots), otherwise TCG; the record says which.
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation; never stands for a KVM guest.
    Tcg,
}

/// /etc/localtime in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Localtime {
    /// There, as on an ordinary installation (UTC).
    Present,
    /// Not there, as in many minimal images.
    Absent,
}
