//! Answers that anybody can check with a few lines of C, one test each.
//!
//! No time is asserted here: where one matters, the scenario's own `within` makes a label of it.

use serde_json::Value as Json;

use crate::{fixture, turn};

const TRIALS: u64 = 20;

/// Plays it in a folder with the paths of the cases. Every trial must end so, and rig must find that right; `look` sees what it printed.
#[track_caller]
fn all(scenario: &str, arguments: &str, outcome: &str, look: impl FnOnce(&Json)) {
    let Some(_turn) = turn() else { return };
    let lab = fixture::lab("");
    let ended =
        lab.run(&format!("scenario run {scenario} {arguments} --trials {TRIALS} --seed 7 --format json"));
    let run: Json = serde_json::from_str(&ended.expect(0).stdout).unwrap();
    assert_eq!(run["outcomes"], serde_json::json!({ outcome: TRIALS }), "{run}");
    look(&run);
}

/// The step of the first kept trial whose line begins so.
fn step<'a>(run: &'a Json, begins: &str) -> &'a Json {
    let lines = run["lanes"][0]["steps"].as_array().unwrap();
    let index = lines.iter().position(|line| line.as_str().unwrap().starts_with(begins)).unwrap();
    &run["kept"][0]["steps"][index]
}

#[test]
fn so_error_takes_the_error_and_the_read_after_it_is_the_end_of_file() {
    all("after-rst:so-error", "", "ECONNRESET,eof,eof,EPIPE", |_| ());
}

#[test]
fn f_getfd_knows_nothing_of_a_reset() {
    all("after-rst:fd-check", "", "ok,ECONNRESET,eof", |run| {
        let asked = step(run, "fd_check conn");
        assert_eq!(asked["state_before"], "CLOSE", "{run}");
        // FD_CLOEXEC or nothing: no error.
        assert!(matches!(asked["returned"].as_i64(), Some(0 | 1)), "{run}");
    });
}

#[test]
fn a_number_that_was_never_opened_is_not_looked_at() {
    all("never-opened", "", "timeout", |run| {
        assert_eq!(run["returns"], serde_json::json!({ "0": TRIALS }), "{run}");
    });
}

#[test]
fn a_number_that_was_closed_is_ebadf() {
    all("closed-before-call", "", "EBADF", |run| {
        // It was a small number: below the size of the descriptor table.
        assert!(run["kept"][0]["descriptor"].as_u64().is_some_and(|number| number < 64), "{run}");
    });
}

/// The last of the fifty calls has no time left, and no set: the data at 0.3 s is never seen.
#[test]
fn the_loop_as_printed_arms_its_timeout_once() {
    all("loop-as-printed", "", "timeout,left=0", |_| ());
}

#[test]
fn poll_tells_a_reset_by_five_bits() {
    all("after-rst:poll", "", "readable+writable+error+hangup+peer-closed,ECONNRESET,eof", |run| {
        assert_eq!(step(run, "poll ")["events"], 0x201d, "{run}");
    });
}

#[test]
fn a_syn_that_is_sent_twice_in_vain_is_given_up() {
    all("vanished-syn", "--matrix matrix.toml --path no-syn", "ETIMEDOUT,ok", |_| ());
}

#[test]
fn keepalive_gives_up_a_path_that_has_gone_dark() {
    all("detect-keepalive", "--matrix matrix.toml --path dark", "readable,ETIMEDOUT,eof", |_| ());
}
