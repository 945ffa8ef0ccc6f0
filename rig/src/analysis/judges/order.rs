//! Claims about the order of RST and call, and about who sends the RST: judged by TCP_INFO before the call, and by the witness.
//!
//! Holds shares of trials whose RST had been processed before the call. Must not know which claim it decides.
//! Units: shares of 1, nanoseconds. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

use std::collections::BTreeMap;

use rig_stats::{Count, clopper_pearson};

use crate::path::Medium;

use super::super::evidence::{Evidence, Finding};
use super::super::measured::Measured;
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::model::{Missing, Question};
use super::super::words::count;

/// "SO_LINGER {1, 0} and close() send a RST": the peer's kernel counts what it sends, the witness what passes.
pub(in crate::analysis) fn close_sends_a_reset(evidence: &Evidence<'_>) -> Finding {
    let cells: Vec<_> = evidence.cells.iter().filter(|cell| cell.has_witness()).collect();
    if cells.is_empty() {
        return Missing::Witness.into();
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
        (_, 0, 0) => Finding::measured(Refuted, said),
        (trials, fewer, _) if fewer >= trials => Finding::measured(Supported, said),
        _ => Finding::measured(Undecided, said),
    }
}

/// "RST before the call: error; after it: success": refuted where both orders occurred, each often enough, and no call failed.
pub(in crate::analysis) fn order_decides(evidence: &Evidence<'_>) -> Finding {
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
        return Missing::AnySight.into();
    }
    let rare = |n: u64| {
        let bounds = clopper_pearson(Count::new(0, n).unwrap_or(Count::NONE), evidence.rules.confidence);
        bounds.high <= evidence.rules.margin_of(Question::AnyError)
    };
    if failed == 0 && rare(before) && rare(trials - before) {
        Finding::measured(Refuted, said)
    } else {
        Finding::measured(Undecided, said)
    }
}

/// "A longer round trip shifts the order of RST and call": the share of calls that found the RST processed, on the shortest way against
/// the longest, the program being the same.
pub(in crate::analysis) fn distance_shifts_order(evidence: &Evidence<'_>) -> Finding {
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
        return Missing::RoundTrips.into();
    };
    let [Some((near_ns, near)), Some((far_ns, far))] = [ways.first_key_value(), ways.last_key_value()] else {
        return Missing::RoundTrips.into();
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
        Finding::measured(Supported, said)
    } else if difference.within(evidence.rules.margin) {
        Finding::measured(Refuted, said)
    } else {
        Finding::measured(Undecided, said)
    }
}

/// "On loopback the RST is rarely there before the call": in less than half of the trials of every cell that runs over one; beside it the
/// same program over a link. How much earlier or later than there is not asked: where a call follows the question at once, which of two
/// threads runs first decides (a program that sleeps in between is what the claim is about). The intervals hold together (Bonferroni).
pub(in crate::analysis) fn loopback_is_late(evidence: &Evidence<'_>) -> Finding {
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
        return Missing::Loopback.into();
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
        Finding::measured(Refuted, said)
    } else if bounds().all(|bounds| bounds.high < 0.5) {
        Finding::measured(Supported, said)
    } else {
        Finding::measured(Undecided, said)
    }
}

/// The share of its trials in which the RST had been processed before the call.
fn closed_before_call(cell: &Measured<'_>) -> Count {
    Count::new(cell.rst_before_call(), cell.tally.trials).unwrap_or(Count::NONE)
}
