//! The agreement between the host and `/init`: words of the kernel command line, and marks on the console.
//!
//! Pure. Must not know QEMU's own options. Units: in the names. Errors: none: a line that is no mark is no mark.
//! The other side of the agreement is `init.sh`.
//! Tests: below; a boot in `tests/qemu.rs`.

use std::net::Ipv4Addr;

/// The link that SSH comes in on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlLink {
    /// MAC address of its NIC, `52:54:00:00:00:01`.
    pub mac: String,
    /// The guest's address on it; SSH listens there only, on port 22.
    pub address: Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
    /// Where answers to other networks go. It is used for nothing else: measured traffic cannot leave this way.
    pub gateway: Option<Ipv4Addr>,
}

/// The measured link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLink {
    /// MAC address of its NIC.
    pub mac: String,
    /// The guest's address on it.
    pub address: Ipv4Addr,
    /// Prefix length.
    pub prefix: u8,
    /// Maximum transmission unit in bytes.
    pub mtu_bytes: u32,
    /// The default route, if there is one.
    pub gateway: Option<Ipv4Addr>,
}

impl ControlLink {
    /// As a word of the kernel command line.
    pub fn argument(&self) -> String {
        let Self { mac, address, prefix, gateway } = self;
        format!("rig.control={mac},{address}/{prefix}{}", with_comma(*gateway))
    }
}

impl DataLink {
    /// As a word of the kernel command line.
    pub fn argument(&self) -> String {
        let Self { mac, address, prefix, mtu_bytes, gateway } = self;
        format!("rig.data={mac},{address}/{prefix},{mtu_bytes}{}", with_comma(*gateway))
    }
}

fn with_comma(gateway: Option<Ipv4Addr>) -> String {
    gateway.map(|gateway| format!(",{gateway}")).unwrap_or_default()
}

/// Kernel options of every guest. None of them changes how the measured kernel treats sockets, memory or time:
/// the serial console, silence on it (writing to it costs time under emulation), an immediate reset on a panic (QEMU's `-no-reboot` makes
/// it an exit), no search for a BIOS's disks, for PS/2 devices that are not there or for more serial ports, and no self-tests of the
/// crypto modules (half a second under emulation).
pub const KERNEL_OPTIONS: [&str; 10] = [
    "console=ttyS0",
    "quiet",
    "panic=-1",
    "edd=off",
    "8250.nr_uarts=1",
    "i8042.noaux",
    "i8042.nokbd",
    "i8042.nopnp",
    "no_timer_check",
    "cryptomgr.notests",
];

/// What a guest said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// The network is up and SSH listens.
    Ready {
        /// Of its kernel.
        release: String,
    },
    /// It gave up and powers off.
    Failed {
        /// Why.
        reason: String,
    },
    /// The kernel gave up.
    Panicked {
        /// Its words.
        reason: String,
    },
}

impl Mark {
    /// The mark in a line of the console, if it is one. Carriage returns and kernel time stamps may surround it.
    pub fn in_line(line: &str) -> Option<Self> {
        let line = line.trim();
        let after = |what: &str| line.split_once(what).map(|(_, rest)| rest.trim().to_owned());
        // /init writes whole lines; what stands before its words is the firmware's or the kernel's unfinished one.
        if let Some(release) = after("rig: ready ") {
            return Some(Self::Ready { release });
        }
        if let Some(reason) = after("rig: failed ") {
            return Some(Self::Failed { reason });
        }
        after("Kernel panic - not syncing: ").map(|reason| Self::Panicked { reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let address = Ipv4Addr::new(192, 0, 2, 2);
        let mac = "52:54:00:00:00:01".to_owned();
        let control = ControlLink { mac: mac.clone(), address, prefix: 24, gateway: None };
        assert_eq!(control.argument(), "rig.control=52:54:00:00:00:01,192.0.2.2/24");
        let gateway = Some(Ipv4Addr::new(192, 0, 2, 1));
        let data = DataLink { mac, address, prefix: 30, mtu_bytes: 1500, gateway };
        assert_eq!(data.argument(), "rig.data=52:54:00:00:00:01,192.0.2.2/30,1500,192.0.2.1");
    }

    #[test]
    fn marks() {
        assert_eq!(
            Mark::in_line("rig: ready 6.1.0-50-cloud-amd64\r"),
            Some(Mark::Ready { release: "6.1.0-50-cloud-amd64".to_owned() })
        );
        assert_eq!(
            Mark::in_line("rig: failed no interface with MAC aa:bb"),
            Some(Mark::Failed { reason: "no interface with MAC aa:bb".to_owned() })
        );
        assert_eq!(
            Mark::in_line("[    1.234567] Kernel panic - not syncing: Attempted to kill init!\r"),
            Some(Mark::Panicked { reason: "Attempted to kill init!".to_owned() })
        );
        assert_eq!(Mark::in_line("SeaBIOS (version 1.16)"), None);
        assert_eq!(Mark::in_line(""), None);
    }
}
