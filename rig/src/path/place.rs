//! Where something of a path is: one of three network namespaces.
//!
//! Plain data. Must not know what is there. Units: none. Errors: none. Tests: none of its own.

use serde::{Deserialize, Serialize};

/// One of the three network namespaces of a testbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The bridge and everything between the two ends.
    Switch,
    /// The peer's end.
    Peer,
    /// The target's end; with a tap, where QEMU runs without any link to the path but the tap's descriptors.
    Target,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Switch, Self::Peer, Self::Target];

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Peer => "peer",
            Self::Target => "target",
        }
    }
}
