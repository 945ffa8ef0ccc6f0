//! Reading Ethernet frames: where IP and TCP stand, and what a segment says.
//!
//! Pure, over bytes that nobody vouches for: whatever does not parse is "not TCP" and is bridged untouched, never an error, never a panic.
//! Must not know connections or time. Units: byte offsets from the start of the frame; sequence numbers in host order.
//! Sources: IEEE 802.1Q, RFC 791, RFC 8200 section 4, RFC 9293 section 3.1, RFC 7323, RFC 2018.
//! Tests: beside the module (proptest over malformed frames).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::spec::Port;

pub(super) const ETHERNET: usize = 14;
pub(super) const IPV4: u8 = 4;
pub(super) const IPV6: u8 = 6;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
pub(super) const CWR: u8 = 0x80;

/// An IP datagram inside a frame. All offsets lie inside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) version: u8,
    pub(super) ip_at: usize,
    /// Of layer 4; meaningless in fragments.
    pub(super) protocol: u8,
    /// Start of layer 4.
    pub(super) payload_at: usize,
    /// End of the datagram; what follows is padding of the link.
    pub(super) end: usize,
    pub(super) fragment: bool,
}

impl Datagram {
    /// Bytes of the IP packet: its header and all behind it.
    pub(super) fn bytes(&self) -> u32 {
        u32::try_from(self.end - self.ip_at).expect("a frame is small")
    }
}

/// A TCP segment inside a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) datagram: Datagram,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    /// As it stands in the header, not scaled.
    pub(super) window: u16,
    pub(super) payload_at: usize,
}

/// The two ends of a connection, named by side: a key that is the same for both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FourTuple {
    pub(super) target: IpAddr,
    pub(super) target_port: u16,
    pub(super) peer: IpAddr,
    pub(super) peer_port: u16,
}

impl Segment {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn payload<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        &frame[self.payload_at..self.datagram.end]
    }

    /// SEG.LEN: payload, and one each for SYN and FIN.
    pub(super) fn length(&self) -> u32 {
        let payload = u32::try_from(self.datagram.end - self.payload_at).expect("a frame is small");
        payload + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    pub(super) fn seq_end(&self) -> u32 {
        self.seq.wrapping_add(self.length())
    }

    pub(super) fn four_tuple(&self, came_in: Port) -> FourTuple {
        let (target, target_port, peer, peer_port) = match came_in {
            Port::Target => (self.source, self.source_port, self.destination, self.destination_port),
            Port::Peer => (self.destination, self.destination_port, self.source, self.source_port),
        };
        FourTuple { target, target_port, peer, peer_port }
    }

    /// Window scale (RFC 7323) of a SYN, and the right-most edge of the SACK blocks (RFC 2018) of any segment.
    pub(super) fn options(&self, frame: &[u8]) -> Options {
        let mut found = Options::default();
        let mut rest = &frame[self.datagram.payload_at + 20..self.payload_at];
        loop {
            rest = match rest {
                [] | [0, ..] => return found,
                [1, rest @ ..] => rest,
                [kind, length, ..] => {
                    let length = usize::from(*length);
                    let Some(body) = rest.get(2..length) else { return found };
                    match (kind, body) {
                        // RFC 7323 section 2.3: a shift over 14 counts as 14.
                        (3, [shift]) if self.has(SYN) => found.window_shift = Some((*shift).min(14)),
                        (5, blocks) => found.add_sack(blocks),
                        _ => {}
                    }
                    &rest[length..]
                }
                [_] => return found,
            }
        }
    }
}

/// What the box wants to know of a segment's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) window_shift: Option<u8>,
    pub(super) sack_edge: Option<u32>,
}

impl Options {
    fn add_sack(&mut self, blocks: &[u8]) {
        for block in blocks.chunks_exact(8) {
            let edge = u32::from_be_bytes([block[4], block[5], block[6], block[7]]);
            if self.sack_edge.is_none_or(|known| after(edge, known)) {
                self.sack_edge = Some(edge);
            }
        }
    }
}

/// Whether sequence number `a` lies after `b` (RFC 9293 section 3.4).
pub(super) fn after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

pub(super) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The EtherType behind up to two VLAN tags, and where what it names begins.
pub(super) fn ether_type(frame: &[u8]) -> Option<(u16, usize)> {
    let mut at = 12;
    for _ in 0..3 {
        let kind = be16(frame, at)?;
        at += 2;
        if kind != 0x8100 && kind != 0x88a8 {
            return Some((kind, at));
        }
        at += 2;
    }
    None
}

/// Finds the IP datagram in a frame; nothing if there is none that is whole.
pub(super) fn locate(frame: &[u8]) -> Option<Datagram> {
    match ether_type(frame)? {
        (0x0800, at) => locate_v4(frame, at),
        (0x86dd, at) => locate_v6(frame, at),
        _ => None,
    }
}

fn locate_v4(frame: &[u8], ip_at: usize) -> Option<Datagram> {
    let first = *frame.get(ip_at)?;
    let header = usize::from(first & 0x0f) * 4;
    let total = usize::from(be16(frame, ip_at + 2)?);
    let end = ip_at + total;
    if first >> 4 != IPV4 || header < 20 || total < header || end > frame.len() {
        return None;
    }
    // More-fragments bit, or an offset.
    let fragment = be16(frame, ip_at + 6)? & 0x3fff != 0;
    Some(Datagram {
        version: IPV4,
        ip_at,
        protocol: frame[ip_at + 9],
        payload_at: ip_at + header,
        end,
        fragment,
    })
}

fn locate_v6(frame: &[u8], ip_at: usize) -> Option<Datagram> {
    let end = ip_at + 40 + usize::from(be16(frame, ip_at + 4)?);
    if frame.get(ip_at)? >> 4 != IPV6 || end > frame.len() {
        return None;
    }
    let mut protocol = frame[ip_at + 6];
    let mut at = ip_at + 40;
    let mut fragment = false;
    // Hop-by-hop, routing, destination options, fragment. A chain longer than eight is nobody's TCP.
    for _ in 0..8 {
        let length = match protocol {
            0 | 43 | 60 => (usize::from(*frame.get(at + 1)?) + 1) * 8,
            44 => {
                // An "atomic" fragment (RFC 6946) is whole.
                fragment |= be16(frame, at + 2)? & 0xfff9 != 0;
                8
            }
            _ => break,
        };
        if at + length > end {
            return None;
        }
        protocol = frame[at];
        at += length;
        if fragment {
            break;
        }
    }
    (at <= end).then_some(Datagram { version: IPV6, ip_at, protocol, payload_at: at, end, fragment })
}

/// Reads the TCP segment of a frame; nothing if it has none, or one that is cut or in fragments.
pub(super) fn parse(frame: &[u8]) -> Option<Segment> {
    let datagram = locate(frame)?;
    if datagram.protocol != TCP || datagram.fragment {
        return None;
    }
    let at = datagram.payload_at;
    let header = frame[..datagram.end].get(at..at + 20)?;
    let payload_at = at + usize::from(header[12] >> 4) * 4;
    if payload_at < at + 20 || payload_at > datagram.end {
        return None;
    }
    let (source, destination) = addresses(frame, &datagram);
    Some(Segment {
        datagram,
        source,
        destination,
        source_port: be16(header, 0)?,
        destination_port: be16(header, 2)?,
        seq: be32(header, 4)?,
        ack: be32(header, 8)?,
        flags: header[13],
        window: be16(header, 14)?,
        payload_at,
    })
}

fn addresses(frame: &[u8], datagram: &Datagram) -> (IpAddr, IpAddr) {
    let v4 = |at: usize| {
        let bytes: [u8; 4] = frame[at..at + 4].try_into().expect("located");
        IpAddr::V4(Ipv4Addr::from(bytes))
    };
    let v6 = |at: usize| {
        let bytes: [u8; 16] = frame[at..at + 16].try_into().expect("located");
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    let at = datagram.ip_at;
    if datagram.version == IPV4 { (v4(at + 12), v4(at + 16)) } else { (v6(at + 8), v6(at + 24)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::checksum;
    use super::super::wire::Wire;
    use super::*;

    #[test]
    fn a_segment_says_what_was_written() {
        for wire in [Wire::v4(), Wire::v6()] {
            let frame = wire.to_peer(SYN | ACK, 7, 9, b"abc").options(&[1, 3, 3, 9]).frame();
            let segment = parse(&frame).expect("TCP");
            assert_eq!((segment.seq, segment.ack, segment.length()), (7, 9, 4));
            assert_eq!(segment.payload(&frame), b"abc");
            assert_eq!(segment.options(&frame).window_shift, Some(9));
            assert!(checksum::is_right(&frame));
            let back = parse(&wire.to_target(ACK, 9, 8, b"").frame()).expect("TCP");
            assert_eq!(back.four_tuple(Port::Peer), segment.four_tuple(Port::Target));
        }
    }

    #[test]
    fn tags_and_extension_headers_are_walked() {
        let plain = Wire::v6().to_peer(ACK, 1, 2, b"xyz").frame();
        let mut tagged = plain[..12].to_vec();
        tagged.extend([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6]);
        tagged.extend(&plain[12..]);
        assert_eq!(parse(&tagged).expect("TCP").payload(&tagged), b"xyz");

        let mut extended = plain[..54].to_vec();
        extended[20] = 60;
        extended.extend([44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 1]);
        extended.extend(&plain[54..]);
        let length = be16(&plain, 18).expect("a length") + 16;
        extended[18..20].copy_from_slice(&length.to_be_bytes());
        assert_eq!(parse(&extended).expect("an atomic fragment is whole").payload(&extended), b"xyz");
        extended[65] = 1;
        assert_eq!(parse(&extended), None, "a real fragment is not");
    }

    #[test]
    fn the_right_most_sack_edge() {
        let mut options = vec![1, 1, 5, 18];
        for edge in [10_u32, 20, 4_000_000_000, 5] {
            options.extend(edge.to_be_bytes());
        }
        let frame = Wire::v4().to_peer(ACK, 1, 2, b"").options(&options).frame();
        let segment = parse(&frame).expect("TCP");
        assert_eq!(segment.options(&frame).sack_edge, Some(20), "5 comes before 20, also over the wrap");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(segment) = parse(&bytes) {
                segment.options(&bytes);
            }
            checksum::is_right(&bytes);
        }

        /// Real frames with a few bytes changed and the tail cut reach the deep paths that noise does not.
        #[test]
        fn damaged_frames_do_not_panic(
            v6 in any::<bool>(),
            options in prop::collection::vec(any::<u8>(), 0..10),
            changes in prop::collection::vec((12_usize..100, any::<u8>()), 0..6),
            cut in 0_usize..40,
        ) {
            let wire = if v6 { Wire::v6() } else { Wire::v4() };
            let mut padded = options;
            padded.resize(padded.len().next_multiple_of(4), 0);
            let mut frame = wire.to_peer(ACK, 1, 2, b"payload").options(&padded).frame();
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            frame.truncate(frame.len() - cut);
            if let Some(segment) = parse(&frame) {
                segment.options(&frame);
                prop_assert!(segment.payload(&frame).len() <= frame.len());
            }
            checksum::is_right(&frame);
        }
    }
}
