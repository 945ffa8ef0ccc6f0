//! Each reported case and its right value. What takes minutes in life takes seconds here: TCP_SYNCNT = 1 in place of six retries.

use serde_json::Value as Json;

use crate::fixture::{self, Cells};
use crate::turn;

const HOST: &str = "bare-metal";

/// Scenario, path, and how every trial ends.
const RIGHT: &[(&str, &str, &str)] = &[
    ("high-descriptor", "direct", "readable,ECONNRESET,EBADF"),
    ("server-side", "direct", "ok,readable,ECONNRESET,eof"),
    ("full-queue", "direct", "ok,ok,EINPROGRESS,timeout"),
    ("lingering-close", "deaf", "ok:waited"),
    ("lingering-close", "direct", "ok:at-once"),
    ("truncated-answer", "far", "readable,data=14480,ECONNRESET,eof"),
    ("vanished-syn", "no-syn", "ETIMEDOUT,ok"),
    ("shutdown-while-connecting", "no-syn", "ECONNRESET"),
    ("connect-again", "direct", "EINPROGRESS,writable,ok,ok,ok,EISCONN"),
    ("connect-again", "refuse", "EINPROGRESS,readable+writable,ECONNREFUSED,ok,ECONNABORTED,EINPROGRESS"),
    ("user-timeout", "dark", "readable,ETIMEDOUT,eof"),
    ("silent-firewall", "silent-firewall", "ok,timeout,EAGAIN"),
    ("narrow-path", "narrow", "timeout,EAGAIN"),
    ("stray-segment", "stray", "readable,ECONNRESET"),
    ("stray-segment", "stray-dropped", "readable,data"),
];

/// So many bytes were taken or received, by the label's number.
fn bytes(outcome: &str) -> u64 {
    let (_, rest) = outcome.split_once('=').unwrap_or_else(|| panic!("no number in {outcome}"));
    rest.split(',').next().unwrap().parse().unwrap()
}

fn outcomes(cell: &Json) -> impl Iterator<Item = &String> {
    cell["outcomes"].as_object().unwrap().keys()
}

fn counter(cell: &Json, name: &str) -> Option<u64> {
    cell["path_counters"][name].as_u64()
}

#[test]
fn every_case_gives_its_right_value_on_the_host() {
    let Some(_turn) = turn() else { return };
    let lab = fixture::lab(include_str!("cases/host.matrix"));
    lab.run("matrix run --seed 7").expect(0);
    let cells = Cells::of(&lab);
    for (scenario, path, outcome) in RIGHT {
        cells.all(scenario, HOST, path, outcome);
    }
    // Over a plain path the whole answer may come before the reset; over a slow one never.
    let whole = cells.cell("truncated-answer", HOST, "direct");
    assert!(outcomes(whole).any(|outcome| bytes(outcome) == 60_000), "{whole}");
    let blocked = cells.cell("blocked-writer-counted", HOST, "direct");
    for outcome in outcomes(blocked) {
        assert!(outcome.starts_with("short=") && outcome.ends_with(",ECONNRESET,EPIPE"), "{blocked}");
        assert!((65_536..64 << 20).contains(&bytes(outcome)), "{blocked}");
    }
    cells.expected_mostly("poll-for-nothing", HOST, "error+hangup,error+hangup,ECONNRESET");
    // The host between resets the peer of a stray segment, unless it drops what is INVALID.
    let [stray, dropped] = ["stray", "stray-dropped"].map(|path| cells.cell("stray-segment", HOST, path));
    assert_eq!(counter(stray, "nat.host_resets"), Some(20), "{stray}");
    assert_eq!(
        (counter(dropped, "rule.invalid"), counter(dropped, "nat.host_resets").unwrap_or(0)),
        (Some(20), 0),
        "{dropped}"
    );
    // The three above and the two controls.
    assert_eq!(cells.0.len(), RIGHT.len() + 5, "every cell is looked at");
}

#[test]
fn an_expectation_that_no_trial_keeps_is_said_everywhere() {
    let Some(_turn) = turn() else { return };
    let lab = fixture::lab(include_str!("cases/broken.matrix"));
    let said = lab.run("matrix run --seed 7").expect(5);
    let run = lab.only_run();
    for text in [said.words(), run.read("report.txt").split_whitespace().collect::<Vec<_>>().join(" ")] {
        assert!(text.contains("50 of 50 trials ended otherwise than expected"), "{text}");
    }
    assert!(run.read("report.xml").contains(r#"type="unexpected""#));
    assert!(run.read("report.csv").contains("unexpected"));
    let cells = Cells::of(&lab);
    let cell = cells.cell("broken-expectation", HOST, "direct");
    assert_eq!(cell["outcomes"], serde_json::json!({ "readable,data,eof": 50 }), "{cell}");
    lab.run("scenario run broken-expectation.toml --trials 50").expect(5).says(&["UNEXPECTED"]);
}

/// The control is played over a plain path: over this one it could not connect.
#[test]
fn a_connect_that_is_to_be_refused_and_is_refused_is_no_anomaly() {
    let Some(_turn) = turn() else { return };
    let lab = fixture::lab(include_str!("cases/refused.matrix"));
    lab.run("matrix run --seed 7").expect(0).says(&["Any -1", "seen in 60 of 60 calls on the host"]);
    Cells::of(&lab).all("refused-by-path", HOST, "refuse", "ECONNREFUSED,ok");
    let report = lab.only_run().report();
    let controls = report["controls"].as_array().unwrap();
    assert_eq!(controls.len(), 2, "{controls:?}");
    for control in controls {
        assert_eq!(control["passed"], true, "{control}");
    }
}
