//! What of a guest's hardware is asked for beyond its kind: properties of the NIC's device, CPU model, QEMU, NUMA nodes, words for the kernel.
//!
//! Plain data, which of the properties is a feature bit of virtio, and whether what a guest shows is what was asked for. Must not know what a QEMU
//! offers (`offer.rs`) or how it is asked. What is not said is left as QEMU has it, and not written: a plain guest keeps its cell ids.
//! Units: nodes. Errors: a sentence, for a NIC that is otherwise. Tests: below.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use rig_protocol::{Interface, VirtioFeature};
use serde::{Deserialize, Serialize};

use super::nic::NicModel;

/// Properties of a device, by the names that QEMU has for them.
pub type Properties = BTreeMap<String, Property>;

/// What of a guest's hardware is asked for by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Properties of the measured NIC's device.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub device: Properties,
    /// CPU model with its flags, as `-cpu` takes it: `qemu64,+x2apic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// The QEMU that runs the guest; `None`: the one that PATH has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qemu: Option<PathBuf>,
    /// Nodes among which processors and memory are divided; `None`: the guest is told of no nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numa: Option<u32>,
    /// Words behind those that rig gives the guest's kernel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel_cmdline: Vec<String>,
}

impl Hardware {
    /// What is asked for, a part each: `device: packed=on`, `cpu: qemu64`.
    pub fn told(&self) -> Vec<String> {
        let device: Vec<String> = self.device.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let device = (!device.is_empty()).then(|| format!("device: {}", device.join(" ")));
        let words = (!self.kernel_cmdline.is_empty())
            .then(|| format!("kernel_cmdline: {}", self.kernel_cmdline.join(" ")));
        let parts = [
            device,
            self.cpu.as_ref().map(|cpu| format!("cpu: {cpu}")),
            self.numa.map(|nodes| format!("numa: {nodes}")),
            self.qemu.as_ref().map(|path| format!("qemu: {}", path.display())),
            words,
        ];
        parts.into_iter().flatten().collect()
    }

    /// What of the measured interface is not as this hardware and this model are asked for, read back where the target runs. A property that is
    /// no feature bit is not looked at.
    pub fn difference(&self, model: NicModel, name: &str, found: &[Interface]) -> Option<String> {
        let Some(interface) = found.iter().find(|interface| interface.name == name) else {
            return Some(format!("the agent does not tell of interface {name}"));
        };
        if !model.drivers().contains(&interface.driver.as_str()) {
            let driver = match interface.driver.as_str() {
                "" => "no driver that is known",
                driver => driver,
            };
            return Some(format!(
                "{name} has {driver}, and {} is driven by {}",
                model.word(),
                model.drivers()[0]
            ));
        }
        if model != NicModel::VirtioNet {
            return None;
        }
        let taken = interface.virtio.as_ref();
        self.device.iter().find_map(|(property, value)| {
            let (bit, wanted) = feature(property, value)?;
            match (taken.map(|taken| taken.0.contains(&bit)), wanted) {
                (None, _) => Some(format!("the guest does not tell which features {name} has")),
                (Some(true), false) => Some(format!(
                    "{property}={value} was asked for, and the guest's driver has {bit} of {name}: the device offers it all the same"
                )),
                (Some(false), true) => Some(format!(
                    "{property}={value} was asked for, and {bit} is off at {name}: the driver of this kernel does not take it, or the backend does not offer it"
                )),
                (Some(true), true) | (Some(false), false) => None,
            }
        })
    }
}

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Property {
    /// `on` or `off`
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Any other, as QEMU writes it.
    Text(String),
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(true) => f.write_str("on"),
            Self::Flag(false) => f.write_str("off"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Property {
    /// `on` and `off`, however they are written.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(on) => Some(*on),
            Self::Text(text) => match text.as_str() {
                "on" | "yes" | "true" | "y" => Some(true),
                "off" | "no" | "false" | "n" => Some(false),
                _ => None,
            },
            Self::Number(_) => None,
        }
    }
}

/// Properties of virtio-net-pci that are feature bits, and the number of the bit. Sources: hw/net/virtio-net.c (`virtio_net_properties`),
/// include/hw/virtio/virtio.h (`DEFINE_VIRTIO_COMMON_FEATURES`) of QEMU; the bits: virtio 1.2, sections 5.1.3 and 6, and
/// include/uapi/linux/virtio_net.h. `mq` is not here: rig sets it.
const FEATURES: &[(&str, u16)] = &[
    ("csum", 0),
    ("guest_csum", 1),
    ("ctrl_guest_offloads", 2),
    ("gso", 6),
    ("guest_tso4", 7),
    ("guest_tso6", 8),
    ("guest_ecn", 9),
    ("guest_ufo", 10),
    ("host_tso4", 11),
    ("host_tso6", 12),
    ("host_ecn", 13),
    ("host_ufo", 14),
    ("mrg_rxbuf", 15),
    ("status", 16),
    ("ctrl_vq", 17),
    ("ctrl_rx", 18),
    ("ctrl_vlan", 19),
    ("ctrl_rx_extra", 20),
    ("guest_announce", 21),
    ("ctrl_mac_addr", 23),
    ("notify_on_empty", 24),
    ("any_layout", 27),
    ("indirect_desc", 28),
    ("event_idx", 29),
    ("iommu_platform", 33),
    ("packed", 34),
    ("in_order", 35),
    ("queue_reset", 40),
    ("guest_uso4", 54),
    ("guest_uso6", 55),
    ("host_uso", 56),
    ("hash", 57),
    ("rss", 60),
    ("guest_rsc_ext", 61),
];

/// Properties of virtio-net-pci that a NIC without checksums has off: a checksum that the NIC does not compute it cannot compute for the pieces of a long segment either (virtio 1.2, section 5.1.3.1).
pub const CHECKSUMS: [&str; 11] = [
    "csum",
    "guest_csum",
    "gso",
    "guest_tso4",
    "guest_tso6",
    "guest_ecn",
    "guest_ufo",
    "host_tso4",
    "host_tso6",
    "host_ecn",
    "host_ufo",
];

/// VIRTIO_F_VERSION_1: what a device has not whose modern interface is off (virtio 1.2, section 6).
const VERSION_1: VirtioFeature = VirtioFeature(32);

/// Whether a property of virtio-net-pci is seen in the features that the guest's driver took.
pub fn is_feature(property: &str) -> bool {
    feature(property, &Property::Flag(true)).is_some()
}

/// The feature bit that a property of virtio-net-pci stands for, and whether the driver has it where the property has this value.
fn feature(property: &str, value: &Property) -> Option<(VirtioFeature, bool)> {
    let on = value.flag()?;
    if property == "disable-modern" {
        return Some((VERSION_1, !on));
    }
    let (_, bit) = FEATURES.iter().find(|(name, _)| *name == property)?;
    Some((VirtioFeature(*bit), on))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(device: &[(&str, bool)]) -> Hardware {
        let device = device.iter().map(|(name, on)| ((*name).to_owned(), Property::Flag(*on))).collect();
        Hardware { device, ..Hardware::default() }
    }

    fn nic(driver: &str, bits: Option<&[u16]>) -> Interface {
        let virtio = bits.map(|bits| bits.iter().map(|bit| VirtioFeature(*bit)).collect());
        Interface { name: "data".into(), driver: driver.into(), virtio, ..Interface::default() }
    }

    #[test]
    fn what_is_not_said_is_not_written_and_what_is_said_is_read_back() {
        assert_eq!(serde_json::to_string(&Hardware::default()).expect("plain data"), "{}");
        let mut all = asked(&[("packed", true)]);
        all.device.insert("rx_queue_size".into(), Property::Number(512));
        all.device.insert("tx".into(), Property::Text("bh".into()));
        all.cpu = Some("qemu64,+x2apic".into());
        all.numa = Some(2);
        all.qemu = Some("/opt/q".into());
        all.kernel_cmdline = vec!["nokaslr".into()];
        let written = serde_json::to_value(&all).expect("plain data");
        assert_eq!(written["device"]["rx_queue_size"], 512);
        assert_eq!(serde_json::from_value::<Hardware>(written).expect("its own form"), all);
        assert_eq!(
            all.told(),
            [
                "device: packed=on rx_queue_size=512 tx=bh",
                "cpu: qemu64,+x2apic",
                "numa: 2",
                "qemu: /opt/q",
                "kernel_cmdline: nokaslr"
            ]
        );
    }

    #[test]
    fn every_property_that_is_a_feature_has_a_bit_of_that_name() {
        for (property, bit) in FEATURES {
            let name = VirtioFeature(*bit).to_string();
            let end = match *property {
                "iommu_platform" => "ACCESS_PLATFORM".to_owned(),
                "packed" => "RING_PACKED".to_owned(),
                "queue_reset" => "RING_RESET".to_owned(),
                "guest_rsc_ext" => "RSC_EXT".to_owned(),
                "hash" => "HASH_REPORT".to_owned(),
                other => other.to_uppercase(),
            };
            assert!(name.ends_with(&format!("_{end}")), "{property} is {name}");
        }
        assert!(is_feature("disable-modern") && !is_feature("rx_queue_size") && !is_feature("mq"));
    }

    #[test]
    fn a_feature_that_the_driver_did_not_take_and_one_that_it_took_unasked_are_named() {
        let packed = asked(&[("packed", true)]);
        let without = asked(&[("event_idx", false), ("mrg_rxbuf", true)]);
        let virtio = NicModel::VirtioNet;
        for (asked, found, said) in [
            (&packed, nic("virtio_net", Some(&[34])), None),
            (
                &packed,
                nic("virtio_net", Some(&[29])),
                Some("packed=on was asked for, and VIRTIO_F_RING_PACKED is off"),
            ),
            (&packed, nic("virtio_net", None), Some("the guest does not tell which features data has")),
            (&without, nic("virtio_net", Some(&[15])), None),
            (
                &without,
                nic("virtio_net", Some(&[15, 29])),
                Some("the guest's driver has VIRTIO_RING_F_EVENT_IDX of data"),
            ),
            (&without, nic("virtio_net", Some(&[])), Some("mrg_rxbuf=on was asked for")),
            (&packed, nic("e1000e", None), Some("data has e1000e, and virtio-net is driven by virtio_net")),
        ] {
            let difference = asked.difference(virtio, "data", &[found]);
            match said {
                None => assert_eq!(difference, None),
                Some(said) => {
                    assert!(difference.as_ref().is_some_and(|d| d.contains(said)), "{difference:?}")
                }
            }
        }
        let modern = asked(&[("disable-modern", true)]);
        assert_eq!(modern.difference(virtio, "data", &[nic("virtio_net", Some(&[15]))]), None);
        assert!(modern.difference(virtio, "data", &[nic("virtio_net", Some(&[32]))]).is_some());
    }

    #[test]
    fn a_nic_has_the_driver_of_its_model() {
        let plain = Hardware::default();
        let difference = |model: NicModel, driver| plain.difference(model, "data", &[nic(driver, None)]);
        assert_eq!(difference(NicModel::Rtl8139, "8139cp"), None);
        assert_eq!(difference(NicModel::E1000e, "e1000e"), None);
        assert!(difference(NicModel::E1000, "e1000e").is_some());
        let nameless = difference(NicModel::Igb, "").expect("a difference");
        assert_eq!(nameless, "data has no driver that is known, and igb is driven by igb");
        let none = plain.difference(NicModel::VirtioNet, "data", &[]);
        assert_eq!(none.as_deref(), Some("the agent does not tell of interface data"));
    }
}
