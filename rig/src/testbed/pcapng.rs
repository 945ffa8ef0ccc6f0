//! Captured packets as a file that Wireshark and tshark read: pcapng (draft-ietf-opsawg-pcapng).
//!
//! Pure. Holds the choice of blocks and options; the library knows their bytes. Must not know trials: comments come ready.
//! Units: nanoseconds since 1970 (`if_tsresol` 9), bytes. Errors: none: memory takes all.
//! Tests: below, by the library's reader; `tests/trouble/capture.rs` by tshark.

use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};

use super::capture::{CapturedAt, CapturedPackets, SNAP_BYTES};
use super::packet::{Packet, PacketDirection};

/// What is said of a whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heading {
    /// The machine's CPU.
    pub hardware: String,
    /// Its kernel.
    pub os: String,
    /// Who captured.
    pub application: String,
    /// Lines for people.
    pub comments: Vec<String>,
}

/// Nanoseconds: ten to the power of minus this.
const RESOLUTION: u8 = 9;

/// An option's length is a 16-bit number; what is longer than this helps nobody who looks at packets.
const LONGEST_COMMENT: usize = 1000;

/// The file of one point: heading, interface, its packets in the order of their times, each with its comment (by its place among all packets), then the interface's
/// counts. One interface for each file: programs that follow TCP take a segment that they see at two of them for a retransmission.
pub fn encode<'a>(
    captured: &CapturedPackets,
    number: usize,
    heading: &Heading,
    comment: impl Fn(usize) -> Option<&'a str>,
) -> Vec<u8> {
    const TAKES_ALL: &str = "a vector takes all, and interfaces come before their packets";
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), section_header(heading)).expect(TAKES_ALL);
    let point = &captured.points[number];
    let options = vec![
        InterfaceDescriptionOption::IfName(cut(&point.name)),
        InterfaceDescriptionOption::IfDescription(cut(&point.description)),
        InterfaceDescriptionOption::IfTsResol(RESOLUTION),
    ];
    let block = InterfaceDescriptionBlock { linktype: DataLink::ETHERNET, snaplen: SNAP_BYTES, options };
    writer.write_pcapng_block(block).expect(TAKES_ALL);
    let mut here = 0_u64;
    for (place, packet) in captured.packets.iter().enumerate().filter(|(_, packet)| packet.point == number) {
        writer.write_pcapng_block(packet_block(packet, comment(place))).expect(TAKES_ALL);
        here += 1;
    }
    writer.write_pcapng_block(statistics(captured, point, here)).expect(TAKES_ALL);
    writer.into_inner()
}

/// The counts of a point, of which `here` packets are in the file.
fn statistics(
    captured: &CapturedPackets,
    point: &CapturedAt,
    here: u64,
) -> InterfaceStatisticsBlock<'static> {
    let mut options = vec![
        InterfaceStatisticsOption::IsbStartTime(captured.began_ns),
        InterfaceStatisticsOption::IsbEndTime(captured.ended_ns),
        InterfaceStatisticsOption::IsbIfRecv(point.received),
        InterfaceStatisticsOption::IsbOsDrop(point.dropped + point.given_up),
        InterfaceStatisticsOption::IsbUsrDeliv(here),
    ];
    if point.dropped + point.given_up > 0 {
        let said = format!(
            "missing: {} packets that the kernel dropped for want of room, and the first {}, which later ones replaced",
            point.dropped, point.given_up
        );
        options.push(InterfaceStatisticsOption::Comment(said.into()));
    }
    InterfaceStatisticsBlock { interface_id: 0, timestamp: captured.ended_ns, options }
}

fn section_header(heading: &Heading) -> SectionHeaderBlock<'static> {
    let mut options = vec![
        SectionHeaderOption::Hardware(cut(&heading.hardware).into_owned().into()),
        SectionHeaderOption::OS(cut(&heading.os).into_owned().into()),
        SectionHeaderOption::UserApplication(cut(&heading.application).into_owned().into()),
    ];
    options.extend(
        heading.comments.iter().map(|line| SectionHeaderOption::Comment(cut(line).into_owned().into())),
    );
    // Big-endian: a time is two 32-bit words, the high one first, and the library writes those of statistics as one 64-bit number.
    SectionHeaderBlock { endianness: Endianness::Big, options, ..SectionHeaderBlock::default() }
}

fn packet_block<'a>(packet: &'a Packet, comment: Option<&'a str>) -> EnhancedPacketBlock<'a> {
    // `epb_flags`, bits 0 and 1: 01 inbound, 10 outbound.
    let flags = match packet.direction {
        PacketDirection::In => 0b01,
        PacketDirection::Out => 0b10,
    };
    let mut options = vec![EnhancedPacketOption::Flags(flags)];
    options.extend(comment.map(|comment| EnhancedPacketOption::Comment(cut(comment))));
    EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::from_nanos(packet.time_ns),
        original_len: packet.original_bytes,
        data: Cow::Borrowed(&packet.bytes),
        options,
    }
}

/// The text without what is too long for an option.
fn cut(text: &str) -> Cow<'_, str> {
    let fits = |(at, letter): &(usize, char)| at + letter.len_utf8() <= LONGEST_COMMENT;
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, letter)| at + letter.len_utf8());
    Cow::Borrowed(&text[..end])
}

#[cfg(test)]
mod tests {
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;

    fn captured() -> CapturedPackets {
        let point = |name: &str, given_up| CapturedAt {
            name: name.into(),
            description: format!("{name} of a test"),
            received: 100,
            dropped: 1,
            given_up,
        };
        let packet = |point, time_ns, direction, bytes: &[u8]| Packet {
            point,
            time_ns,
            direction,
            original_bytes: 1514,
            bytes: bytes.to_vec(),
        };
        CapturedPackets {
            began_ns: 1_763_000_000_000_000_001,
            ended_ns: 1_763_000_009_000_000_002,
            points: vec![point("target:tap0", 96), point("peer:peer0", 98)],
            packets: vec![
                packet(0, 1_763_000_000_123_456_789, PacketDirection::Out, &[1; 60]),
                packet(1, 1_763_000_000_123_456_790, PacketDirection::In, &[2; 61]),
                packet(0, 1_763_000_001_000_000_000, PacketDirection::In, &[]),
            ],
        }
    }

    #[test]
    fn everything_is_read_back_block_by_block() {
        let captured = captured();
        let heading = Heading {
            hardware: "a CPU".into(),
            os: "Linux 6.1".into(),
            application: "rig 0.1.0".into(),
            comments: vec!["run r".into(), "seed 7".into()],
        };
        for point in 0..2 {
            read_back(&captured, point, &heading);
        }
    }

    /// The file of a point has its packets, and only those.
    fn read_back(captured: &CapturedPackets, point: usize, heading: &Heading) {
        let file = encode(captured, point, heading, |n| (n == 1).then_some("trial 17 (anomaly): readable"));
        let mut reader = PcapNgReader::new(&file[..]).unwrap();
        assert_eq!(
            reader.section().options,
            [
                SectionHeaderOption::Hardware("a CPU".into()),
                SectionHeaderOption::OS("Linux 6.1".into()),
                SectionHeaderOption::UserApplication("rig 0.1.0".into()),
                SectionHeaderOption::Comment("run r".into()),
                SectionHeaderOption::Comment("seed 7".into()),
            ]
        );
        let mut blocks = vec![];
        while let Some(block) = reader.next_block() {
            blocks.push(block.unwrap().into_owned());
        }
        let [Block::InterfaceDescription(one), rest @ .., Block::InterfaceStatistics(counts)] = &blocks[..]
        else {
            panic!("one interface first, its counts last: {blocks:?}")
        };
        let name = &captured.points[point].name;
        assert_eq!((one.linktype, one.snaplen), (DataLink::ETHERNET, 256));
        assert_eq!(
            one.options,
            [
                InterfaceDescriptionOption::IfName(name.into()),
                InterfaceDescriptionOption::IfDescription(format!("{name} of a test").into()),
                InterfaceDescriptionOption::IfTsResol(9),
            ]
        );
        let here: Vec<(usize, &Packet)> =
            captured.packets.iter().enumerate().filter(|(_, packet)| packet.point == point).collect();
        assert_eq!(rest.len(), here.len());
        for (block, (number, packet)) in rest.iter().zip(&here) {
            let Block::EnhancedPacket(block) = block else { panic!("no packet: {block:?}") };
            assert_eq!(block.interface_id, 0);
            assert_eq!(block.timestamp, Duration::from_nanos(packet.time_ns));
            assert_eq!((&block.data[..], block.original_len), (&packet.bytes[..], 1514));
            let flags = if packet.direction == PacketDirection::In { 1 } else { 2 };
            let mut options = vec![EnhancedPacketOption::Flags(flags)];
            if *number == 1 {
                options.push(EnhancedPacketOption::Comment("trial 17 (anomaly): readable".into()));
            }
            assert_eq!(block.options, options);
        }
        let missing = 1 + captured.points[point].given_up;
        assert_eq!(counts.interface_id, 0);
        assert_eq!(
            counts.options[..5],
            [
                InterfaceStatisticsOption::IsbStartTime(captured.began_ns),
                InterfaceStatisticsOption::IsbEndTime(captured.ended_ns),
                InterfaceStatisticsOption::IsbIfRecv(100),
                InterfaceStatisticsOption::IsbOsDrop(missing),
                InterfaceStatisticsOption::IsbUsrDeliv(here.len() as u64),
            ]
        );
        let first = format!("first {}", missing - 1);
        assert!(
            matches!(&counts.options[5], InterfaceStatisticsOption::Comment(said) if said.contains(&first))
        );
    }

    #[test]
    fn times_of_statistics_have_their_high_word_first() {
        let file = encode(&captured(), 0, &Heading::default(), |_| None);
        let high = (1_763_000_009_000_000_002_u64 >> 32) as u32;
        let low = 1_763_000_009_000_000_002_u64 as u32;
        let words = [high.to_be_bytes(), low.to_be_bytes()].concat();
        // The time of the block, and the end.
        assert_eq!(file.windows(8).filter(|window| *window == words).count(), 2);
    }

    #[test]
    fn a_comment_of_any_length_leaves_the_file_readable() {
        let long = "é".repeat(70_000);
        let file = encode(&captured(), 0, &Heading::default(), |_| Some(&long));
        let mut reader = PcapNgReader::new(&file[..]).unwrap();
        let mut packets = 0;
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                let Some(EnhancedPacketOption::Comment(said)) = packet.options.get(1) else {
                    panic!("no comment")
                };
                assert_eq!(said.chars().count(), 500);
                packets += 1;
            }
        }
        assert_eq!(packets, 2);
    }
}
