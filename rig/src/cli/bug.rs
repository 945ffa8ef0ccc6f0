//! A panic is a bug in rig: the command ends with a sentence and the exit code for it, on whatever thread and in whatever process it happened.
//!
//! Must not know which command it is. Units: none. Errors: exit code 1. Tests: here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use super::exit::{Exit, Failure};
use crate::process::{keep_panics, panicked, untold_panics};

/// Runs a command to its end. Its exit code is its own unless something in it panicked and nobody told that.
pub(super) fn guarded(command: impl FnOnce() -> ExitCode) -> ExitCode {
    keep_panics();
    let (code, bugs) = ended(command);
    match code {
        Some(code) if bugs.is_empty() => code,
        _ => {
            bugs.iter().for_each(|bug| failure(bug).show());
            Exit::Bug.into()
        }
    }
}

/// What the command gave, if it came to an end, and what panicked in it.
fn ended<T>(command: impl FnOnce() -> T) -> (Option<T>, Vec<String>) {
    // Nothing of the command is used afterwards.
    let (done, mut bugs) = match catch_unwind(AssertUnwindSafe(command)) {
        Ok(done) => (Some(done), vec![]),
        Err(panic) => (None, vec![panicked(&*panic)]),
    };
    bugs.extend(untold_panics());
    (done, bugs)
}

fn failure(bug: &str) -> Failure {
    Failure::say(
        Exit::Bug,
        format_args!("rig has a bug: {bug}"),
        format_args!(
            "please report it with this line, the command and `rig --version` ({}); with RUST_BACKTRACE=1 rig also says how it came there. What a run has \
             recorded stays: `--resume` goes on with it",
            env!("CARGO_PKG_VERSION")
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::panic::{set_hook, take_hook};

    use super::*;

    /// The hook belongs to the whole process: one test for all of it.
    #[test]
    fn a_panic_anywhere_in_a_command_is_told_and_is_exit_code_1() {
        let usual = take_hook();
        keep_panics();
        let own = ended(|| -> u8 { panic!("in the command itself") });
        let of_a_task = ended(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
            runtime.block_on(async {
                let _ = tokio::spawn(async { panic!("in a task") }).await;
                let _ = tokio::task::spawn_blocking(|| panic!("on a thread")).await;
            });
            7
        });
        let of_the_future = ended(|| -> u8 {
            let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
            runtime.block_on(async { panic!("in the future") })
        });
        let none = ended(|| 7);
        let code = guarded(|| panic!("told to a person"));
        let good = guarded(|| ExitCode::from(3));
        set_hook(usual);
        let told = |bugs: &[String], words: &[&str]| {
            assert_eq!(bugs.len(), words.len(), "{bugs:?}");
            for (bug, word) in bugs.iter().zip(words) {
                assert!(bug.starts_with(word) && bug.contains("cli/bug.rs:"), "{bugs:?}");
            }
        };
        assert_eq!((own.0, of_a_task.0, of_the_future.0), (None, Some(7), None));
        told(&own.1, &["in the command itself"]);
        told(&of_a_task.1, &["in a task", "on a thread"]);
        told(&of_the_future.1, &["in the future"]);
        assert_eq!(none, (Some(7), vec![]));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(1)));
        assert_eq!(format!("{good:?}"), format!("{:?}", ExitCode::from(3)));
    }
}
