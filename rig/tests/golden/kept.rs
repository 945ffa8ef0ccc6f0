//! Runs of a folder: listed, and removed when they are old. What is damaged is named, and what is no run is left alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rig::record::{Layout, RecordError, Writer, list, removable, sweep};
use rig_protocol::Errno;
use serde_json::Value as Json;

use crate::fixture::{Bench, Play, sound, turn};
use crate::reports::rig;

/// Runs of five days: sound, interrupted, with a finding, sound, sound.
struct Shelf {
    folder: tempfile::TempDir,
}

const DAYS: [&str; 5] = [
    "20261121-201950-0001",
    "20261122-201950-0002",
    "20261123-201950-0003",
    "20261124-201950-0004",
    "20261125-201950-0005",
];

fn of_day(id: &str) -> Bench {
    let mut bench = sound();
    bench.record.id = id.to_owned();
    bench
}

impl Shelf {
    fn new() -> Self {
        let shelf = Self { folder: tempfile::tempdir().expect("a folder") };
        for (day, id) in DAYS.iter().enumerate() {
            let mut bench = of_day(id);
            match day {
                1 => {
                    bench.complete = false;
                    bench.blocks.truncate(7);
                }
                2 => turn(bench.block(Play::NoFault, "virtio-tap", "6.1", 0), 3, Errno::EBADF),
                _ => {}
            }
            bench.write(&shelf.results());
        }
        shelf
    }

    fn results(&self) -> PathBuf {
        self.folder.path().join("results")
    }

    fn rig(&self, line: &str) -> String {
        let (code, said, error) = rig(&line.split(' ').collect::<Vec<_>>(), self.folder.path());
        assert_eq!((code, error.as_str()), (0, ""), "{line}: {said}");
        said
    }

    fn listed(&self) -> Vec<Json> {
        serde_json::from_str(&self.rig("results list --format json")).expect("JSON")
    }

    /// What is in the folder, by name.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.results()).expect("listed").flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

fn of<'j>(rows: &'j [Json], id: &str) -> &'j Json {
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id} is not in {rows:?}"))
}

#[test]
fn runs_are_listed_with_what_they_came_to() {
    let shelf = Shelf::new();
    let rows = shelf.listed();
    let ids: Vec<&str> = rows.iter().map(|row| row["id"].as_str().expect("text")).collect();
    assert_eq!(ids, DAYS);
    for (id, state) in DAYS.iter().zip(["done", "interrupted", "short", "done", "done"]) {
        let row = of(&rows, id);
        assert_eq!(row["state"], state, "{row}");
        // The command that people ask gives the same code.
        let (code, ..) = rig(&["report", id, "--exit-code"], shelf.folder.path());
        assert_eq!(row["exit_code"], code, "{row}");
        let bench = sound();
        assert_eq!(row["blocks_planned"], bench.record.blocks.len());
        assert_eq!(row["cells"], bench.record.cells.len());
        let files: u64 = walk(&shelf.results().join(id));
        assert_eq!((row["bytes"].as_u64(), row["damage"].as_array().map(Vec::len)), (Some(files), Some(0)));
    }
    let stopped = of(&rows, DAYS[1]);
    assert_eq!((stopped["blocks"].as_u64(), stopped["trials"].as_u64()), (Some(7), Some(7_000)));
    let text = shelf.rig("results list");
    assert_eq!(text.lines().filter(|line| line.starts_with("2026")).count(), 5, "{text}");
    assert!(text.contains("interrupted (exit 130)") && text.contains("\n5 runs, "), "{text}");
    let (code, _, said) = rig(&["results", "list", "--results", "nowhere"], shelf.folder.path());
    assert!(code == 2 && said.contains("there is no folder nowhere"), "{said}");
}

/// Bytes of all files below a folder.
fn walk(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("listed").flatten();
    entries
        .map(
            |entry| {
                if entry.path().is_dir() {
                    walk(&entry.path())
                } else {
                    entry.metadata().expect("there").len()
                }
            },
        )
        .sum()
}

#[test]
fn damaged_runs_are_named_and_live_ones_are_told_from_killed_ones() {
    let shelf = Shelf::new();
    let at = |id: &str| shelf.results().join(id);
    fs::write(at(DAYS[0]).join(Layout::RUN), "{").expect("written");
    fs::remove_file(at(DAYS[2]).join(Layout::RUN)).expect("there");
    let block = fs::read_dir(at(DAYS[3]).join("blocks")).expect("listed").flatten().next().expect("one");
    fs::write(block.path(), "{}").expect("written");
    fs::create_dir(shelf.results().join("holiday")).expect("made");
    let (writer, ..) = Writer::resume(&at(DAYS[1])).expect("it can go on");
    let rows = shelf.listed();
    assert_eq!(rows.len(), 5, "a folder that never was a run is none");
    assert_eq!(of(&rows, DAYS[0])["state"], "unreadable");
    assert_eq!(of(&rows, DAYS[1])["state"], "running");
    assert_eq!(of(&rows, DAYS[2])["state"], "unreadable");
    let damage = of(&rows, DAYS[3])["damage"].as_array().expect("a list");
    assert!(damage.len() == 1 && damage[0].as_str().expect("text").contains("SHA-256 differs"), "{damage:?}");
    drop(writer);
    // It went on, and nobody wrote that it ended.
    assert_eq!(of(&shelf.listed(), DAYS[1])["state"], "killed");
    let text = shelf.rig("results list");
    assert_eq!(text.matches("\n    damaged: ").count(), 3, "{text}");
}

#[test]
fn the_oldest_go_and_the_newest_stay() {
    let shelf = Shelf::new();
    let would = shelf.rig("results gc --keep 2 --dry-run");
    assert_eq!(shelf.names(), DAYS, "nothing was removed");
    let did = shelf.rig("results gc --keep 2");
    assert_eq!(would.replace("would remove", "removed"), did);
    assert!(
        did.contains(&format!("removed {} (done, ", DAYS[0])) && did.contains("removed 3 runs ("),
        "{did}"
    );
    assert_eq!(shelf.names(), DAYS[3..]);
    assert!(shelf.rig("results gc --keep 2").contains("removed 0 runs"), "again: nothing to do");
    assert_eq!(shelf.names(), DAYS[3..]);
}

#[test]
fn runs_that_did_not_end_well_stay_where_it_is_asked() {
    let shelf = Shelf::new();
    let said = shelf.rig("results gc --keep 1 --keep-failed");
    assert_eq!(shelf.names(), [DAYS[1], DAYS[2], DAYS[4]]);
    assert!(said.contains("it did not end well (interrupted, exit 130)"), "{said}");
    assert!(said.contains("it did not end well (short, exit 3)"), "{said}");
}

#[test]
fn nothing_goes_that_is_written_or_damaged_or_no_run() {
    let shelf = Shelf::new();
    let at = |id: &str| shelf.results().join(id);
    let (_writer, ..) = Writer::resume(&at(DAYS[1])).expect("it can go on");
    fs::write(at(DAYS[2]).join(Layout::RUN), "{").expect("written");
    fs::create_dir(at(DAYS[3]).join("my notes")).expect("made");
    let elsewhere = shelf.folder.path().join("elsewhere");
    let linked = of_day("20261120-201950-0000").write(&elsewhere);
    symlink(&linked, at("20261120-201950-0000")).expect("made");
    for other in ["holiday", ".hidden", ".x.removed.not"] {
        fs::create_dir(at(other)).expect("made");
    }
    fs::write(at("README.md"), "mine").expect("written");
    let before = shelf.names();
    let said = shelf.rig("results gc --keep 0");
    let left: Vec<&String> = before.iter().filter(|name| !shelf.names().contains(name)).collect();
    assert_eq!(left, [DAYS[0], DAYS[4]], "{said}");
    for why in
        ["is being written", "cannot be read", "\"my notes\", which is not of a run", "is a symbolic link"]
    {
        let why = why.replace("is being written", "another rig is writing it");
        assert!(said.contains(&why), "{why}: {said}");
    }
    assert!(linked.join(Layout::RUN).is_file(), "what a link leads to is not touched");
    assert!(matches!(removable(&shelf.results(), "holiday"), Err(RecordError::NotARun { .. })));
}

#[test]
fn a_removal_that_was_cut_off_leaves_no_run_and_is_ended_by_the_next_one() {
    let shelf = Shelf::new();
    let (run, begun) = (shelf.results().join(DAYS[0]), shelf.results().join(format!(".{}.removed", DAYS[0])));
    // As it is after the first step: everything is there, under the other name.
    fs::rename(&run, &begun).expect("renamed");
    assert_eq!(list(&shelf.results()), DAYS[1..]);
    assert_eq!(shelf.listed().len(), 4);
    assert!(shelf.rig("results gc --keep 9 --dry-run").contains("would remove 0 runs"));
    assert!(begun.is_dir());
    // And in the middle of the second.
    fs::remove_file(begun.join(Layout::JOURNAL)).expect("there");
    let said = shelf.rig("results gc --keep 9");
    assert!(said.contains(&format!("removed the rest of {}", DAYS[0])), "{said}");
    assert!(!begun.exists());
    assert_eq!(sweep(&shelf.results()).expect("nothing is left"), Vec::<String>::new());
    // What only has such a name is somebody's.
    fs::create_dir_all(begun.join("letters")).expect("made");
    assert!(matches!(sweep(&shelf.results()), Err(RecordError::Foreign { .. })));
    assert!(begun.join("letters").is_dir());
}
