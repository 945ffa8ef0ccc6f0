//! JUnit XML, for CI: every case with what came of it, its time, and by what it was made.
//!
//! Must not judge (`cases.rs`, `standing.rs`), nor compute a number. The time of a cell is that of its blocks together.
//! Units: seconds. Errors: none.
//! Well-formed whatever a guest or a file says: every text passes `xml`. Tests: golden reports; `tests/golden/foreign.rs`, `tests/golden/formats.rs`.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use rig_protocol::plain_lines;

use super::cases::{Case, Suite, cases};
use super::standing::Standing;
use crate::analysis::model::ReportModel;

pub(super) fn render(model: &ReportModel) -> String {
    let mut report = Report::new(xml(&format!("rig {}", model.run.id)));
    report.timestamp = model.run.started.parse().ok();
    report.set_time(time_of(model.cells.iter().map(|cell| cell.elapsed_ns)));
    let cases = cases(model);
    for suite in Suite::ALL {
        let of: Vec<&Case<'_>> = cases.iter().filter(|case| case.suite == suite).collect();
        let mut tests = TestSuite::new(suite.name());
        tests.timestamp = model.run.started.parse().ok();
        if suite == Suite::Cells {
            tests.set_time(time_of(of.iter().filter_map(|case| case.cell).map(|cell| cell.elapsed_ns)));
            tests.add_properties(of_run(model));
        }
        tests.add_test_cases(of.into_iter().map(test_case));
        report.add_test_suite(tests);
    }
    let mut text = report.to_string().expect("a string takes all");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Which run it was, and on what.
fn of_run(model: &ReportModel) -> Vec<Property> {
    let (run, host) = (&model.run, &model.environment.host);
    let mut all = vec![
        property("run", &run.id),
        property("rig_version", &run.rig_version),
        property("seed", &run.seed.to_string()),
        property("complete", &run.complete.to_string()),
        property("host_kernel", &host.kernel),
        property("virtualized", &host.virtualized),
        property("accelerator", &model.environment.accelerator),
        property("qemu", &model.environment.qemu),
    ];
    all.extend((!run.profile.is_empty()).then(|| property("profile", &run.profile)));
    all.extend(run.shard.map(|shard| property("shard", &shard.to_string())));
    all
}

fn test_case(case: &Case<'_>) -> TestCase {
    let mut test = TestCase::new(xml(&case.name), status(case));
    test.set_classname(xml(&case.place));
    test.add_property(property("standing", case.standing.words().word));
    if let Some(cell) = case.cell {
        test.timestamp = cell.started.as_ref().and_then(|started| started.parse().ok());
        test.set_time(Duration::from_nanos(cell.elapsed_ns));
        test.add_properties([
            property("cell", &cell.id),
            property("trials", &cell.trials.to_string()),
            property("void", &cell.void.to_string()),
            property("kernel_release", &cell.kernel_release),
        ]);
    }
    if !case.lines.is_empty() {
        test.set_system_out(xml(&case.lines.join("\n")));
    }
    test
}

fn status(case: &Case<'_>) -> TestCaseStatus {
    let mut status = match case.standing {
        Standing::Same => return TestCaseStatus::success(),
        Standing::Differs => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Standing::Blind | Standing::Void => TestCaseStatus::non_success(NonSuccessKind::Error),
        Standing::Measured | Standing::Skipped => TestCaseStatus::skipped(),
    };
    status.set_message(xml(&case.reason));
    if case.standing < Standing::Same {
        status.set_type(case.kind);
    }
    status
}

fn time_of(all: impl Iterator<Item = u64>) -> Duration {
    Duration::from_nanos(all.fold(0, u64::saturating_add))
}

fn property(name: &str, value: &str) -> Property {
    Property::new(xml(name), xml(value))
}

/// XML 1.0 has no character for most controls, nor for U+FFFE and U+FFFF, not even an escaped one: whatever cannot be shown is U+FFFD.
fn xml(text: &str) -> String {
    plain_lines(text)
}
