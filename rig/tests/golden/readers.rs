//! What other people's readers understand of the formats: junitparser, prometheus_client, kcidb-io (`tests/oracles/readers.py`); at night kunit_parser.py of the kernel.
//!
//! Must not know how a format is written. A reader that is not there skips its test.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rig::analysis::model::ReportModel;
use rig::report::Standing;
use serde_json::{Value, json};

use crate::foreign::named;
use crate::formats::mixed;
use crate::packages::needs_packages;
use crate::reports::{model, render};
use crate::scale::scale;

fn understood(python: &Path, model: &ReportModel) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/readers.py");
    let mut command = Command::new(python);
    command.arg("-I").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the interpreter of the environment starts");
    let texts =
        ["junit", "openmetrics", "kcidb"].map(|format| (format.to_owned(), render(model, format).into()));
    let asked = Value::Object(texts.into_iter().collect());
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(asked.to_string().as_bytes()).expect("it reads all before it answers");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn others_understand_a_mixed_run_as_it_was_meant() {
    let Some(oracles) = needs_packages() else { return };
    let model = model(&mixed());
    let said = understood(&oracles.python(), &model);
    let suites = said["junit"].as_array().expect("a list");
    let cells = suites.iter().find(|suite| suite["name"] == "cells").expect("a suite");
    assert_eq!(cells["timestamp"], "2026-11-21T20:19:50.000+00:00");
    assert_eq!(cells["properties"]["run"], model.run.id);
    let seconds = model.cells.iter().map(|cell| cell.elapsed_ns).sum::<u64>() as f64 / 1e9;
    assert!((cells["time"].as_f64().expect("a number") - seconds).abs() < 0.01, "{}", cells["time"]);
    for (cell, read) in model.cells.iter().zip(cells["results"].as_array().expect("a list")) {
        assert_eq!(read["place"], cell.configuration);
        assert_eq!(read["properties"]["cell"], cell.id);
        assert_eq!(read["time"], cell.elapsed_ns as f64 / 1e9);
    }
    // An element for each standing, as the table says.
    for case in suites.iter().flat_map(|suite| suite["results"].as_array().expect("a list")) {
        let word = case["properties"]["standing"].as_str().expect("a word");
        let standing = Standing::ALL.into_iter().find(|one| one.words().word == word).expect("one of them");
        let expected = match standing.words().junit {
            "passed" => json!([]),
            element => json!([element]),
        };
        assert_eq!(case["results"], expected, "{case}");
    }
    let metrics = &said["openmetrics"];
    assert_eq!(metrics["types"]["rig_trials"], "counter");
    assert_eq!(metrics["units"]["rig_block_seconds"], "seconds");
    assert_eq!(metrics["samples"], metrics["collected"], "the collector sees the same samples");
    let trials = metrics["samples"].as_array().expect("a list").iter();
    let trials = trials.filter(|one| one[0] == "rig_trials_total").filter_map(|one| one[2].as_f64());
    assert_eq!(trials.sum::<f64>(), model.cells.iter().map(|cell| cell.trials).sum::<u64>() as f64);
    assert_eq!(said["kcidb"]["compatible"], true);
    let statuses = said["kcidb"]["tests"].as_array().expect("a list");
    for standing in Standing::ALL {
        assert!(statuses.iter().any(|status| status == standing.words().kcidb), "{standing:?}");
    }
}

#[test]
fn others_read_a_run_with_hostile_names() {
    let Some(oracles) = needs_packages() else { return };
    for text in ["a\"b\\c\nd # e, f: g%0A \u{202e}\u{0}\u{1f600}", "", "# EOF\n", "]]>"] {
        let said = understood(&oracles.python(), &named(text));
        assert_eq!(said["openmetrics"]["samples"], said["openmetrics"]["collected"]);
    }
}

/// What the kernel's own reader of KTAP counts, beside what the report says.
#[test]
fn the_kernels_parser_counts_the_same_results() {
    // The sources of a kernel are large: `.ci/nightly` installs them.
    if !scale(false, true) {
        return;
    }
    let found = std::fs::read_dir("/usr/src").into_iter().flatten().flatten().map(|entry| entry.path());
    let sources = found.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("linux-source-") && name.ends_with(".tar.xz")
    });
    let Some(sources) = sources.max() else {
        let _ = writeln!(std::io::stderr().lock(), "\nskipped: kunit_parser.py: no package linux-source");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let unpacked = Command::new("tar")
        .args(["--extract", "--xz", "--strip-components=1", "--wildcards", "--file"])
        .arg(&sources)
        .arg("--directory")
        .arg(folder.path())
        .arg("*/tools/testing/kunit/*")
        .status()
        .expect("tar starts");
    assert!(unpacked.success(), "{}", sources.display());
    let model = model(&mixed());
    let counts = counted(&folder.path().join("tools/testing/kunit"), &render(&model, "ktap"));
    let ctrf: Value = serde_json::from_str(&render(&model, "ctrf")).expect("JSON");
    let tests = ctrf["results"]["tests"].as_array().expect("a list");
    let of = |result: &str| {
        let words = |test: &&Value| {
            let standing = Standing::ALL.into_iter().find(|one| one.words().word == test["rawStatus"]);
            standing.expect("one of them").words().ktap
        };
        tests
            .iter()
            .filter(|test| words(test).starts_with(result) && (words(test) == "ok") == (result == "ok"))
            .count()
    };
    // A directive that it does not know leaves `not ok`, as the specification says.
    assert_eq!(
        counts,
        json!({ "passed": of("ok"), "failed": of("not ok"), "skipped": of("ok # SKIP"), "errors": 0 })
    );
}

fn counted(parser: &Path, ktap: &str) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/kunit.py");
    let mut command = Command::new("python3");
    command
        .arg("-I")
        .arg(script)
        .arg(parser)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 starts");
    child.stdin.take().expect("it was asked for").write_all(ktap.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
