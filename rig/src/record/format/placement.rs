//! Where in a block's order some of its trials lie, as it is stored.
//!
//! Own shape; in memory it is a [`Placement`]. Must not judge whether they lie evenly. Units: indices of trials, from 0, and counts. Errors: none.
//! Tests: the round trip in `sums.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Placement, Placements};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the trials of a block lie that are not like most of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Order {
    /// By outcome; the most frequent one has none (of several equally frequent ones, the first in the order of letters).
    pub outcomes: BTreeMap<String, Places>,
    /// Trials with an outcome in which TCP_INFO said CLOSE right before the verdict call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_before_call: Option<Places>,
    /// Void trials, whatever the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voids: Option<Places>,
}

impl Order {
    /// Whether there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a set of trials lies in the order of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Places {
    /// Trials in the set.
    pub count: u64,
    /// How many of them lie in each of 64 equal windows: trial `i` of `n` planned ones is in window `i * 64 / n`, rounded down.
    pub windows: Vec<u64>,
    /// Pairs of trials `i` and `i + 1` that are both in the set.
    pub adjacent_pairs: u64,
    /// The first 100 indices, ascending; all where there are fewer.
    pub first: Vec<u64>,
    /// The last 100 indices, ascending; all where there are fewer.
    pub last: Vec<u64>,
}

impl From<&Placement> for Places {
    fn from(placement: &Placement) -> Self {
        let Placement { count, windows, adjacent_pairs, first, last } = placement.clone();
        Self { count, windows, adjacent_pairs, first, last }
    }
}

impl From<Places> for Placement {
    fn from(places: Places) -> Self {
        let Places { count, windows, adjacent_pairs, first, last } = places;
        Self { count, windows, adjacent_pairs, first, last }
    }
}

impl From<&Placements> for Order {
    fn from(placements: &Placements) -> Self {
        let Placements { outcomes, closed_before_call, voids } = placements;
        Self {
            outcomes: outcomes.iter().map(|(label, placement)| (label.clone(), placement.into())).collect(),
            closed_before_call: closed_before_call.as_ref().map(Places::from),
            voids: voids.as_ref().map(Places::from),
        }
    }
}

impl From<Order> for Placements {
    fn from(order: Order) -> Self {
        let Order { outcomes, closed_before_call, voids } = order;
        Self {
            outcomes: outcomes.into_iter().map(|(label, places)| (label, places.into())).collect(),
            closed_before_call: closed_before_call.map(Placement::from),
            voids: voids.map(Placement::from),
        }
    }
}
