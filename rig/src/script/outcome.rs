//! Expected outcomes against what the steps can produce: a misspelt label would make every trial an anomaly.

use std::collections::BTreeMap;

use rig_protocol::{Errno, Op};

use super::{Input, Scenario};
use crate::document::{Findings, Span, hint};

/// The labels of a success of each operation, as the agent writes them; a failure is labelled with its errno, and several
/// kinds of readiness are joined by `+`.
fn labels_of(op: &Op) -> &'static [&'static str] {
    match op {
        Op::Select { .. } => &["readable", "writable", "exceptional", "timeout", "none"],
        Op::Read { .. } => &["data", "eof"],
        Op::Connect { .. }
        | Op::Accept { .. }
        | Op::Close { .. }
        | Op::Shutdown { .. }
        | Op::Linger { .. }
        | Op::SoError { .. }
        | Op::TcpState { .. }
        | Op::Write { .. }
        | Op::Pending { .. }
        | Op::FdCheck { .. }
        | Op::Sleep { .. }
        | Op::Localtime {}
        | Op::Mark { .. }
        | Op::Await { .. }
        | Op::Inject { .. } => &["ok"],
    }
}

/// Every pattern is well formed and can match.
pub(super) fn check_expectations(
    scenario: &Scenario,
    values: &BTreeMap<String, String>,
    places: &[(Input, Span)],
    findings: &mut Findings,
) {
    let script = scenario.fill(values).script;
    let steps: Vec<&Op> = script
        .lanes
        .iter()
        .filter(|lane| lane.steps.iter().any(|step| step.verdict))
        .flat_map(|lane| lane.steps.iter().filter(|step| step.outcome).map(|step| &step.op))
        .collect();
    for (pattern, (_, span)) in script.expect.iter().zip(places) {
        check_pattern(pattern, &steps, span, findings);
    }
}

fn check_pattern(pattern: &str, steps: &[&Op], span: &Span, findings: &mut Findings) {
    let labels: Vec<&str> = pattern.split(',').collect();
    let names = || steps.iter().map(|op| op.name()).collect::<Vec<_>>().join(", ");
    if let Some(at) = labels.iter().position(|label| label.is_empty() || label.trim() != *label) {
        findings
            .report(
                span.clone(),
                format!("label {} of this outcome is not a word", at + 1),
                "empty, or with spaces",
            )
            .help("labels are joined by commas without spaces: \"readable,data,ECONNRESET\"");
        return;
    }
    let open = labels.last() == Some(&"**");
    let fixed = labels.len() - usize::from(open);
    if fixed > steps.len() || (!open && fixed < steps.len()) {
        findings
            .report(
                span.clone(),
                format!(
                    "this outcome has {fixed} label{}, but the script produces {}",
                    if fixed == 1 { "" } else { "s" },
                    steps.len()
                ),
                "can never match",
            )
            .help(format!("the verdict and outcome steps are: {}; a last `**` stands for any rest", names()));
        return;
    }
    for (label, op) in labels.iter().take(fixed).zip(steps) {
        let known = labels_of(op);
        if *label == "*"
            || label.parse::<Errno>().is_ok()
            || label.split('+').all(|part| known.contains(&part))
        {
            continue;
        }
        let candidates: Vec<&str> = known.iter().copied().chain(Errno::names()).collect();
        let help = if label.starts_with('E') {
            hint(label, candidates.iter().copied(), "the labels")
        } else {
            hint(label, known.iter().copied(), "its labels besides the names of errnos")
        };
        findings
            .report(
                span.clone(),
                format!("`{}` never gives the label `{label}`", op.name()),
                "can never match",
            )
            .help(help);
    }
}
