//! Which way a frame travels, and the side of the middlebox at which it comes in.
//!
//! Plain data. Must not know frames. Units: none. Errors: none. Tests: `tests.rs`.

use serde::{Deserialize, Serialize};

/// The side of the middlebox at which a frame comes in or goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Port {
    /// Port A: the target is behind it.
    Target,
    /// Port B: the peer is behind it.
    Peer,
}

impl Port {
    /// The other one.
    pub fn opposite(self) -> Self {
        match self {
            Self::Target => Self::Peer,
            Self::Peer => Self::Target,
        }
    }

    /// As it is written in counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Peer => "peer",
        }
    }

    /// The way of a frame that came in here.
    pub fn inward(self) -> Direction {
        match self {
            Self::Target => Direction::ToPeer,
            Self::Peer => Direction::ToTarget,
        }
    }
}

/// Which way a frame travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the target to the peer.
    ToPeer,
    /// From the peer to the target.
    ToTarget,
}

impl Direction {
    /// Both, in the order in which counters list them.
    pub const ALL: [Self; 2] = [Self::ToPeer, Self::ToTarget];

    /// The port by which a frame that travels so leaves.
    pub fn exit(self) -> Port {
        match self {
            Self::ToPeer => Port::Peer,
            Self::ToTarget => Port::Target,
        }
    }

    /// As it is written in specs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::ToPeer => "to_peer",
            Self::ToTarget => "to_target",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::ToPeer => 0,
            Self::ToTarget => 1,
        }
    }
}

/// One or both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Towards {
    /// Only what travels to the peer.
    ToPeer,
    /// Only what travels to the target.
    ToTarget,
    /// Both.
    Both,
}

impl Towards {
    /// The directions that it names.
    pub fn directions(self) -> &'static [Direction] {
        match self {
            Self::ToPeer => &[Direction::ToPeer],
            Self::ToTarget => &[Direction::ToTarget],
            Self::Both => &Direction::ALL,
        }
    }

    /// Whether `direction` is meant.
    pub fn includes(self, direction: Direction) -> bool {
        self.directions().contains(&direction)
    }
}
