//! Whether a block that was played to its end counts: it has outcomes, and its counters prove that the fault bit.
//!
//! Pure. Must not know how counters were read. Units: counts of one block.
//! Errors: none; what is missing is a [`VoidReason`]. Tests: below.

use rig_protocol::Tally;

use crate::path::{Need, Proof};
use crate::record::format::BlockRecord;
use crate::record::{Risen, VoidReason};

/// Why a block that was played to its end counts for nothing all the same: no trial had an outcome, or the fault never bit.
/// `of_scenario` are counters that must rise in every trial.
pub(super) fn unproven(
    record: &BlockRecord,
    of_scenario: &[String],
    of_path: &[Proof],
) -> Option<VoidReason> {
    let tally = &record.tally;
    if tally.trials == 0 {
        let most = tally.voids.iter().max_by_key(|(_, n)| **n).map(|(reason, _)| reason.clone());
        return Some(VoidReason::NoOutcome { void: tally.void(), most: most.unwrap_or_default() });
    }
    let of_scenario = of_scenario.iter().map(|counter| (counter.clone(), Need::EveryTrial));
    let of_path = of_path.iter().map(|proof| (format!("path.{}", proof.counter), proof.need.clone()));
    of_scenario.chain(of_path).find_map(|(counter, need)| unmet(record, counter, &need))
}

fn unmet(record: &BlockRecord, counter: String, need: &Need) -> Option<VoidReason> {
    let trials = i64::try_from(record.tally.trials).unwrap_or(i64::MAX);
    let Some(by) = risen(record, &counter) else { return Some(VoidReason::NoCounter { counter }) };
    if need.is_met(by, trials, |other| risen(record, &format!("path.{other}"))) {
        return None;
    }
    let risen = Risen { counter, by, trials };
    Some(match need {
        Need::EveryTrial | Need::Once | Need::ByChance { .. } => VoidReason::NoEffect(risen),
        Need::Never => VoidReason::UnclaimedEffect(risen),
    })
}

/// `peer.Tcp.OutRsts`, `target.TcpExt.TCPAbortOnData`: how far that kernel counter rose during the block, which is 0 where the kernel shows
/// none of that name; `path.rule.NAME`: what a mechanism of the path counted, if it has such a counter.
fn risen(record: &BlockRecord, name: &str) -> Option<i64> {
    let of = |tally: &Tally, key: &str| tally.counters.get(key).copied().unwrap_or(0);
    match name.split_once('.')? {
        ("peer", key) => Some(of(&record.peer_tally, key)),
        ("target", key) => Some(of(&record.tally, key)),
        ("path", key) => record.path.counters.get(key).map(|n| i64::try_from(*n).unwrap_or(i64::MAX)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit;
    use super::*;

    /// A block of ten trials whose peer sent seven resets and whose path counted three packets.
    fn played() -> BlockRecord {
        let mut record = kit::attempt("a").blank_record("");
        record.tally.trials = 10;
        record.peer_tally.counters.insert("Tcp.OutRsts".into(), 7);
        record.path.counters.insert("rule.drop".into(), 3);
        record
    }

    fn of_path(need: Need) -> Option<VoidReason> {
        unproven(&played(), &[], &[Proof { counter: "rule.drop".into(), need }])
    }

    #[test]
    fn a_block_without_outcomes_names_the_most_frequent_reason() {
        let mut record = played();
        record.tally.trials = 0;
        record.tally.voids = [("connect: ECONNREFUSED".into(), 2), ("trial deadline".into(), 8)].into();
        let reason = unproven(&record, &[], &[]).unwrap();
        assert_eq!(reason.to_string(), "no trial had an outcome (10 void, most often: trial deadline)");
    }

    #[test]
    fn a_counter_of_the_scenario_must_rise_in_every_trial() {
        let short = unproven(&played(), &["peer.Tcp.OutRsts".into()], &[]).unwrap();
        assert_eq!(short.to_string(), "fault had no effect: peer.Tcp.OutRsts rose by 7 in 10 trials");
        let mut enough = played();
        enough.peer_tally.counters.insert("Tcp.OutRsts".into(), 10);
        assert_eq!(unproven(&enough, &["peer.Tcp.OutRsts".into()], &[]), None);
    }

    #[test]
    fn a_counter_that_no_kernel_shows_has_not_risen_and_one_that_no_mechanism_has_is_named() {
        let unknown = |counter: &str| unproven(&played(), &[counter.into()], &[]).unwrap().to_string();
        assert_eq!(unknown("target.Tcp.X"), "fault had no effect: target.Tcp.X rose by 0 in 10 trials");
        assert_eq!(unknown("path.rule.x"), "fault unproven: there is no counter path.rule.x");
        assert_eq!(unknown("nonsense"), "fault unproven: there is no counter nonsense");
    }

    #[test]
    fn a_counter_of_the_path_is_held_to_what_its_proof_needs() {
        assert_eq!(of_path(Need::Once), None);
        let risen = || Risen { counter: "path.rule.drop".into(), by: 3, trials: 10 };
        assert_eq!(of_path(Need::EveryTrial), Some(VoidReason::NoEffect(risen())));
        assert_eq!(of_path(Need::Never), Some(VoidReason::UnclaimedEffect(risen())));
    }
}
