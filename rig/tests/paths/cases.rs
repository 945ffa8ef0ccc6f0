//! Scenarios of `tests/cases` whose outcomes say a number of bytes or a time: the right value on each path, and not on the other.

use std::collections::BTreeMap;

use rig::middlebox::{Condition, Deed, Direction, Impairment, JitterOrder};
use rig::path::{Impairments, Mechanism, PathSpec};
use rig::script::Scenario;

use crate::play::{Played, cell_of, play_cell, skipped};
use crate::{MS, action, all, plain};

const TRUNCATED_ANSWER: &str = include_str!("../cases/truncated-answer.toml");
const LINGERING_CLOSE: &str = include_str!("../cases/lingering-close.toml");
const BLOCKED_WRITER: &str = include_str!("../cases/blocked-writer.toml");

/// Ten milliseconds for a round trip.
fn far() -> PathSpec {
    let way = Impairment { delay_ns: 5 * MS, jitter_order: JitterOrder::Keep, ..Impairment::none() };
    let mechanism = Mechanism::Middlebox;
    let impairments = Impairments { mechanism, to_peer: way.clone(), to_target: way };
    PathSpec { impairments: Some(impairments), ..plain() }
}

/// The peer gets no byte of data.
fn deaf() -> PathSpec {
    let data = Condition { direction: Some(Direction::ToPeer), payload: Some(true), ..Condition::default() };
    let mut lose = action(data, Deed::Drop);
    lose.first = 0;
    PathSpec { actions: vec![lose], ..plain() }
}

fn play(path: &PathSpec, text: &str, expected: Option<&str>, trials: u64) -> Played {
    let scenario = Scenario::parse("case", "case.toml", text).expect("a sound scenario");
    let given: BTreeMap<String, String> =
        expected.map(|outcome| ("expected".to_owned(), outcome.to_owned())).into_iter().collect();
    play_cell(&cell_of(path, &scenario, &given, trials))
}

#[test]
fn a_truncated_answer_is_told_by_its_bytes() {
    if skipped("a truncated answer") {
        return;
    }
    let whole = "readable,data=60000,ECONNRESET,eof";
    let truncated = "readable,data=14480,ECONNRESET,eof";
    let played = play(&far(), TRUNCATED_ANSWER, None, 20);
    all(&played, truncated);
    assert_eq!(played.record.tally.anomalies, 0);
    let played = play(&plain(), TRUNCATED_ANSWER, Some(whole), 20);
    all(&played, whole);
    assert_eq!(played.record.tally.anomalies, 0);
    // Every trial of the one is an anomaly where the other is expected.
    let played = play(&plain(), TRUNCATED_ANSWER, None, 20);
    let tally = &played.record.tally;
    let as_expected = tally.outcomes.get(truncated).copied().unwrap_or(0);
    assert_eq!(tally.anomalies, tally.trials - as_expected, "{tally:#?}");
    assert!(tally.outcomes.get(whole).is_some_and(|trials| *trials > 0), "{tally:#?}");
}

#[test]
fn a_lingering_close_is_told_by_its_time() {
    if skipped("a lingering close") {
        return;
    }
    let played = play(&deaf(), LINGERING_CLOSE, None, 10);
    all(&played, "ok:linger-time");
    assert_eq!(played.record.tally.anomalies, 0);
    let played = play(&plain(), LINGERING_CLOSE, Some("ok:round-trip"), 10);
    all(&played, "ok:round-trip");
    assert_eq!(played.record.tally.anomalies, 0);
}

#[test]
fn a_blocked_writer_is_told_what_was_taken_then_the_errno_then_epipe() {
    if skipped("a blocked writer") {
        return;
    }
    let played = play(&plain(), BLOCKED_WRITER, None, 5);
    let tally = &played.record.tally;
    assert_eq!((played.reason(), tally.trials, tally.anomalies), (None, 5, 0), "{played:#?}");
    for outcome in tally.outcomes.keys() {
        assert!(outcome.starts_with("short=") && outcome.ends_with(",ECONNRESET,EPIPE"), "{outcome}");
    }
}
