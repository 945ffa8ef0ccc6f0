//! The Internet checksum (RFC 1071) over whole frames: computing it, filling it in, and proving that a frame is right.
//!
//! Pure. Must not know connections. Works on what [`super::frame::locate`] finds; fragments cannot be judged.
//! Units: bytes; sums are ones' complement, in network byte order. Errors: none, a wrong checksum is an answer.
//! Tests: beside the module, with frames of the RFCs, and in `tests.rs` over everything that the engine emits.

use super::frame::{Datagram, IPV4, TCP, UDP};

/// Adds the 16-bit words of `bytes` (a last odd byte counts as the high half of a word) to `sum`.
pub(super) fn add(mut sum: u64, bytes: &[u8]) -> u64 {
    // 32-bit words keep their ones' complement sum when folded: 2^16 = 1 modulo 65535.
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        sum += u64::from(u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mut halves = words.remainder().chunks_exact(2);
    for half in &mut halves {
        sum += u64::from(u16::from_be_bytes([half[0], half[1]]));
    }
    if let [last] = halves.remainder() {
        sum += u64::from(*last) << 8;
    }
    sum
}

/// Folds a sum to 16 bits and complements it: the value of the field.
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

/// Sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1) for `length` bytes of layer 4.
pub(super) fn pseudo(frame: &[u8], datagram: &Datagram, length: usize) -> u64 {
    let addresses = if datagram.version == IPV4 {
        datagram.ip_at + 12..datagram.ip_at + 20
    } else {
        datagram.ip_at + 8..datagram.ip_at + 40
    };
    add(u64::from(datagram.protocol) + length as u64, &frame[addresses])
}

/// Where the checksum field of the protocol stands, from the start of its header.
pub(super) fn field(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        _ => None,
    }
}

/// Fills in the IPv4 header's checksum (IPv6 has none) and that of TCP or UDP.
pub(super) fn fill(frame: &mut [u8], datagram: &Datagram) {
    fill_header(frame, datagram);
    let Some(offset) = field(datagram.protocol) else { return };
    let at = datagram.payload_at + offset;
    let length = datagram.end - datagram.payload_at;
    frame[at..at + 2].fill(0);
    let sum = add(pseudo(frame, datagram, length), &frame[datagram.payload_at..datagram.end]);
    store(frame, at, fold(sum), datagram.protocol);
}

/// Fills in the IPv4 header's checksum.
pub(super) fn fill_header(frame: &mut [u8], datagram: &Datagram) {
    if datagram.version != IPV4 {
        return;
    }
    let header = datagram.ip_at..datagram.ip_at + usize::from(frame[datagram.ip_at] & 0x0f) * 4;
    let at = datagram.ip_at + 10;
    frame[at..at + 2].fill(0);
    let value = fold(add(0, &frame[header]));
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Writes a layer-4 checksum; UDP's 0 means "none", so a computed 0 is written as its other form (RFC 768).
pub(super) fn store(frame: &mut [u8], at: usize, value: u16, protocol: u8) {
    let value = if value == 0 && protocol == UDP { 0xffff } else { value };
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Whether the checksums of IPv4 and of TCP or UDP are right. Fragments and other protocols are judged by their IP header alone.
pub fn is_right(frame: &[u8]) -> bool {
    let Some(datagram) = super::frame::locate(frame) else { return true };
    if datagram.version == IPV4 {
        let header = usize::from(frame[datagram.ip_at] & 0x0f) * 4;
        if fold(add(0, &frame[datagram.ip_at..datagram.ip_at + header])) != 0 {
            return false;
        }
    }
    let Some(offset) = field(datagram.protocol).filter(|_| !datagram.fragment) else { return true };
    let length = datagram.end - datagram.payload_at;
    if length < offset + 2 {
        return false;
    }
    let at = datagram.payload_at + offset;
    if datagram.protocol == UDP && datagram.version == IPV4 && frame[at..at + 2] == [0, 0] {
        return true;
    }
    fold(add(pseudo(frame, &datagram, length), &frame[datagram.payload_at..datagram.end])) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        // Section 3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(add(0, &bytes)), !0xddf2);
        assert_eq!(fold(add(0, &[1, 2, 3])), !(0x0102 + 0x0300));
    }

    #[test]
    fn a_known_header() {
        // A common example of an IPv4 header, whose checksum is b861; the datagram's 95 bytes of payload are not looked at.
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0xfe, 0xb7, 0x74]);
        frame.extend([0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7]);
        frame.resize(14 + 0x73, 0);
        assert!(is_right(&frame));
        let datagram = super::super::frame::locate(&frame).expect("IPv4");
        let mut filled = frame.clone();
        filled[24..26].fill(0);
        fill(&mut filled, &datagram);
        assert_eq!(filled, frame);
        frame[23] = UDP;
        assert!(!is_right(&frame), "one changed byte is seen");
    }
}
