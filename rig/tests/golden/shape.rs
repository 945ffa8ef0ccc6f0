//! The JSON report: which keys it has, that they are those of the contract, that it says what the table for spreadsheets says, and some
//! parts of it whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rig::record::Layout;
use rig::report::FileSchema;
use rig_protocol::Errno;
use serde_json::Value;

use crate::fixture::{Bench, Play, sound, turn, void};
use crate::reports::{model, render};
use crate::schema::{Checker, assert_run};

/// Maps whose keys are data, not names of the contract.
const MAPS: [&str; 9] = [
    "latency_ns",
    "outcomes",
    "parameters",
    "path_counters",
    "peer_outcomes",
    "rates",
    "returns",
    "sysctls",
    "void_reasons",
];

/// What scripts rely on: added to, never renamed or given another meaning.
const CONTRACT: &[(&str, &[&str])] = &[
    ("", &["format", "format_minor", "run", "environment", "cells", "controls", "comparisons", "hypotheses"]),
    ("run.", &["id", "seed", "started", "rig_version", "complete"]),
    ("environment.", &["host.virtualized", "qemu", "sysctls.*"]),
    (
        "cells[].",
        &[
            "id",
            "scenario",
            "configuration",
            "kernel",
            "path",
            "parameters.*",
            "status",
            "reason",
            "trials",
            "void",
            "void_reasons.*",
            "blocks",
            "origin.cold",
            "origin.restored",
            "returns.*",
            "outcomes.*",
            "rst_before_call",
            "anomalies",
            "unreturned",
            "expectation",
            "peer_expectation",
        ],
    ),
    (
        "cells[].expectation.",
        &["status", "expected[]", "unexpected", "n", "share", "low", "high", "tolerance", "known"],
    ),
    (
        "outcome_comparisons[].",
        &[
            "scenario",
            "path",
            "parameters.*",
            "kernel",
            "baseline",
            "configuration",
            "n1",
            "n2",
            "outcomes[].outcome",
            "outcomes[].x1",
            "outcomes[].x2",
            "outcomes[].p_adjusted",
            "level",
            "method",
            "family",
            "blocks.p_value",
            "blocks.smallest_p",
            "leading",
            "known",
            "verdict",
        ],
    ),
    ("cells[].rates.*.", &["count", "n", "low", "high", "confidence", "method"]),
    ("cells[].latency_ns.*.", &["p50", "p90", "p99", "max"]),
    (
        "controls[].",
        &["configuration", "control", "expected_rate", "observed", "low", "high", "status", "passed"],
    ),
    (
        "comparisons[].",
        &[
            "scenario",
            "path",
            "parameters.*",
            "kernel",
            "baseline",
            "configuration",
            "errno",
            "difference",
            "low",
            "high",
            "p_value",
            "p_adjusted",
            "detectable",
            "verdict",
        ],
    ),
    ("hypotheses[].", &["id", "claim", "verdict", "cells[]"]),
];

/// The report as JSON: every one is what the schema says.
fn json(bench: &Bench) -> Value {
    let json = serde_json::from_str(&render(&model(bench), "json")).expect("it is JSON");
    assert_report(&json);
    json
}

/// A run in which there is something to say under every key.
fn eventful() -> Bench {
    let mut bench = sound();
    turn(bench.block(Play::Base, "virtio-tap", "6.12", 0), 23, Errno::EBADF);
    void(bench.block(Play::Base, "virtio-tap", "6.1", 0), "guest panicked during boot");
    let block = bench.block(Play::Base, "virtio-tap", "6.12", 1);
    block.captures = vec![Layout::target_capture(&block.id, 1)];
    block.path.mechanisms = vec!["delay to_target: netem".into()];
    block.path.counters.insert("rule.reject".into(), 7);
    bench
}

/// Every key with the kinds of its values: `cells[].rates.*.low` is a number.
fn shape(value: &Value, place: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "whole number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    found.entry(place.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| shape(item, &format!("{place}[]"), found)),
        Value::Object(fields) => {
            let is_map = MAPS.iter().any(|name| place.split('.').next_back() == Some(*name));
            for (key, field) in fields {
                let key = if is_map { "*" } else { key };
                let dot = if place.is_empty() { "" } else { "." };
                shape(field, &format!("{place}{dot}{key}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let mut found = BTreeMap::new();
    for bench in [sound(), eventful()] {
        shape(&json(&bench), "", &mut found);
    }
    for (place, keys) in CONTRACT {
        for key in *keys {
            assert!(found.contains_key(&format!("{place}{key}")), "{place}{key} is missing");
        }
    }
    found.remove("");
    let lines = found.iter().map(|(place, kinds)| {
        let kinds: Vec<&str> = kinds.iter().copied().collect();
        format!("{place}: {}\n", kinds.join(" or "))
    });
    insta::assert_snapshot!("json_shape", lines.collect::<String>());
}

/// What no report may look like is refused: a field that is missing or of another kind, a word that is none of the list, a share that is none.
/// A field that the schema does not know is none of these: fields are added.
#[test]
fn the_schema_is_exact_and_open() {
    let report = json(&eventful());
    let mut newer = report.clone();
    newer["format_minor"] = 99.into();
    newer["cells"][0]["added"] = "later".into();
    assert_report(&newer);
    let wrong: [(&str, Value); 9] = [
        ("/format", 2.into()),
        ("/format_minor", 0.into()),
        ("/environment/host/cpus", 1.5.into()),
        ("/cells/0/status", "finished".into()),
        ("/cells/0/trials", (-1).into()),
        ("/cells/0/rates/EBADF/high", 1.5.into()),
        ("/controls/0/passed", "true".into()),
        ("/controls/0/errno", "9".into()),
        ("/comparisons/0/p_value", Value::Null),
    ];
    for (place, value) in wrong {
        let mut changed = report.clone();
        *changed.pointer_mut(place).expect(place) = value;
        assert!(refusal(&changed).contains(place), "{place}: {}", refusal(&changed));
    }
    for (place, key) in [
        ("", "format_minor"),
        ("/controls/0", "status"),
        ("/cells/0", "witness_rsts"),
        ("/cells/0/rates", "ENOENT"),
    ] {
        let mut changed = report.clone();
        let object = changed.pointer_mut(place).and_then(Value::as_object_mut).expect(place);
        assert!(object.remove(key).is_some());
        let said = refusal(&changed);
        assert!(said.contains(&format!("'{place}'")) && said.contains(key), "{place} without {key}: {said}");
    }
}

/// What is said of a report that is not what the schema says.
fn refusal(report: &Value) -> String {
    let refused = std::panic::catch_unwind(|| assert_report(report)).expect_err("it is refused");
    refused.downcast_ref::<String>().expect("a message").clone()
}

/// What `rig report --schema` prints is itself what JSON Schema allows.
#[test]
fn every_schema_is_one() {
    let meta = serde_json::json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" });
    for schema in FileSchema::ALL {
        let printed: Value = serde_json::from_str(&schema.text()).expect("JSON");
        assert_eq!(printed["$schema"], "https://json-schema.org/draft/2020-12/schema");
        Checker::new(&meta, schema.name).check(&printed, schema.name);
    }
}

fn part<'a>(json: &'a Value, list: &str, wanted: &[(&str, &str)]) -> &'a Value {
    let fits = |one: &&Value| wanted.iter().all(|(key, value)| one[*key] == **value);
    let mut found = json[list].as_array().expect("a list").iter().filter(fits);
    let one = found.next().expect("there");
    assert!(found.next().is_none(), "{list}: {wanted:?} is not one alone");
    one
}

#[test]
fn parts_of_the_json_are_whole() {
    let json = json(&sound());
    let cell = |scenario, configuration, kernel| {
        let wanted = [("scenario", scenario), ("configuration", configuration), ("kernel", kernel)];
        part(&json, "cells", &wanted).clone()
    };
    let parts = serde_json::json!({
        "run": json["run"],
        "environment": json["environment"],
        "complete": cell("reset-after-data", "bare-metal", "host"),
        "with errnos": cell("watcher-closes", "virtio-tap", "6.12"),
        "skipped": cell("reset-after-data", "virtio-vhost", "6.1"),
        "control": part(&json, "controls", &[("control", "injected-enoent"), ("kernel", "6.12")]),
        "comparison": part(
            &json,
            "comparisons",
            &[("scenario", "watcher-closes"), ("kernel", "6.12"), ("errno", "EBADF")],
        ),
        "not run": part(
            &json,
            "comparisons",
            &[("scenario", "watcher-closes"), ("configuration", "virtio-vhost"), ("errno", "EBADF")],
        ),
        "hypothesis": part(&json, "hypotheses", &[("id", "H59")]),
        "cautions": json["cautions"],
    });
    insta::assert_snapshot!("json_parts", serde_json::to_string_pretty(&parts).expect("plain data"));
    let controls = json["controls"].as_array().expect("a list");
    let passed = controls.iter().filter(|control| control["passed"] == true).count();
    assert_eq!(
        (passed, controls.len()),
        (9, 12),
        "three controls in each of three places; one place skipped"
    );
}

/// Every cell of the JSON stands in the table for spreadsheets with the same figures, and no other does.
#[test]
fn json_says_what_csv_says() {
    for bench in [sound(), eventful()] {
        let model = model(&bench);
        let json = json(&bench);
        let table = render(&model, "csv");
        let mut rows = csv::Reader::from_reader(table.as_bytes());
        let mut seen = BTreeSet::new();
        for row in rows.deserialize::<BTreeMap<String, String>>() {
            let row = row.expect("as many fields as columns");
            let cell = part(&json, "cells", &[("id", &row["cell"])]);
            let rate = &cell["rates"][&row["errno"]];
            let control =
                json["controls"].as_array().expect("a list").iter().find(|c| c["cell"] == cell["id"]);
            let said = |key: &str| control.map_or("", |control| control[key].as_str().expect("text"));
            assert_eq!(said("control"), row["control"]);
            assert_eq!(said("status").replace('_', " "), row["control_status"]);
            assert_eq!(said("reason"), row["control_reason"]);
            for column in
                ["scenario", "configuration", "kernel", "kernel_release", "path", "status", "reason"]
            {
                assert_eq!(cell[column], *row[column], "{column}");
            }
            let pairs = row["outcomes"].split(';').filter_map(|one| one.rsplit_once('='));
            let outcomes: serde_json::Map<String, Value> = pairs
                .map(|(outcome, n)| (outcome.to_owned(), n.parse::<u64>().expect("a count").into()))
                .collect();
            assert_eq!(cell["outcomes"], Value::Object(outcomes));
            let expectation = &cell["expectation"];
            assert_eq!(expectation["status"].as_str().expect("text").replace('_', " "), row["expectation"]);
            assert_eq!(expectation["unexpected"].to_string(), row["unexpected"]);
            for (key, column) in [
                ("share", "unexpected_share"),
                ("low", "unexpected_low"),
                ("high", "unexpected_high"),
                ("tolerance", "tolerance"),
            ] {
                assert_eq!(expectation[key].as_f64(), number(&row[column]), "{column}");
            }
            for column in ["trials", "trials_wanted", "void", "blocks", "unreturned"] {
                assert_eq!(cell[column].to_string(), row[column], "{column}");
            }
            let count = if cell["status"] == "skipped" { String::new() } else { rate["count"].to_string() };
            assert_eq!((count, rate["n"].to_string()), (row["count"].clone(), row["n"].clone()));
            for column in ["low", "high", "confidence"] {
                assert_eq!(rate[column].as_f64(), number(&row[column]), "{column}");
            }
            assert!(seen.insert((row["cell"].clone(), row["errno"].clone())), "a row for each");
        }
        assert_eq!(seen.len(), 3 * json["cells"].as_array().expect("a list").len());
    }
}

/// A field of a table, read as numbers of the report in JSON are: that reader may be off by the last digit.
fn number(field: &str) -> Option<f64> {
    serde_json::from_str(field).ok()
}

/// Fails where a report in JSON is not what `rig report --schema` says.
pub(crate) fn assert_report(json: &Value) {
    Checker::new(&FileSchema::REPORT.schema(), "the report").check(json, "the report");
}

/// So that what [`assert_run`] says of every run that tests write can be believed.
#[test]
fn a_file_of_a_run_that_is_not_as_its_schema_says_is_named() {
    let results = tempfile::tempdir().expect("a folder");
    let dir = sound().write(results.path());
    let breaks = [
        ("run.json", "\"seed\":", "\"seed\": \"seven\", \"was\":"),
        ("journal.jsonl", "\"attempt\":1", "\"attempt\":\"once\""),
        ("blocks", "\"returns\": [", "\"returns\": [ 7,"),
        ("anomalies", "\"trial\":0", "\"trial\":-1"),
    ];
    for (name, right, wrong) in breaks {
        let mut path = dir.join(name);
        if path.is_dir() {
            path = fs::read_dir(&path).expect("there").next().expect("a file").expect("readable").path();
        }
        let whole = fs::read_to_string(&path).expect("text");
        assert!(whole.contains(right), "{name}");
        fs::write(&path, whole.replacen(right, wrong, 1)).expect("changed");
        let refused = std::panic::catch_unwind(|| assert_run(&dir)).expect_err("it is refused");
        let words = refused.downcast_ref::<String>().expect("words");
        assert!(words.contains(path.file_name().expect("a name").to_str().expect("text")), "{words}");
        fs::write(&path, whole).expect("restored");
    }
    assert_run(&dir);
}
