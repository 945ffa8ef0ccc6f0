//! What cannot be true of a block that was read from disk, although its digest is right.
//!
//! Holds one check of a block's numbers against each other and against its cell's script. Must not read files, must not judge what was measured.
//! Units: counts. Errors: none; the contradiction is said in words, because the rest of the run still counts.
//! The rules for what an agent counts are the protocol's, so that a block is refused here for what the conversation refuses too.
//! Tests: `tests/golden/contradictions.rs`.

use rig_protocol::{Script, Tally};

use super::format::BlockRecord;

/// More attempts than any run makes, and few enough to count on from.
const MOST_ATTEMPTS: u32 = 1 << 20;

/// What contradicts itself in a block of a cell with this script, if something does.
pub(super) fn contradiction(block: &BlockRecord, script: &Script) -> Option<String> {
    if block.attempt == 0 || block.attempt > MOST_ATTEMPTS {
        return Some(format!("attempt {}", block.attempt));
    }
    for (end, tally) in [("target", &block.tally), ("peer", &block.peer_tally)] {
        if let Some(what) = tally.inconsistency(script) {
            return Some(format!("{end}: {what}"));
        }
    }
    let witness = &block.witness;
    let seen = [
        ("RSTs to the target", witness.rst_to_target),
        ("RSTs to the peer", witness.rst_to_peer),
        ("lost packets", witness.lost_packets),
    ];
    if let Some((what, n)) = seen.into_iter().find(|(_, n)| *n > Tally::MOST) {
        return Some(format!("witness: {n} {what}"));
    }
    let counters = &mut block.path.counters.iter();
    counters.find(|(_, n)| **n > Tally::MOST).map(|(name, n)| format!("path: counter {name:?} is {n}"))
}
