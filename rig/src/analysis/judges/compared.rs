//! Claims that the place decides: judged by the comparisons with bare metal.
//!
//! Holds what the verdicts of a claim's comparisons say together. Must not compare for itself, nor know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use std::collections::BTreeSet;

use rig_stats::Judgement;

use crate::configuration::{NicBackend, TargetSpec};
use crate::matrix::glob_matches;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::{Comparison, ComparisonVerdict, Ground, HypothesisVerdict, Missing, Question};
use super::super::pooled;
use super::super::words::{Rounding, list, percent, several};

/// "More often in KVM than on bare metal": only KVM guests against a physical host can say.
pub(in crate::analysis) fn more_often_in_kvm(evidence: &Evidence<'_>) -> Finding {
    let of_one_errno = |c: &&Comparison| match c.errno {
        Question::Ebadf | Question::Enoent => c.verdict != ComparisonVerdict::NotRun,
        Question::AnyError => false,
    };
    let tested: Vec<&Comparison> = evidence.comparisons.iter().copied().filter(of_one_errno).collect();
    if tested.is_empty() {
        return Missing::Guests.into();
    }
    let same = tested.iter().filter(|c| c.verdict == ComparisonVerdict::SameWithinTheMargin).count();
    let tests = several(tested.len(), "comparison");
    let summary = format!("{same} of {tests} on EBADF and ENOENT are the same within the margin");
    let (verdict, said) = in_kvm(evidence, &tested);
    match verdict {
        Supported => Finding::measured(verdict, said),
        Refuted | Undecided => Finding::measured(verdict, format!("{said}; {summary}")),
    }
}

fn in_kvm(evidence: &Evidence<'_>, tested: &[&Comparison]) -> (HypothesisVerdict, String) {
    let kvm: Vec<&str> = evidence.on_kvm().iter().map(|cell| cell.cell().id.0.as_str()).collect();
    if kvm.is_empty() {
        return (Undecided, "no KVM guest was compared (emulated guests do not count as KVM guests)".into());
    }
    if let Some(host) = match Ground::of(&evidence.run.record.environment.host) {
        Ground::Metal => None,
        Ground::NotKnown => Some(""),
        Ground::Virtual(hypervisor) => Some(hypervisor),
    } {
        let said = format!("the host is itself a virtual machine ({host}), so nothing physical was measured");
        return (Undecided, said);
    }
    let of_kvm = || tested.iter().filter(|c| kvm.contains(&c.cell.as_str()));
    let more = |c: &&&Comparison| c.verdict.is_difference() && c.low > 0.0;
    if let Some(more) = of_kvm().find(more) {
        return (Supported, difference(more));
    }
    // What is shown in a guest that is none of KVM's does not support the claim, and nobody should read that it is refuted.
    if let Some(more) = tested.iter().find(more) {
        return (Undecided, format!("{}, which is not a KVM guest", difference(more)));
    }
    // A rate that is lower in the guest refutes "more often" as well as an equal one does.
    let seeing = of_kvm().all(|c| c.verdict != ComparisonVerdict::Blind);
    if seeing && of_kvm().all(|c| c.high <= c.margin) {
        return (Refuted, "in KVM guests no rate is higher by more than the margin".into());
    }
    // Where no single cell has the trials, and none has a rate that is higher, all of them together may.
    let not_higher = |question| {
        let [host, guests] = host_and(evidence, |cell| kvm.contains(&cell.cell().id.0.as_str()));
        let sums = pooled::compare(&host, &guests, question, evidence.rules);
        sums.interval.high <= evidence.rules.margin_of(question)
    };
    let questions: BTreeSet<Question> = of_kvm().map(|c| c.errno).collect();
    if seeing && of_kvm().all(|c| c.difference <= 0.0) && questions.into_iter().all(not_higher) {
        return (Refuted, "in KVM guests, taken together, no rate is higher by more than the margin".into());
    }
    (Undecided, "not every comparison with a KVM guest is decided".into())
}

/// `ENOENT differs in virtio-tap 6.1, by less than the margin of 0.5 %`
fn difference(one: &Comparison) -> String {
    let less = match one.verdict {
        ComparisonVerdict::DiffersWithinTheMargin => {
            format!(", by less than the margin of {}", percent(one.margin, Rounding::Nearest))
        }
        ComparisonVerdict::Differs
        | ComparisonVerdict::SameWithinTheMargin
        | ComparisonVerdict::NotEnoughTrials
        | ComparisonVerdict::Blind
        | ComparisonVerdict::NotRun => String::new(),
    };
    format!("{} differs in {} {}{less}", one.errno, one.configuration, one.kernel)
}

/// The claim's cells on the host, and those of its guests that are chosen.
fn host_and<'a>(
    evidence: &Evidence<'a>,
    chosen: impl Fn(&Measured<'_>) -> bool,
) -> [Vec<&'a Measured<'a>>; 2] {
    let (host, guests): (Vec<_>, Vec<_>) =
        evidence.cells.iter().copied().partition(|cell| cell.cell().is_baseline());
    [host, guests.into_iter().filter(|cell| chosen(cell)).collect()]
}

/// "Where it runs decides the errno": by the comparisons of the cells that vary it.
pub(in crate::analysis) fn place_decides(evidence: &Evidence<'_>) -> Finding {
    let tested: Vec<&Comparison> =
        evidence.comparisons.iter().copied().filter(|c| c.verdict != ComparisonVerdict::NotRun).collect();
    if tested.is_empty() {
        return Missing::Compared.into();
    }
    let same = tested.iter().filter(|c| c.verdict == ComparisonVerdict::SameWithinTheMargin).count();
    let mut places: Vec<String> =
        tested.iter().map(|c| format!("{} over {}", c.configuration, c.path)).collect();
    places.sort_unstable();
    places.dedup();
    let said = format!(
        "{same} of {} with bare metal are the same within the margin ({})",
        several(tested.len(), "comparison"),
        list(&places)
    );
    let shown = |verdict| tested.iter().find(|c| c.verdict == verdict);
    if let Some(one) = shown(ComparisonVerdict::Differs) {
        return Finding::measured(Supported, format!("{} over {}; {said}", difference(one), one.path));
    }
    // It is there, and it was declared too small to decide anything.
    if let Some(one) = shown(ComparisonVerdict::DiffersWithinTheMargin) {
        return Finding::measured(Undecided, format!("{}; {said}", difference(one)));
    }
    if same == tested.len() {
        return Finding::measured(Refuted, said);
    }
    if same_together(evidence, &tested) {
        return Finding::measured(
            Refuted,
            format!("taken together the rates are the same within the margin; {said}"),
        );
    }
    Finding::measured(Undecided, said)
}

/// Whether cells of which no single one has the trials, and none shows another rate than the host, are the same taken together.
fn same_together(evidence: &Evidence<'_>, tested: &[&Comparison]) -> bool {
    let open = |c: &&Comparison| match c.verdict {
        ComparisonVerdict::SameWithinTheMargin => true,
        ComparisonVerdict::NotEnoughTrials => c.difference == 0.0,
        ComparisonVerdict::Differs
        | ComparisonVerdict::DiffersWithinTheMargin
        | ComparisonVerdict::Blind
        | ComparisonVerdict::NotRun => false,
    };
    let [host, guests] = host_and(evidence, |cell| tested.iter().any(|c| c.cell == cell.cell().id.0));
    tested.iter().all(open)
        && Question::ALL.into_iter().all(|question| {
            pooled::compare(&host, &guests, question, evidence.rules).judgement == Judgement::Same
        })
}

/// "vhost and contention decide it": as [`place_decides`], where one of the two was compared; contention is on paths of these names.
pub(in crate::analysis) fn bottleneck_decides(evidence: &Evidence<'_>, paths: &[&str]) -> Finding {
    let varies = |cell: &Measured<'_>| {
        let subject = &cell.cell().subject;
        let vhost = match &subject.configuration.target {
            TargetSpec::Qemu(spec) => spec.nic.backend == NicBackend::TapVhost,
            TargetSpec::Host(_) => false,
        };
        vhost || paths.iter().any(|name| glob_matches(name, &subject.path.name))
    };
    // The host's are what they are compared with.
    let compared = |cell: &&Measured<'_>| cell.cell().is_baseline() || varies(cell);
    let cells: Vec<_> = evidence.cells.iter().copied().filter(compared).collect();
    let of_those = |c: &&Comparison| cells.iter().any(|cell| cell.cell().id.0 == c.cell);
    let comparisons = evidence.comparisons.iter().copied().filter(of_those).collect();
    place_decides(&Evidence { comparisons, ..evidence.with(cells.clone()) })
}
