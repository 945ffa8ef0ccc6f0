//! How a claim is decided: from counts of outcomes, returns, states and comparisons to a verdict and a sentence.
//!
//! Holds the rules, one file per kind of evidence, each applied to whatever cells test the claim. Must not know which claim it decides.
//! Units: shares of 1. Errors: none; what cannot be decided says what is missing.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`.

mod compared;
mod failures;
mod order;
mod outcomes;

pub(super) use compared::{bottleneck_decides, more_often_in_kvm, place_decides};
pub(super) use failures::{
    fails_in_kvm, fails_on_path, never_returned, never_returned_where, reject_reproduces,
};
pub(super) use order::{close_sends_a_reset, distance_shifts_order, loopback_is_late, order_decides};
pub(super) use outcomes::{data_is_discarded, ends_as, firewall_resets, queues_are_purged};
