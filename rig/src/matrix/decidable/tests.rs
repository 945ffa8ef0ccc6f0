//! Comparisons that nothing can decide, and those that something can: sizes on both sides of the edge, and the shipped file.

use std::path::Path;

use super::*;
use crate::matrix::{EMBEDDED, Matrix, Selection};

/// Two configurations, one scenario and path, with these keys in [run].
fn told(run: &str) -> Vec<Undecidable> {
    let text = format!(
        "[run]\n{run}\n[axes]\nscenario = [\"rst\"]\nconfiguration = [\"host\", \"guest\"]\nkernel = [\"6.1\"]\npath = [\"direct\"]\n\
         [configuration.host]\nkind = \"host\"\n[configuration.guest]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\n\
         [path.direct]\n[control.negative]\nscenario = \"control-negative\"\n"
    );
    let matrix = Matrix::parse("m", &text, Path::new(".")).unwrap_or_else(|problems| panic!("{problems}"));
    matrix.select(&Selection::default()).expect("cells").undecidable
}

/// One block a side says nothing of what lies between blocks, and 500 trials do not show that two rates are the same to 0.5 %.
#[test]
fn one_block_and_too_few_trials_decide_nothing() {
    let found = told("trials = 500\nblocks = 1\nmargin = 0.005");
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((one.cells, one.questions.as_slice()), (1, QUESTIONS.as_slice()));
    assert_eq!(one.size, Design { trials: 500, blocks: 1 });
    // Three comparisons: two blocks a side have the smallest p-value 1e-3, and 0.05 / 3 is enough.
    assert_eq!(one.blocks, Some(2));
    let enough = one.same.expect("some number");
    assert_eq!(enough, Design { trials: 1_000, blocks: 2 });
    assert_eq!(
        one.to_string(),
        "rst over direct, 1 cell of guests: 500 trials in 1 block cannot decide EBADF, ENOENT, any_error; 1000 trials in 2 blocks can show the same rate, \
         2 blocks a side can show a difference"
    );
}

/// Either way out is enough.
#[test]
fn enough_trials_or_enough_blocks_decide() {
    assert_eq!(told("trials = 1149\nblocks = 1\nmargin = 0.005"), []);
    assert_eq!(told("trials = 1148\nblocks = 1\nmargin = 0.005").len(), 1);
    assert_eq!(told("trials = 500\nblocks = 2\nmargin = 0.005"), []);
    assert_eq!(told("trials = 500\nblocks = 1\nmargin = 0.05"), []);
    assert_eq!(told("trials = 765\nblocks = 1\nmargin = 0.005\nicc = 1e-9"), []);
    // Two trials against two: p = 1/3 at best, in however many blocks.
    let found = told("trials = 2\nblocks = 2");
    assert_eq!((found.len(), found[0].blocks), (1, None));
}

/// Many small cells of the base program are decided together.
#[test]
fn the_headline_can_decide_what_no_cell_can() {
    let delays: Vec<String> = (0..40).map(|ms| format!("\"{ms}ms\"")).collect();
    let more = format!(
        "trials = 40\nblocks = 1\nmargin = 0.005\n[scenario.rst]\nclient_delay = [{}]",
        delays.join(", ")
    );
    let found = told(&more);
    assert!(!found.is_empty() && found.iter().all(|one| one.headline), "{found:?}");
    let few = told("trials = 40\nblocks = 1\nmargin = 0.005");
    assert!(few.iter().all(|one| !one.headline), "{few:?}");
}

/// What is shipped can be decided.
#[test]
fn every_profile_of_the_shipped_file_can_be_decided() {
    let matrix = Matrix::parse("m", EMBEDDED, Path::new(".")).expect("the shipped file is valid");
    for profile in matrix.profile_names() {
        let selection = Selection { profile: Some(profile.to_owned()), ..Selection::default() };
        let found = matrix.select(&selection).expect("cells").undecidable;
        assert!(
            found.is_empty(),
            "{profile}:\n{}",
            found.iter().map(|one| format!("{one}\n")).collect::<String>()
        );
    }
}

/// C(4 + 2, 2) ways, and the tail of Student's t with two degrees of freedom: P(|t| > 3) = 1 - 3/sqrt(11).
#[test]
fn the_smallest_p_values_are_those_of_the_closed_forms() {
    assert_eq!(ways(2, 4), 15.0);
    assert_eq!((ways(0, 4), ways(3, 0)), (1.0, 1.0));
    let five = Design { trials: 5, blocks: 2 };
    let p = 1.0 - 3.0 / 11.0_f64.sqrt();
    assert!((smallest_p(five, five, 2) - p).abs() < 1e-12, "{}", smallest_p(five, five, 2));
    assert_eq!(smallest_p(five, five, 0), 1.0);
}
