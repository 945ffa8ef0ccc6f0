//! The part of the catalogue that continuous integration plays: every cell ends as its scenario says, and what is said of a claim is said.

use serde_json::Value as Json;

use crate::blackbox::Lab;
use crate::turn;

/// What is undecided of the parts that have cells in this run, with the reason.
fn undecided(report: &Json) -> Vec<String> {
    let mut found = Vec::new();
    for claim in report["hypotheses"].as_array().unwrap() {
        for part in claim["parts"].as_array().unwrap() {
            // Of a physical host nothing can be said on a machine that is none.
            let elsewhere = part["because"].as_str().unwrap().starts_with("it asks for a physical host");
            let has_cells = !part["cells"].as_array().unwrap().is_empty();
            if part["verdict"] == "undecided" && has_cells && !elsewhere {
                found.push(format!("{}: {}: {}", claim["id"], part["text"], part["because"]));
            }
        }
    }
    found
}

#[test]
fn the_short_catalogue_ends_as_expected_and_decides_every_part_that_it_plays() {
    let Some(_turn) = turn() else { return };
    // Without a file rig takes its own matrix.
    let lab = Lab::new("");
    std::fs::remove_file(lab.path().join("matrix.toml")).unwrap();
    lab.run("matrix run --profile catalogue-short --seed 7").expect(0);
    let said = lab.run("report latest --format json").expect(0).stdout;
    let report: Json = serde_json::from_str(&said).unwrap();
    let cells = report["cells"].as_array().unwrap();
    for cell in cells {
        assert_eq!((&cell["status"], &cell["void"]), (&"complete".into(), &0.into()), "{cell}");
        assert_eq!(cell["expectation"]["status"], "as_expected", "{cell}");
        assert_eq!(cell["configuration"], "bare-metal", "{cell}");
    }
    for situation in ["after-rst:", "refused:"] {
        let pairs = cells.iter().filter(|cell| cell["scenario"].as_str().unwrap().starts_with(situation));
        assert!(pairs.count() >= 15, "{situation}");
    }
    assert_eq!(undecided(&report), Vec::<String>::new());
    let decided = |verdict: &str| {
        let parts =
            report["hypotheses"].as_array().unwrap().iter().flat_map(|one| one["parts"].as_array().unwrap());
        parts.filter(|part| part["verdict"] == verdict).count()
    };
    assert!(decided("supported") > 0 && decided("refuted") > 0, "claims fall both ways");
}
