//! What must hold for every scenario, and what the shipped ones compile to.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rig_protocol::{Call, Delay, Errno, FieldKind, Op, Side, Slot, TimeClass, TimeRange, Timing, schemas};

use super::*;

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse("test", "test.toml", text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn resolve(name: &str, pairs: &[(&str, &str)]) -> Resolved {
    shipped(name).expect(name).resolve(&given(pairs)).expect("admissible values")
}

#[test]
fn the_base_program_is_what_the_document_says() {
    let script = resolve("rst", &[("peer_delay", "5ms"), ("client_delay", "1s")]).script;
    let client = script.lanes_of(Side::Target).next().expect("a client");
    let peer = script.lanes_of(Side::Peer).next().expect("a peer");
    let names = |lane: &rig_protocol::Lane| lane.steps.iter().map(|step| step.op.name()).collect::<Vec<_>>();
    assert_eq!(names(client), ["connect", "write", "sleep", "select", "localtime", "read", "read", "close"]);
    assert_eq!(names(peer), ["accept", "read", "write", "sleep", "linger", "close"]);
    assert_eq!(client.steps[2].op, Op::Sleep { duration: Delay::Fixed { ns: 1_000_000_000 } });
    assert_eq!(peer.steps[3].op, Op::Sleep { duration: Delay::Fixed { ns: 5_000_000 } });
    assert_eq!(peer.steps[4].op, Op::Linger { socket: Slot(0), seconds: 0 });
    assert_eq!(
        client.steps[3].op,
        Op::Select {
            read: vec![Slot(0)],
            write: vec![],
            except: vec![],
            timeout: Delay::Fixed { ns: 5_000_000_000 },
            call: Call::Select
        }
    );
    let outcome: Vec<bool> = client.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcome, [false, false, false, true, false, true, true, false]);
    assert!(script.expects("readable,data,ECONNRESET"));
    assert!(!script.expects("ENOENT,data,ECONNRESET"));
}

#[test]
fn every_door_of_the_base_program_can_be_chosen() {
    for (word, call) in [("select", Call::Select), ("pselect6", Call::Pselect6), ("libc", Call::Libc)] {
        let script = resolve("rst", &[("call", word)]).script;
        let found = script.lanes[0].steps.iter().find_map(|step| match step.op {
            Op::Select { call, .. } => Some(call),
            _ => None,
        });
        assert_eq!(found, Some(call));
    }
}

#[test]
fn controls_say_what_they_must_find() {
    for (name, errno, ppm) in [
        ("control-closed-descriptor", Errno::EBADF, 1_000_000),
        ("control-inject-enoent", Errno::ENOENT, 100_000),
        ("control-inject-ebadf", Errno::EBADF, 100_000),
        ("control-negative", Errno::ENOENT, 0),
    ] {
        assert_eq!(resolve(name, &[]).control, Some((errno, ppm)), "{name}");
    }
    assert_eq!(resolve("rst", &[]).control, None);
    // The rate that is injected is the rate that must be found.
    let resolved = resolve("control-inject-enoent", &[("rate", "25%")]);
    assert_eq!(resolved.control, Some((Errno::ENOENT, 250_000)));
    let injected = resolved.script.lanes[0].steps.iter().find_map(|step| match step.op {
        Op::Inject { errno, rate_ppm } => Some((errno, rate_ppm)),
        _ => None,
    });
    assert_eq!(injected, Some((Errno::ENOENT, 250_000)));
}

#[test]
fn the_watcher_shares_the_client_s_socket_and_waits_for_it() {
    let script = resolve("watcher", &[]).script;
    assert_eq!((script.sockets.len(), script.marks.len()), (1, 1));
    let lanes: Vec<&str> = script.lanes_of(Side::Target).map(|lane| lane.name.as_str()).collect();
    assert_eq!(lanes, ["client", "watcher"]);
    let selects: Vec<(bool, bool)> = script.lanes[0]
        .steps
        .iter()
        .filter(|step| step.op.name() == "select")
        .map(|step| (step.verdict, step.may_fail))
        .collect();
    // The first call may meet the close already; the second one is what is counted.
    assert_eq!(selects, [(false, false), (true, false)]);
    for outcome in ["read:ECONNRESET,EBADF", "readable", "read:ECONNRESET,timeout"] {
        assert!(script.expects(outcome), "{outcome}");
    }
    // The random delay reaches past the reset: both orders of close and call occur.
    let scenario = shipped("watcher").expect("shipped");
    let delay =
        |name: &str| parse_delay(&scenario.parameter(name).expect(name).default).expect("a delay").longest();
    assert!(delay("reenter_delay") > 3 * delay("peer_delay"));
}

#[test]
fn wrong_parameters_are_all_named() {
    let rst = shipped("rst").expect("shipped");
    let wrong = rst.resolve(&given(&[("peer_dely", "5ms"), ("call", "glibc"), ("timeout", "9")]));
    let wrong = wrong.expect_err("three wrong values");
    let names: Vec<&str> = wrong.iter().map(|wrong| wrong.parameter.as_str()).collect();
    assert_eq!(names, ["call", "peer_dely", "timeout"]);
    assert_eq!(
        wrong[1].help.as_deref(),
        Some("did you mean `peer_delay`?\nits parameters: `peer_delay`, `client_delay`, `call`, `timeout`")
    );
}

#[test]
fn a_parameter_that_leads_a_call_past_the_injection_is_refused() {
    let scenario = scenario(
        r#"
title = "t"
expect = ["**"]
[parameters]
door = "select"
[lane.client]
steps = [
    { op = "connect", socket = "conn" },
    { op = "inject", errno = "ENOENT", rate = "1%" },
    { op = "select", read = ["conn"], timeout = "5s", call = "${door}", verdict = true },
]
[lane.peer]
steps = [ { op = "accept", socket = "conn" }, { op = "close", socket = "conn" } ]
"#,
    );
    assert!(scenario.resolve(&given(&[("door", "select")])).is_ok());
    let wrong = scenario.resolve(&given(&[("door", "libc")])).expect_err("libc calls pselect6");
    assert_eq!(wrong[0].parameter, "door");
}

#[test]
fn a_script_without_a_peer_is_possible() {
    let script = scenario(
        r#"
title = "an operation that needs no connection"
expect = ["ok"]
[lane.client]
steps = [ { op = "localtime", verdict = true } ]
"#,
    )
    .resolve(&BTreeMap::new())
    .expect("no parameters")
    .script;
    assert_eq!(script.lanes_of(Side::Peer).count(), 0);
}

#[test]
fn an_outcome_of_one_s_own_choice_replaces_the_default() {
    let script = scenario(
        r#"
title = "t"
expect = ["readable,ok"]
[lane.client]
steps = [
    { op = "connect", socket = "conn" },
    { op = "select", read = ["conn"], timeout = "5s", verdict = true },
    { op = "read", socket = "conn", bytes = 4, outcome = false },
    { op = "close", socket = "conn", outcome = true },
]
[lane.peer]
steps = [ { op = "accept", socket = "conn" }, { op = "close", socket = "conn" } ]
"#,
    )
    .resolve(&BTreeMap::new())
    .expect("no parameters")
    .script;
    let outcome: Vec<bool> = script.lanes[0].steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcome, [false, true, false, true]);
}

#[test]
fn an_expectation_that_a_parameter_makes_impossible_is_refused() {
    let patient = shipped("rst-patient").expect("shipped");
    let resolved = |expected: &str| patient.resolve(&given(&[("expected", expected)]));
    let script = resolved("timeout,EAGAIN,EAGAIN").expect("can happen").script;
    assert!(script.expects("timeout,EAGAIN,EAGAIN") && !script.expects("readable,data,ECONNRESET"));
    assert!(resolved("*,*,*").expect("any").script.expects("readable,data,eof"));
    for (expected, words) in [
        ("readable,data", "has 2 labels, but the script produces 3"),
        ("readable,data,ECONRESET", "never gives the label `ECONRESET`"),
        ("readable, data,eof", "is not a word"),
    ] {
        let wrong = resolved(expected).expect_err(expected);
        assert_eq!((wrong.len(), wrong[0].parameter.as_str()), (1, "expected"));
        assert!(wrong[0].message.contains(words), "{wrong:?}");
    }
}

#[test]
fn a_proof_is_a_counter_of_a_kernel_or_of_the_path() {
    let with = |proof: &str| {
        let text = format!(
            r#"
title = "t"
expect = ["**"]
proof = ["{proof}"]
[lane.client]
steps = [
    {{ op = "connect", socket = "conn" }},
    {{ op = "select", read = ["conn"], timeout = "5s", verdict = true }},
]
[lane.peer]
steps = [ {{ op = "accept", socket = "conn" }}, {{ op = "close", socket = "conn" }} ]
"#
        );
        Scenario::parse("test", "test.toml", &text).is_ok()
    };
    for counter in
        ["peer.Tcp.OutRsts", "target.TcpExt.TCPChallengeACK", "path.action.hold-it.released.to_target"]
    {
        assert!(with(counter), "{counter}");
    }
    for counter in [
        "peer.OutRsts",
        "path",
        "path.",
        "path.a..b",
        "path.Held",
        "link.to_target.lost",
        "peer.a.b.c",
        "peer.Tcp.OutRst",
    ] {
        assert!(!with(counter), "{counter}");
    }
}

#[test]
fn two_marks_order_three_lanes() {
    scenario(
        r#"
title = "a chain"
expect = ["**"]
[lane.client]
steps = [
    { op = "connect", socket = "conn" },
    { op = "mark", mark = "one" },
    { op = "await", mark = "two", timeout = "5s" },
    { op = "select", read = ["conn"], timeout = "5s", verdict = true },
]
[lane.second]
steps = [ { op = "await", mark = "one", timeout = "5s" }, { op = "mark", mark = "middle" } ]
[lane.third]
steps = [
    { op = "await", mark = "middle", timeout = "5s" },
    { op = "close", socket = "conn" },
    { op = "mark", mark = "two" },
]
[lane.peer]
steps = [ { op = "accept", socket = "conn" }, { op = "close", socket = "conn" } ]
"#,
    );
}

#[test]
fn the_text_form_has_one_line_per_step() {
    for scenario in Catalogue::embedded().iter() {
        let text = scenario.render(&BTreeMap::new()).expect("defaults are admissible");
        let resolved = scenario.resolve(&BTreeMap::new()).expect("defaults are admissible");
        for lane in &resolved.script.lanes {
            for step in &lane.steps {
                assert!(text.contains(&describe_step(&resolved.script, step)), "{}", scenario.name);
            }
        }
        assert_eq!(text.matches("<- verdict").count(), 1, "{}", scenario.name);
    }
}

#[test]
fn every_operation_is_described() {
    let text = describe_operations();
    for schema in schemas() {
        assert!(text.contains(schema.about), "{}", schema.name);
    }
}

/// A value of the file form for a field: a new kind of field has to say how it is written.
fn spelled(kind: FieldKind) -> String {
    match kind {
        FieldKind::Socket => "\"conn\"".to_owned(),
        FieldKind::Sockets => "[\"conn\"]".to_owned(),
        FieldKind::Delay => "\"uniform(1ms, 2ms)\"".to_owned(),
        FieldKind::Text => "\"ABCD\"".to_owned(),
        FieldKind::Count { low, .. } => low.to_string(),
        FieldKind::Rate => "0.01".to_owned(),
        FieldKind::Errno => "\"EBADF\"".to_owned(),
        FieldKind::Choice(words) => format!("\"{}\"", words[0]),
        FieldKind::Mark => "\"m\"".to_owned(),
        FieldKind::Duration => "\"3min\"".to_owned(),
        FieldKind::TimeRange => "\"1ms..2ms\"".to_owned(),
        FieldKind::Number { low, high } => 5.clamp(low, high).to_string(),
        FieldKind::Flag => "true".to_owned(),
        FieldKind::Words(words) => format!("[\"{}\"]", words[0]),
        FieldKind::Lane => "\"client\"".to_owned(),
    }
}

#[test]
fn every_operation_of_the_protocol_can_be_written_in_a_scenario() {
    for schema in
        schemas().iter().filter(|schema| !["accept", "connect", "mark", "await"].contains(&schema.name))
    {
        // Of two alternatives the first.
        let first = |index: usize, name: Option<&str>| {
            !schema.fields[..index].iter().any(|field| Some(field.name) == name)
        };
        let given =
            schema.fields.iter().enumerate().filter(|(index, field)| first(*index, field.alternative));
        let fields: String = given
            .map(|(_, field)| field)
            .map(|field| format!(", {} = {}", field.name, spelled(field.kind)))
            .collect();
        let text = format!(
            r#"
title = "t"
expect = ["**"]
[lane.client]
steps = [
    {{ op = "connect", socket = "conn" }},
    {{ op = "{}"{fields} }},
    {{ op = "select", read = ["conn"], timeout = "5s", verdict = true }},
]
[lane.peer]
steps = [ {{ op = "accept", socket = "conn" }}, {{ op = "close", socket = "conn" }} ]
"#,
            schema.name
        );
        let script = scenario(&text).resolve(&BTreeMap::new()).expect("no parameters").script;
        assert_eq!(script.lanes[0].steps[1].op.name(), schema.name);
    }
}

/// A connection whose close() is timed; `keys` stand at the top, `close` in the step, `peer` in the peer lane.
fn timed(keys: &str, close: &str, peer: &str) -> String {
    format!(
        r#"
title = "t"
{keys}
[lane.client]
steps = [
    {{ op = "connect", socket = "conn" }},
    {{ op = "sleep", for = "1s" }},
    {{ op = "close", socket = "conn", verdict = true, {close} }},
]
[lane.peer]
{peer}
steps = [
    {{ op = "accept", socket = "conn" }},
    {{ op = "read", socket = "conn", bytes = 9, count = true }},
    {{ op = "close", socket = "conn" }},
]
"#
    )
}

#[test]
fn what_a_step_measures_reaches_the_script_and_the_text_form() {
    let text = timed(
        "expect = [\"ok:slow\"]\ndeadline = \"3min\"",
        "time = { fast = \"0ms..10ms\", slow = \"950ms..1100ms\" }",
        "expect = [\"data=1..9\", \"unfinished\"]",
    );
    let scenario = scenario(&text);
    let script = scenario.resolve(&BTreeMap::new()).expect("no parameters").script;
    assert_eq!(script.deadline_ns, Some(180_000_000_000));
    assert_eq!(script.expect_peer, ["data=1..9", "unfinished"]);
    let range = |low: u64, high: u64| TimeRange { low_ns: low * 1_000_000, high_ns: high * 1_000_000 };
    let class = |name: &str, range| TimeClass { name: name.to_owned(), range };
    let classes = vec![class("fast", range(0, 10)), class("slow", range(950, 1_100))];
    assert_eq!(script.lanes[0].steps[2].timing, Some(Timing::Classes(classes)));
    assert!(script.lanes[1].steps[1].count && !script.lanes[1].steps[2].count);
    let shown = scenario.render(&BTreeMap::new()).expect("no parameters");
    for line in [
        "close conn time={fast: 0s..10ms, slow: 950ms..1100ms}  <- verdict",
        "read conn bytes=9 count",
        "of peer   data=1..9 | unfinished",
        "deadline  180s",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let within =
        text.replace("time = { fast = \"0ms..10ms\", slow = \"950ms..1100ms\" }", "within = \"0ms..1s\"");
    let within = within.replace("ok:slow", "ok:late");
    let script =
        super::Scenario::parse("t", "t", &within).expect("sound").resolve(&BTreeMap::new()).expect("sound");
    assert_eq!(script.script.lanes[0].steps[2].timing, Some(Timing::Within(range(0, 1_000))));
    assert_eq!(
        describe_step(&script.script, &script.script.lanes[0].steps[2]),
        "close conn within=0s..1s  <- verdict"
    );
}

/// A step says the same to the agent whether its file leaves the new keys out or was written before them.
#[test]
fn a_step_without_the_keys_for_its_label_is_as_it_was() {
    let script = resolve("rst", &[]).script;
    for step in script.lanes.iter().flat_map(|lane| &lane.steps) {
        assert!(!step.count && step.timing.is_none());
    }
    let text = serde_json::to_string(&script).expect("plain data");
    assert!(
        !["count", "timing", "deadline_ns", "expect_peer"].iter().any(|key| text.contains(key)),
        "{text}"
    );
    assert!(text.contains(r#"{"op":"write","socket":0,"data":"ABCD"}"#), "{text}");
}

#[test]
fn times_that_parameters_bring_against_each_other_are_refused() {
    let text = timed(
        "expect = [\"ok:*\"]\ndeadline = \"${deadline}\"\n[parameters]\ndeadline = \"3s\"\nslow = \"1s..2s\"",
        "time = { fast = \"0ms..10ms\", slow = \"${slow}\" }",
        "",
    );
    let scenario = scenario(&text);
    let with = |pairs: &[(&str, &str)]| scenario.resolve(&given(pairs));
    assert_eq!(with(&[("deadline", "1001ms")]).expect("longer").script.deadline_ns, Some(1_001_000_000));
    for (name, value, message, label) in [
        ("deadline", "1s", "the deadline ends before lane `client` does", "its sleeps take up to 1s"),
        ("slow", "9ms..2s", "the times `fast` and `slow` overlap", "0s..10ms and 9ms..2s"),
        ("deadline", "uniform(2s, 3s)", "is not a valid value for parameter `deadline`", ""),
        ("slow", "2s", "is not a valid value for parameter `slow`", "expected two times"),
    ] {
        let wrong = with(&[(name, value)]).expect_err(value);
        assert_eq!((wrong.len(), wrong[0].parameter.as_str()), (1, name), "{wrong:?}");
        assert!(wrong[0].message.contains(message) && wrong[0].label.contains(label), "{wrong:?}");
    }
}

#[test]
fn the_cases_that_measure_can_be_written() {
    for text in [
        include_str!("../../tests/cases/truncated-answer.toml"),
        include_str!("../../tests/cases/lingering-close.toml"),
        include_str!("../../tests/cases/blocked-writer.toml"),
        include_str!("../../tests/cases/vanished-syn.toml"),
    ] {
        scenario(text).render(&BTreeMap::new()).expect("defaults are admissible");
    }
    let vanished = scenario(include_str!("../../tests/cases/vanished-syn.toml"));
    let script = vanished.resolve(&BTreeMap::new()).expect("sound").script;
    assert!(script.expects("ETIMEDOUT,ok") && !script.expects("ETIMEDOUT:early,ok"));
    let truncated = scenario(include_str!("../../tests/cases/truncated-answer.toml"));
    for (expected, message) in [
        ("readable,data,ECONNRESET,eof", "`read` never gives the label `data`"),
        ("readable,data=1..,ECONNRESET,eof", "`1..` of `data=1..` is not a number"),
        ("readable=1,data=1,ECONNRESET,eof", "`select` never gives the label `readable=1`"),
    ] {
        let wrong = truncated.resolve(&given(&[("expected", expected)])).expect_err(expected);
        assert!(wrong[0].message.contains(message), "{wrong:?}");
    }
}

proptest! {
    /// Whatever is admitted resolves, and two spellings of one value give one script.
    #[test]
    fn what_is_admitted_resolves(value in "[0-9]{1,4}(ns|us|ms|s)") {
        let rst = shipped("rst").expect("shipped");
        if rst.admit("peer_delay", &value).is_ok() {
            let one = rst.resolve(&given(&[("peer_delay", &value)])).expect("admitted");
            let canonical = parse_delay(&value).expect("admitted").to_string();
            let other = rst.resolve(&given(&[("peer_delay", &canonical)])).expect("canonical");
            prop_assert_eq!(one, other);
            prop_assert!(rst.same_value("peer_delay", &value, &canonical));
        }
    }

    #[test]
    fn no_value_panics(name in "(peer_delay|call|timeout|x)", value in "\\PC{0,20}") {
        let rst = shipped("rst").expect("shipped");
        let _ = rst.resolve(&given(&[(&name, &value)]));
    }
}
