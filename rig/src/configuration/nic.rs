//! The measured NIC of a guest: what the guest sees, what stands behind it, and what QEMU and the kernel call it.
//!
//! Plain data. Must not know what goes with what (`supported.rs`). Units: queue pairs. Errors: none. Tests: `declared.rs`, `hardware.rs`.

use serde::{Deserialize, Serialize};

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
    /// Intel 82574, PCI Express.
    E1000e,
    /// Intel 82540EM, PCI.
    E1000,
    /// Intel 82576, PCI Express; QEMU has it since 8.0.
    Igb,
    /// Realtek 8139C+.
    Rtl8139,
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

impl NicModel {
    /// As a matrix file spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::VirtioNet => "virtio-net",
            Self::Vmxnet3 => "vmxnet3",
            Self::E1000e => "e1000e",
            Self::E1000 => "e1000",
            Self::Igb => "igb",
            Self::Rtl8139 => "rtl8139",
        }
    }

    /// QEMU's name of the device.
    pub fn device(self) -> &'static str {
        match self {
            Self::VirtioNet => "virtio-net-pci",
            other => other.word(),
        }
    }

    /// What the kernel calls the drivers that such a device can have (ETHTOOL_GDRVINFO). QEMU's rtl8139 is the one with C+ mode, which 8139too
    /// leaves to 8139cp where there is one (drivers/net/ethernet/realtek).
    pub fn drivers(self) -> &'static [&'static str] {
        match self {
            Self::VirtioNet => &["virtio_net"],
            Self::Vmxnet3 => &["vmxnet3"],
            Self::E1000e => &["e1000e"],
            Self::E1000 => &["e1000"],
            Self::Igb => &["igb"],
            Self::Rtl8139 => &["8139cp", "8139too"],
        }
    }
}

impl NicBackend {
    /// Whether it ends the guest's TCP itself.
    pub fn is_proxied(self) -> bool {
        match self {
            Self::User => true,
            Self::Tap | Self::TapVhost | Self::Socket => false,
        }
    }
}
