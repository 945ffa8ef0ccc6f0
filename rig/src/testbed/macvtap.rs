//! A macvtap: made on an interface of the calling thread's namespace, and opened.
//!
//! Holds how its device is found: macvtap gives each interface a character device with a number of its own, which only the sysfs of the
//! interface's namespace tells, and whose node is in the /dev of the host's first namespace if anywhere. So this mounts that sysfs where
//! nobody sees it, and makes the node on a file system of its own. Must not know who will read it. Units: none.
//! Errors: `io::Error` of the call. Source: drivers/net/macvtap.c, drivers/net/tap.c, fsopen(2). Tests: `tests/netns.rs` (root).

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::MacVtapMode;
use rtnetlink::{Handle, LinkMacVtap};
use rustix::fs::{FileType, Mode, OFlags, makedev, mknodat, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::error::to_io;

/// Makes `name` on `lower`, which it has for itself.
pub(super) async fn add(handle: &Handle, name: &str, lower: &str) -> io::Result<()> {
    let link = LinkMacVtap::new(name, if_nametoindex(lower)?, MacVtapMode::Passthrough).build();
    handle.link().add(link).execute().await.map_err(to_io)
}

/// Opens it: one descriptor per queue, with virtio-net headers, as macvtap has them from the start (`tap_open`). It lives as long as its namespace.
pub(super) fn open(name: &str, queues: u32) -> io::Result<Vec<OwnedFd>> {
    let device = device_number(name)?;
    let nodes = detached("tmpfs")?;
    mknodat(&nodes, NODE, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, device)?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    (0..queues).map(|_| Ok(openat(&nodes, NODE, flags, Mode::empty())?)).collect()
}

const NODE: &str = "tap";

/// Of the interface's character device: `MAJOR:MINOR` in sysfs.
fn device_number(name: &str) -> io::Result<u64> {
    let (sysfs, index) = (detached("sysfs")?, if_nametoindex(name)?);
    let path = format!("class/net/{name}/macvtap/tap{index}/dev");
    let file = openat(&sysfs, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    std::fs::File::from(file).read_to_string(&mut text)?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{path} says {text:?}")))
}

fn parse(text: &str) -> Option<u64> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// A file system that is mounted nowhere: it goes with its descriptor. That of sysfs shows the interfaces of the calling thread's namespace.
fn detached(kind: &str) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_is_two_numbers() {
        assert_eq!(parse("241:3\n"), Some(makedev(241, 3)));
        for text in ["", "241", "241:", ":3", "a:b", "241:3:4"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
