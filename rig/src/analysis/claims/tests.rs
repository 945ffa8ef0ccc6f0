//! Every row means cells that there are: of scenarios that ship and name the claim, on paths and with parameters that the shipped matrix plays.

use std::collections::BTreeSet;
use std::path::Path;

use super::claim::Rule;
use super::*;
use crate::matrix::{Matrix, Selection, glob_matches};

const SHIPPED: &str = include_str!("../../../../matrix.toml");

/// A matrix with one text for another, which must be there.
fn with(matrix: &str, from: &str, to: &str) -> String {
    assert!(matrix.contains(from), "the matrix has no {from:?}");
    matrix.replace(from, to)
}

/// Every cell of every profile.
fn cells(text: &str) -> Vec<Cell> {
    let matrix = Matrix::parse("matrix.toml", text, Path::new(".")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let of = |name: &str| {
        let selection = Selection { profile: Some(name.to_owned()), ..Selection::default() };
        matrix.cells(&selection).unwrap_or_else(|wrong| panic!("{wrong}"))
    };
    matrix.profile_names().flat_map(of).collect()
}

/// What the rows mean and no cell is: `H29: rst over overtake`.
fn unmet(cells: &[Cell]) -> Vec<String> {
    let mut unmet = Vec::new();
    for claim in CLAIMS {
        let naming = || cells.iter().filter(|cell| cell.claims.iter().any(|id| id == claim.id));
        let mut need = |what: String, met: bool| {
            if !met {
                unmet.push(format!("{}: {what}", claim.id));
            }
        };
        for at in claim.at.iter().chain(claim.beside) {
            let anywhere = &["*"][..];
            for path in if at.paths.is_empty() { anywhere } else { at.paths } {
                need(format!("{} over {path}", at.scenario), naming().any(|cell| at.holds_on(path, cell)));
            }
        }
        match &claim.rule {
            Rule::Open => {}
            Rule::FailsWith((name, value), _) => {
                let has =
                    |cell: &Cell| cell.subject.parameters.get(*name).is_some_and(|given| given == value);
                need(format!("{name}={value}"), naming().any(|cell| claim.is_about(cell) && has(cell)));
            }
            Rule::Bottleneck(paths) => {
                for path in *paths {
                    let over = |cell: &Cell| glob_matches(path, &cell.subject.path.name);
                    need(format!("over {path}"), naming().any(|cell| claim.is_about(cell) && over(cell)));
                }
            }
            Rule::By(_)
            | Rule::Returns(_)
            | Rule::Fails(_)
            | Rule::FailsInKvm(_)
            | Rule::Rejected(_)
            | Rule::Ends { .. } => {
                need("a cell".into(), !claim.at.is_empty() || naming().next().is_some());
            }
        }
    }
    unmet
}

#[test]
fn every_row_means_cells_that_the_shipped_matrix_makes() {
    assert_eq!(unmet(&cells(SHIPPED)), [""; 0]);
}

#[test]
fn a_renamed_path_or_parameter_is_missed() {
    for (from, to, missed) in [
        ("overtake", "passed-by", &["H29: rst over overtake", "H34: rst over overtake"][..]),
        ("rtt-", "distance-", &["H18: rst over rtt-*", "H25: rst over rtt-*"]),
        ("method-1", "first-method", &["H35: rst over method-1"]),
        ("forged-sack-edge", "edge", &["H23: answer-in-two over forged-*"]),
        ("\"5ms\"", "\"6ms\"", &["H37: peer_delay=5ms"]),
    ] {
        assert_eq!(unmet(&cells(&with(SHIPPED, from, to))), missed, "{from}");
    }
    let busy = with(SHIPPED, "[path.contention.", "[path.busy.");
    let busy = with(&busy, "path = \"contention\"", "path = \"busy\"");
    assert_eq!(unmet(&cells(&busy)), ["H20: over contention*"]);
}

#[test]
fn every_id_is_found_once() {
    assert!(CLAIMS.is_sorted_by(|a, b| a.id < b.id));
    for claim in CLAIMS {
        assert_eq!(find(claim.id).map(|found| found.text), Some(claim.text));
        assert!(claim.text.len() <= 100, "{} is too long for a table", claim.id);
    }
    assert_eq!(CLAIMS.len(), 60 + 15 + 22);
    assert!(find("H99").is_none());
    assert!(CLAIMS.iter().all(|claim| Source::of(claim.id).is_some()));
}

#[test]
fn every_scenario_that_a_row_means_ships_and_names_the_claim() {
    for claim in CLAIMS {
        for at in claim.at.iter().chain(claim.beside) {
            let scenario = crate::script::shipped(at.scenario).expect(at.scenario);
            assert!(scenario.claims.iter().any(|id| id == claim.id), "{} in {}", claim.id, at.scenario);
        }
    }
}

#[test]
fn every_claim_that_a_shipped_cell_names_has_a_row_and_one_is_the_base_programs() {
    let cells = cells(SHIPPED);
    let named: BTreeSet<&str> = cells.iter().flat_map(|cell| &cell.claims).map(String::as_str).collect();
    assert!(named.iter().all(|id| find(id).is_some()), "{named:?}");
    let base: BTreeSet<&str> = cells
        .iter()
        .filter(|cell| is_of_the_base_program(cell))
        .map(|cell| cell.subject.scenario.as_str())
        .collect();
    assert!(base.contains("rst") && !base.contains("fin"), "{base:?}");
}
