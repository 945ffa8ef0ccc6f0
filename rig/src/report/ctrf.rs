//! CTRF, the Common Test Report Format: every case as a test, for what gathers reports of many tools.
//!
//! Must not judge, nor compute a number of the run. Source: the specification and schema of ctrf.io, 0.0.0. Units: milliseconds.
//! Errors: none. Tests: `tests/golden/formats.rs`.

use serde_json::{Map, Value, json};

use super::cases::{Case, cases};
use super::json::pretty;
use super::moment::{rfc3339, unix_ms};
use crate::analysis::ending;
use crate::analysis::model::ReportModel;

/// The version of the specification.
const SPECIFICATION: &str = "0.0.0";

pub(super) fn render(model: &ReportModel) -> String {
    let cases = cases(model);
    let (run, host) = (&model.run, &model.environment.host);
    let start = unix_ms(&run.started).unwrap_or(0);
    let stop = run.ended.as_deref().and_then(unix_ms).map_or(start, |stop| stop.max(start));
    let mut root = json!({
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "generatedBy": "rig",
        "results": {
            "tool": { "name": "rig", "version": run.rig_version },
            "summary": summary(&cases, start, stop),
            "tests": cases.iter().map(test).collect::<Vec<_>>(),
            "environment": {
                "reportName": run.id,
                "osPlatform": "linux",
                "osRelease": host.kernel,
                "extra": {
                    "virtualized": host.virtualized,
                    "accelerator": model.environment.accelerator,
                    "qemu": model.environment.qemu,
                    "profile": run.profile,
                    "shard": run.shard.map(|shard| shard.to_string()),
                },
            },
        },
        "extra": { "runId": run.id, "complete": run.complete, "exitCode": ending(model).code() },
    });
    if let (Some(root), Some(started)) = (root.as_object_mut(), rfc3339(&run.started)) {
        let written = run.ended.as_deref().and_then(rfc3339).unwrap_or(started);
        root.insert("timestamp".into(), written.into());
    }
    pretty(&root)
}

fn summary(cases: &[Case<'_>], start: i64, stop: i64) -> Value {
    let of = |status: &str| cases.iter().filter(|case| case.standing.words().ctrf == status).count();
    json!({
        "tests": cases.len(),
        "passed": of("passed"),
        "failed": of("failed"),
        "pending": of("pending"),
        "skipped": of("skipped"),
        "other": of("other"),
        "flaky": 0,
        "start": start,
        "stop": stop,
    })
}

fn test(case: &Case<'_>) -> Value {
    let words = case.standing.words();
    let mut test = Map::new();
    let mut say = |key: &str, value: Value| {
        test.insert(key.to_owned(), value);
    };
    say("name", case.title().into());
    say("status", words.ctrf.into());
    say("rawStatus", words.word.into());
    say("duration", case.cell.map_or(0, |cell| cell.elapsed_ns / 1_000_000).into());
    say("suite", json!([case.suite.name(), case.scenario]));
    if !case.reason.is_empty() {
        say("message", case.reason.as_str().into());
    }
    if !case.lines.is_empty() {
        say("stdout", json!(case.lines));
    }
    if let Some(cell) = case.cell {
        if let Some(start) = cell.started.as_deref().and_then(unix_ms) {
            say("start", start.into());
        }
        say("parameters", json!(cell.parameters));
        say(
            "extra",
            json!({ "cell": cell.id, "trials": cell.trials, "void": cell.void, "kernel": cell.kernel }),
        );
    }
    Value::Object(test)
}
