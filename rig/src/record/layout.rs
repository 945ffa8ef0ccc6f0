//! Names of files under `results/<run-id>/`.
//!
//! Holds names only: nothing here touches the disk. Must not know what the files contain.
//! Units: none. Errors: none.
//! Tests: here.

use std::path::{Component, Path, PathBuf};

use super::format::BlockId;

/// Where everything of one run lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// Folder of the blocks.
    pub const BLOCKS: &'static str = "blocks";
    /// Folder of the trials kept whole.
    pub const ANOMALIES: &'static str = "anomalies";
    /// Folder of the guests' consoles.
    pub const CONSOLE: &'static str = "console";
    /// Folder of the QMP logs.
    pub const QMP: &'static str = "qmp";
    /// Folder of the packets.
    pub const CAPTURE: &'static str = "capture";
    /// All of them.
    pub const FOLDERS: [&'static str; 5] =
        [Self::BLOCKS, Self::ANOMALIES, Self::CONSOLE, Self::QMP, Self::CAPTURE];

    /// The layout of the run in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// `results/<run-id>`
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is known before the first block.
    pub fn run(&self) -> PathBuf {
        self.dir.join("run.json")
    }

    /// One line per finished block.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    /// A path relative to the run's folder, made absolute.
    pub fn at(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }

    /// A rendered report: `report.json`.
    pub fn report(&self, extension: &str) -> PathBuf {
        self.dir.join(format!("report.{extension}"))
    }

    /// Sums of one attempt at a block, relative to the run's folder.
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

    /// Its packets.
    pub fn capture(id: &BlockId, attempt: u32) -> String {
        format!("{}/{id}.{attempt}.pcapng", Self::CAPTURE)
    }

    /// Whether a name found in a record stays inside the run's folder: a record that was copied from somewhere is not trusted to
    /// say which files of this machine are read.
    pub fn is_inside(relative: &str) -> bool {
        !relative.is_empty()
            && Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_contract_says() {
        let id = BlockId("0a1b2c3d4e5f-3".into());
        assert_eq!(Layout::block(&id, 2), "blocks/0a1b2c3d4e5f-3.2.json");
        assert_eq!(Layout::anomalies(&id, 2), "anomalies/0a1b2c3d4e5f-3.2.jsonl");
        assert_eq!(Layout::peer_console(&id, 2), "console/0a1b2c3d4e5f-3.2.peer.log");
        assert_eq!(Layout::peer_qmp(&id, 2), "qmp/0a1b2c3d4e5f-3.2.peer.jsonl");
        assert_eq!(Layout::capture(&id, 2), "capture/0a1b2c3d4e5f-3.2.pcapng");
    }

    #[test]
    fn names_that_leave_the_folder_are_told_apart() {
        assert!(Layout::is_inside("blocks/a.1.json"));
        for outside in ["", "/etc/passwd", "../x", "blocks/../../x", "./x"] {
            assert!(!Layout::is_inside(outside), "{outside}");
        }
    }
}
