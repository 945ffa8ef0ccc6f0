//! Looks at a connection from outside, by its addresses: as ss and netstat do, also after close(2).
//!
//! Holds the finding of the addresses, and of a line of /proc/net/tcp; must not judge a state.
//! Units: those of what is looked at. Errors: none, `-errno` is what was seen; a socket that is not listed is [`Labels::ABSENT`].
//! Source: sock_diag(7), proc(5), net/ipv4/tcp_ipv4.c `get_tcp4_sock`. Tests: below, and `tests/loopback`.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use rig_protocol::{Labels, Slot};

use super::around::{Around, Seen};
use crate::plan::StepPlan;
use crate::sys::diag::{self, Listed, Pair};
use crate::sys::{errno, socket};

/// The socket's addresses as they were kept; of a connect that is under way in another lane, as its descriptor says now. None of a socket that
/// never had a port.
fn pair_of(around: &Around<'_>, slot: Slot) -> Option<Pair> {
    let ends = around.stage.ends_of(slot);
    let fd = around.stage.descriptor_of(slot);
    let now = || socket::local_address(fd).map(|local| local.plain()).filter(|local| local.port() != 0);
    Some((ends.local.or_else(now)?, ends.remote))
}

/// sock_diag(7).
pub(super) fn look(
    planned: &StepPlan,
    around: &Around<'_>,
    slot: Slot,
    value: impl FnOnce(&Listed) -> i64,
) -> Seen {
    let pair = pair_of(around, slot);
    around.timed(planned, || {
        let Some(pair) = pair else { return Labels::ABSENT };
        match diag::find(pair) {
            Ok(Some(listed)) => value(&listed),
            Ok(None) => Labels::ABSENT,
            Err(errno) => -i64::from(errno.0),
        }
    })
}

/// `SOCK_DESTROY`.
pub(super) fn destroy(planned: &StepPlan, around: &Around<'_>, slot: Slot) -> Seen {
    let pair = pair_of(around, slot);
    around.timed(planned, || pair.map_or(-i64::from(libc::ENOENT), diag::destroy))
}

/// The column `st` of the connection's line.
pub(super) fn proc_net_tcp(planned: &StepPlan, around: &Around<'_>, slot: Slot) -> Seen {
    let pair = pair_of(around, slot);
    around.timed(planned, || {
        let Some(pair) = pair else { return Labels::ABSENT };
        // Reading a file is libc's doing, and its errno is nobody's observation.
        let before = errno::get();
        let found = read_state(pair);
        errno::set(before);
        found
    })
}

fn read_state((local, remote): Pair) -> i64 {
    let mut found = Labels::ABSENT;
    for (file, wide) in [("tcp", false), ("tcp6", true)] {
        let (Some(local), Some(remote)) = (column(Some(local), wide), column(remote, wide)) else { continue };
        let text = match std::fs::read_to_string(format!("/proc/thread-self/net/{file}")) {
            Ok(text) => text,
            // A kernel without IPv6 has no such file.
            Err(_) if wide => continue,
            Err(error) => return -i64::from(error.raw_os_error().unwrap_or(libc::EIO)),
        };
        if let Some(state) = state_in(&text, &local, &remote) {
            found = state;
        }
    }
    found
}

/// An address as the kernel prints it: words of 32 bits in the machine's order, then the port; all digits are 0 where there is none.
/// `None` where the file has no such addresses.
fn column(address: Option<SocketAddr>, wide: bool) -> Option<String> {
    let Some(address) = address else {
        return Some(format!("{}:0000", "0".repeat(if wide { 32 } else { 8 })));
    };
    let octets = match (address.ip(), wide) {
        (IpAddr::V4(ip), false) => ip.octets().to_vec(),
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V6(ip), true) => ip.octets().to_vec(),
        (IpAddr::V6(_), false) => return None,
    };
    let mut text = String::new();
    for word in octets.as_chunks::<4>().0 {
        // Writing to a string cannot fail.
        let _ = write!(text, "{:08X}", u32::from_ne_bytes(*word));
    }
    let _ = write!(text, ":{:04X}", address.port());
    Some(text)
}

/// `  0: 0100007F:1F90 00000000:0000 0A ...`
fn state_in(text: &str, local: &str, remote: &str) -> Option<i64> {
    text.lines().find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let here = columns.next() == Some(local) && columns.next() == Some(remote);
        here.then(|| columns.next()).flatten().and_then(|state| i64::from_str_radix(state, 16).ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_both_addresses() {
        let text = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n   \
                    1: 0100007F:1F90 0200007F:A000 08 00000000:00000001\n";
        let address = |text: &str| column(Some(text.parse().expect("an address")), false).expect("narrow");
        let local = address("127.0.0.1:8080");
        let none = column(None, false).expect("narrow");
        assert_eq!(state_in(text, &local, &none), Some(10));
        assert_eq!(state_in(text, &local, &address("127.0.0.2:40960")), Some(8));
        assert_eq!(state_in(text, &local, &address("127.0.0.3:40960")), None);
    }

    #[test]
    fn a_wide_address_has_four_words() {
        let wide = |text: &str| column(Some(text.parse().expect("an address")), true);
        assert_eq!(wide("127.0.0.1:80").as_deref(), Some("0000000000000000FFFF00000100007F:0050"));
        assert_eq!(wide("[::1]:80").as_deref(), Some("00000000000000000000000001000000:0050"));
        assert_eq!(column(Some("[::1]:80".parse().expect("an address")), false), None);
    }
}
