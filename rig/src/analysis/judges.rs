//! How a claim is decided: from counts of outcomes, returns, states and comparisons to a verdict and a sentence.
//!
//! Holds the rules, each declared here and applied to whatever cells test the claim. Must not know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says why.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use std::collections::BTreeMap;

use rig_protocol::matches_outcome;
use rig_stats::{Count, Interval, clopper_pearson};

use crate::configuration::{NicBackend, TargetSpec};
use crate::matrix::glob_matches;
use crate::path::{Direction, FirewallCount, Medium, MiddleboxCounter, PathCounter, ResetCount, Resetter};

use super::cells::{Measured, Question};
use super::hypotheses::Evidence;
use super::model::{Comparison, ComparisonVerdict, HypothesisVerdict};
use super::words::{Rounding, count, list, percent, several};

use HypothesisVerdict::{Refuted, Supported, Undecided};

/// A verdict and why.
pub(super) type Finding = (HypothesisVerdict, String);

/// "A RST makes select() return -1 with this errno": refuted where the upper bound of its rate over all cells lies within the margin,
/// supported by a single one that nobody injected.
pub(super) fn never_returned(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
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

/// As [`never_returned`], in the cells in which a parameter has this value.
pub(super) fn never_returned_where(
    evidence: &Evidence<'_>,
    (parameter, value): (&str, &str),
    questions: &[Question],
) -> Finding {
    let has = |cell: &&Measured<'_>| {
        cell.cell().subject.parameters.get(parameter).is_some_and(|given| given == value)
    };
    let cells: Vec<_> = evidence.cells.iter().copied().filter(has).collect();
    if cells.is_empty() {
        return (Undecided, format!("no cell with {parameter}={value} has trials"));
    }
    let (verdict, said) = never_returned(&evidence.with(cells), questions);
    (verdict, format!("with {parameter}={value} {said}"))
}

/// "More often in KVM than on bare metal": only KVM guests against a physical host can say.
pub(super) fn more_often_in_kvm(evidence: &Evidence<'_>) -> Finding {
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
pub(super) fn data_is_discarded(evidence: &Evidence<'_>) -> Finding {
    // Only where every trial had its RST before the call is the order of data and RST known for every outcome.
    let processed = |cell: &&&Measured<'_>| cell.rst_before_call() == cell.tally.trials;
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
pub(super) fn close_sends_a_reset(evidence: &Evidence<'_>) -> Finding {
    let cells: Vec<_> = evidence.cells.iter().filter(|cell| cell.has_witness()).collect();
    if cells.is_empty() {
        return (Undecided, "nobody watched the packets of any cell of it".into());
    }
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
pub(super) fn order_decides(evidence: &Evidence<'_>) -> Finding {
    let cells = evidence.seeing(Question::AnyError);
    let trials: u64 = cells.iter().map(|cell| cell.tally.trials).sum();
    let before: u64 = cells.iter().map(|cell| cell.rst_before_call()).sum::<u64>().min(trials);
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

/// "The script ends so on such a path": by the share of outcomes that are what the claim says, and of those that contradict it. Decided
/// where the lower bound of one of the two is within the margin of all trials.
pub(super) fn ends_as(evidence: &Evidence<'_>, claimed: &[&str], otherwise: &[&str]) -> Finding {
    let trials: u64 = evidence.cells.iter().map(|cell| cell.tally.trials).sum();
    let share = |patterns: &[&str]| {
        let fits = |(outcome, _): &(&String, &u64)| patterns.iter().any(|p| matches_outcome(p, outcome));
        let outcomes = evidence.cells.iter().flat_map(|cell| &cell.tally.outcomes);
        let hits: u64 = outcomes.filter(fits).map(|(_, n)| n).sum();
        (hits, bounds(hits, trials, evidence))
    };
    let nearly_all = |bounds: Interval| bounds.low >= 1.0 - evidence.rules.margin;
    let (as_claimed, of_claimed) = share(claimed);
    let (contrary, of_contrary) = share(otherwise);
    let said = outcomes_by_path(evidence);
    if nearly_all(of_claimed) {
        (Supported, said)
    } else if nearly_all(of_contrary) {
        (Refuted, said)
    } else {
        let few = if as_claimed == trials || contrary == trials { ", too few for the margin" } else { "" };
        let mixed = format!(
            "{} of {} trials are as claimed and {} are not{few}; {said}",
            count(as_claimed),
            count(trials),
            count(contrary)
        );
        (Undecided, mixed)
    }
}

/// "select() fails there": as [`never_returned`], with what it did instead.
pub(super) fn fails_on_path(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let (verdict, said) = never_returned(evidence, questions);
    (verdict, format!("{said}; {}", outcomes_by_path(evidence)))
}

/// "select() fails in a KVM guest": only blocks that really ran on KVM can say.
pub(super) fn fails_in_kvm(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let on_kvm = |cell: &&Measured<'_>| cell.accelerators().contains("kvm");
    let cells: Vec<_> = evidence.cells.iter().copied().filter(on_kvm).collect();
    if cells.is_empty() {
        return (Undecided, "no KVM guest has trials (emulated guests do not stand for one)".into());
    }
    let (verdict, said) = never_returned(&evidence.with(cells), questions);
    (verdict, format!("in KVM guests {said}"))
}

/// "It purges, closes, sets the error and shuts down": false where its first part is. Were that true, the others would still be open.
pub(super) fn queues_are_purged(evidence: &Evidence<'_>) -> Finding {
    match data_is_discarded(evidence) {
        (Supported, said) => (Undecided, format!("{said}; its other parts were not looked at")),
        other => other,
    }
}

fn bounds(hits: u64, trials: u64, evidence: &Evidence<'_>) -> Interval {
    clopper_pearson(Count::new(hits, trials).unwrap_or(Count::NONE), evidence.rules.confidence)
}

/// The most frequent outcome of each path, the claim's own paths first, then those that a reader should compare.
pub(super) fn outcomes_by_path(evidence: &Evidence<'_>) -> String {
    let mut paths: Vec<(&str, u64, BTreeMap<&str, u64>)> = Vec::new();
    for cell in evidence.cells.iter().chain(&evidence.beside) {
        let name = cell.cell().subject.path.name.as_str();
        let at = paths.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            paths.push((name, 0, BTreeMap::new()));
            paths.len() - 1
        });
        let (_, trials, outcomes) = &mut paths[at];
        *trials += cell.tally.trials;
        for (outcome, n) in &cell.tally.outcomes {
            *outcomes.entry(outcome).or_default() += n;
        }
    }
    let most = |(name, trials, outcomes): &(&str, u64, BTreeMap<&str, u64>)| {
        let (outcome, n) = outcomes.iter().max_by_key(|(_, n)| **n)?;
        Some(format!("{outcome} in {} of {} on {name}", count(*n), count(*trials)))
    };
    paths.iter().filter_map(most).collect::<Vec<_>>().join("; ")
}

/// "Where it runs decides the errno": by the comparisons of the cells that vary it.
pub(super) fn place_decides(evidence: &Evidence<'_>) -> Finding {
    let tested: Vec<&Comparison> =
        evidence.comparisons.iter().copied().filter(|c| c.verdict != ComparisonVerdict::NotRun).collect();
    if tested.is_empty() {
        return (Undecided, "nothing of the kind was compared with bare metal".into());
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
        return (
            Supported,
            format!("{} differs in {} over {}; {said}", one.errno, one.configuration, one.path),
        );
    }
    let all_same = of(ComparisonVerdict::SameWithinTheMargin) == tested.len();
    (if all_same { Refuted } else { Undecided }, said)
}

/// "vhost and contention decide it": as [`place_decides`], where one of the two was compared.
pub(super) fn bottleneck_decides(evidence: &Evidence<'_>) -> Finding {
    let varies = |cell: &Measured<'_>| {
        let subject = &cell.cell().subject;
        let vhost = match &subject.configuration.target {
            TargetSpec::Qemu(spec) => spec.nic.backend == NicBackend::TapVhost,
            TargetSpec::Host => false,
        };
        vhost || glob_matches("contention*", &subject.path.name)
    };
    let cells: Vec<_> = evidence.cells.iter().copied().filter(|cell| varies(cell)).collect();
    let of_those = |c: &&Comparison| cells.iter().any(|cell| cell.cell().id.0 == c.cell);
    let comparisons = evidence.comparisons.iter().copied().filter(of_those).collect();
    place_decides(&Evidence { comparisons, ..evidence.with(cells.clone()) })
}

/// "A longer round trip shifts the order of RST and call": the share of calls that found the RST processed, on the shortest way against
/// the longest, the program being the same.
pub(super) fn distance_shifts_order(evidence: &Evidence<'_>) -> Finding {
    let round_trip = |cell: &Measured<'_>| {
        let way = cell.cell().subject.path.impairments.as_ref();
        way.map_or(0, |way| way.to_peer.delay_ns + way.to_target.delay_ns)
    };
    let mut programs: BTreeMap<_, BTreeMap<u64, Count>> = BTreeMap::new();
    for cell in &evidence.cells {
        let subject = &cell.cell().subject;
        let one = closed_before_call(cell);
        let ways = programs.entry((&subject.scenario, &subject.parameters)).or_default();
        let sum = ways.entry(round_trip(cell)).or_insert(Count::NONE);
        *sum = sum.plus(one).unwrap_or(*sum);
    }
    let Some(ways) = programs.into_values().max_by_key(BTreeMap::len).filter(|ways| ways.len() > 1) else {
        return (Undecided, "no program was played over two round trips".into());
    };
    let [Some((near_ns, near)), Some((far_ns, far))] = [ways.first_key_value(), ways.last_key_value()] else {
        return (Undecided, "no program was played over two round trips".into());
    };
    let of = |share: &Count| clopper_pearson(*share, evidence.rules.confidence);
    let words = |ns: &u64, share: &Count| {
        let at = *ns as f64 / 1e6;
        format!("in {} of {} at {at} ms", count(share.hits()), count(share.trials()))
    };
    let said = format!(
        "the RST had been processed before the call {}, and {} of added round trip",
        words(near_ns, near),
        words(far_ns, far)
    );
    let difference = rig_stats::difference(*far, *near, evidence.rules.confidence);
    if of(far).high < of(near).low {
        (Supported, said)
    } else if difference.within(evidence.rules.margin) {
        (Refuted, said)
    } else {
        (Undecided, said)
    }
}

/// "On loopback the RST is rarely there before the call": in less than half of the trials of every cell that runs over one; beside it the
/// same program over a link. How much earlier or later than there is not asked: where a call follows the question at once, which of two
/// threads runs first decides (a program that sleeps in between is what the claim is about). The intervals hold together (Bonferroni).
pub(super) fn loopback_is_late(evidence: &Evidence<'_>) -> Finding {
    let mut pairs: BTreeMap<_, [Count; 2]> = BTreeMap::new();
    for cell in &evidence.cells {
        let subject = &cell.cell().subject;
        let same = (&subject.configuration.name, &subject.kernel, &subject.parameters);
        let sums = pairs.entry(same).or_insert([Count::NONE; 2]);
        let sum = match subject.path.medium {
            Medium::Loopback => &mut sums[0],
            Medium::Link => &mut sums[1],
        };
        *sum = sum.plus(closed_before_call(cell)).unwrap_or(*sum);
    }
    pairs.retain(|_, [loopback, _]| loopback.trials() > 0);
    if pairs.is_empty() {
        return (Undecided, "no cell of it runs over a loopback".into());
    }
    let confidence = evidence.rules.confidence.for_each_of(pairs.len());
    let said: Vec<String> = pairs
        .iter()
        .map(|((configuration, kernel, parameters), [loopback, link])| {
            let of = |share: &Count| format!("{} of {}", count(share.hits()), count(share.trials()));
            let delay = parameters.get("client_delay").map_or("its own time", String::as_str);
            let beside =
                if link.trials() > 0 { format!(", {} over a link", of(link)) } else { String::new() };
            format!("{} with the call after {delay} in {configuration} {kernel}{beside}", of(loopback))
        })
        .collect();
    let said = format!("over a loopback the RST had been processed before the call in {}", said.join("; "));
    let bounds = || pairs.values().map(|[loopback, _]| clopper_pearson(*loopback, confidence));
    if bounds().all(|bounds| bounds.low > 0.5) {
        (Refuted, said)
    } else if bounds().all(|bounds| bounds.high < 0.5) {
        (Supported, said)
    } else {
        (Undecided, said)
    }
}

/// The share of its trials in which the RST had been processed before the call.
fn closed_before_call(cell: &Measured<'_>) -> Count {
    Count::new(cell.rst_before_call(), cell.tally.trials).unwrap_or(Count::NONE)
}

/// "A firewall resets both ends of an idle session": whether a product does is not for a rig to say; what the ends then see is.
pub(super) fn firewall_resets(evidence: &Evidence<'_>) -> Finding {
    let counter = |counter: MiddleboxCounter| -> u64 {
        let name = PathCounter::from(counter).to_string();
        evidence.cells.iter().map(|cell| cell.path_counter(&name)).sum()
    };
    let resets = |to| counter(MiddleboxCounter::Reset(Resetter::Firewall, ResetCount::Injected, to));
    let said = format!(
        "that a product does so is taken for granted here, connection tracking of Linux never does; the rig's own ended {} idle sessions \
         with {} RSTs to the client and {} to the peer: {}",
        count(counter(MiddleboxCounter::Firewall(FirewallCount::Expired))),
        count(resets(Direction::ToTarget)),
        count(resets(Direction::ToPeer)),
        outcomes_by_path(evidence)
    );
    (Undecided, said)
}

/// "A REJECT rule reproduces the failure": as [`fails_on_path`], with how often each placement's rule matched.
pub(super) fn reject_reproduces(evidence: &Evidence<'_>, questions: &[Question]) -> Finding {
    let (verdict, said) = fails_on_path(evidence, questions);
    let mut matched: BTreeMap<&str, u64> = BTreeMap::new();
    for cell in &evidence.cells {
        let counters = cell.blocks.iter().flat_map(|block| &block.path.counters);
        let of_rules: u64 = counters.filter(|(name, _)| PathCounter::is_of_rule(name)).map(|(_, n)| n).sum();
        *matched.entry(&cell.cell().subject.path.name).or_default() += of_rules;
    }
    let matched: Vec<String> = matched.iter().map(|(path, n)| format!("{} on {path}", count(*n))).collect();
    (verdict, format!("{said}; packets that met the rule: {}", list(&matched)))
}
