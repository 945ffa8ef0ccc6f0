//! The examples of `--help` that boot a guest or build its image.

use rig::cli::{EXAMPLES, Runs};

use crate::support;

pub(crate) fn every_example_that_needs_a_guest_works_as_it_is_pasted() {
    let mut played: Vec<&str> = Vec::new();
    for example in EXAMPLES.iter().filter(|example| example.runs == Runs::Guest) {
        if !played.contains(&example.line) {
            support::play(example);
            played.push(example.line);
        }
    }
    assert!(played.len() >= 2, "{played:?}");
}
