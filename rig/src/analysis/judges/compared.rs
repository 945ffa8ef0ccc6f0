//! Claims that the place decides: judged by the comparisons with bare metal.
//!
//! Holds what the verdicts of a claim's comparisons say together. Must not compare for itself, nor know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use crate::configuration::{NicBackend, TargetSpec};
use crate::matrix::glob_matches;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::{Comparison, ComparisonVerdict, Ground, HypothesisVerdict, Missing, Question};
use super::super::words::{list, several};

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
        return (Undecided, "no KVM guest was compared (emulated guests do not stand for one)".into());
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
    if let Some(more) = of_kvm().find(|c| c.verdict == ComparisonVerdict::Differs && c.low > 0.0) {
        return (Supported, format!("{} differs in {} {}", more.errno, more.configuration, more.kernel));
    }
    // A rate that is lower in the guest refutes "more often" as well as an equal one does.
    if of_kvm().all(|c| c.verdict != ComparisonVerdict::Blind && c.high <= evidence.rules.margin) {
        return (Refuted, "in KVM guests no rate is higher by more than the margin".into());
    }
    (Undecided, "not every comparison with a KVM guest is decided".into())
}

/// "Where it runs decides the errno": by the comparisons of the cells that vary it.
pub(in crate::analysis) fn place_decides(evidence: &Evidence<'_>) -> Finding {
    let tested: Vec<&Comparison> =
        evidence.comparisons.iter().copied().filter(|c| c.verdict != ComparisonVerdict::NotRun).collect();
    if tested.is_empty() {
        return Missing::Compared.into();
    }
    let of = |verdict| tested.iter().filter(|c| c.verdict == verdict).count();
    let mut places: Vec<String> =
        tested.iter().map(|c| format!("{} over {}", c.configuration, c.path)).collect();
    places.sort_unstable();
    places.dedup();
    let said = format!(
        "{} of {} with bare metal are the same within the margin ({})",
        of(ComparisonVerdict::SameWithinTheMargin),
        several(tested.len(), "comparison"),
        list(&places)
    );
    if let Some(one) = tested.iter().find(|c| c.verdict == ComparisonVerdict::Differs) {
        let said = format!("{} differs in {} over {}; {said}", one.errno, one.configuration, one.path);
        return Finding::measured(Supported, said);
    }
    let all_same = of(ComparisonVerdict::SameWithinTheMargin) == tested.len();
    Finding::measured(if all_same { Refuted } else { Undecided }, said)
}

/// "vhost and contention decide it": as [`place_decides`], where one of the two was compared; contention is on paths of these names.
pub(in crate::analysis) fn bottleneck_decides(evidence: &Evidence<'_>, paths: &[&str]) -> Finding {
    let varies = |cell: &Measured<'_>| {
        let subject = &cell.cell().subject;
        let vhost = match &subject.configuration.target {
            TargetSpec::Qemu(spec) => spec.nic.backend == NicBackend::TapVhost,
            TargetSpec::Host => false,
        };
        vhost || paths.iter().any(|name| glob_matches(name, &subject.path.name))
    };
    let cells: Vec<_> = evidence.cells.iter().copied().filter(|cell| varies(cell)).collect();
    let of_those = |c: &&Comparison| cells.iter().any(|cell| cell.cell().id.0 == c.cell);
    let comparisons = evidence.comparisons.iter().copied().filter(of_those).collect();
    place_decides(&Evidence { comparisons, ..evidence.with(cells.clone()) })
}
