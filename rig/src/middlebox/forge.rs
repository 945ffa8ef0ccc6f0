//! Writing frames that nobody sent: TCP segments in another host's name, and answers to "who has" for a host that is gone.
//!
//! Pure. Must not decide when to forge or with which number. Every frame leaves with all its checksums, whatever the offloads of the links.
//! Units: sequence numbers in host order. Errors: none; both addresses of a segment must be of one family.
//! Sources: RFC 9293, RFC 826, RFC 4861 section 4. Tests: beside the module, and `tests.rs` over everything that the engine emits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::checksum;
use super::frame::{self, ACK, Datagram, ETHERNET, IPV4, IPV6, PSH, RST, Segment, TCP};

/// In whose name a gone host's neighbours are answered: a locally administered address that no NIC has.
const GHOST: [u8; 6] = [0x02, 0x72, 0x69, 0x67, 0x00, 0x01];
const ICMPV6: u8 = 58;

/// How frames of one end look up to and including the EtherType, and with how many hops left they come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    header: [u8; 22],
    length: usize,
    hops: u8,
}

impl Link {
    /// Copies it from a frame that came by.
    pub(super) fn of(frame: &[u8], datagram: &Datagram) -> Self {
        let mut header = [0; 22];
        let length = datagram.ip_at.min(22);
        header[..length].copy_from_slice(&frame[..length]);
        let hops = frame[datagram.ip_at + if datagram.version == IPV4 { 8 } else { 7 }];
        Self { header, length, hops }
    }

    /// The way back.
    pub(super) fn reversed(mut self) -> Self {
        let (destination, source) = self.header.split_at_mut(6);
        destination.swap_with_slice(&mut source[..6]);
        self.hops = 64;
        self
    }
}

/// What a forged segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Say<'a> {
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    /// A multiple of four bytes.
    pub(super) options: &'a [u8],
    pub(super) payload: &'a [u8],
}

/// What is forged in the name of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forged<'a> {
    /// A reset.
    Reset,
    /// Data that nobody wrote.
    Data(&'a [u8]),
}

impl<'a> Say<'a> {
    /// Data, as a segment in the middle of a connection carries it.
    pub(super) fn data(seq: u32, ack: u32, window: u16, payload: &'a [u8]) -> Self {
        Self { seq, ack, flags: PSH | ACK, window, options: &[], payload }
    }
}

impl Say<'_> {
    /// A reset. Without `ack` the segment acknowledges nothing.
    pub(super) fn reset(seq: u32, ack: Option<u32>) -> Self {
        let flags = if ack.is_some() { RST | ACK } else { RST };
        Self { seq, ack: ack.unwrap_or(0), flags, window: 0, options: &[], payload: &[] }
    }
}

/// Builds a TCP frame from one end to the other, whose addresses are of one family.
pub(super) fn segment(link: &Link, from: SocketAddr, to: SocketAddr, say: Say<'_>) -> Vec<u8> {
    let length = 20 + say.options.len() + say.payload.len();
    let mut frame = Vec::with_capacity(link.length + 40 + length);
    frame.extend_from_slice(&link.header[..link.length]);
    let ip_at = frame.len();
    let version = write_ip(&mut frame, from.ip(), to.ip(), TCP, link.hops, length);
    let payload_at = frame.len();
    frame.extend_from_slice(&from.port().to_be_bytes());
    frame.extend_from_slice(&to.port().to_be_bytes());
    frame.extend_from_slice(&say.seq.to_be_bytes());
    frame.extend_from_slice(&say.ack.to_be_bytes());
    let words = u8::try_from((20 + say.options.len()) / 4).expect("options fit the header");
    frame.extend_from_slice(&[words << 4, say.flags]);
    frame.extend_from_slice(&say.window.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(say.options);
    frame.extend_from_slice(say.payload);
    let datagram = Datagram { version, ip_at, protocol: TCP, payload_at, end: frame.len(), fragment: false };
    checksum::fill(&mut frame, &datagram);
    frame
}

/// Answers a segment to a host that is gone or to a connection that is unknown (RFC 9293 section 3.5.2); a reset is never answered.
pub(super) fn refuse(frame: &[u8], segment: &Segment) -> Option<Vec<u8>> {
    if segment.has(RST) {
        return None;
    }
    let say =
        if segment.has(ACK) { Say::reset(segment.ack, None) } else { Say::reset(0, Some(segment.seq_end())) };
    let link = Link::of(frame, &segment.datagram).reversed();
    let from = SocketAddr::new(segment.destination, segment.destination_port);
    let to = SocketAddr::new(segment.source, segment.source_port);
    Some(self::segment(&link, from, to, say))
}

fn write_ip(frame: &mut Vec<u8>, from: IpAddr, to: IpAddr, protocol: u8, hops: u8, length: usize) -> u8 {
    let length = |extra| u16::try_from(length + extra).expect("a forged frame is small").to_be_bytes();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let [high, low] = length(20);
            // Identification 0 with "do not fragment" (RFC 6864), as Linux sends resets.
            frame.extend_from_slice(&[0x45, 0, high, low, 0, 0, 0x40, 0, hops, protocol, 0, 0]);
            frame.extend_from_slice(&from.octets());
            frame.extend_from_slice(&to.octets());
            IPV4
        }
        (from, to) => {
            let [high, low] = length(0);
            frame.extend_from_slice(&[0x60, 0, 0, 0, high, low, protocol, hops]);
            frame.extend_from_slice(&v6(from).octets());
            frame.extend_from_slice(&v6(to).octets());
            IPV6
        }
    }
}

fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Answers a neighbour request (ARP, or IPv6 neighbour solicitation) for an address that is gone, so that segments to it still come by.
pub(super) fn answer_neighbour(frame: &[u8], gone: impl Fn(IpAddr) -> bool) -> Option<Vec<u8>> {
    match frame::ether_type(frame)? {
        (0x0806, at) => answer_arp(frame, at, gone),
        (0x86dd, _) => answer_solicitation(frame, gone),
        _ => None,
    }
}

fn answer_arp(frame: &[u8], at: usize, gone: impl Fn(IpAddr) -> bool) -> Option<Vec<u8>> {
    let body = frame.get(at..at + 28)?;
    // Ethernet, IPv4, 6 and 4 bytes, request.
    if body[..8] != [0, 1, 8, 0, 6, 4, 0, 1] {
        return None;
    }
    let wanted: [u8; 4] = body[24..28].try_into().ok()?;
    if !gone(IpAddr::V4(Ipv4Addr::from(wanted))) {
        return None;
    }
    let mut answer = ghost_link(frame, at, &body[8..14]);
    answer.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, 2]);
    answer.extend_from_slice(&GHOST);
    answer.extend_from_slice(&wanted);
    answer.extend_from_slice(&body[8..18]);
    Some(answer)
}

fn answer_solicitation(frame: &[u8], gone: impl Fn(IpAddr) -> bool) -> Option<Vec<u8>> {
    let datagram = frame::locate(frame)?;
    let body = &frame[datagram.payload_at..datagram.end];
    if datagram.protocol != ICMPV6 || datagram.fragment || body.len() < 24 || body[0] != 135 {
        return None;
    }
    let wanted: [u8; 16] = body[8..24].try_into().ok()?;
    let asker: [u8; 16] = frame[datagram.ip_at + 8..datagram.ip_at + 24].try_into().ok()?;
    // An asker without address looks for duplicates of its own: that is not for a gone host to answer.
    if asker == [0; 16] || !gone(IpAddr::V6(Ipv6Addr::from(wanted))) {
        return None;
    }
    let mut answer = ghost_link(frame, datagram.ip_at, &frame[6..12]);
    let ip_at = answer.len();
    let (from, to) = (IpAddr::V6(Ipv6Addr::from(wanted)), IpAddr::V6(Ipv6Addr::from(asker)));
    write_ip(&mut answer, from, to, ICMPV6, 255, 32);
    let payload_at = answer.len();
    // Advertisement, solicited and overriding, with the target's link-layer address.
    answer.extend_from_slice(&[136, 0, 0, 0, 0x60, 0, 0, 0]);
    answer.extend_from_slice(&wanted);
    answer.extend_from_slice(&[2, 1]);
    answer.extend_from_slice(&GHOST);
    let end = answer.len();
    let made = Datagram { version: IPV6, ip_at, protocol: ICMPV6, payload_at, end, fragment: false };
    let sum = checksum::add(checksum::pseudo(&answer, &made, 32), &answer[payload_at..]);
    checksum::store(&mut answer, payload_at + 2, checksum::fold(sum), ICMPV6);
    Some(answer)
}

/// Link header of an answer from the ghost, with the question's VLAN tags.
fn ghost_link(question: &[u8], body_at: usize, to: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(ETHERNET + 72);
    header.extend_from_slice(to);
    header.extend_from_slice(&GHOST);
    header.extend_from_slice(&question[12..body_at]);
    header
}

#[cfg(test)]
mod tests {
    use super::super::frame::{SYN, be16, parse};
    use super::super::wire::Wire;
    use super::*;

    #[test]
    fn a_refusal_follows_rfc_9293() {
        for wire in [Wire::v4(), Wire::v6()] {
            let syn = wire.to_peer(SYN, 100, 0, b"").frame();
            let answer = refuse(&syn, &parse(&syn).expect("TCP")).expect("answered");
            let said = parse(&answer).expect("TCP");
            assert_eq!((said.flags, said.seq, said.ack), (RST | ACK, 0, 101));
            assert!(checksum::is_right(&answer));
            assert_eq!((&answer[..6], &answer[6..12]), (&syn[6..12], &syn[..6]));

            let data = wire.to_peer(ACK, 101, 55, b"abc").frame();
            let answer = refuse(&data, &parse(&data).expect("TCP")).expect("answered");
            let said = parse(&answer).expect("TCP");
            assert_eq!((said.flags, said.seq), (RST, 55));
            assert!(checksum::is_right(&answer));

            let reset = wire.to_peer(RST, 101, 0, b"").frame();
            assert_eq!(refuse(&reset, &parse(&reset).expect("TCP")), None);
        }
    }

    #[test]
    fn a_gone_host_still_has_a_neighbour() {
        let mut question = vec![0xff; 6];
        question.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 2]);
        question.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
        let gone = |address| address == IpAddr::from([192, 0, 2, 1]);
        let answer = answer_neighbour(&question, gone).expect("asked for it");
        assert_eq!(answer[..14], [2, 0, 0, 0, 0, 1, 2, 0x72, 0x69, 0x67, 0, 1, 8, 6]);
        assert_eq!(be16(&answer, 20), Some(2), "a reply");
        assert_eq!(answer[28..32], [192, 0, 2, 1]);
        assert_eq!(answer[38..42], [192, 0, 2, 2]);
        assert_eq!(answer_neighbour(&question, |_| false), None);
    }

    #[test]
    fn a_gone_ipv6_host_too() {
        let wire = Wire::v6();
        let syn = wire.to_peer(SYN, 1, 0, b"").frame();
        let segment = parse(&syn).expect("TCP");
        let mut question = syn[..54].to_vec();
        question[18..20].copy_from_slice(&24_u16.to_be_bytes());
        question[20] = ICMPV6;
        question.extend([135, 0, 0, 0, 0, 0, 0, 0]);
        question.extend(&syn[38..54]);
        let answer = answer_neighbour(&question, |a| a == segment.destination).expect("asked for it");
        let datagram = frame::locate(&answer).expect("IPv6");
        let sum = checksum::pseudo(&answer, &datagram, 32);
        assert_eq!(checksum::fold(checksum::add(sum, &answer[datagram.payload_at..])), 0);
        assert_eq!(answer[21], 255, "hop limit of RFC 4861");
        question[22..38].fill(0);
        assert_eq!(answer_neighbour(&question, |_| true), None, "duplicate address detection");
    }
}
