//! passt between target and peer: how it is started, and the network that a guest behind a proxy of TCP is in.
//!
//! Pure. Must not know the process. The proxy takes whatever leaves the guest for its gateway, and connects from the namespace in which it
//! runs; QEMU's user network (libslirp) has the same addresses, so that a guest is the same behind both.
//! Units: none. Source: passt(1). Errors: none. Tests: below; a real passt in `tests/netns.rs` (root).

use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use super::ops::TARGET_LINK;

/// The guest's address behind a proxy (RFC 5737, TEST-NET-2).
pub const GUEST: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 15);
/// The proxy's own.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Prefix length of that network.
pub const PREFIX: u8 = 24;
/// The MAC address of whoever asks passt before the guest does: locally administered, and nobody's else.
pub const GUEST_MAC: [u8; 6] = [0x52, 0x54, 0x00, 0x00, 0x01, 0x7f];
/// The gateway's MAC address.
const GATEWAY_MAC: &str = "52:54:00:00:01:02";

/// Its command line; `socket` is a connected stream socket that it finds open.
///
/// It forwards no port to the guest, answers neither DHCP nor NDP, since rig's guests have their addresses, and takes no address of the
/// guest's network for one of the host (`--no-map-gw`).
pub fn arguments(socket: RawFd) -> Vec<String> {
    let mut words: Vec<String> =
        ["--foreground", "--stderr", "--ipv4-only", "--no-map-gw"].map(String::from).into();
    for (option, value) in [
        ("--fd", socket.to_string()),
        ("--interface", TARGET_LINK.to_owned()),
        ("--address", GUEST.to_string()),
        ("--netmask", PREFIX.to_string()),
        ("--gateway", GATEWAY.to_string()),
        ("--mac-addr", GATEWAY_MAC.to_owned()),
        ("--tcp-ports", "none".to_owned()),
        ("--udp-ports", "none".to_owned()),
    ] {
        words.extend([option.to_owned(), value]);
    }
    words.extend(["--no-dhcp", "--no-dhcpv6", "--no-ndp", "--no-ra"].map(String::from));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Addressing;

    #[test]
    fn the_guests_network_is_not_that_of_the_path() {
        let bits = |address: Ipv4Addr, prefix: u8| address.to_bits() >> (32 - prefix);
        let path = Addressing::default();
        assert_eq!(bits(GUEST, PREFIX), bits(GATEWAY, PREFIX));
        for end in [path.target, path.peer] {
            assert_ne!(bits(end, PREFIX), bits(GUEST, PREFIX));
        }
    }

    #[test]
    fn the_command_line_names_the_socket_and_forwards_nothing() {
        let words = arguments(7).join(" ");
        assert!(words.contains("--fd 7 --interface target0 "), "{words}");
        assert!(words.contains("--tcp-ports none --udp-ports none"), "{words}");
    }
}
