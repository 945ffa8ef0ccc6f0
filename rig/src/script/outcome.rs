//! Expected outcomes against what the steps can produce: a misspelt label would make every trial an anomaly.
//!
//! Holds the judgement of one pattern; must not know where it is written. The words come from each operation's row.
//! Units: labels. Errors: [`Impossible`], which blames whoever wrote the pattern.
//! Tests: `tests.rs`, `tests/diagnostics.rs`.

use rig_protocol::{Errno, Op, Script, Tally, schema_of};

use crate::document::hint;

/// Why an expected outcome can never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Impossible {
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: String,
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
    // What another step adds by its failure has no fixed place.
    let labels: Vec<&str> = labels.into_iter().filter(|label| !is_added(label)).collect();
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

/// Whether a label is that of a step besides the outcome's own, which failed or was cut: `connect:ECONNREFUSED`, `read:deadline`.
fn is_added(label: &str) -> bool {
    label.split_once(':').is_some_and(|(name, what)| {
        schema_of(name).is_some() && (what == Tally::DEADLINE || what.parse::<Errno>().is_ok())
    })
}

/// A label that the operation never gives.
fn strange(label: &str, op: &Op) -> Option<Impossible> {
    let known = op.schema().labels.words;
    if ["*", Tally::DEADLINE].contains(&label)
        || label.parse::<Errno>().is_ok()
        || label.split('+').all(|part| known.contains(&part))
    {
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
