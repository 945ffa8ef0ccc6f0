//! From what a packet socket gives to what would stand on a wire: missing checksums are computed, super-segments are cut.
//!
//! Links in namespaces and taps leave checksums to "hardware" that does not exist, and hand over segments of up to 64 KiB. The engine works on
//! wire frames only, so that "the k-th segment", a queue in bytes and a forged number mean the same whatever the offloads of either side.
//! (Switching offloads off instead would need to reach into the other namespaces, and a guest turns its own on again.)
//! Pure. Units: bytes. Errors: [`Unready`]. Sources: virtio 1.2 section 5.1.6, linux/virtio_net.h. Tests: beside the module.

use super::checksum;
use super::frame::{self, CWR, FIN, IPV4, PSH, Segment, UDP};

/// Bytes of `struct virtio_net_hdr`.
pub(super) const META: usize = 10;
const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// `struct virtio_net_hdr`, in the byte order of this machine (packet sockets use no other).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meta {
    flags: u8,
    gso_type: u8,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl Meta {
    pub(super) fn read(bytes: &[u8; META]) -> Self {
        let word = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        Self {
            flags: bytes[0],
            gso_type: bytes[1] & !GSO_ECN,
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        }
    }

    fn needs_checksum(self) -> bool {
        self.flags & NEEDS_CSUM != 0
    }

    /// Whether the frame is a super-segment.
    pub(super) fn is_super(self) -> bool {
        self.gso_type != GSO_NONE
    }
}

/// The kernel described a frame in a way that cannot be carried out: the frame is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unready;

/// Gives each wire frame of what was received to `each`; `tag` is a VLAN tag that the kernel took out of the frame.
pub(super) fn make_ready(
    meta: Meta,
    tag: Option<[u8; 4]>,
    bytes: &[u8],
    each: &mut impl FnMut(Vec<u8>),
) -> Result<(), Unready> {
    let mut start = usize::from(meta.csum_start);
    let mut frame = Vec::with_capacity(bytes.len() + 4);
    match tag {
        Some(tag) if bytes.len() >= 12 => {
            frame.extend_from_slice(&bytes[..12]);
            frame.extend_from_slice(&tag);
            frame.extend_from_slice(&bytes[12..]);
            start += 4;
        }
        Some(_) | None => frame.extend_from_slice(bytes),
    }
    match meta.gso_type {
        GSO_NONE => {
            if meta.needs_checksum() {
                complete(&mut frame, start, usize::from(meta.csum_offset))?;
            }
            each(frame);
            Ok(())
        }
        GSO_TCPV4 | GSO_TCPV6 => {
            let segment = frame::parse(&frame).ok_or(Unready)?;
            cut_tcp(&frame, &segment, usize::from(meta.gso_size), each)
        }
        GSO_UDP_L4 => cut_udp(&frame, usize::from(meta.gso_size), each),
        // UDP fragmentation offload: no Linux has made it for its own sockets since 4.14.
        _ => Err(Unready),
    }
}

/// The field holds the pseudo header's sum; the rest is added (linux/skbuff.h, `CHECKSUM_PARTIAL`).
fn complete(frame: &mut [u8], start: usize, offset: usize) -> Result<(), Unready> {
    let at = start + offset;
    if at + 2 > frame.len() {
        return Err(Unready);
    }
    let value = checksum::fold(checksum::add(0, &frame[start..]));
    // Only UDP's field stands at 6, and only there 0 means "none".
    checksum::store(frame, at, value, if offset == 6 { UDP } else { 0 });
    Ok(())
}

fn cut_tcp(
    frame: &[u8],
    whole: &Segment,
    size: usize,
    each: &mut impl FnMut(Vec<u8>),
) -> Result<(), Unready> {
    let payload = whole.payload(frame);
    if size == 0 || payload.is_empty() {
        return Err(Unready);
    }
    let pieces = payload.len().div_ceil(size);
    for (index, piece) in payload.chunks(size).enumerate() {
        let mut made = piece_of(frame, whole.payload_at, piece, whole.datagram.ip_at, index);
        let tcp = whole.datagram.payload_at;
        let seq = whole.seq.wrapping_add(u32::try_from(index * size).map_err(|_| Unready)?);
        made[tcp + 4..tcp + 8].copy_from_slice(&seq.to_be_bytes());
        if index + 1 < pieces {
            made[tcp + 13] &= !(FIN | PSH);
        }
        if index > 0 {
            made[tcp + 13] &= !CWR;
        }
        let datagram = frame::Datagram { end: made.len(), ..whole.datagram };
        checksum::fill(&mut made, &datagram);
        each(made);
    }
    Ok(())
}

fn cut_udp(frame: &[u8], size: usize, each: &mut impl FnMut(Vec<u8>)) -> Result<(), Unready> {
    let whole = frame::locate(frame).ok_or(Unready)?;
    let payload = frame.get(whole.payload_at + 8..whole.end).ok_or(Unready)?;
    if whole.protocol != UDP || whole.fragment || size == 0 || payload.is_empty() {
        return Err(Unready);
    }
    for (index, piece) in payload.chunks(size).enumerate() {
        let mut made = piece_of(frame, whole.payload_at + 8, piece, whole.ip_at, index);
        let length = u16::try_from(piece.len() + 8).map_err(|_| Unready)?;
        made[whole.payload_at + 4..whole.payload_at + 6].copy_from_slice(&length.to_be_bytes());
        let datagram = frame::Datagram { end: made.len(), ..whole };
        checksum::fill(&mut made, &datagram);
        each(made);
    }
    Ok(())
}

/// The headers with another payload; the IP header's length and identification are made to fit.
fn piece_of(frame: &[u8], payload_at: usize, piece: &[u8], ip_at: usize, index: usize) -> Vec<u8> {
    let mut made = Vec::with_capacity(payload_at + piece.len());
    made.extend_from_slice(&frame[..payload_at]);
    made.extend_from_slice(piece);
    let total = made.len() - ip_at;
    let word = |value: usize| {
        u16::try_from(value).expect("no longer than the whole, whose length fits").to_be_bytes()
    };
    if made[ip_at] >> 4 == IPV4 {
        made[ip_at + 2..ip_at + 4].copy_from_slice(&word(total));
        let first = u16::from_be_bytes([made[ip_at + 4], made[ip_at + 5]]);
        let own = first.wrapping_add(u16::try_from(index & 0xffff).expect("masked"));
        made[ip_at + 4..ip_at + 6].copy_from_slice(&own.to_be_bytes());
    } else {
        made[ip_at + 4..ip_at + 6].copy_from_slice(&word(total - 40));
    }
    made
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame::{ACK, be16, be32, parse};
    use super::super::wire::Wire;
    use super::*;

    fn ready(meta: Meta, tag: Option<[u8; 4]>, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Unready> {
        let mut frames = vec![];
        make_ready(meta, tag, bytes, &mut |frame| frames.push(frame))?;
        Ok(frames)
    }

    /// As a sender leaves it: only the pseudo header is summed.
    fn partial(frame: &[u8]) -> (Vec<u8>, Meta) {
        let segment = parse(frame).expect("TCP");
        let datagram = segment.datagram;
        let mut frame = frame.to_vec();
        let sum = checksum::pseudo(&frame, &datagram, datagram.end - datagram.payload_at);
        let at = datagram.payload_at + 16;
        frame[at..at + 2].copy_from_slice(&(!checksum::fold(sum)).to_be_bytes());
        let start = u16::try_from(datagram.payload_at).expect("small");
        (frame, Meta { flags: NEEDS_CSUM, csum_start: start, csum_offset: 16, ..Meta::default() })
    }

    #[test]
    fn a_partial_checksum_is_completed() {
        for wire in [Wire::v4(), Wire::v6()] {
            let whole = wire.to_peer(ACK, 1, 2, b"odd").frame();
            let (frame, meta) = partial(&whole);
            assert!(!checksum::is_right(&frame));
            assert_eq!(ready(meta, None, &frame), Ok(vec![whole.clone()]));
            let tagged = ready(meta, Some([0x81, 0, 0, 9]), &frame).expect("ready");
            assert!(checksum::is_right(&tagged[0]));
            assert_eq!(parse(&tagged[0]).expect("TCP").payload(&tagged[0]), b"odd");
            assert_eq!(tagged[0].len(), whole.len() + 4);
        }
    }

    #[test]
    fn a_wrong_checksum_of_the_wire_stays_wrong() {
        let mut frame = Wire::v4().to_peer(ACK, 1, 2, b"abc").frame();
        frame[50] ^= 1;
        assert_eq!(ready(Meta::default(), None, &frame), Ok(vec![frame.clone()]));
        assert!(!checksum::is_right(&frame));
    }

    #[test]
    fn a_super_segment_is_cut_as_a_nic_would() {
        for (wire, gso_type) in [(Wire::v4(), GSO_TCPV4), (Wire::v6(), GSO_TCPV6)] {
            let payload: Vec<u8> = (0..2500_u32).map(|i| i.to_be_bytes()[3]).collect();
            let (frame, meta) =
                partial(&wire.to_target(ACK | PSH | FIN | CWR, u32::MAX - 999, 7, &payload).frame());
            let frames = ready(Meta { gso_type, gso_size: 1000, ..meta }, None, &frame).expect("ready");
            let segments: Vec<_> = frames.iter().map(|frame| parse(frame).expect("TCP")).collect();
            let said: Vec<_> = segments.iter().map(|segment| (segment.seq, segment.flags)).collect();
            assert_eq!(said, [(u32::MAX - 999, ACK | CWR), (0, ACK), (1000, ACK | PSH | FIN)]);
            assert!(frames.iter().all(|frame| checksum::is_right(frame)));
            let joined: Vec<u8> =
                frames.iter().zip(&segments).flat_map(|(frame, s)| s.payload(frame).to_vec()).collect();
            assert_eq!(joined, payload);
            if gso_type == GSO_TCPV4 {
                assert_eq!(
                    frames.iter().map(|f| be16(f, 18)).collect::<Vec<_>>(),
                    [Some(0), Some(1), Some(2)]
                );
            }
            assert_eq!(be32(&frames[1], segments[1].datagram.payload_at + 8), Some(7));
        }
    }

    #[test]
    fn udp_super_datagrams_are_cut_too() {
        let mut frame = Wire::v6().to_peer(ACK, 1, 2, &[9; 100]).frame();
        // The TCP header becomes a UDP header with 12 bytes more of payload.
        frame[20] = UDP;
        let length = 120_u16.to_be_bytes();
        frame[58..60].copy_from_slice(&length);
        let meta =
            Meta { flags: NEEDS_CSUM, gso_type: GSO_UDP_L4, gso_size: 50, csum_start: 54, csum_offset: 6 };
        let frames = ready(meta, None, &frame).expect("ready");
        assert_eq!(frames.iter().map(|f| f.len() - 62).collect::<Vec<_>>(), [50, 50, 12]);
        assert_eq!(frames.iter().map(|f| be16(f, 58)).collect::<Vec<_>>(), [Some(58), Some(58), Some(20)]);
        assert!(frames.iter().all(|frame| checksum::is_right(frame)));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused() {
        let frame = Wire::v4().to_peer(ACK, 1, 2, b"abc").frame();
        let far = Meta { flags: NEEDS_CSUM, csum_start: 5000, ..Meta::default() };
        assert_eq!(ready(far, None, &frame), Err(Unready));
        assert_eq!(ready(Meta { gso_type: 3, gso_size: 9, ..Meta::default() }, None, &frame), Err(Unready));
        assert_eq!(ready(Meta { gso_type: GSO_TCPV4, ..Meta::default() }, None, &frame), Err(Unready));
    }

    proptest! {
        #[test]
        fn nothing_panics(
            header in prop::array::uniform10(any::<u8>()),
            tag in any::<Option<[u8; 4]>>(),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            real in any::<bool>(),
        ) {
            let frame = if real { Wire::v4().to_peer(ACK, 1, 2, &bytes).frame() } else { bytes };
            let _ = ready(Meta::read(&header), tag, &frame);
        }
    }
}
