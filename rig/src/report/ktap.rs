//! KTAP version 1: every case below its scenario or its suite, for what reads the results of kernel tests.
//!
//! Must not judge, nor compute a number. Source: Documentation/dev-tools/ktap.rst. Units: none. Errors: none.
//! No text of a file or a guest is a line or a directive of its own: `one_line`. Tests: `tests/golden/formats.rs`; the kernel's own kunit_parser.py at night.

use rig_protocol::plain;

use super::cases::{Case, Suite, cases};
use super::standing::Standing;
use crate::analysis::model::ReportModel;

const VERSION: &str = "KTAP version 1";

pub(super) fn render(model: &ReportModel) -> String {
    let cases = cases(model);
    let mut groups: Vec<(String, Vec<&Case<'_>>)> = Vec::new();
    for case in &cases {
        let name = group(case);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of)) => of.push(case),
            None => groups.push((name, vec![case])),
        }
    }
    let mut out = format!("{VERSION}\n1..{}\n", groups.len());
    out.push_str(&format!("# rig {}, run {}\n", one_line(&model.run.rig_version), one_line(&model.run.id)));
    for (index, (name, cases)) in groups.iter().enumerate() {
        out.push_str(&format!("  {VERSION}\n  1..{}\n", cases.len()));
        for (index, case) in cases.iter().enumerate() {
            for line in &case.lines {
                out.push_str(&format!("  # {}\n", one_line(line)));
            }
            let name = one_line(&case.title());
            out.push_str(&format!("  {}\n", result(case.standing, index, &name, &case.reason)));
        }
        // A group is as good as the worst of what it has; of what is not run, it says so.
        let worst = cases.iter().map(|case| case.standing).min().unwrap_or(Standing::Skipped);
        let reason = match worst {
            Standing::Same => "",
            _ => cases.iter().find(|case| case.standing == worst).map_or("", |case| case.reason.as_str()),
        };
        out.push_str(&format!("{}\n", result(worst, index, name, reason)));
    }
    out
}

/// Cells lie below their scenario; the rest below its suite.
fn group(case: &Case<'_>) -> String {
    match case.suite {
        Suite::Cells => one_line(&format!("scenario {}", case.scenario)),
        other => other.name().to_owned(),
    }
}

/// `not ok 3 name # ERROR reason`
fn result(standing: Standing, index: usize, name: &str, reason: &str) -> String {
    let (result, directive) = match standing.words().ktap.split_once(" # ") {
        Some((result, directive)) => (result, directive),
        None => (standing.words().ktap, ""),
    };
    let reason = one_line(reason);
    let why = [directive, reason.as_str()].into_iter().filter(|part| !part.is_empty());
    let why = why.collect::<Vec<_>>().join(" ");
    let why = if why.is_empty() { why } else { format!(" # {why}") };
    format!("{result} {} {name}{why}", index + 1)
}

/// On one line, without the sign before which a directive or diagnostic data begin.
fn one_line(text: &str) -> String {
    plain(text).replace('#', "_").split_whitespace().collect::<Vec<_>>().join(" ")
}
