//! What the run says about the claims that its cells test.
//!
//! Holds the judges, one per claim that the record of a run can decide. Must not know where a claim was printed.
//! Units: shares of 1. Errors: none; a claim without a judge is undecided, and says so.
//! Tests: `tests/golden/analysis.rs`.

use rig_protocol::TcpState;
use rig_stats::{Count, clopper_pearson};

use crate::record::Run;

use super::Rules;
use super::cells::{Measured, Question};
use super::claims;
use super::controls::Sight;
use super::model::{Comparison, ComparisonVerdict, Hypothesis, HypothesisVerdict};
use super::words::{Rounding, count, percent, several};

use HypothesisVerdict::{Refuted, Supported, Undecided};

/// Why a claim without a judge is undecided.
pub const NO_JUDGE: &str = "no judge for this claim in the cells of this run";

/// What a judge may look at.
struct Evidence<'a> {
    run: &'a Run,
    /// The plain cells of the claim that have trials. Proxied ones are left out: their guests never meet the peer's reset.
    cells: Vec<&'a Measured<'a>>,
    comparisons: Vec<&'a Comparison>,
    sight: &'a Sight,
    rules: Rules,
}

type Finding = (HypothesisVerdict, String);
type Judge = fn(&Evidence<'_>) -> Finding;

/// Which claims can be decided, and by whom. A claim that is not named here needs a look that no cell's counts give.
const JUDGES: &[(&str, Judge)] = &[
    ("H01", |evidence| never_returned(evidence, &[Question::Enoent])),
    ("H02", |evidence| never_returned(evidence, &[Question::Ebadf])),
    ("H03", more_often_in_kvm),
    ("H13", data_is_discarded),
    ("H16", order_decides),
    ("H28", data_is_discarded),
    ("H37", |evidence| never_returned(evidence, &[Question::Ebadf, Question::Enoent])),
    ("H39", |evidence| never_returned(evidence, &[Question::Ebadf])),
    ("H59", close_sends_a_reset),
];

/// Judges every claim that a cell of the plan names, in the order of their ids.
pub(super) fn judge(
    run: &Run,
    measured: &[Measured<'_>],
    sight: &Sight,
    comparisons: &[Comparison],
    rules: Rules,
) -> Vec<Hypothesis> {
    let mut ids: Vec<&str> =
        measured.iter().flat_map(|cell| &cell.cell().claims).map(String::as_str).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter()
        .map(|id| {
            let of_claim: Vec<&Measured<'_>> = measured.iter().filter(|cell| cell.claims(id)).collect();
            let (verdict, because) = match JUDGES.iter().find(|(judged, _)| *judged == id) {
                None => (Undecided, NO_JUDGE.to_owned()),
                Some((_, judge)) => {
                    let cells: Vec<_> = of_claim
                        .iter()
                        .copied()
                        .filter(|cell| cell.is_plain() && !cell.is_proxied() && cell.tally.trials > 0)
                        .collect();
                    let comparisons = comparisons
                        .iter()
                        .filter(|c| cells.iter().any(|cell| cell.cell().id.0 == c.cell))
                        .collect();
                    if cells.is_empty() {
                        (Undecided, "no cell of it has trials (proxied ones do not count)".to_owned())
                    } else {
                        judge(&Evidence { run, cells, comparisons, sight, rules })
                    }
                }
            };
            Hypothesis {
                id: id.to_owned(),
                claim: claims::text(id).unwrap_or("(not among the claims that this rig knows)").to_owned(),
                verdict,
                because,
                cells: of_claim.iter().map(|cell| cell.cell().id.0.clone()).collect(),
            }
        })
        .collect()
}

impl Evidence<'_> {
    /// The cells that could have seen it.
    fn seeing(&self, question: Question) -> Vec<&Measured<'_>> {
        self.cells.iter().copied().filter(|cell| self.sight.blind_for(cell, question).is_none()).collect()
    }
}

/// "A RST makes select() return -1 with this errno": refuted where the upper bound of its rate over all cells lies within the margin,
/// supported by a single one that nobody injected.
fn never_returned(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let mut said = Vec::new();
    let mut verdict = Refuted;
    for &question in questions {
        let cells = evidence.seeing(question);
        let counts = cells.iter().map(|cell| question.count(&cell.tally));
        let pooled = counts.fold(Count::NONE, |sum, one| sum.plus(one).unwrap_or(sum));
        let name = question.key();
        if pooled.trials() == 0 {
            return (Undecided, format!("every cell of it is blind for {name}"));
        }
        let high = clopper_pearson(pooled, evidence.rules.confidence).high;
        let trials = count(pooled.trials());
        if pooled.hits() > 0 {
            return (
                Supported,
                format!("{name} was seen in {} of {trials} trials without injection", count(pooled.hits())),
            );
        }
        if high > evidence.rules.margin {
            verdict = Undecided;
        }
        said.push(format!(
            "{name} was never seen in {trials} trials (at most {})",
            percent(high, Rounding::Up)
        ));
    }
    if verdict == Undecided {
        said.push(format!(
            "the bound is not under the margin of {}",
            percent(evidence.rules.margin, Rounding::Nearest)
        ));
    }
    (verdict, said.join("; "))
}

/// "More often in KVM than on bare metal": only KVM guests against a physical host can say.
fn more_often_in_kvm(evidence: &Evidence<'_>) -> Finding {
    let tested: Vec<&&Comparison> = evidence
        .comparisons
        .iter()
        .filter(|c| matches!(c.errno.as_str(), "EBADF" | "ENOENT") && c.verdict != ComparisonVerdict::NotRun)
        .collect();
    if tested.is_empty() {
        return (Undecided, "no guest was compared with bare metal".into());
    }
    let same = tested.iter().filter(|c| c.verdict == ComparisonVerdict::SameWithinTheMargin).count();
    let summary = format!(
        "{same} of {} on EBADF and ENOENT are the same within the margin",
        several(tested.len(), "comparison")
    );
    let on_kvm = |cell: &&&Measured<'_>| cell.accelerators().contains("kvm");
    let kvm: Vec<&str> = evidence.cells.iter().filter(on_kvm).map(|cell| cell.cell().id.0.as_str()).collect();
    if kvm.is_empty() {
        return (
            Undecided,
            format!("no KVM guest was compared (emulated guests do not stand for one); {summary}"),
        );
    }
    let host = &evidence.run.record.environment.host.virtualized;
    if host != "none" {
        return (
            Undecided,
            format!(
                "the host is itself a virtual machine ({host}), so nothing physical was measured; {summary}"
            ),
        );
    }
    let of_kvm: Vec<&&&Comparison> = tested.iter().filter(|c| kvm.contains(&c.cell.as_str())).collect();
    if let Some(more) = of_kvm.iter().find(|c| c.verdict == ComparisonVerdict::Differs && c.low > 0.0) {
        return (Supported, format!("{} differs in {} {}", more.errno, more.configuration, more.kernel));
    }
    // A rate that is lower in the guest refutes "more often" as well as an equal one does.
    if of_kvm.iter().all(|c| c.verdict != ComparisonVerdict::Blind && c.high <= evidence.rules.margin) {
        return (Refuted, format!("in KVM guests no rate is higher by more than the margin; {summary}"));
    }
    (Undecided, format!("not every comparison with a KVM guest is decided; {summary}"))
}

/// "The RST throws away what was received": refuted where the data was still readable although TCP_INFO said CLOSE before the call.
fn data_is_discarded(evidence: &Evidence<'_>) -> Finding {
    let processed = |cell: &&&Measured<'_>| {
        let closed = cell.tally.state_before.get(&TcpState::CLOSE.0).copied().unwrap_or(0);
        // Only where every trial had its RST before the call is the order of data and RST known for every outcome.
        closed == cell.tally.trials
    };
    let cells: Vec<_> = evidence.cells.iter().filter(processed).collect();
    let trials: u64 = cells.iter().map(|cell| cell.tally.trials).sum();
    if trials == 0 {
        return (Undecided, "in no cell had the RST been processed before every call".into());
    }
    let with_data = |(outcome, _): &(&String, &u64)| outcome.split(',').any(|label| label == "data");
    let kept: u64 =
        cells.iter().flat_map(|cell| cell.tally.outcomes.iter().filter(with_data)).map(|(_, n)| n).sum();
    let bounds = clopper_pearson(Count::new(kept, trials).unwrap_or(Count::NONE), evidence.rules.confidence);
    let said = format!(
        "the data was still readable in {} of {} trials whose RST had been processed before the call",
        count(kept),
        count(trials)
    );
    if bounds.low >= 1.0 - evidence.rules.margin {
        (Refuted, said)
    } else if bounds.high <= evidence.rules.margin {
        (Supported, said)
    } else {
        (Undecided, said)
    }
}

/// "SO_LINGER {1, 0} and close() send a RST": the peer's kernel counts what it sends, the witness what passes.
fn close_sends_a_reset(evidence: &Evidence<'_>) -> Finding {
    let cells = &evidence.cells;
    let trials: u64 = cells.iter().map(|cell| cell.tally.trials).sum();
    let seen: u64 = cells.iter().flat_map(|cell| &cell.blocks).map(|block| block.witness.rst_to_target).sum();
    let sent: i64 = cells.iter().filter_map(|cell| cell.peer.counters.get("Tcp.OutRsts")).sum();
    let sent = u64::try_from(sent).unwrap_or(0);
    let said = format!(
        "{} RSTs sent by the peer's kernel and {} seen on the wire in {} trials",
        count(sent),
        count(seen),
        count(trials)
    );
    match (trials, sent.min(seen), sent.max(seen)) {
        (_, 0, 0) => (Refuted, said),
        (trials, fewer, _) if fewer >= trials => (Supported, said),
        _ => (Undecided, said),
    }
}

/// "RST before the call: error; after it: success": refuted where both orders occurred, each often enough, and no call failed.
fn order_decides(evidence: &Evidence<'_>) -> Finding {
    let cells = evidence.seeing(Question::AnyError);
    let trials: u64 = cells.iter().map(|cell| cell.tally.trials).sum();
    let before: u64 = cells
        .iter()
        .filter_map(|cell| cell.tally.state_before.get(&TcpState::CLOSE.0))
        .sum::<u64>()
        .min(trials);
    let failed: u64 = cells.iter().map(|cell| Question::AnyError.hits(&cell.tally)).sum();
    let said = format!(
        "the RST had been processed before the call in {} trials and not yet in {}; -1 was returned in {}",
        count(before),
        count(trials - before),
        count(failed)
    );
    if trials == 0 {
        return (Undecided, "every cell of it is blind".into());
    }
    let rare = |n: u64| {
        let bounds = clopper_pearson(Count::new(0, n).unwrap_or(Count::NONE), evidence.rules.confidence);
        bounds.high <= evidence.rules.margin
    };
    if failed == 0 && rare(before) && rare(trials - before) { (Refuted, said) } else { (Undecided, said) }
}
