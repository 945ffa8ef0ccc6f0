//! Network interfaces of the calling thread's network namespace: names, MTU, driver, offloads.
//!
//! Holds if_nameindex(3) and the ioctls of netdevice(7) and ethtool; must not read /sys, which may be another namespace's.
//! Units: bytes. Errors: none; what the kernel refuses is `None` or empty.
//! Source: include/uapi/linux/ethtool.h, net/ethtool/ioctl.c. All of these are open to every user.
//! Tests: below, and `tests/loopback` (two interfaces of a namespace made for it).

use std::ffi::CStr;
use std::mem::offset_of;

use super::files::close;
use super::raw::syscall;

/// An offload's name on the wire of the ioctl (ETH_GSTRING_LEN).
const NAME_BYTES: usize = 32;
/// More offloads than any kernel has: 64 bits in 2026, and room for the 128 that may come.
const MOST_OFFLOADS: usize = 256;
const WORDS: usize = MOST_OFFLOADS / 32;

// include/uapi/linux/ethtool.h
const GDRVINFO: u32 = 0x03;
const GSTRINGS: u32 = 0x1b;
const GSSET_INFO: u32 = 0x37;
const GFEATURES: u32 = 0x3a;
const SS_FEATURES: u32 = 4;
/// Of ethtool(8)'s short names, what sets each: ETHTOOL_SRXCSUM, ETHTOOL_STXCSUM, ETHTOOL_SGRO.
const SWITCHES: [(&str, u32); 3] = [("rx", 0x15), ("tx", 0x17), ("gro", 0x2c)];

/// Name and index of every interface, unordered.
pub(crate) fn all() -> Vec<(String, u32)> {
    let mut found = Vec::new();
    // SAFETY: the list ends with an entry without a name and is ours until it is given back, which happens once.
    unsafe {
        let list = libc::if_nameindex();
        let mut entry = list;
        while !entry.is_null() && !(*entry).if_name.is_null() {
            let name = CStr::from_ptr((*entry).if_name).to_string_lossy().into_owned();
            found.push((name, (*entry).if_index));
            entry = entry.add(1);
        }
        if !list.is_null() {
            libc::if_freenameindex(list);
        }
    }
    found
}

/// Driver and bus address of an interface: `virtio_net` and `0000:00:03.0`; the latter is empty where there is no bus.
pub(crate) struct Driver {
    /// The driver's name.
    pub(crate) name: String,
    /// Where its device is.
    pub(crate) bus: String,
}

/// `struct ifreq`, of which the kernel reads and writes 40 bytes.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: Value,
}

#[repr(C)]
union Value {
    data: *mut u8,
    number: libc::c_int,
    room: [u8; 24],
}

/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    rom: [u8; 32],
    reserved: [u8; 12],
    counts: [u32; 5],
}

/// `struct ethtool_value`.
#[repr(C)]
struct Switch {
    command: u32,
    on: u32,
}

/// `struct ethtool_sset_info` for one set.
#[repr(C)]
struct SetInfo {
    command: u32,
    reserved: u32,
    mask: u64,
    length: u32,
}

/// `struct ethtool_gstrings`.
#[repr(C)]
struct Strings {
    command: u32,
    set: u32,
    length: u32,
    names: [[u8; NAME_BYTES]; MOST_OFFLOADS],
}

/// `struct ethtool_get_features_block`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Block {
    available: u32,
    requested: u32,
    active: u32,
    never_changed: u32,
}

/// `struct ethtool_gfeatures`.
#[repr(C)]
struct Features {
    command: u32,
    words: u32,
    blocks: [Block; WORDS],
}

// The kernel's own sizes.
const _: () = assert!(size_of::<Request>() == 40 && offset_of!(Request, value) == 16);
const _: () = assert!(size_of::<DriverInfo>() == 196);
const _: () = assert!(offset_of!(SetInfo, length) == 16 && offset_of!(Strings, names) == 12);
const _: () = assert!(offset_of!(Features, blocks) == 8 && size_of::<Block>() == 16);

/// A socket to ask about interfaces with.
pub(crate) struct Inquiry {
    fd: i32,
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        close(self.fd);
    }
}

impl Inquiry {
    /// For the calling thread's namespace.
    pub(crate) fn open() -> Option<Self> {
        let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC) as usize;
        // SAFETY: takes no pointer.
        let fd = unsafe { syscall(libc::SYS_socket, [libc::AF_INET as usize, kind, 0, 0, 0, 0]) };
        (fd >= 0).then_some(Self { fd: fd as i32 })
    }

    /// The MTU, link header aside.
    pub(crate) fn mtu_bytes(&self, interface: &str) -> Option<u32> {
        let mut request = Request::about(interface)?;
        let place = &raw mut request as usize;
        // SAFETY: the ioctl reads and writes one `ifreq`, which holds no pointer here, and leaves an int in it.
        let mtu = unsafe {
            let arguments = [self.fd as usize, libc::SIOCGIFMTU as usize, place, 0, 0, 0];
            (syscall(libc::SYS_ioctl, arguments) == 0).then_some(request.value.number)
        };
        mtu.and_then(|mtu| u32::try_from(mtu).ok())
    }

    /// The driver, where the interface has one and says so.
    pub(crate) fn driver(&self, interface: &str) -> Option<Driver> {
        let mut info = DriverInfo {
            command: GDRVINFO,
            driver: [0; 32],
            version: [0; 32],
            firmware: [0; 32],
            bus: [0; 32],
            rom: [0; 32],
            reserved: [0; 12],
            counts: [0; 5],
        };
        // SAFETY: the kernel writes one `ethtool_drvinfo`.
        let answered = unsafe { self.ethtool(interface, &raw mut info) };
        answered.then(|| Driver { name: text(&info.driver), bus: text(&info.bus) })
    }

    /// The offloads that the kernel knows by name, and whether each is active.
    pub(crate) fn offloads(&self, interface: &str) -> Vec<(String, bool)> {
        let Some(names) = self.offload_names(interface) else { return Vec::new() };
        let mut features =
            Features { command: GFEATURES, words: WORDS as u32, blocks: [Block::default(); WORDS] };
        // SAFETY: the kernel writes at most the `words` blocks that it is told of.
        if !unsafe { self.ethtool(interface, &raw mut features) } {
            return Vec::new();
        }
        let active = |bit: usize| features.blocks[bit / 32].active >> (bit % 32) & 1 == 1;
        let named = names.into_iter().enumerate().filter(|(_, name)| !name.is_empty());
        named.map(|(bit, name)| (name, active(bit))).collect()
    }

    /// Sets an offload by ethtool(8)'s short name (`rx`, `tx`, `gro`), and says whether the kernel took it; `None`: it is none of these.
    pub(crate) fn set(&self, interface: &str, name: &str, on: bool) -> Option<bool> {
        let (_, command) = SWITCHES.iter().find(|(known, _)| *known == name)?;
        let mut switch = Switch { command: *command, on: u32::from(on) };
        // SAFETY: the kernel reads one `ethtool_value`.
        Some(unsafe { self.ethtool(interface, &raw mut switch) })
    }

    /// By bit; a bit without a meaning has no name.
    fn offload_names(&self, interface: &str) -> Option<Vec<String>> {
        let mut set = SetInfo { command: GSSET_INFO, reserved: 0, mask: 1 << SS_FEATURES, length: 0 };
        // SAFETY: the kernel writes a length for each bit of the mask that it knows: one at most.
        let answered = unsafe { self.ethtool(interface, &raw mut set) };
        let length = (set.length as usize).min(MOST_OFFLOADS + 1);
        if !answered || set.mask != 1 << SS_FEATURES || length > MOST_OFFLOADS {
            return None;
        }
        let mut strings = Box::new(Strings {
            command: GSTRINGS,
            set: SS_FEATURES,
            length: set.length,
            names: [[0; NAME_BYTES]; MOST_OFFLOADS],
        });
        // SAFETY: the kernel writes all names of the set whatever `length` says. How many there are is fixed when it is built
        // (`netdev_features_strings`), was asked for above, and they fit.
        let answered = unsafe { self.ethtool(interface, &raw mut *strings) };
        let written = (strings.length as usize).min(length);
        answered.then(|| strings.names[..written].iter().map(|name| text(name)).collect())
    }

    /// One ethtool command; whether the kernel answered.
    ///
    /// # Safety
    /// `command` must be the structure that its first field asks for, with room for all that the kernel writes.
    unsafe fn ethtool<T>(&self, interface: &str, command: *mut T) -> bool {
        let Some(mut request) = Request::about(interface) else { return false };
        request.value.data = command.cast();
        let place = &raw mut request as usize;
        let arguments = [self.fd as usize, libc::SIOCETHTOOL as usize, place, 0, 0, 0];
        // SAFETY: the request is one `ifreq`; the caller vouches for what it points to.
        unsafe { syscall(libc::SYS_ioctl, arguments) == 0 }
    }
}

impl Request {
    /// A request about an interface; a name that is too long is nobody's.
    fn about(interface: &str) -> Option<Self> {
        let mut name = [0; libc::IFNAMSIZ];
        let bytes = interface.as_bytes();
        if bytes.len() >= name.len() {
            return None;
        }
        name[..bytes.len()].copy_from_slice(bytes);
        Some(Self { name, value: Value { room: [0; 24] } })
    }
}

/// The text in a field that ends with a NUL, or is full.
fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there_and_has_offloads() {
        assert!(all().iter().any(|(name, index)| name == "lo" && *index == 1));
        let inquiry = Inquiry::open().expect("a socket");
        assert!(inquiry.mtu_bytes("lo").is_some_and(|mtu| mtu >= 1280));
        let offloads = inquiry.offloads("lo");
        let active = |name: &str| offloads.iter().find(|(found, _)| found == name).map(|(_, active)| *active);
        // The first is on since it was made (drivers/net/loopback.c), the second needs a device that offloads traffic control.
        assert_eq!(active("tx-tcp-segmentation"), Some(true), "{offloads:?}");
        assert_eq!(active("hw-tc-offload"), Some(false), "{offloads:?}");
        assert!(offloads.iter().all(|(name, _)| !name.is_empty() && name.is_ascii()), "{offloads:?}");
    }

    #[test]
    fn an_interface_that_does_not_exist_has_nothing() {
        let inquiry = Inquiry::open().expect("a socket");
        for name in ["", "no-such-one", "a-name-that-is-too-long-for-the-kernel"] {
            assert_eq!(inquiry.mtu_bytes(name), None);
            assert!(inquiry.driver(name).is_none());
            assert!(inquiry.offloads(name).is_empty());
            assert_eq!(inquiry.set(name, "gro", false), Some(false));
        }
    }

    #[test]
    fn an_offload_without_a_short_name_cannot_be_set() {
        let inquiry = Inquiry::open().expect("a socket");
        assert_eq!(["", "rx-gro", "lro"].map(|name| inquiry.set("no-such-one", name, true)), [None; 3]);
    }

    #[test]
    fn a_field_ends_at_its_first_zero_or_when_it_is_full() {
        assert_eq!([text(b"veth\0junk"), text(b"full"), text(b"\0")], ["veth", "full", ""]);
    }
}
