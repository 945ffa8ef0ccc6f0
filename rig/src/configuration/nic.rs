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
    /// A macvtap on the host's end of the link: the guest's frames leave by that interface, and no bridge of the host has a port for the guest.
    Macvtap,
    /// A macvtap driven by the host kernel's vhost-net worker.
    MacvtapVhost,
    /// libslirp: QEMU terminates TCP itself.
    User,
    /// passt, a process beside QEMU that terminates TCP, as libslirp does in QEMU.
    Passt,
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
    /// Who ends the guest's TCP on this host and opens a connection of its own in the guest's name, where somebody does.
    pub fn proxy(self) -> Option<&'static str> {
        match self {
            Self::User => Some("QEMU's user network"),
            Self::Passt => Some("passt"),
            Self::Tap | Self::TapVhost | Self::Macvtap | Self::MacvtapVhost | Self::Socket => None,
        }
    }

    /// Whether it ends the guest's TCP itself.
    pub fn is_proxied(self) -> bool {
        self.proxy().is_some()
    }

    /// Whether QEMU reads and writes it as a tap: by a descriptor for each queue pair, with offloads (drivers/net/tap.c, drivers/net/tun.c).
    pub fn is_tap(self) -> bool {
        match self {
            Self::Tap | Self::TapVhost | Self::Macvtap | Self::MacvtapVhost => true,
            Self::User | Self::Passt | Self::Socket => false,
        }
    }

    /// Whether the host kernel's vhost-net worker drives it.
    pub fn has_vhost(self) -> bool {
        match self {
            Self::TapVhost | Self::MacvtapVhost => true,
            Self::Tap | Self::Macvtap | Self::User | Self::Passt | Self::Socket => false,
        }
    }
}
