//! Expected outcomes against what the steps can produce: a misspelt label would make every trial an anomaly.

use std::collections::BTreeMap;

use rig_protocol::{Errno, Op, Script};

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
        | Op::Cork { .. }
        | Op::Nodelay { .. }
        | Op::ReceiveTimeout { .. }
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

/// Why an expected outcome can never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impossible {
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: String,
}

/// Every pattern is well formed and can match.
pub(super) fn check_expectations(
    scenario: &Scenario,
    values: &BTreeMap<String, String>,
    places: &[(Input, Span)],
    findings: &mut Findings,
) {
    let script = scenario.fill(values).script;
    for (pattern, (_, span)) in script.expect.iter().zip(places) {
        if let Some(Impossible { message, label, help }) = impossible(pattern, &script) {
            findings.report(span.clone(), message, label).help(help);
        }
    }
}

/// The steps whose labels make up the outcome.
fn outcome_steps(script: &Script) -> Vec<&Op> {
    script
        .lanes
        .iter()
        .filter(|lane| lane.steps.iter().any(|step| step.verdict))
        .flat_map(|lane| lane.steps.iter().filter(|step| step.outcome).map(|step| &step.op))
        .collect()
}

/// Why no trial of the script can end as the pattern says, if none can.
pub(super) fn impossible(pattern: &str, script: &Script) -> Option<Impossible> {
    let steps = outcome_steps(script);
    let labels: Vec<&str> = pattern.split(',').collect();
    let names = || steps.iter().map(|op| op.name()).collect::<Vec<_>>().join(", ");
    if let Some(at) = labels.iter().position(|label| label.is_empty() || label.trim() != *label) {
        return Some(Impossible {
            message: format!("label {} of this outcome is not a word", at + 1),
            label: "empty, or with spaces",
            help: "labels are joined by commas without spaces: \"readable,data,ECONNRESET\"".to_owned(),
        });
    }
    let open = labels.last() == Some(&"**");
    let fixed = labels.len() - usize::from(open);
    if fixed > steps.len() || (!open && fixed < steps.len()) {
        return Some(Impossible {
            message: format!(
                "this outcome has {fixed} label{}, but the script produces {}",
                if fixed == 1 { "" } else { "s" },
                steps.len()
            ),
            label: "can never match",
            help: format!("the verdict and outcome steps are: {}; a last `**` stands for any rest", names()),
        });
    }
    labels.iter().take(fixed).zip(steps).find_map(|(label, op)| strange(label, op))
}

/// A label that the operation never gives.
fn strange(label: &str, op: &Op) -> Option<Impossible> {
    let known = labels_of(op);
    if label == "*" || label.parse::<Errno>().is_ok() || label.split('+').all(|part| known.contains(&part)) {
        return None;
    }
    let candidates: Vec<&str> = known.iter().copied().chain(Errno::names()).collect();
    let help = if label.starts_with('E') {
        hint(label, candidates.iter().copied(), "the labels")
    } else {
        hint(label, known.iter().copied(), "its labels besides the names of errnos")
    };
    Some(Impossible {
        message: format!("`{}` never gives the label `{label}`", op.name()),
        label: "can never match",
        help,
    })
}
