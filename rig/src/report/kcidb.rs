//! KCIDB, schema 5.3: each kernel as a checkout and a build, each case of one kernel as a test.
//!
//! Must not judge, nor compute a number. What is over several kernels (`headlines`) is no test of one, and is left out.
//! Source: kcidb-io, `kcidb_io/schema/v05_03.py`. Units: seconds; shares of 1. Errors: none.
//! Tests: `tests/golden/formats.rs`, and kcidb-io itself in `tests/oracles`.

use std::collections::BTreeSet;

use rig_protocol::plain;
use serde_json::{Map, Value, json};

use super::cases::{Case, cases};
use super::json::pretty;
use super::moment::rfc3339;
use crate::analysis::ending;
use crate::analysis::model::{CellSummary, ReportModel};

/// The name of the system that submits, before every id.
const ORIGIN: &str = "rig";
/// So long is a text of the schema at most (`log_excerpt`), in characters.
const MOST_LOG: usize = 16_384;

pub(super) fn render(model: &ReportModel) -> String {
    let cases = cases(model);
    let of_one: Vec<(&Case<'_>, &str)> = cases.iter().filter_map(|case| Some((case, case.kernel?))).collect();
    let kernels: BTreeSet<&str> = of_one.iter().map(|(_, kernel)| *kernel).collect();
    let tests: Vec<Value> =
        of_one.iter().enumerate().map(|(index, (case, kernel))| test(model, index, case, kernel)).collect();
    let root = json!({
        "version": { "major": 5, "minor": 3 },
        "checkouts": kernels.iter().map(|kernel| checkout(model, kernel)).collect::<Vec<_>>(),
        "builds": kernels.iter().map(|kernel| build(model, kernel)).collect::<Vec<_>>(),
        "tests": tests,
    });
    pretty(&root)
}

/// `rig:20261121-201950-1f3a.6.1`
fn id(model: &ReportModel, of: &str) -> String {
    format!("{ORIGIN}:{}.{}", plain(&model.run.id), plain(of))
}

/// The package of a kernel that has an image; of another what its agents said, or else its name.
fn package<'a>(model: &'a ReportModel, kernel: &'a str) -> &'a str {
    let released = |cell: &&CellSummary| cell.kernel == kernel && !cell.kernel_release.is_empty();
    match (model.run.kernel_packages.get(kernel), model.cells.iter().find(released)) {
        (Some(package), _) => package,
        (None, Some(cell)) => &cell.kernel_release,
        (None, None) => kernel,
    }
}

fn checkout(model: &ReportModel, kernel: &str) -> Value {
    let mut object = Map::new();
    object.insert("id".into(), id(model, kernel).into());
    object.insert("origin".into(), ORIGIN.into());
    object.insert("comment".into(), format!("kernel {}", plain(package(model, kernel))).into());
    object.insert("valid".into(), true.into());
    if let Some(started) = rfc3339(&model.run.started) {
        object.insert("start_time".into(), started.into());
    }
    if let Some(ended) = model.run.ended.as_deref().and_then(rfc3339) {
        object.insert("origin_tests_finish_time".into(), ended.into());
    }
    let misc = json!({
        "run": model.run.id,
        "rig_version": model.run.rig_version,
        "complete": model.run.complete,
        "exit_code": ending(model).code(),
    });
    object.insert("misc".into(), misc);
    Value::Object(object)
}

/// It was built elsewhere: what is known is that it can be booted.
fn build(model: &ReportModel, kernel: &str) -> Value {
    json!({
        "id": id(model, kernel),
        "origin": ORIGIN,
        "checkout_id": id(model, kernel),
        "architecture": "x86_64",
        "comment": format!("package {}", plain(package(model, kernel))),
        "misc": { "kernel": kernel, "package": package(model, kernel) },
    })
}

fn test(model: &ReportModel, index: usize, case: &Case<'_>, kernel: &str) -> Value {
    let words = case.standing.words();
    let mut object = Map::new();
    let mut say = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    let parts = [ORIGIN, case.suite.name(), &case.scenario, &case.place].map(node);
    say("id", id(model, &format!("{}.{}", case.suite.name(), index + 1)).into());
    say("origin", ORIGIN.into());
    say("build_id", id(model, kernel).into());
    say("path", parts.join(".").into());
    say("comment", plain(&case.title()).into());
    say("status", words.kcidb.into());
    let log = std::iter::once(&case.reason).chain(&case.lines).filter(|line| !line.is_empty());
    let log = log.map(String::as_str).collect::<Vec<_>>().join("\n");
    let log: String = log.chars().filter(|c| *c != '\0').take(MOST_LOG).collect();
    if !log.trim().is_empty() {
        say("log_excerpt", log.into());
    }
    if let Some(difference) = case.difference.filter(|difference| difference.is_finite()) {
        say("number", json!({ "value": difference, "unit": "share of trials" }));
    }
    let mut misc = json!({ "standing": words.word, "reason": case.reason });
    if let Some(cell) = case.cell {
        if let Some(started) = cell.started.as_deref().and_then(rfc3339) {
            say("start_time", started.into());
        }
        say("duration", (cell.elapsed_ns as f64 / 1e9).into());
        misc = json!({
            "standing": words.word,
            "reason": case.reason,
            "cell": cell.id,
            "path": cell.path,
            "parameters": cell.parameters,
            "trials": cell.trials,
            "void": cell.void,
            "returns": cell.returns,
        });
    }
    let release = case.cell.map_or("", |cell| cell.kernel_release.as_str());
    let accelerators = case.cell.map(|cell| cell.accelerators.as_slice()).unwrap_or_default();
    say(
        "environment",
        json!({
            "comment": plain(&case.place),
            "misc": {
                "configuration": case.place,
                "kernel_release": release,
                "accelerators": accelerators,
                "host_virtualized": model.environment.host.virtualized,
            },
        }),
    );
    say("misc", misc);
    Value::Object(object)
}

/// A node of a path: letters, digits, `_` and `-`, and at least one.
fn node(text: &str) -> String {
    let node: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if node.is_empty() { "_".to_owned() } else { node }
}
