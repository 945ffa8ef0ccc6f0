//! The examples of every `--help`, run as they stand there: those that anybody can run.
//!
//! Each in a folder of its own with what a newcomer has: a run in `results/` and a scenario file `mine.toml`. Rows that need root or guests
//! are run by `trouble.rs`, `guest.rs` and `rehearsal.rs`.

#[path = "support/examples.rs"]
mod support;

use rig::cli::{EXAMPLES, Runs};

#[test]
fn every_example_that_anybody_can_run_works_as_it_is_pasted() {
    let rows: Vec<_> = EXAMPLES.iter().filter(|example| example.runs == Runs::Anywhere).collect();
    assert!(rows.len() > 30, "{}", rows.len());
    for example in rows {
        support::play(example);
    }
}

#[test]
fn an_example_that_does_not_work_is_found() {
    let mut wrong = *EXAMPLES.iter().find(|example| example.line == "rig report").unwrap();
    wrong.line = "rig report no-such-run";
    let found = std::panic::catch_unwind(|| support::play(&wrong)).unwrap_err();
    let said = found.downcast_ref::<String>().unwrap();
    assert!(
        said.contains("rig report no-such-run") && said.contains("there is no run `no-such-run`"),
        "{said}"
    );
}
