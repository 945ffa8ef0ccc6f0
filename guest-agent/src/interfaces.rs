//! The network interfaces that the agent finds around itself, for `Hello`.
//!
//! Holds which interfaces are told of and where each part of one is read; must not be used while trials are played.
//! Units: bytes. Errors: none; what cannot be read is left empty.
//! /sys may belong to another network namespace than ours (its mount decides): of it only a virtio device's features are taken, and
//! only where interface index, driver and bus address say that it is the same interface.
//! Source: drivers/virtio/virtio.c `features_show`, net/core/net-sysfs.c. Tests: below, and `tests/loopback`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rig_protocol::{Interface, VirtioFeatures};

use crate::sys::interface::{Driver, Inquiry, all};

/// More are not told of: a frame has a limit, and a testbed makes two.
const MOST: usize = 64;

const NETWORK_CLASS: &str = "/sys/class/net";

/// Every interface of this namespace except `lo`, sorted by name.
pub(crate) fn read() -> Vec<Interface> {
    let Some(inquiry) = Inquiry::open() else { return Vec::new() };
    let mut found = all();
    found.retain(|(name, _)| name != "lo");
    found.sort();
    found.truncate(MOST);
    found.into_iter().map(|(name, index)| one(&inquiry, name, index)).collect()
}

fn one(inquiry: &Inquiry, name: String, index: u32) -> Interface {
    let driver = inquiry.driver(&name);
    Interface {
        mtu_bytes: inquiry.mtu_bytes(&name).unwrap_or(0),
        virtio: driver.as_ref().and_then(|driver| virtio(Path::new(NETWORK_CLASS), &name, index, driver)),
        driver: driver.map(|driver| driver.name).unwrap_or_default(),
        offloads: inquiry.offloads(&name).into_iter().collect(),
        name,
    }
}

/// What the interface's virtio device and its driver agreed on, if it has such a device and `class` tells of the same interface.
fn virtio(class: &Path, name: &str, index: u32, driver: &Driver) -> Option<VirtioFeatures> {
    if driver.name != "virtio_net" {
        return None;
    }
    let folder = class.join(name);
    if read_some(&folder.join("ifindex"))?.trim_end() != index.to_string() {
        return None;
    }
    // `../../../virtio0` leads to `/sys/devices/pci0000:00/0000:00:03.0/virtio0`; a device that is memory mapped has the bus address
    // `virtio-mmio` and the folder `virtio-mmio.3`.
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let mut places = device.iter().filter_map(|place| place.to_str());
    if driver.bus.is_empty() || !places.any(|place| place.starts_with(&driver.bus)) {
        return None;
    }
    read_some(&device.join("features"))?.parse().ok()
}

/// The content of a small file.
fn read_some(path: &Path) -> Option<String> {
    let mut text = String::new();
    let most = 2 * VirtioFeatures::MOST_BITS as u64;
    File::open(path).ok()?.take(most).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rig_protocol::VirtioFeature;

    use super::*;

    /// A tree like /sys with one interface `eth0`, index 2, on a virtio device; removed at the end.
    struct Tree(std::path::PathBuf);

    impl Tree {
        fn make(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("agent-interfaces-{}-{name}", std::process::id()));
            let device = root.join("devices/pci0000:00/0000:00:03.0/virtio0");
            let interface = root.join("class/eth0");
            fs::create_dir_all(&device).expect("made");
            fs::create_dir_all(&interface).expect("made");
            fs::write(device.join("features"), "1001\n").expect("written");
            fs::write(interface.join("ifindex"), "2\n").expect("written");
            symlink(&device, interface.join("device")).expect("linked");
            Self(root)
        }

        fn virtio(&self, index: u32, name: &str, bus: &str) -> Option<VirtioFeatures> {
            let driver = Driver { name: name.to_owned(), bus: bus.to_owned() };
            virtio(&self.0.join("class"), "eth0", index, &driver)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn features_are_taken_from_the_same_interface_only() {
        let tree = Tree::make("same");
        let features = tree.virtio(2, "virtio_net", "0000:00:03.0").expect("the same interface");
        assert_eq!(features, [0, 3].map(VirtioFeature).into_iter().collect());
        assert_eq!(tree.virtio(3, "virtio_net", "0000:00:03.0"), None, "another index");
        assert_eq!(tree.virtio(2, "veth", "0000:00:03.0"), None, "another driver");
        assert_eq!(tree.virtio(2, "virtio_net", "0000:00:04.0"), None, "another place");
        assert_eq!(tree.virtio(2, "virtio_net", ""), None, "no place");
    }

    #[test]
    fn what_is_missing_or_no_feature_file_is_left_out() {
        let tree = Tree::make("missing");
        let features = tree.0.join("devices/pci0000:00/0000:00:03.0/virtio0/features");
        for text in ["", "no\n", &"1".repeat(100_000)] {
            fs::write(&features, text).expect("written");
            assert_eq!(tree.virtio(2, "virtio_net", "0000:00:03.0"), None);
        }
        fs::remove_file(features).expect("removed");
        assert_eq!(tree.virtio(2, "virtio_net", "0000:00:03.0"), None);
    }

    #[test]
    fn the_interfaces_of_this_namespace_are_told_of_in_order_and_without_lo() {
        let found = read();
        assert!(found.is_sorted_by(|a, b| a.name < b.name));
        assert!(found.iter().all(|interface| interface.name != "lo" && interface.mtu_bytes > 0), "{found:?}");
    }
}
