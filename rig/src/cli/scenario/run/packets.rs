//! `rig scenario run --capture FOLDER`: where packets can be captured, their files, and how to read them.
//!
//! Must not know how packets are captured. Units: trials. Errors: [`Failure`], exit 2: no interface carries the packets, or the folder cannot be made.
//! Tests: `tests/trouble/alone.rs` (root), by tshark.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::called::quoted;
use crate::cli::{Exit, Failure};
use crate::matrix::{Cell, Subject};
use crate::path::Medium;
use crate::record::format::BlockRecord;
use crate::record::{Folder, Layout};

/// A packet has the name of its trial only where that is kept whole: with `--capture` all are, as far as an agent can hold.
const MOST_NAMED: u64 = 10_000;

/// How many trials of each outcome are kept whole for their packets.
pub(super) fn named(trials: u64) -> u32 {
    u32::try_from(trials.min(MOST_NAMED)).unwrap_or(u32::MAX)
}

/// Makes the folder, before anything is played for it.
pub(super) fn prepare(folder: &Path, cell: &Cell) -> Result<(), Failure> {
    if let Some(why) = unseen(&cell.subject) {
        return Err(Failure::say(
            Exit::Input,
            format!("no packets can be captured here: {why}"),
            "leave out --capture, or give another --path or --configuration",
        ));
    }
    fs::create_dir_all(folder).map_err(|error| {
        Failure::say(
            Exit::Input,
            format!("cannot make the folder of --capture, {}: {error}", folder.display()),
            "give a folder that can be written to",
        )
    })
}

/// Why no interface of this host carries the packets, where none does.
fn unseen(subject: &Subject) -> Option<String> {
    if subject.configuration.target.is_paired() {
        return Some(format!(
            "the two guests of configuration `{}` (backend = \"socket\") are joined by a pair of sockets, and no interface of this host is between them",
            subject.configuration.name
        ));
    }
    match subject.path.medium {
        Medium::Loopback => Some(format!(
            "path `{}` is a loopback (medium = \"loopback\"): the packets stay in the client's own kernel",
            subject.path.name
        )),
        Medium::Link => None,
    }
}

/// Writes the files, and gives their paths: next to the client, next to the peer.
pub(super) fn write(
    folder: &Path,
    cell: &Cell,
    record: &BlockRecord,
    packets: &[(String, Vec<u8>)],
) -> Result<Vec<PathBuf>, Failure> {
    let held = Folder::open(folder)?;
    let of_block = format!("{}/{}.{}", Layout::CAPTURE, record.id, record.attempt);
    let mut paths = Vec::new();
    for (recorded, bytes) in packets {
        // `.target.pcapng`, `.peer.pcapng`
        let end = recorded.strip_prefix(&of_block).unwrap_or(recorded);
        let name = format!("{}-{}{end}", cell.subject.scenario, cell.id);
        held.write(&name, bytes)?;
        paths.push(folder.join(name));
    }
    Ok(paths)
}

/// Their paths, and the line that shows them packet by packet. It is not wrapped: it is to be copied.
pub(super) fn describe(cell: &Cell, captures: &[String]) -> String {
    let Some(first) = captures.first() else {
        return "\nNo packets were kept: the trials were not played to their end.\n".to_owned();
    };
    let mut text = String::from("\nPackets next to the client, and next to the peer:\n");
    captures.iter().for_each(|file| text.push_str(&format!("  {file}\n")));
    text.push_str(if cell.subject.configuration.target.proxied() {
        "QEMU's user networking opens connections of its own here: no packet has the name of a trial.\n"
    } else {
        "The comment of a packet is the name of its trial. To see both:\n"
    });
    text.push_str(&format!(
        "  tshark -r {} -T fields -e frame.time_relative -e tcp.srcport -e tcp.flags.str -e tcp.len -e frame.comment\n",
        quoted(first)
    ));
    text
}
