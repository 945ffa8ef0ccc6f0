//! Finished runs of every version of the stored format, as they were written: whatever changes, they are read and say what they said.
//!
//! `runs/format-1` and `runs/format-2` were recorded by `rig rehearse -- matrix run` (the matrix is in its `run.json`): real KVM guests on an emulated host. Only the path of the program
//! in its command line was shortened (and the digests made anew), and the QMP logs of the first left out. A new version of the format adds a folder and never touches these.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rig::analysis::analyse;
use rig::analysis::model::{CellStatus, ControlStatus, ReportModel};
use rig::record::Reader;
use rig::report::Format;
use serde_json::{Value as Json, json};

use crate::schema::assert_run;
use crate::shape::assert_report;

pub(crate) fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs").join(version)
}

fn json_of(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("JSON")
}

fn model(version: &str) -> ReportModel {
    analyse(&Reader::open(&folder(version)).expect("it is read"))
}

/// Every trial is there. The controls of these runs injected 4 of 20, which were all found: a rate of at least 39.8 %, too low a bound to prove anything.
fn assert_complete_and_blind(model: &ReportModel) {
    for cell in &model.cells {
        let is_control = model.controls.iter().any(|control| control.cell == cell.id);
        let wanted = if is_control { CellStatus::Complete } else { CellStatus::Blind };
        assert_eq!((cell.status, cell.trials), (wanted, cell.trials_wanted), "{}", cell.id);
    }
    let injecting = model.controls.iter().filter(|control| (0.1..0.9).contains(&control.expected_rate));
    for control in injecting {
        assert_eq!((control.count, control.status()), (4, ControlStatus::NotExercised), "{control:?}");
    }
}

#[test]
fn a_run_of_format_1_says_what_it_said() {
    let model = model("format-1");
    assert_complete_and_blind(&model);
    insta::assert_snapshot!("format_1_text", Format::TEXT.render(&model));
    let rendered = |format| Format::from_name(format).expect("a format").render(&model);
    insta::assert_snapshot!("format_1_csv", rendered("csv"));
    assert_report(&serde_json::from_str(&rendered("json")).expect("JSON"));
}

#[test]
fn a_run_of_format_2_says_what_it_said() {
    let folder = folder("format-2");
    assert!(assert_run(&folder) > 20, "run, journal, 14 blocks and their trials");
    let run = Reader::open(&folder).expect("it is read");
    assert_eq!((run.cautions.as_slice(), run.complete), (&[] as &[String], true));
    let model = analyse(&run);
    assert_complete_and_blind(&model);
    insta::assert_snapshot!("format_2_text", Format::TEXT.render(&model));
    insta::assert_snapshot!("format_2_csv", Format::from_name("csv").expect("a format").render(&model));
    let guest = model.machines.iter().find(|machine| machine.configuration == "virtio-tap").expect("a guest");
    assert_eq!((guest.blocks, guest.qemu_path.as_str()), (7, "/usr/bin/qemu-system-x86_64"));
    let data = guest.interfaces.iter().find(|interface| interface.name == "data").expect("the measured one");
    let features = data.virtio_features.as_ref().expect("virtio");
    assert!(features.iter().any(|feature| feature == "VIRTIO_NET_F_MRG_RXBUF"), "{features:?}");
    for block in &run.blocks {
        let trials: Result<Vec<_>, _> = run.trials(&block.id, block.attempt).expect("readable").collect();
        assert_eq!(trials.expect("trials").len() as u64, block.records, "{}", block.id);
    }
}

/// Adds up one map of every block's tally, by cell, straight from the files.
pub(crate) fn sums(version: &str, map: &str) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut sums: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for entry in fs::read_dir(folder(version).join("blocks")).expect("the folder is there") {
        let block = json_of(&entry.expect("readable").path());
        assert_eq!(block["status"], "complete");
        let of_cell = sums.entry(block["cell"].as_str().expect("an id").to_owned()).or_default();
        for (label, count) in block["tally"][map].as_object().expect("counts") {
            *of_cell.entry(label.clone()).or_default() += count.as_u64().expect("a count");
        }
    }
    sums
}

/// Independent of every reader: the numbers of the files, added up here.
#[test]
fn the_figures_of_format_1_are_those_of_its_files_cell_by_cell() {
    let model = model("format-1");
    let (returns, outcomes) = (sums("format-1", "returns"), sums("format-1", "outcomes"));
    let (states, run) = (sums("format-1", "state_before"), json_of(&folder("format-1").join("run.json")));
    let cells = run["cells"].as_array().expect("a plan");
    assert_eq!(model.cells.len(), cells.len());
    for (cell, planned) in model.cells.iter().zip(cells) {
        let planned = &planned["cell"];
        let subject = &planned["subject"];
        assert_eq!(planned["id"], cell.id, "an id is read, not computed");
        assert_eq!(subject["configuration"]["name"], cell.configuration);
        assert_eq!((&subject["path"]["name"], &subject["kernel"]), (&json!(cell.path), &json!(cell.kernel)));
        let spelled: BTreeMap<String, u64> =
            cell.returns.iter().map(|(returned, count)| (returned.to_string(), *count)).collect();
        assert_eq!((&spelled, &cell.outcomes), (&returns[&cell.id], &outcomes[&cell.id]), "{}", cell.id);
        assert_eq!(cell.trials, returns[&cell.id].values().sum::<u64>());
        let closed = states[&cell.id].get("7").copied().unwrap_or(0);
        assert_eq!(cell.rst_before_call, closed, "TCP_CLOSE is 7 in include/net/tcp_states.h");
    }
    let whole: Vec<u64> = model.cells.iter().map(|cell| cell.anomalies).collect();
    assert!(whole.iter().any(|anomalies| *anomalies > 0), "the fixture has something to lose");
}

#[test]
fn what_format_1_did_not_have_is_said_to_be_absent() {
    let cautions = model("format-1").cautions;
    let about = |words: &str| cautions.iter().any(|caution| caution.to_string().contains(words));
    assert!(about("written in format 1.0") && about("only its blocks have digests"), "{cautions:#?}");
    let model = model("format-1");
    for cell in &model.cells {
        assert!(cell.order.is_empty() && cell.not_counted.is_empty() && cell.outcomes_by_state.is_empty());
    }
    for machine in &model.machines {
        assert_eq!(
            (machine.qemu_sha256.as_str(), machine.interfaces.len(), &machine.not_seen),
            ("", 0, &None)
        );
    }
}
