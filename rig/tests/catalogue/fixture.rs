//! The folder of the cases: their scenario files beside a matrix, and what a report says of a cell.
//!
//! Must not know which outcome is right. Errors: a panic that shows the cell. Used by the tiers netns and guest.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::blackbox::Lab;

/// Configurations and paths of all the cases.
const PLACES: &str = include_str!("cases/places.matrix");

/// A folder with the scenario files of the cases and a matrix of these axes.
pub(crate) fn lab(axes: &str) -> Lab {
    let lab = Lab::new(&format!("{axes}{PLACES}"));
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue/cases");
    for entry in fs::read_dir(cases).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            fs::copy(&file, lab.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    lab
}

/// The cells of a report.
pub(crate) struct Cells(pub(crate) Vec<Json>);

impl Cells {
    /// What rig reports of the one run in this folder.
    pub(crate) fn of(lab: &Lab) -> Self {
        Self(lab.only_run().report()["cells"].as_array().unwrap().clone())
    }

    /// The cell of this scenario in this place. Fails unless there is one, with all the trials that the matrix asks for.
    #[track_caller]
    pub(crate) fn cell(&self, scenario: &str, configuration: &str, path: &str) -> &Json {
        let here = |cell: &&Json| {
            (cell["scenario"].as_str(), cell["configuration"].as_str(), cell["path"].as_str())
                == (Some(scenario), Some(configuration), Some(path))
        };
        let found: Vec<&Json> = self.0.iter().filter(here).collect();
        let [cell] = found[..] else {
            panic!("{} cells of {scenario} in {configuration} over {path}", found.len())
        };
        assert_eq!(cell["trials"], cell["trials_wanted"], "{cell}");
        // A QEMU that aborts by an assertion of its own takes its block with it, and the block is played again: that is no fault of the case.
        let reasons = cell["void_reasons"].as_object().expect("an object");
        let by_qemu = |reason: &String| reason.contains("qemu was killed by SIGABRT");
        assert!(reasons.keys().all(by_qemu), "{cell}");
        cell
    }

    /// Fails unless every trial of the cell over a plain path ended as its scenario expects, and at least half of them so.
    #[track_caller]
    pub(crate) fn expected_mostly(&self, scenario: &str, configuration: &str, outcome: &str) {
        let cell = self.cell(scenario, configuration, "direct");
        assert_eq!(cell["anomalies"], 0, "{cell}");
        let (so, trials) =
            (cell["outcomes"][outcome].as_u64().unwrap_or(0), cell["trials"].as_u64().unwrap());
        assert!(2 * so >= trials, "{cell}");
    }

    /// Fails unless every trial of the cell ended so.
    #[track_caller]
    pub(crate) fn all(&self, scenario: &str, configuration: &str, path: &str, outcome: &str) {
        let cell = self.cell(scenario, configuration, path);
        assert_eq!(cell["outcomes"], serde_json::json!({ outcome: cell["trials"] }), "{cell}");
        assert_eq!(
            (&cell["anomalies"], &cell["expectation"]["status"]),
            (&0.into(), &"as_expected".into()),
            "{cell}"
        );
    }
}
