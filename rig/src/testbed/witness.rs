//! The witness: counts TCP segments with RST on one interface, by direction, independently of both agents.
//!
//! Holds two packet sockets that are never read: each has a filter for one direction, and the kernel counts what passes the filter whether
//! or not there is room to store it (`tp_packets` includes `tp_drops`, packet(7), net/packet/af_packet.c). So no count is ever lost,
//! and no thread competes with the measurement for a processor. Every packet passes the one interface once, inwards or outwards.
//! Must not know who reset what, or why. Units: packets. Errors: [`TestbedError::Witness`]. Tests: below; `tests/netns.rs` (root).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use nix::net::if_::if_nametoindex;

use super::error::TestbedError;
use super::namespace::Namespace;
use super::packet::PacketDirection;
use super::packet_socket;
use crate::process;

/// What a witness saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RstCounts {
    /// TCP segments with RST on their way to the target.
    pub to_target: u64,
    /// TCP segments with RST that come from the target.
    pub to_peer: u64,
    /// Packets that the kernel could not count: none, by construction. A witness that stores packets will have some.
    pub lost: u64,
}

/// Counts RST segments from its start to its end. Keeps its namespace alive.
#[derive(Debug)]
pub struct Witness {
    interface: String,
    to_target: OwnedFd,
    to_peer: OwnedFd,
    // Reading the kernel's statistics resets them, so the sums are kept here.
    counts: Mutex<RstCounts>,
}

impl Witness {
    /// Begins to count on `interface` of `namespace`: the interface of the *switch* that leads to the target, so that what goes out there
    /// goes to the target. When it returns, counting has begun.
    ///
    /// # Errors
    /// [`TestbedError::Witness`]
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self, TestbedError> {
        let failed = |step| {
            move |source: io::Error| TestbedError::Witness { interface: interface.to_owned(), step, source }
        };
        let (to_target, to_peer) = namespace.run(|| {
            let index =
                if_nametoindex(interface).map_err(|errno| failed("find its interface")(errno.into()))?;
            let count = |direction| count_rst(index, direction).map_err(failed("open a packet socket"));
            Ok::<_, TestbedError>((count(PacketDirection::Out)?, count(PacketDirection::In)?))
        })??;
        Ok(Self { interface: interface.to_owned(), to_target, to_peer, counts: Mutex::default() })
    }

    /// What it has seen since its start.
    ///
    /// # Errors
    /// [`TestbedError::Witness`]
    pub fn counts(&self) -> Result<RstCounts, TestbedError> {
        let read = |socket| {
            take_packets(socket).map_err(|source| TestbedError::Witness {
                interface: self.interface.clone(),
                step: "read its statistics",
                source,
            })
        };
        let mut counts = process::lock(&self.counts);
        counts.to_target += read(&self.to_target)?;
        counts.to_peer += read(&self.to_peer)?;
        Ok(*counts)
    }

    /// Ends it.
    ///
    /// # Errors
    /// As [`Witness::counts`]
    pub fn stop(self) -> Result<RstCounts, TestbedError> {
        self.counts()
    }
}

fn count_rst(index: libc::c_uint, direction: PacketDirection) -> io::Result<OwnedFd> {
    let socket = packet_socket::open()?;
    packet_socket::attach(&socket, &mut rst_filter(direction))?;
    // The kernel's minimum: nobody reads what is stored.
    packet_socket::set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &0_i32)?;
    packet_socket::bind(&socket, index)?;
    Ok(socket)
}

/// Packets that passed the filter since the last call.
fn take_packets(socket: &OwnedFd) -> io::Result<u64> {
    let none = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    packet_socket::take_statistics(socket, none).map(|statistics| statistics.tp_packets.into())
}

/// Bytes of an Ethernet header without VLAN tag.
const ETHERNET: u32 = 14;
const TCP: u32 = 6;
/// RFC 9293, section 3.1: the flags are the TCP header's 14th byte.
const FLAGS_AT: u32 = 13;
const RST: u32 = 0x04;

/// Classic BPF (Documentation/networking/filter.rst): passes Ethernet frames of one direction that carry, in IPv4 (any header length, first
/// fragment) or IPv6 (no extension headers), a TCP segment with RST. Jumps are counted from the next instruction.
fn rst_filter(direction: PacketDirection) -> Vec<libc::sock_filter> {
    let load_half = |at| statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, at);
    let load_byte = |at| statement(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, at);
    let equal =
        |value, then, otherwise| jump(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, then, otherwise);
    let any_bit =
        |bits, then, otherwise| jump(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, bits, then, otherwise);
    let outgoing = u32::from(libc::PACKET_OUTGOING);
    let packet_type = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;
    let (if_outgoing, otherwise) = match direction {
        PacketDirection::Out => (0, 14),
        PacketDirection::In => (14, 0),
    };
    vec![
        /*  0 */ load_byte(packet_type),
        /*  1 */ equal(outgoing, if_outgoing, otherwise),
        /*  2 */ load_half(12),
        /*  3 */ equal(libc::ETH_P_IP as u32, 0, 6),
        /*  4 */ load_byte(ETHERNET + 9),
        /*  5 */ equal(TCP, 0, 10),
        /*  6 */ load_half(ETHERNET + 6),
        /*  7 */ any_bit(0x1fff, 8, 0),
        /*  8 */ statement(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, ETHERNET),
        /*  9 */ jump(libc::BPF_JMP | libc::BPF_JA, 4, 0, 0),
        /* 10 */ equal(libc::ETH_P_IPV6 as u32, 0, 5),
        /* 11 */ load_byte(ETHERNET + 6),
        /* 12 */ equal(TCP, 0, 3),
        /* 13 */ statement(libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM, 40),
        /* 14 */ statement(libc::BPF_LD | libc::BPF_B | libc::BPF_IND, ETHERNET + FLAGS_AT),
        /* 15 */ any_bit(RST, 1, 0),
        /* 16 */ statement(libc::BPF_RET | libc::BPF_K, 0),
        /* 17 */ statement(libc::BPF_RET | libc::BPF_K, 64),
    ]
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const ACK_RST: u8 = 0x14;
    const ACK_PSH: u8 = 0x18;

    fn ethernet(protocol: u16, rest: &[&[u8]]) -> Vec<u8> {
        let mut frame = vec![0x02; 12];
        frame.extend(protocol.to_be_bytes());
        rest.iter().for_each(|part| frame.extend(*part));
        frame
    }

    fn tcp(flags: u8) -> [u8; 20] {
        let mut header = [0xff; 20];
        header[13] = flags;
        header
    }

    fn ipv4(option_words: u8, fragment: u16, protocol: u8, segment: &[u8]) -> Vec<u8> {
        // Every other byte has all bits set, so that a look at the wrong place finds a RST.
        let mut header = vec![0xff; 20 + 4 * usize::from(option_words)];
        header[0] = 0x45 + option_words;
        header[6..8].copy_from_slice(&fragment.to_be_bytes());
        header[9] = protocol;
        ethernet(0x0800, &[&header, segment])
    }

    fn ipv6(next: u8, segment: &[u8]) -> Vec<u8> {
        let mut header = [0xff; 40];
        header[6] = next;
        ethernet(0x86dd, &[&header, segment])
    }

    /// Whether the kernel's own interpreter passes `frame`, as a packet that came in (on a unix socket the packet type is 0, `PACKET_HOST`).
    fn passes(direction: PacketDirection, frame: &[u8]) -> bool {
        let (sender, receiver) = UnixDatagram::pair().expect("a socket pair of ours");
        receiver.set_nonblocking(true).expect("a socket pair of ours");
        let receiver = OwnedFd::from(receiver);
        packet_socket::attach(&receiver, &mut rst_filter(direction)).expect("a socket pair of ours");
        sender.send(frame).expect("a socket pair of ours");
        match UnixDatagram::from(receiver).recv(&mut [0; 256]) {
            Ok(bytes) => {
                assert_eq!(bytes, frame.len().min(64));
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                false
            }
        }
    }

    #[test]
    fn only_tcp_with_rst_passes() {
        for words in 0..=10 {
            assert!(
                passes(PacketDirection::In, &ipv4(words, 0, 6, &tcp(ACK_RST))),
                "{words} words of IP options"
            );
            assert!(
                passes(PacketDirection::In, &ipv4(words, 0, 6, &tcp(0x04))),
                "{words} words of IP options"
            );
            assert!(
                !passes(PacketDirection::In, &ipv4(words, 0, 6, &tcp(ACK_PSH))),
                "{words} words of IP options"
            );
            assert!(!passes(PacketDirection::In, &ipv4(words, 0, 6, &tcp(!0x04))), "all flags but RST");
        }
        assert!(passes(PacketDirection::In, &ipv6(6, &tcp(ACK_RST))));
        assert!(!passes(PacketDirection::In, &ipv6(6, &tcp(ACK_PSH))));
    }

    #[test]
    fn other_protocols_fragments_and_cut_frames_do_not_pass() {
        assert!(!passes(PacketDirection::In, &ipv4(0, 0, 17, &tcp(ACK_RST))), "UDP");
        assert!(!passes(PacketDirection::In, &ipv6(17, &tcp(ACK_RST))), "UDP");
        assert!(!passes(PacketDirection::In, &ethernet(0x0806, &[&[0xff; 60]])), "ARP");
        assert!(
            !passes(PacketDirection::In, &ipv4(0, 1, 6, &tcp(ACK_RST))),
            "a later fragment has no TCP header"
        );
        assert!(passes(PacketDirection::In, &ipv4(0, 0x4000, 6, &tcp(ACK_RST))), "don't fragment");
        assert!(
            passes(PacketDirection::In, &ipv4(0, 0x2000, 6, &tcp(ACK_RST))),
            "the first fragment has one"
        );
        let whole = ipv4(0, 0, 6, &tcp(ACK_RST));
        assert!(!passes(PacketDirection::In, &whole[..14 + 20 + 13]), "the flags are missing");
        assert!(passes(PacketDirection::In, &whole[..14 + 20 + 14]));
    }

    #[test]
    fn a_packet_that_comes_in_is_not_one_that_goes_out() {
        assert!(!passes(PacketDirection::Out, &ipv4(0, 0, 6, &tcp(ACK_RST))));
        assert!(!passes(PacketDirection::Out, &ipv6(6, &tcp(ACK_RST))));
    }
}
