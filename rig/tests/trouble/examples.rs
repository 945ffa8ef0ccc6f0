//! The examples of `--help` that need root and no guests.

use rig::cli::{EXAMPLES, Runs};

use crate::blackbox::is_root;
use crate::support;

#[test]
fn every_example_that_needs_root_works_as_it_is_pasted() {
    if !is_root("netns") {
        return;
    }
    let mut played: Vec<&str> = Vec::new();
    for example in EXAMPLES.iter().filter(|example| example.runs == Runs::Root) {
        // A line can be an example of a group and of a command.
        if !played.contains(&example.line) {
            support::play(example);
            played.push(example.line);
        }
    }
    assert!(played.len() >= 6, "{played:?}");
}
