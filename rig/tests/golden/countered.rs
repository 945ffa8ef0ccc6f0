//! What the counter-measures detect, and after how long: all of it from counts, so that each can fall either way.

use rig::analysis::model::{CounterMeasure, CounterMeasureFinding, CounterMeasureVariant};

use crate::atlas::{HOST, OLD};
use crate::made_up::{Made, has_section, run_of, section};
use crate::shape::assert_report;

use CounterMeasureVariant::{AsPrinted, Mended, Scaled};

const HEADING: &str = "What the counter-measures detect";
const SHORT: &[(&str, &str)] = &[("count", "1"), ("idle", "1"), ("interval", "1")];
const PRINTED: &[(&str, &str)] = &[("count", "3"), ("idle", "10"), ("interval", "5")];

fn over(path: &'static str, scenario: &'static str, outcome: &'static str, call_ns: u64) -> Made {
    Made { path, call_ns, ..Made::new(scenario, HOST, &[(outcome, 60)]) }
}

fn made() -> Vec<Made> {
    vec![
        over("direct", "detect-fcntl", "ok,timeout,ok", 500_000_000),
        over("forged-exact", "detect-fcntl", "ok,readable,ok", 3_000),
        over("dark", "detect-fcntl", "ok,timeout,ok", 500_000_000),
        over("forged-exact", "detect-peek", "ECONNRESET", 2_000),
        over("dark", "detect-peek", "EAGAIN", 2_000),
        over("forged-exact", "detect-select", "readable:soon,ECONNRESET", 1_000_000_000),
        over("dark", "detect-select", "timeout:never,EAGAIN", 4_000_000_000),
        over("direct", "loop-as-printed", "timeout,left=0", 1_000),
        over("direct", "loop-mended", "timeout,timeout,timeout,readable,data", 20_000_000),
        Made {
            parameters: SHORT,
            ..over("dark", "detect-keepalive", "readable,ETIMEDOUT,eof", 2_000_000_000)
        },
        Made {
            parameters: SHORT,
            ..over("direct", "detect-keepalive", "timeout,EAGAIN,EAGAIN", 8_000_000_000)
        },
        over("direct", "detect-heartbeat", "ok,ok,ok", 9_000),
        Made {
            outcomes: vec![("ECONNRESET,EPIPE,EPIPE", 58), ("ok,EPIPE,EPIPE", 2)],
            ..over("forged-exact", "detect-heartbeat", "", 9_000)
        },
        over("direct", "reconnect", "readable,ECONNRESET,ok,ok", 20_000_000),
        over("no-syn", "connect-and-wait", "ETIMEDOUT", 3_000_000_000),
        Made { place: OLD, ..over("somewhere", "connect-and-wait", "ECONNREFUSED", 1_000_000) },
    ]
}

fn found(
    all: &[CounterMeasure],
    number: u32,
    variant: CounterMeasureVariant,
    path: &str,
) -> CounterMeasureFinding {
    let one = all.iter().find(|one| (one.number, one.variant) == (number, variant)).expect("of the table");
    one.findings
        .iter()
        .find(|finding| finding.path == path)
        .unwrap_or_else(|| panic!("{path}: {one:?}"))
        .clone()
}

#[test]
fn each_counter_measure_has_what_it_detected_and_after_how_long() {
    let bench = run_of(&made());
    let model = bench.model();
    let all = &model.counter_measures;
    let of = |number, variant, path| {
        let finding = found(all, number, variant, path);
        let by: Vec<(String, u64)> = finding.by.into_iter().collect();
        assert_eq!(finding.n, 60);
        (finding.failure, finding.detected, by)
    };
    let told = |failure: &str, n: u64, by: &[(&str, u64)]| {
        (failure.to_owned(), n, by.iter().map(|(how, n)| ((*how).to_owned(), *n)).collect::<Vec<_>>())
    };
    assert_eq!(of(1, AsPrinted, "forged-exact"), told("a RST", 0, &[]));
    assert_eq!(of(1, Mended, "forged-exact"), told("a RST", 60, &[("ECONNRESET", 60)]));
    assert_eq!(of(1, Mended, "dark"), told("the path goes dark", 0, &[]));
    assert_eq!(of(2, AsPrinted, "forged-exact"), told("a RST", 0, &[]));
    assert_eq!(of(2, Mended, "forged-exact"), told("a RST", 60, &[("ECONNRESET", 60)]));
    assert_eq!(of(3, AsPrinted, "direct"), told("an answer after 0.3 s", 0, &[]));
    assert_eq!(of(3, Mended, "direct"), told("an answer after 0.3 s", 60, &[("wait 4", 60)]));
    assert_eq!(of(4, Scaled, "dark"), told("the path goes dark", 60, &[("ETIMEDOUT", 60)]));
    assert_eq!(of(4, Scaled, "direct"), told("nothing fails", 0, &[]));
    assert_eq!(of(5, AsPrinted, "forged-exact"), told("a RST", 60, &[("word 1", 58), ("word 2", 2)]));
    assert_eq!(of(6, AsPrinted, "direct"), told("a RST; then listens", 60, &[("the second connection", 60)]));
    assert_eq!(of(6, Mended, "no-syn"), told("every SYN is lost", 60, &[("ETIMEDOUT", 60)]));
    assert_eq!(of(6, Mended, "somewhere").0, "path somewhere");
    let took = |number, variant, path| found(all, number, variant, path).took_ns.map(|took| took.max);
    assert_eq!(took(4, Scaled, "dark"), Some(2_000_000_000));
    assert_eq!(took(4, Scaled, "direct"), None, "nothing was detected");
    assert_eq!(took(5, AsPrinted, "forged-exact"), None, "no single call's time is that");
    let printed = all.iter().find(|one| (one.number, one.variant) == (4, AsPrinted)).expect("of the table");
    assert!(printed.findings.is_empty(), "10/5/3 was not played");
    insta::assert_snapshot!("counter_measures_text", section(&bench, HEADING));
    assert_report(&serde_json::to_value(&model).expect("plain data"));
}

/// Nothing stands in the table of counter-measures that the trials do not say.
#[test]
fn every_finding_can_fall_the_other_way() {
    let mut cells = made();
    let other: [(usize, &'static str); 9] = [
        (1, "ok,readable,EBADF"),
        (3, "EAGAIN"),
        (5, "EBADF:soon,EBADF"),
        (7, "readable,left=0"),
        (8, "timeout,timeout,timeout,timeout,data"),
        (9, "timeout,EAGAIN,EAGAIN"),
        (12, "ok,ok,ok"),
        (13, "readable,ECONNRESET,ECONNREFUSED,EBADF"),
        (14, "ok"),
    ];
    for (at, outcome) in other {
        cells[at].outcomes = vec![(outcome, 60)];
    }
    cells[9].parameters = PRINTED;
    let all = run_of(&cells).model().counter_measures;
    let detected = |number, variant, path| found(&all, number, variant, path).detected;
    assert_eq!(found(&all, 1, AsPrinted, "forged-exact").by, [("check 2".to_owned(), 60)].into());
    assert_eq!(detected(1, Mended, "forged-exact"), 0);
    assert_eq!(found(&all, 2, AsPrinted, "forged-exact").by, [("EBADF".to_owned(), 60)].into());
    assert_eq!(found(&all, 3, AsPrinted, "direct").by, [("wait 1".to_owned(), 60)].into());
    assert_eq!(detected(3, Mended, "direct"), 0);
    assert_eq!(detected(4, AsPrinted, "dark"), 0);
    assert_eq!(detected(5, AsPrinted, "forged-exact"), 0);
    assert_eq!(detected(6, AsPrinted, "direct"), 0);
    assert_eq!(detected(6, Mended, "no-syn"), 0);
}

#[test]
fn a_run_without_them_has_no_table() {
    let bench = run_of(&[Made::new("rst", HOST, &[("readable,data,ECONNRESET", 60)])]);
    assert!(bench.model().counter_measures.is_empty() && !has_section(&bench, HEADING));
}
