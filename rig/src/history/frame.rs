//! What everything in this room looks at: the nights, which of them are shown, the rules; and what changed from one to the next.
//!
//! Pure. Must not judge. Units: indices of nights, from 0. Errors: none. Tests: `tests/golden/history.rs`.

use super::model::FactChange;
use super::order::place;
use super::stored::StoredNight;
use crate::matrix::Watch;

/// What everything in this room looks at.
pub(super) struct Frame<'f, 'a> {
    pub(super) nights: &'f [&'a StoredNight],
    /// Indices of the nights that are shown.
    pub(super) shown: &'f [usize],
    pub(super) most_shown: usize,
    pub(super) watch: &'f Watch,
    /// When the newest night began.
    pub(super) day: &'f str,
}

impl Frame<'_, '_> {
    /// Whether no later night was played on the same machine.
    pub(super) fn is_newest(&self, at: usize) -> bool {
        let of = place(self.nights[at]);
        !self.nights[at + 1..].iter().any(|night| place(night) == of)
    }
}

/// What is not as it was in the night before on the same machine. What one of both does not say is no change.
pub(super) fn changes(nights: &[&StoredNight], at: usize) -> Vec<FactChange> {
    let night = nights[at];
    let Some(before) = nights[..at].iter().rev().find(|before| place(before) == place(night)) else {
        return Vec::new();
    };
    let changed = night.night.facts.iter().filter_map(|(what, after)| {
        let before = before.night.facts.get(what)?;
        (before != after).then(|| FactChange {
            what: what.clone(),
            before: before.clone(),
            after: after.clone(),
        })
    });
    changed.collect()
}
