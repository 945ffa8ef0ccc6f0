//! Finished runs of every version of the stored format, as they were written: whatever changes, they are read and say what they said.
//!
//! `runs/format-1` was recorded by `rig rehearse -- matrix run` (the matrix is in its `run.json`): real KVM guests on an emulated host. Only the path of the program
//! in its command line was shortened, and the QMP logs left out. A new version of the format adds a folder and never touches these.

use std::fs;
use std::path::{Path, PathBuf};

use rig::analysis::analyse;
use rig::analysis::model::{CellStatus, ReportModel};
use rig::record::Reader;
use rig::record::format::{BlockRecord, RunRecord};
use rig::report::Format;
use serde_json::Value as Json;

use crate::schema::assert_report;

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs").join(version)
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("JSON")
}

fn model(version: &str) -> ReportModel {
    analyse(&Reader::open(&folder(version)).expect("it is read"))
}

#[test]
fn a_run_of_format_1_says_what_it_said() {
    let model = model("format-1");
    assert!(model.cells.iter().all(|cell| cell.status == CellStatus::Complete), "{:?}", model.cells);
    insta::assert_snapshot!("format_1_text", Format::TEXT.render(&model));
    let rendered = |format| Format::from_name(format).expect("a format").render(&model);
    insta::assert_snapshot!("format_1_csv", rendered("csv"));
    assert_report(&serde_json::from_str(&rendered("json")).expect("JSON"));
}

/// What the types do not know would be dropped without a word by whoever writes the files anew.
#[test]
fn nothing_in_a_run_of_format_1_is_unknown() {
    let folder = folder("format-1");
    let run = json(&folder.join("run.json"));
    assert_eq!(run["format"], 1);
    let read: RunRecord = serde_json::from_value(run.clone()).expect("it is read");
    assert_eq!(serde_json::to_value(read).expect("plain data"), run);
    let mut blocks = 0;
    for entry in fs::read_dir(folder.join("blocks")).expect("the folder is there") {
        let path = entry.expect("readable").path();
        let block = json(&path);
        let read: BlockRecord = serde_json::from_value(block.clone()).expect("it is read");
        assert_eq!(serde_json::to_value(read).expect("plain data"), block, "{}", path.display());
        blocks += 1;
    }
    assert_eq!(blocks, run["blocks"].as_array().expect("a plan").len(), "every block was played once");
}
