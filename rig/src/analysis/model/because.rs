//! Why a claim has its verdict.
//!
//! Holds each reason for saying nothing, with its one rendering; a finding with figures is a sentence, told by the judge that has them.
//! Must not know how a claim is decided. Units: none. Errors: none.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/claims.rs`, the golden reports.

use std::fmt;

use super::question::Question;

/// Why a claim has its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Nothing that a cell counts can decide it.
    NoJudge,
    /// It could be decided, and what decides it was not measured.
    Missing(Missing),
    /// What was measured, in one sentence.
    Measured(String),
}

/// What a claim lacks in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Cells with trials.
    Trials,
    /// Cells that would see this errno.
    Sight(Question),
    /// Cells that would see any.
    AnySight,
    /// Cells in which a parameter has this value.
    Parameter {
        /// Its name.
        name: &'static str,
        /// As scenarios spell it.
        value: &'static str,
    },
    /// Guests beside bare metal.
    Guests,
    /// Cells that vary what is claimed, beside bare metal.
    Compared,
    /// Guests on KVM.
    KvmGuests,
    /// Cells in which every RST was processed before its call.
    EarlyResets,
    /// Somebody who watched the packets.
    Witness,
    /// One program over two round trips.
    RoundTrips,
    /// Cells over a loopback.
    Loopback,
}

impl From<Missing> for Because {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoJudge => f.write_str("the cells of this run cannot decide this claim"),
            Self::Missing(missing) => missing.fmt(f),
            Self::Measured(said) => f.write_str(said),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trials => f.write_str("no cell of this claim has trials (proxied ones do not count)"),
            Self::Sight(question) => write!(
                f,
                "every cell of this claim is blind for {question}: no control proves that it would be seen"
            ),
            Self::AnySight => f.write_str(
                "every cell of this claim is blind: no control proves that an errno would be seen",
            ),
            Self::Parameter { name, value } => write!(f, "no cell with {name}={value} has trials"),
            Self::Guests => f.write_str("no guest was compared with bare metal"),
            Self::Compared => f.write_str("no such cell was compared with bare metal"),
            Self::KvmGuests => {
                f.write_str("no KVM guest has trials (emulated guests do not count as KVM guests)")
            }
            Self::EarlyResets => f.write_str("in no cell had the RST been processed before every call"),
            Self::Witness => f.write_str("no cell of this claim has a count of its packets"),
            Self::RoundTrips => f.write_str("no program was played over two round trips"),
            Self::Loopback => f.write_str("no cell of this claim runs over a loopback"),
        }
    }
}
