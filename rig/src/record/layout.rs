//! Names of files under `results/<run-id>/`.
//!
//! Holds names only: nothing here touches the disk. Must not know what the files contain.
//! Units: none. Errors: none.
//! Tests: here.

use super::id::BlockId;

/// Where everything of one run lies: names relative to its folder.
#[derive(Debug)]
pub struct Layout;

impl Layout {
    /// What is known before the first block.
    pub const RUN: &'static str = "run.json";
    /// One line per finished block.
    pub const JOURNAL: &'static str = "journal.jsonl";
    /// Folder of the blocks.
    pub const BLOCKS: &'static str = "blocks";
    /// Folder of the trials kept whole.
    pub const ANOMALIES: &'static str = "anomalies";
    /// Folder of the guests' consoles.
    pub const CONSOLE: &'static str = "console";
    /// Folder of the QMP logs.
    pub const QMP: &'static str = "qmp";
    /// Folder of the memory of guests whose kernels panicked. It is beside the record, not of it: a journal names none of its files, and no archive has them.
    pub const CORE: &'static str = "core";
    /// Folder of the packets.
    pub const CAPTURE: &'static str = "capture";
    /// All that are of the record.
    pub const FOLDERS: [&'static str; 5] =
        [Self::BLOCKS, Self::ANOMALIES, Self::CONSOLE, Self::QMP, Self::CAPTURE];

    /// A rendered report: `report.json`.
    pub fn report(extension: &str) -> String {
        format!("report.{extension}")
    }

    /// Sums of one attempt at a block.
    pub fn block(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.json", Self::BLOCKS)
    }

    /// Its trials kept whole.
    pub fn anomalies(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.jsonl", Self::ANOMALIES)
    }

    /// Its guest's serial console.
    pub fn console(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.log", Self::CONSOLE)
    }

    /// The same of the peer's guest, where the peer is one.
    pub fn peer_console(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.peer.log", Self::CONSOLE)
    }

    /// The QMP conversation with the peer's guest.
    pub fn peer_qmp(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.peer.jsonl", Self::QMP)
    }

    /// Its guest's QMP conversation.
    pub fn qmp(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.jsonl", Self::QMP)
    }

    /// The memory of its guest, in [`Self::CORE`].
    pub fn core(id: &BlockId, attempt: u32) -> String {
        format!("{id}.{attempt}.vmcore")
    }

    /// The memory of the peer's guest, in [`Self::CORE`].
    pub fn peer_core(id: &BlockId, attempt: u32) -> String {
        format!("{id}.{attempt}.peer.vmcore")
    }

    /// Its packets, next to the target.
    pub fn target_capture(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.target.pcapng", Self::CAPTURE)
    }

    /// Its packets, next to the peer.
    pub fn peer_capture(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.peer.pcapng", Self::CAPTURE)
    }

    /// Its packets, of both ends in one file: so until format 2.1.
    pub fn capture_of_both(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.pcapng", Self::CAPTURE)
    }

    /// All names that a file of packets can have.
    pub const CAPTURES: [fn(&BlockId, u32) -> String; 3] =
        [Self::target_capture, Self::peer_capture, Self::capture_of_both];

    /// All files that an attempt can have beside its sums.
    pub fn companions(id: &BlockId, attempt: u32) -> Vec<String> {
        let others = [Self::anomalies, Self::console, Self::qmp, Self::peer_console, Self::peer_qmp];
        Self::CAPTURES.into_iter().chain(others).map(|name| name(id, attempt)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_what_the_contract_says() {
        let id = BlockId("0a1b2c3d4e5f-3".into());
        assert_eq!(Layout::block(&id, 2), "blocks/0a1b2c3d4e5f-3.2.json");
        assert_eq!(Layout::anomalies(&id, 2), "anomalies/0a1b2c3d4e5f-3.2.jsonl");
        assert_eq!(Layout::peer_console(&id, 2), "console/0a1b2c3d4e5f-3.2.peer.log");
        assert_eq!(Layout::peer_qmp(&id, 2), "qmp/0a1b2c3d4e5f-3.2.peer.jsonl");
        assert_eq!(Layout::target_capture(&id, 2), "capture/0a1b2c3d4e5f-3.2.target.pcapng");
        assert_eq!(Layout::peer_capture(&id, 2), "capture/0a1b2c3d4e5f-3.2.peer.pcapng");
        assert_eq!(Layout::capture_of_both(&id, 2), "capture/0a1b2c3d4e5f-3.2.pcapng");
        assert_eq!(Layout::report("json"), "report.json");
    }

    #[test]
    fn every_file_has_a_name_of_its_own_in_one_of_the_folders() {
        let id = BlockId("0a1b2c3d4e5f-3".into());
        let mut names = BTreeSet::from_iter(Layout::companions(&id, 1));
        names.insert(Layout::block(&id, 1));
        assert_eq!(names.len(), 9);
        for name in names {
            assert!(Layout::FOLDERS.iter().any(|folder| name.starts_with(&format!("{folder}/"))), "{name}");
        }
    }
}
