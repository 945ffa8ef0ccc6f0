//! What of a target is set otherwise than QEMU and the kernel have it: offloads of its NIC, a vsock device, a known dose of errnos, and kernel settings.
//!
//! Plain data, how an agent is told of it, and whether what was read back is what was wanted. Must not set anything.
//! What is not said is left as it is, and not written: a plain target keeps its cell ids. Units: none.
//! Errors: a sentence, for an interface that is otherwise. Tests: below.

use std::collections::BTreeMap;

use rig_protocol::{Interface, VirtioFeature};
use serde::{Deserialize, Serialize};

use super::injection::Injection;

/// Kernel settings by name (`net.ipv4.tcp_syn_retries`), each with its value as the kernel writes it, tabs as spaces.
pub type Sysctls = BTreeMap<String, String>;

/// VIRTIO_NET_F_CSUM, VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_MRG_RXBUF (include/uapi/linux/virtio_net.h).
const CSUM: [VirtioFeature; 2] = [VirtioFeature(0), VirtioFeature(1)];
const MRG_RXBUF: VirtioFeature = VirtioFeature(15);

/// What of a target is set otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tuning {
    /// Whether the measured NIC computes and checks checksums, and so cuts segments too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_offload: Option<bool>,
    /// Whether a virtio NIC may use several receive buffers for one packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mrg_rxbuf: Option<bool>,
    /// Whether the target's kernel joins segments that it receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gro: Option<bool>,
    /// Whether the guest has a vsock device, carried by the host kernel's vhost-vsock.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub vsock: bool,
    /// Errnos that its verdict calls return in place of their own return: what it shows is then no measurement, but a proof of the measuring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inject: Option<Injection>,
    /// Settings of the target's kernel.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctl: Sysctls,
}

impl Tuning {
    /// What an agent is told to set at `interface`, as the argument of its `--offloads`; `None`: nothing. Of a guest the NIC itself is without
    /// checksums, not its driver.
    pub fn offloads(&self, interface: &str, is_guest: bool) -> Option<String> {
        let checksums = self.checksum_offload.filter(|_| !is_guest);
        let wanted = [("gro", self.gro), ("rx", checksums), ("tx", checksums)];
        let word = |on| if on { "on" } else { "off" };
        let said: Vec<String> =
            wanted.iter().filter_map(|(name, on)| Some(format!("{name}={}", word((*on)?)))).collect();
        (!said.is_empty()).then(|| format!("{interface},{}", said.join(",")))
    }

    /// What of the measured interface is not as it was wanted, read back where the target runs.
    pub fn difference(&self, name: &str, found: &[Interface]) -> Option<String> {
        let asked = [self.checksum_offload, self.mrg_rxbuf, self.gro].iter().any(Option::is_some);
        let Some(interface) = found.iter().find(|interface| interface.name == name) else {
            return asked.then(|| format!("the agent does not tell of interface {name}"));
        };
        let offload = |name: &str| interface.offloads.get(name).copied();
        let feature = |bit: VirtioFeature| interface.virtio.as_ref().map(|taken| taken.0.contains(&bit));
        let checksums = match &interface.virtio {
            Some(_) => {
                [("VIRTIO_NET_F_CSUM", feature(CSUM[0])), ("VIRTIO_NET_F_GUEST_CSUM", feature(CSUM[1]))]
            }
            None => ["tx-checksum-ip-generic", "rx-checksum"].map(|name| (name, offload(name))),
        };
        let all = checksums.map(|(what, found)| (what, self.checksum_offload, found)).into_iter().chain([
            ("VIRTIO_NET_F_MRG_RXBUF", self.mrg_rxbuf, feature(MRG_RXBUF)),
            ("rx-gro", self.gro, offload("rx-gro")),
        ]);
        let mut wrong = all.filter(|(_, wanted, found)| wanted.is_some() && wanted != found);
        wrong.next().map(|(what, _, found)| {
            let state = match found {
                Some(true) => "on",
                Some(false) => "off",
                None => "not told",
            };
            format!("{what} of {name} is {state}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(offloads: &[(&str, bool)], virtio: Option<&[u16]>) -> Interface {
        Interface {
            name: "data".into(),
            offloads: offloads.iter().map(|(name, on)| ((*name).to_owned(), *on)).collect(),
            virtio: virtio.map(|bits| bits.iter().map(|bit| VirtioFeature(*bit)).collect()),
            ..Interface::default()
        }
    }

    #[test]
    fn what_is_not_said_is_neither_written_nor_set_nor_compared() {
        let plain = Tuning::default();
        assert_eq!(serde_json::to_string(&plain).expect("plain data"), "{}");
        assert_eq!((plain.offloads("data", true), plain.difference("data", &[])), (None, None));
    }

    #[test]
    fn a_host_sets_its_checksums_and_a_guest_has_a_nic_without() {
        let tuning = Tuning { checksum_offload: Some(false), gro: Some(true), ..Tuning::default() };
        assert_eq!(tuning.offloads("target0", false).as_deref(), Some("target0,gro=on,rx=off,tx=off"));
        assert_eq!(tuning.offloads("data", true).as_deref(), Some("data,gro=on"));
    }

    #[test]
    fn what_was_read_back_is_compared() {
        let gro = Tuning { gro: Some(false), ..Tuning::default() };
        let sums = Tuning { checksum_offload: Some(false), ..Tuning::default() };
        let merge = Tuning { mrg_rxbuf: Some(true), ..Tuning::default() };
        let veth = [("rx-gro", false), ("rx-checksum", false), ("tx-checksum-ip-generic", false)];
        for (tuning, found, wrong) in [
            (&gro, interface(&veth, None), None),
            (&gro, interface(&[("rx-gro", true)], None), Some("rx-gro of data is on")),
            (&sums, interface(&veth, None), None),
            (
                &sums,
                interface(&[("rx-checksum", false), ("tx-checksum-ip-generic", true)], None),
                Some("tx-checksum-ip-generic of data is on"),
            ),
            (&sums, interface(&[], Some(&[15])), None),
            (&sums, interface(&[], Some(&[1])), Some("VIRTIO_NET_F_GUEST_CSUM of data is on")),
            (&merge, interface(&[], Some(&[0, 15])), None),
            (&merge, interface(&[], Some(&[0])), Some("VIRTIO_NET_F_MRG_RXBUF of data is off")),
            (&merge, interface(&[], None), Some("VIRTIO_NET_F_MRG_RXBUF of data is not told")),
        ] {
            assert_eq!(tuning.difference("data", &[found]).as_deref(), wrong, "{tuning:?}");
        }
        assert_eq!(gro.difference("data", &[]).as_deref(), Some("the agent does not tell of interface data"));
    }
}
