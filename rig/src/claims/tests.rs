//! Every shipped file is read and can fall both ways; every cell that a part means is one that the shipped matrix makes; wrong files are told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::catalogue::files;
use super::read::{LONGEST_TEXT, claim};
use super::*;
use crate::matrix::{Cell, Matrix, Selection};
use crate::script::{Catalogue, Scenario, is_claim_id};

const SHIPPED: &str = include_str!("../../../matrix.toml");

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

/// Selections, word by word, that no cell meets: `H29: rst, path overtake`.
fn unmet(cells: &[Cell]) -> BTreeSet<String> {
    let mut unmet = BTreeSet::new();
    for claim in Set::shipped().iter() {
        for part in &claim.parts {
            for selection in part.selections().chain(&part.beside) {
                for one in one_by_one(selection) {
                    if !cells.iter().any(|cell| one.take(&claim.id, cell)) {
                        unmet.insert(format!("{}: {one}", claim.id));
                    }
                }
            }
        }
    }
    unmet
}

/// The same selection for each of its paths.
fn one_by_one(selection: &Cells) -> Vec<Cells> {
    if selection.path.0.is_empty() {
        return vec![selection.clone()];
    }
    let of = |path: &String| Cells { path: Words(vec![path.clone()]), ..selection.clone() };
    selection.path.0.iter().map(of).collect()
}

#[test]
fn every_selection_means_cells_that_the_shipped_matrix_makes() {
    assert_eq!(unmet(&cells(SHIPPED)), BTreeSet::new());
}

#[test]
fn a_renamed_path_or_parameter_is_missed() {
    for (from, to, missed) in [
        ("overtake", "passed-by", &["H29: rst, path overtake", "H34: rst, path overtake"][..]),
        (
            "rtt-",
            "distance-",
            &["H18: rst, path rtt-*", "H25: rst, path rtt-500ms", "J11: impatient-connect, path rtt-10ms"],
        ),
        ("method-1", "first-method", &["H35: rst, path method-1"]),
        ("forged-sack-edge", "edge", &["H23: answer-in-two, path forged-*"]),
        (
            "\"5ms\"",
            "\"6ms\"",
            &[
                "H37: rst, peer_delay 5ms",
                "X01: uring-cancel-race, client_delay 0ms, peer_delay 5ms",
                "X01: uring-cancel-race, client_delay 10ms, peer_delay 5ms",
                "X01: uring-remove-race, client_delay 0ms, peer_delay 5ms",
                "X01: uring-remove-race, client_delay 10ms, peer_delay 5ms",
                "X01: uring-update-race, client_delay 0ms, peer_delay 5ms",
                "X01: uring-update-race, client_delay 10ms, peer_delay 5ms",
            ],
        ),
    ] {
        let missed: BTreeSet<String> = missed.iter().map(|one| (*one).to_owned()).collect();
        assert_eq!(unmet(&cells(&with(SHIPPED, from, to))), missed, "{from}");
    }
    let busy = with(SHIPPED, "[path.contention.", "[path.busy.");
    let busy = with(&busy, "path = \"contention\"", "path = \"busy\"");
    assert_eq!(unmet(&cells(&busy)), BTreeSet::from(["H20: rst, path contention*".to_owned()]));
}

#[test]
fn every_shipped_file_is_read_and_no_id_is_twice() {
    let set = Set::shipped();
    let ids: BTreeSet<&str> = set.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!((ids.len(), set.iter().count()), (files().len(), files().len()));
    for (id, text) in files() {
        let claim = claim(id, &format!("{id}.toml"), text).unwrap_or_else(|wrong| panic!("{id}: {wrong}"));
        assert!(is_claim_id(id) && claim.text.chars().count() <= LONGEST_TEXT, "{id}");
        assert!(claim.prediction.is_some(), "{id}: what is expected of it?");
        let letter = Source::DOCUMENTS.iter().find(|(source, ..)| *source == claim.source);
        assert!(letter.is_none_or(|(.., letter)| id.starts_with(*letter)), "{id}: of another document");
    }
    for (source, number, wanted) in
        [(Source::Report, "000", 60), (Source::Toolbox, "001", 22), (Source::Echo, "002", 15)]
    {
        let found = set.iter().filter(|claim| claim.source == source).count();
        assert_eq!(found, wanted, "document {number}");
    }
}

#[test]
fn every_rule_of_a_shipped_claim_can_fall_both_ways_by_the_labels_of_its_scenarios() {
    let scenarios: Vec<Scenario> = Catalogue::embedded().iter().cloned().collect();
    let mut wrong = vec![];
    for (id, text) in files() {
        let claim = claim(id, &format!("{id}.toml"), text).expect("read");
        if let Err(found) = check::check(&claim, &format!("{id}.toml"), text, &scenarios) {
            wrong.push(format!("{id}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_claim_that_a_shipped_scenario_names_has_a_part_about_it() {
    let set = Set::shipped();
    let mut without = vec![];
    for scenario in Catalogue::embedded().iter() {
        for id in &scenario.claims {
            let claim = set.get(id).unwrap_or_else(|| panic!("{} names {id}", scenario.name));
            let about = |cells: &Cells| cells.scenario.hold(&scenario.name);
            let parts = claim.parts.iter();
            let found = parts.flat_map(|part| part.selections().chain(&part.beside)).any(about);
            // What the base program is said to do is also seen where another scenario decides.
            if !found {
                without.push(format!("{} names {id}", scenario.name));
            }
        }
    }
    assert_eq!(without, [""; 0], "no part of the claim is about that scenario");
}

/// What a file with these parts is told.
fn told(parts: &str) -> String {
    let text = format!("text = \"made up\"\nsource = \"nobody\"\n{parts}");
    let scenarios: Vec<Scenario> = Catalogue::embedded().iter().cloned().collect();
    let wrong = match claim("U1", "U1.toml", &text) {
        Err(wrong) => wrong,
        Ok(read) => match check::check(&read, "U1.toml", &text, &scenarios) {
            Err(wrong) => wrong,
            Ok(()) => return String::new(),
        },
    };
    wrong.iter().map(|problem| problem.message().to_owned()).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let rule = "ends = { claimed = [\"readable,data,ECONNRESET\"], otherwise = [\"EBADF,**\"] }";
    let rst = "cells = [{ scenario = \"rst\" }]";
    assert_eq!(told(&format!("[[part]]\n{rst}\n{rule}")), "");
    let ends = |rest: &str| format!("[[part]]\n{rst}\nends = {{ {rest} }}");
    for (parts, wanted) in [
        (
            ends(r#"claimed = ["readable,**"], otherwise = ["EBADF,**"], at_least = "100%""#),
            "`at_least` is wrong",
        ),
        (format!("[[part]]\n{rst}\nreturns = {{ errno = \"any\", at_most = \"0%\" }}"), "`at_most` is wrong"),
        (
            ends(r#"claimed = ["**"], otherwise = ["EBADF,**"]"#),
            "`**` of `claimed` has every outcome that `EBADF,**` of `otherwise` has",
        ),
        (
            ends(r#"claimed = ["readable,*,**"], otherwise = ["readable,data,**"]"#),
            "`readable,*,**` of `claimed` has every outcome that `readable,data,**` of `otherwise` has",
        ),
        (format!("[[part]]\n{rule}"), "this part has no `cells`"),
        (format!("[[part]]\n{rst}"), "this part has no rule"),
        (format!("[[part]]\n{rst}\n{rule}\nreturns = {{ errno = \"any\" }}"), "a part has one rule"),
        (
            format!("[[part]]\ncells = [{{ path = \"direct\" }}]\n{rule}"),
            "a selection of cells has no `scenario`",
        ),
        (format!("[[part]]\n{rst}\nrequires = [\"luck\"]\n{rule}"), "nothing is required by `luck`"),
        (format!("[[part]]\n{rst}\nend = 1\n{rule}"), "unknown key `end` in a part"),
        (format!("[[part]]\n{rst}\nreturns = {{ errno = [\"ENOENTT\"] }}"), "`ENOENTT` is not an errno"),
        (
            format!(
                "[[part]]\n{rst}\nends = {{ claimed = [\"readable,lost,**\"], otherwise = [\"EBADF,**\"] }}"
            ),
            "no trial of `rst` can end as `claimed` says; no trial of `rst` can end as `readable,lost,**`: `read` never gives the label `lost`",
        ),
        (
            format!("[[part]]\n{rst}\nper_trial = {{ counter = \"peer.Tcp.OutRsts\", ratio = 1 }}"),
            "`peer.Tcp.OutRsts` is what scenario `rst` proves its trials by",
        ),
        (
            format!("[[part]]\n{rst}\nper_trial = {{ counter = \"witness.to_target\", ratio = 1 }}"),
            "`witness.to_target` is what scenario `rst` proves its trials by",
        ),
        (
            format!(
                "[[part]]\ncells = [{{ scenario = \"rst\", parameters = {{ delay = \"1s\" }} }}]\n{rule}"
            ),
            "scenario `rst` has no parameter `delay`",
        ),
        (
            format!("[[part]]\n{rst}\ntakes = {{ from = \"2s\", to = \"1s\" }}"),
            "`takes` ends before it begins",
        ),
        (
            format!(
                "[[part]]\n{rst}\norder = {{ when = \"CLOSED\", claimed = [\"EBADF,**\"], else_claimed = [\"readable,**\"] }}"
            ),
            "`when` is wrong",
        ),
        (format!("[[part]]\n{rst}\nsaid = {{ kernel = \"success\" }}"), "rule `said` has no `libc`"),
        (
            format!("[[part]]\n{rst}\n{rule}\n[[part]]\n{rst}\n{rule}"),
            "this part has no `text`; this part has no `text`",
        ),
    ] {
        assert_eq!(told(&parts), wanted, "{parts}");
    }
}

#[test]
fn a_folder_adds_claims_and_may_not_take_an_id_of_rig() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| fs_err::write(folder.path().join(name), text).expect("written");
    assert!(Set::with_folder(folder.path()).is_err_and(|wrong| wrong.to_string().contains("has no claim")));
    file("U1.toml", "text = \"made up\"\nsource = \"nobody\"\n");
    let set = Set::with_folder(folder.path()).expect("one file");
    assert_eq!(set.get("U1").map(|claim| claim.source.words()), Some("nobody".to_owned()));
    assert!(set.get("H01").is_some() && set.files().len() == 1 && Set::of_record(set.files()) == set);
    file("H01.toml", "text = \"made up\"\nsource = \"nobody\"\n");
    file("mine.toml", "text = \"made up\"\nsource = \"nobody\"\n");
    let wrong = Set::with_folder(folder.path()).expect_err("two are wrong").to_string();
    assert!(
        wrong.contains("rig has a claim H01 already") && wrong.contains("`mine` is not the id"),
        "{wrong}"
    );
    let broken = BTreeMap::from([("U2".to_owned(), "text = 1".to_owned())]);
    let read = Set::of_record(&broken);
    assert!(read.is_unreadable("U2") && read.get("U2").is_none());
}

#[test]
fn an_unknown_id_is_told_with_the_nearest_ones() {
    let set = Set::shipped();
    let wrong = refuse_unknown("mine.toml", "claims = [\"H01\", \"H99\"]", &set).expect_err("H99");
    assert_eq!(wrong.len(), 1);
    assert!(
        set.nearest("H99").starts_with("the nearest are `H57`, `H58`, `H59`, `H60`; "),
        "{}",
        set.nearest("H99")
    );
    assert!(refuse_unknown("mine.toml", "claims = [\"H01\"]", &set).is_ok());
}

#[test]
fn every_part_says_in_words_what_decides_it() {
    for claim in Set::shipped().iter() {
        for part in &claim.parts {
            let words = part.in_words();
            assert_ne!((words.looks_at.is_empty(), words.supported.is_empty()), (true, true), "{}", claim.id);
            let documented = matches!(part.rule, Rule::Documented { .. });
            assert_eq!(words.supported == words.refuted, documented, "{}", claim.id);
        }
    }
}
