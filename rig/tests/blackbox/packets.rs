//! A capture file as tshark shows it: somebody else's reading of what rig wrote.
//!
//! Must not use the library. Without tshark a test is skipped. Units: nanoseconds since 1970.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use rig::process::program_file;

use super::tools::needs;

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) interface: String,
    /// What is written on the packet.
    pub(crate) comment: String,
    pub(crate) time_ns: u64,
    pub(crate) from_peer: bool,
    /// The client's.
    pub(crate) port: u16,
    pub(crate) syn: bool,
    pub(crate) rst: bool,
    /// Bytes of data.
    pub(crate) length: u32,
    pub(crate) checksum: Checksum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    Good,
    /// What a sender leaves to its card: the sum of the pseudo-header alone.
    Offloaded,
    Bad,
}

/// Whether there is a tshark; where not, says that the test is skipped.
pub(crate) fn has_tshark() -> bool {
    needs("tshark").is_some()
}

/// What tshark says of a file, one line per packet or of the file, with these arguments.
pub(crate) fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program_file("tshark")).arg("-r").arg(file).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every TCP segment of the file, in its order.
pub(crate) fn segments(file: &Path) -> Vec<Shown> {
    const FIELDS: [&str; 13] = [
        "frame.interface_name",
        "frame.comment",
        "frame.time_epoch",
        "ip.src",
        "tcp.srcport",
        "tcp.dstport",
        "tcp.flags.syn",
        "tcp.flags.reset",
        "tcp.len",
        "tcp.hdr_len",
        "ip.dst",
        "tcp.checksum",
        "tcp.checksum_calculated",
    ];
    let mut arguments =
        vec!["-o", "tcp.check_checksum:TRUE", "-Y", "tcp", "-T", "fields", "-E", "separator=|"];
    FIELDS.iter().for_each(|field| arguments.extend(["-e", field]));
    tshark(file, &arguments).lines().map(segment).collect()
}

fn segment(line: &str) -> Shown {
    let fields: Vec<&str> = line.split('|').collect();
    let [interface, comment, time, source, source_port, destination_port, syn, rst, length, ..] = fields[..]
    else {
        panic!("{line:?}")
    };
    let from_peer = source == "192.0.2.1";
    let (seconds, fraction) = time.split_once('.').unwrap();
    assert_eq!(fraction.len(), 9, "nanoseconds: {line:?}");
    // Older versions show numbers, newer ones words.
    let is_set = |flag: &str| ["1", "True"].contains(&flag);
    Shown {
        interface: interface.to_owned(),
        comment: comment.to_owned(),
        time_ns: seconds.parse::<u64>().unwrap() * 1_000_000_000 + fraction.parse::<u64>().unwrap(),
        from_peer,
        port: if from_peer { destination_port } else { source_port }.parse().unwrap(),
        syn: is_set(syn),
        rst: is_set(rst),
        length: length.parse().unwrap(),
        checksum: checksum(&fields),
    }
}

/// RFC 9293, section 3.1; what is unfinished is the sum over the pseudo-header, folded and not inverted (`CHECKSUM_PARTIAL`,
/// include/linux/skbuff.h).
fn checksum(fields: &[&str]) -> Checksum {
    let hex = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let number = |text: &str| text.parse::<u32>().unwrap();
    let halves = |address: &str| {
        let address = address.parse::<Ipv4Addr>().unwrap().to_bits();
        (address >> 16) + (address & 0xffff)
    };
    let found = hex(fields[11]);
    let bytes = number(fields[8]) + number(fields[9]);
    let sum = halves(fields[3]) + halves(fields[10]) + 6 + bytes;
    if found == hex(fields[12]) {
        Checksum::Good
    } else if found == (sum & 0xffff) + (sum >> 16) {
        Checksum::Offloaded
    } else {
        Checksum::Bad
    }
}
