//! What each counter-measure of the production report detects, of which failure, and after how long.
//!
//! Holds the closed table of counter-measures, and how an outcome is read for each. Must not know reports; no result stands here.
//! Units: counts, nanoseconds. Errors: none. Tests: `tests/golden/countered.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Errno, LabelParts, own_labels};

use super::measured::Measured;
use super::model::CounterMeasureVariant::{self, AsPrinted, Mended, Scaled};
use super::model::{CellSummary, CounterMeasure, CounterMeasureFinding};

struct Row {
    number: u32,
    measure: &'static str,
    variant: CounterMeasureVariant,
    claim: &'static str,
    scenario: &'static str,
    /// What happens over a path that does nothing, where the scenario itself does something.
    direct: &'static str,
    /// What told the program of the failure, by the labels of its own steps from the verdict call on; `None` where nothing did.
    detected: fn(&[&str]) -> Option<String>,
    /// Whether the verdict call's time is what it took.
    timed: bool,
}

const NOTHING: &str = "nothing fails";

/// What a path does to a connection.
const FAILURES: [(&str, &str); 7] = [
    ("direct", NOTHING),
    ("forged-exact", "a RST"),
    ("dark", "the path goes dark"),
    ("deaf-later", "answers are lost"),
    ("no-syn", "every SYN is lost"),
    ("refuse", "the SYN is refused"),
    ("icmp-host-prohibited", "the SYN is rejected"),
];

/// What the production report's keepalive has.
const PRINTED: [(&str, &str); 3] = [("idle", "10"), ("interval", "5"), ("count", "3")];

/// By number; the words of a row's variant come from its scenario.
const ROWS: [Row; 11] = [
    row((1, AsPrinted, "H40"), "fcntl(F_GETFD)", "detect-fcntl", a_check_fails).untimed(),
    row((1, Mended, "H40"), "recv(MSG_PEEK)", "detect-peek", first_is_an_end),
    row((2, AsPrinted, "H41"), "switch on three errnos", "detect-select", is_of_the_switch),
    row((2, Mended, "H41"), "select(), then read()", "detect-select", second_is_an_end),
    row((3, AsPrinted, "H42"), "50 waits of 100 ms", "loop-as-printed", a_wait_sees)
        .untimed()
        .with("an answer after 0.3 s"),
    row((3, Mended, "H42"), "waits, each armed anew", "loop-mended", a_wait_sees)
        .untimed()
        .with("an answer after 0.3 s"),
    row((4, AsPrinted, "H43"), "SO_KEEPALIVE 10/5/3", "detect-keepalive", second_is_an_end),
    row((4, Scaled, "H43"), "SO_KEEPALIVE", "detect-keepalive", second_is_an_end),
    row((5, AsPrinted, "H44"), "heartbeat, three words", "detect-heartbeat", a_word_fails).untimed(),
    row((6, AsPrinted, "H45"), "connect again", "reconnect", connects_again)
        .untimed()
        .with("a RST; then listens"),
    row((6, Mended, "H45"), "TCP_SYNCNT bounds a try", "connect-and-wait", first_is_an_end),
];

const fn row(
    (number, variant, claim): (u32, CounterMeasureVariant, &'static str),
    measure: &'static str,
    scenario: &'static str,
    detected: fn(&[&str]) -> Option<String>,
) -> Row {
    Row { number, measure, variant, claim, scenario, direct: NOTHING, detected, timed: true }
}

impl Row {
    const fn untimed(self) -> Self {
        Self { timed: false, ..self }
    }

    const fn with(self, direct: &'static str) -> Self {
        Self { direct, ..self }
    }

    /// Whether a cell is of this row: a scenario with two rows is told apart by what the production report has.
    fn takes(&self, cell: &CellSummary) -> bool {
        let printed =
            PRINTED.iter().all(|(name, value)| cell.parameters.get(*name).is_some_and(|it| it == value));
        let variant = self.scenario != "detect-keepalive" || printed == (self.variant == AsPrinted);
        cell.scenario == self.scenario && variant
    }

    fn failure(&self, path: &str) -> String {
        let known = FAILURES.iter().find(|(name, _)| *name == path);
        match known {
            Some((_, NOTHING)) => self.direct.to_owned(),
            Some((_, failure)) => (*failure).to_owned(),
            None => format!("path {path}"),
        }
    }
}

/// An errno, and not the one of a connection that is open and has nothing.
fn is_failure(label: &str) -> bool {
    label.parse::<Errno>().is_ok() && label != "EAGAIN"
}

/// What a read says of a connection that has ended.
fn end(label: Option<&&str>) -> Option<String> {
    label.filter(|label| is_failure(label) || **label == "eof").map(|label| (*label).to_owned())
}

fn first_is_an_end(labels: &[&str]) -> Option<String> {
    end(labels.first())
}

fn second_is_an_end(labels: &[&str]) -> Option<String> {
    end(labels.get(1))
}

/// The first and the third label are of fcntl().
fn a_check_fails(labels: &[&str]) -> Option<String> {
    let checks = labels.iter().step_by(2).zip(1..);
    checks.filter(|(label, _)| is_failure(label)).map(|(_, nth)| format!("check {nth}")).next()
}

fn is_of_the_switch(labels: &[&str]) -> Option<String> {
    let word = LabelParts::of(labels.first()?).word;
    ["ENOENT", "EBADF", "EINTR"].contains(&word).then(|| word.to_owned())
}

fn a_wait_sees(labels: &[&str]) -> Option<String> {
    let readable = |label: &&str| LabelParts::of(label).word.split('+').any(|one| one == "readable");
    labels.iter().position(readable).map(|at| format!("wait {}", at + 1))
}

fn a_word_fails(labels: &[&str]) -> Option<String> {
    labels.iter().position(|label| is_failure(label)).map(|at| format!("word {}", at + 1))
}

/// The second connection is made, and takes a word.
fn connects_again(labels: &[&str]) -> Option<String> {
    matches!(labels, [_, _, "ok", "ok"]).then(|| "the second connection".to_owned())
}

/// Every counter-measure; none where the plan has no scenario of one. `cells` are the figures of `measured`, in the same order.
pub(super) fn gather(measured: &[Measured<'_>], cells: &[CellSummary]) -> Vec<CounterMeasure> {
    let all: Vec<&CellSummary> = measured
        .iter()
        .zip(cells)
        .filter(|(one, _)| one.cell().control.is_none() && !one.is_repeat())
        .map(|(_, cell)| cell)
        .collect();
    let is_of_one = |cell: &&CellSummary| ROWS.iter().any(|row| row.takes(cell));
    if !all.iter().any(is_of_one) {
        return Vec::new();
    }
    let judge = |row: &Row| CounterMeasure {
        number: row.number,
        measure: row.measure.to_owned(),
        variant: row.variant,
        claim: row.claim.to_owned(),
        scenario: row.scenario.to_owned(),
        findings: all
            .iter()
            .filter(|cell| row.takes(cell) && cell.trials > 0)
            .map(|cell| finding(row, cell))
            .collect(),
    };
    ROWS.iter().map(judge).collect()
}

fn finding(row: &Row, cell: &CellSummary) -> CounterMeasureFinding {
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    for (outcome, n) in &cell.outcomes {
        let labels: Vec<&str> = own_labels(outcome).collect();
        if let Some(how) = (row.detected)(&labels) {
            *by.entry(how).or_default() += n;
        }
    }
    let detected = by.values().sum();
    let timed = row.timed && detected == cell.trials;
    CounterMeasureFinding {
        failure: row.failure(&cell.path),
        cell: cell.id.clone(),
        configuration: cell.configuration.clone(),
        kernel: cell.kernel.clone(),
        path: cell.path.clone(),
        parameters: cell.parameters.clone(),
        detected,
        n: cell.trials,
        by,
        took_ns: cell.latency_ns.get("call").copied().filter(|_| timed),
    }
}
