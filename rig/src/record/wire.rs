//! The packets of a capture file as one line each, for ladders.
//!
//! Pure. Holds as much of TCP (RFC 9293) as a line says. Must not know trials. Units: nanoseconds since 1970 (UTC), bytes.
//! Errors: none; what is no TCP segment over IPv4 is left out. Tests: below.

use std::net::{Ipv4Addr, SocketAddrV4};

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

/// A TCP segment at one end of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it passed.
    pub time_ns: u64,
    /// Where it came from.
    pub source: SocketAddrV4,
    /// Where it went.
    pub destination: SocketAddrV4,
    /// The name of its trial (`trial 17 (anomaly): readable,ECONNRESET`); empty where it has none.
    pub trial: String,
    /// Flags and bytes: `PSH ACK, 4 bytes`.
    pub words: String,
    /// Whether it resets the connection.
    pub resets: bool,
}

/// The segments in the file of one end.
pub fn segments(file: &[u8]) -> Vec<Seen> {
    let Ok(mut reader) = PcapNgReader::new(file) else { return Vec::new() };
    let mut seen = Vec::new();
    while let Some(Ok(block)) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block {
            let time_ns = u64::try_from(packet.timestamp.as_nanos()).unwrap_or(u64::MAX);
            let comment = packet.options.iter().find_map(|option| match option {
                EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                _ => None,
            });
            let trial = comment.unwrap_or_default();
            seen.extend(segment(&packet.data).map(|segment| Seen { time_ns, trial, ..segment }));
        }
    }
    seen
}

/// An Ethernet frame with an IPv4 packet (RFC 791) with a segment.
fn segment(frame: &[u8]) -> Option<Seen> {
    const TCP: u8 = 6;
    let packet = frame.get(14..)?;
    if frame.get(12..14)? != [0x08, 0x00] || *packet.get(9)? != TCP || half(packet, 6)? & 0x1fff != 0 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let (source, destination) = (address(12)?, address(16)?);
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let segment = packet.get(header..)?;
    let offset = usize::from(segment.get(12)? >> 4) * 4;
    // Of a long segment only the head is captured: its length is IPv4's.
    let bytes = usize::from(half(packet, 2)?).saturating_sub(header + offset);
    let flags = *segment.get(13)?;
    Some(Seen {
        time_ns: 0,
        source: SocketAddrV4::new(source, half(segment, 0)?),
        destination: SocketAddrV4::new(destination, half(segment, 2)?),
        trial: String::new(),
        words: words(flags, bytes),
        resets: flags & RST != 0,
    })
}

const RST: u8 = 0x04;

fn words(flags: u8, bytes: usize) -> String {
    const NAMES: [(u8, &str); 6] =
        [(0x02, "SYN"), (0x01, "FIN"), (RST, "RST"), (0x08, "PSH"), (0x20, "URG"), (0x10, "ACK")];
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    match (names.is_empty(), bytes) {
        (true, _) => format!("no flag, {bytes} {unit}"),
        (false, 0) => names.join(" "),
        (false, _) => format!("{}, {bytes} {unit}", names.join(" ")),
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pcap_file::DataLink;
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::interface_description::{
        InterfaceDescriptionBlock, InterfaceDescriptionOption,
    };

    use super::*;

    const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
    const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn frame(source: Ipv4Addr, destination: Ipv4Addr, flags: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend((40 + payload as u16).to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend(source.octets());
        frame.extend(destination.octets());
        frame.extend([0; 12]);
        frame.extend([0x50, flags, 0, 0, 0, 0, 0, 0]);
        frame.extend(vec![b'x'; payload.min(20)]);
        frame
    }

    #[test]
    fn a_segment_is_its_direction_flags_and_bytes() {
        let read =
            |frame: &[u8]| segment(frame).map(|seen| (*seen.source.ip() == CLIENT, seen.words, seen.resets));
        assert_eq!(read(&frame(CLIENT, PEER, 0x02, 0)), Some((true, "SYN".into(), false)));
        assert_eq!(read(&frame(PEER, CLIENT, 0x12, 0)), Some((false, "SYN ACK".into(), false)));
        assert_eq!(read(&frame(PEER, CLIENT, 0x18, 1)), Some((false, "PSH ACK, 1 byte".into(), false)));
        assert_eq!(read(&frame(PEER, CLIENT, 0x14, 0)), Some((false, "RST ACK".into(), true)));
        assert_eq!(read(&frame(CLIENT, PEER, 0x10, 1_000)), Some((true, "ACK, 1000 bytes".into(), false)));
        assert_eq!(read(&frame(CLIENT, PEER, 0, 0)), Some((true, "no flag, 0 bytes".into(), false)));
        let syn = frame(CLIENT, PEER, 0x02, 0);
        assert_eq!(read(&[&syn[..12], &[0x08, 0x06], &syn[14..]].concat()), None, "ARP");
        for length in 0..syn.len() {
            let _ = read(&syn[..length]);
        }
    }

    #[test]
    fn a_file_is_read_with_its_times() {
        let mut writer = PcapNgWriter::new(Vec::new()).expect("a vector takes all");
        let options = vec![InterfaceDescriptionOption::IfTsResol(9)];
        let interface = InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: 256, options };
        writer.write_pcapng_block(interface).expect("a vector takes all");
        for (time_ns, data) in [
            (1_763_000_000_123_456_789, frame(CLIENT, PEER, 0x02, 0)),
            (1_763_000_000_123_456_999, vec![0; 60]),
        ] {
            let packet = EnhancedPacketBlock {
                interface_id: 0,
                timestamp: Duration::from_nanos(time_ns),
                original_len: 60,
                data: data.into(),
                options: vec![EnhancedPacketOption::Comment("trial 17 (anomaly): EBADF".into())],
            };
            writer.write_pcapng_block(packet).expect("a vector takes all");
        }
        let file = writer.into_inner();
        let seen = segments(&file);
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].time_ns, 1_763_000_000_123_456_789);
        assert_eq!(seen[0].trial, "trial 17 (anomaly): EBADF");
        assert!(segments(b"no file").is_empty());
    }
}
