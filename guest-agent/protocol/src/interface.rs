//! A network interface as its kernel shows it: driver, MTU, offloads, and what a virtio device and its driver agreed on.
//!
//! Holds names and numbers that were read elsewhere, and the names of virtio's feature bits; must not judge them.
//! Units: bytes. Errors: none; what could not be read is empty. A text that names no feature reads as `Err(())`.
//! Source: Documentation/ABI/testing/sysfs-class-net, include/uapi/linux/{ethtool,virtio_net,virtio_config,virtio_ring}.h.
//! Tests: below.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One interface of the network namespace in which an agent runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// Its name: `eth0`.
    pub name: String,
    /// The kernel's driver: `virtio_net`, `veth`, `vmxnet3` (ETHTOOL_GDRVINFO); empty where it has none or does not say.
    pub driver: String,
    /// The largest packet that it carries, link header aside (SIOCGIFMTU); 0 where it could not be read.
    pub mtu_bytes: u32,
    /// What a virtio device and its driver agreed on; `None` for every other device.
    pub virtio: Option<VirtioFeatures>,
    /// Whether each offload is active now, by ethtool's names: `tx-tcp-segmentation`, `rx-gro` (ETHTOOL_GFEATURES).
    pub offloads: BTreeMap<String, bool>,
}

/// One feature bit of a virtio network device, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VirtioFeature(pub u16);

/// Number and name: include/uapi/linux/virtio_net.h, virtio_config.h (24, 27, 32 to 41) and virtio_ring.h (28, 29).
const NAMES: &[(u16, &str)] = &[
    (0, "VIRTIO_NET_F_CSUM"),
    (1, "VIRTIO_NET_F_GUEST_CSUM"),
    (2, "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS"),
    (3, "VIRTIO_NET_F_MTU"),
    (5, "VIRTIO_NET_F_MAC"),
    (6, "VIRTIO_NET_F_GSO"),
    (7, "VIRTIO_NET_F_GUEST_TSO4"),
    (8, "VIRTIO_NET_F_GUEST_TSO6"),
    (9, "VIRTIO_NET_F_GUEST_ECN"),
    (10, "VIRTIO_NET_F_GUEST_UFO"),
    (11, "VIRTIO_NET_F_HOST_TSO4"),
    (12, "VIRTIO_NET_F_HOST_TSO6"),
    (13, "VIRTIO_NET_F_HOST_ECN"),
    (14, "VIRTIO_NET_F_HOST_UFO"),
    (15, "VIRTIO_NET_F_MRG_RXBUF"),
    (16, "VIRTIO_NET_F_STATUS"),
    (17, "VIRTIO_NET_F_CTRL_VQ"),
    (18, "VIRTIO_NET_F_CTRL_RX"),
    (19, "VIRTIO_NET_F_CTRL_VLAN"),
    (20, "VIRTIO_NET_F_CTRL_RX_EXTRA"),
    (21, "VIRTIO_NET_F_GUEST_ANNOUNCE"),
    (22, "VIRTIO_NET_F_MQ"),
    (23, "VIRTIO_NET_F_CTRL_MAC_ADDR"),
    (24, "VIRTIO_F_NOTIFY_ON_EMPTY"),
    (27, "VIRTIO_F_ANY_LAYOUT"),
    (28, "VIRTIO_RING_F_INDIRECT_DESC"),
    (29, "VIRTIO_RING_F_EVENT_IDX"),
    (32, "VIRTIO_F_VERSION_1"),
    (33, "VIRTIO_F_ACCESS_PLATFORM"),
    (34, "VIRTIO_F_RING_PACKED"),
    (35, "VIRTIO_F_IN_ORDER"),
    (36, "VIRTIO_F_ORDER_PLATFORM"),
    (37, "VIRTIO_F_SR_IOV"),
    (38, "VIRTIO_F_NOTIFICATION_DATA"),
    (39, "VIRTIO_F_NOTIF_CONFIG_DATA"),
    (40, "VIRTIO_F_RING_RESET"),
    (41, "VIRTIO_F_ADMIN_VQ"),
    (50, "VIRTIO_NET_F_DEVICE_STATS"),
    (52, "VIRTIO_NET_F_VQ_NOTF_COAL"),
    (53, "VIRTIO_NET_F_NOTF_COAL"),
    (54, "VIRTIO_NET_F_GUEST_USO4"),
    (55, "VIRTIO_NET_F_GUEST_USO6"),
    (56, "VIRTIO_NET_F_HOST_USO"),
    (57, "VIRTIO_NET_F_HASH_REPORT"),
    (59, "VIRTIO_NET_F_GUEST_HDRLEN"),
    (60, "VIRTIO_NET_F_RSS"),
    (61, "VIRTIO_NET_F_RSC_EXT"),
    (62, "VIRTIO_NET_F_STANDBY"),
    (63, "VIRTIO_NET_F_SPEED_DUPLEX"),
    (65, "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO"),
    (66, "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM"),
    (67, "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO"),
    (68, "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM"),
];

/// What a bit without a name is written with: `bit 42`.
const NAMELESS: &str = "bit ";

impl fmt::Display for VirtioFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(bit, _)| *bit == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{NAMELESS}{}", self.0),
        }
    }
}

impl FromStr for VirtioFeature {
    type Err = ();

    /// Reads a name, or `bit 42`.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(number) = text.strip_prefix(NAMELESS) {
            return number.parse().map(Self).map_err(drop);
        }
        NAMES.iter().find(|(_, name)| *name == text).map(|(bit, _)| Self(*bit)).ok_or(())
    }
}

/// The feature bits that a virtio device offered and its driver took, in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VirtioFeatures(pub BTreeSet<VirtioFeature>);

impl VirtioFeatures {
    /// Longer texts are no feature file: the kernel has 64 bits, and 128 since 6.17.
    pub const MOST_BITS: usize = 1024;

    /// The kernel's names in the order of their bits; a bit without a name is `bit 42`.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl FromStr for VirtioFeatures {
    type Err = ();

    /// Reads the content of a virtio device's `features` file: a digit for each bit, bit 0 first (drivers/virtio/virtio.c,
    /// `features_show`).
    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.trim_end();
        if digits.is_empty() || digits.len() > Self::MOST_BITS {
            return Err(());
        }
        let mut taken = BTreeSet::new();
        for (bit, digit) in (0..).zip(digits.bytes()) {
            match digit {
                b'1' => drop(taken.insert(VirtioFeature(bit))),
                b'0' => {}
                _ => return Err(()),
            }
        }
        Ok(Self(taken))
    }
}

impl FromIterator<VirtioFeature> for VirtioFeatures {
    fn from_iter<I: IntoIterator<Item = VirtioFeature>>(features: I) -> Self {
        Self(features.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 prints it for a virtio network device (128 digits).
    const PRINTED: &str = concat!(
        "1100010110111011000000000000010010000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000\n"
    );

    #[test]
    fn the_kernels_text_names_its_bits_and_one_bit_less_shows() {
        let with: VirtioFeatures = PRINTED.parse().expect("digits");
        let names = [
            "VIRTIO_NET_F_CSUM",
            "VIRTIO_NET_F_GUEST_CSUM",
            "VIRTIO_NET_F_MAC",
            "VIRTIO_NET_F_GUEST_TSO4",
            "VIRTIO_NET_F_GUEST_TSO6",
            "VIRTIO_NET_F_GUEST_UFO",
            "VIRTIO_NET_F_HOST_TSO4",
            "VIRTIO_NET_F_HOST_TSO6",
            "VIRTIO_NET_F_HOST_UFO",
            "VIRTIO_NET_F_MRG_RXBUF",
            "VIRTIO_RING_F_EVENT_IDX",
            "VIRTIO_F_VERSION_1",
        ];
        assert_eq!(with.names(), names);
        let mut shorter = PRINTED.to_owned();
        shorter.replace_range(15..16, "0");
        let without: VirtioFeatures = shorter.parse().expect("digits");
        assert_eq!(with.0.difference(&without.0).copied().collect::<Vec<_>>(), [VirtioFeature(15)]);
    }

    #[test]
    fn what_is_no_feature_file_is_refused() {
        for text in ["", "\n", "01x", "0 1", "no such device"] {
            assert_eq!(text.parse::<VirtioFeatures>(), Err(()), "{text:?}");
        }
        assert!("0".repeat(VirtioFeatures::MOST_BITS).parse::<VirtioFeatures>().is_ok());
        assert_eq!("0".repeat(VirtioFeatures::MOST_BITS + 1).parse::<VirtioFeatures>(), Err(()));
    }

    #[test]
    fn the_table_has_each_bit_and_each_name_once() {
        let bits: BTreeSet<_> = NAMES.iter().map(|(bit, _)| bit).collect();
        let names: BTreeSet<_> = NAMES.iter().map(|(_, name)| name).collect();
        assert_eq!((bits.len(), names.len()), (NAMES.len(), NAMES.len()));
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn a_name_that_is_none_is_refused() {
        for text in ["", "bit", "bit ", "bit x", "bit 65536", "VIRTIO_NET_F_", "mrg_rxbuf"] {
            assert_eq!(text.parse::<VirtioFeature>(), Err(()), "{text:?}");
        }
        assert_eq!(VirtioFeature(42).to_string(), "bit 42");
    }

    #[test]
    fn what_is_absent_on_the_wire_is_empty() {
        assert_eq!(
            serde_json::from_str::<Interface>("{}").expect("no field is needed"),
            Interface::default()
        );
    }

    proptest! {
        #[test]
        fn every_bit_comes_back_from_its_name(bit: u16) {
            prop_assert_eq!(VirtioFeature(bit).to_string().parse(), Ok(VirtioFeature(bit)));
        }

        #[test]
        fn a_set_comes_back_from_its_text_its_names_and_its_json(bits in proptest::collection::btree_set(0_u16..128, 0..128)) {
            let text: String = (0..128).map(|bit| if bits.contains(&bit) { '1' } else { '0' }).collect();
            let features: VirtioFeatures = text.parse().expect("digits");
            prop_assert_eq!(&features, &bits.into_iter().map(VirtioFeature).collect());
            let names: Result<VirtioFeatures, ()> = features.names().iter().map(|name| name.parse()).collect();
            prop_assert_eq!(names.as_ref(), Ok(&features));
            let json = serde_json::to_string(&features).expect("numbers");
            prop_assert_eq!(serde_json::from_str::<VirtioFeatures>(&json).expect("the same"), features);
        }

        #[test]
        fn no_text_makes_the_reader_fail(text: String) {
            let _ = text.parse::<VirtioFeatures>();
            let _ = text.parse::<VirtioFeature>();
        }
    }
}
