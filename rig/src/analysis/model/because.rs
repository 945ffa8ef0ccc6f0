//! Why a claim, or a part of one, has its verdict.
//!
//! Holds each reason for saying nothing, with its one rendering; a finding with figures is a sentence, told by the judge that has them.
//! Must not know how a claim is decided. Units: counts. Errors: none.
//! Tests: `tests/golden/claims.rs`, `tests/golden/fair`, the golden reports.

use std::fmt;

use super::super::words::{count, list, several};
use super::question::Question;

/// Why a claim has its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// No claim has this id.
    Unknown,
    /// The record has its file, and this rig cannot read it.
    Unreadable,
    /// Its file has no part: nothing tests it yet.
    NoPart,
    /// It could be decided, and what decides it was not measured.
    Missing(Missing),
    /// What was measured, in one sentence.
    Measured(String),
    /// No measurement decides it: why, and where it can be read.
    Documented {
        /// Why.
        reason: String,
        /// Where.
        source: String,
    },
}

/// What a claim lacks in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A cell that it is about.
    Cell,
    /// A cell that it is about, and this is what none of them has, or not together: a claim of the reader's own, which may be misspelt.
    Named {
        /// `scenario`, `path`, `configuration`, `kernel`, or the name of a parameter.
        key: String,
        /// What the claim asks for.
        asked: String,
        /// What the run has instead, at most a few.
        there: Vec<String>,
    },
    /// Cells that may decide: why those that it is about may not.
    Sound(Vec<LeftOut>),
    /// A physical host; which hypervisor this one has, empty where nobody knows.
    PhysicalHost(String),
    /// One side of a comparison: which cells that is.
    Side(String),
    /// Cells of both sides that were played alike.
    Alike,
    /// Timings that mean something: the run was rehearsed.
    Timings,
    /// An A/A pair that is the same.
    Pair,
    /// Trials that show what is compared: so many of both sides do, and so many are asked for.
    Least(u64, u64),
    /// Trials with the TCP state before the call in question, or with another one.
    State(String),
}

/// Why cells that a claim is about do not decide it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Why.
    pub why: Why,
    /// How many cells.
    pub cells: usize,
    /// How many trials they have.
    pub trials: u64,
}

/// Why a cell does not decide a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It has no trial.
    NoTrials,
    /// It is a control.
    Control,
    /// A proxy ends TCP on its way: its guest never meets the peer's reset.
    Proxied,
    /// Errnos were injected.
    Injected,
    /// Its script closes the descriptor itself, or is a race between the program's own threads.
    OwnDescriptor,
    /// No control proves that this errno would be seen.
    Blind(Question),
    /// In a block fewer RSTs reached the target than it has trials.
    NoReset,
    /// TCP_INFO did not say CLOSE before every call.
    ResetLate,
    /// It is a guest that did not run on KVM.
    NotKvm,
    /// It is no guest.
    NotGuest,
    /// It is no host.
    NotHost,
    /// Nobody counted what is judged.
    NotCounted,
    /// Its scenario voids every block without it.
    Proven,
    /// Its program was not watched.
    NotWatched,
}

impl From<Missing> for Because {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "this rig knows no such claim; `rig matrix run --claims DIR` takes claims of your own along",
            ),
            Self::Unreadable => f.write_str("this rig cannot read the claim's file in the record"),
            Self::NoPart => f.write_str("no scenario tests it yet"),
            Self::Missing(missing) => missing.fmt(f),
            Self::Measured(said) => f.write_str(said),
            Self::Documented { reason, source } => write!(f, "{reason} ({source})"),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell => f.write_str("no cell of this run is one that it is about"),
            Self::Named { key, asked, there } if there.is_empty() => {
                write!(f, "no cell of this run has the {key} {asked} together with the rest")
            }
            Self::Named { key, asked, there } => {
                write!(f, "no cell of this run has the {key} {asked}; there are {}", list(there))
            }
            Self::Sound(left_out) => {
                f.write_str("no cell may decide it: ")?;
                write_left_out(f, left_out)
            }
            Self::PhysicalHost(hypervisor) if hypervisor.is_empty() => {
                f.write_str("it asks for a physical host, and the record does not say whether this is one")
            }
            Self::PhysicalHost(hypervisor) => write!(
                f,
                "it asks for a physical host: this one is itself a virtual machine ({hypervisor}), so nothing physical was measured"
            ),
            Self::Side(cells) => {
                write!(f, "there is nothing to compare with: no cell of {cells} may decide it")
            }
            Self::Alike => f.write_str("no cell of one side was played as one of the other side was"),
            Self::Timings => f.write_str("the timings of a rehearsed run mean nothing"),
            Self::Pair => f.write_str("the A/A pair differs, so no difference of this run means anything"),
            Self::Least(seen, asked) => write!(
                f,
                "it was seen in {} trials and {} are needed: of what never happens nothing tells what decides it",
                count(*seen),
                count(*asked)
            ),
            Self::State(state) => write!(
                f,
                "no trial had the TCP state {state} before its call, so only one half could be looked at"
            ),
        }
    }
}

fn write_left_out(f: &mut fmt::Formatter<'_>, left_out: &[LeftOut]) -> fmt::Result {
    for (place, one) in left_out.iter().enumerate() {
        let between = if place == 0 { "" } else { "; " };
        write!(f, "{between}{one}")?;
    }
    Ok(())
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, cells, trials } = self;
        write!(f, "{why} ({}, {} trials)", several(*cells, "cell"), count(*trials))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTrials => f.write_str("not played"),
            Self::Control => f.write_str("a control"),
            Self::Proxied => f.write_str("a proxy on the host ends TCP on the way"),
            Self::Injected => f.write_str("errnos were injected"),
            Self::OwnDescriptor => f.write_str("the program closes the descriptor itself"),
            Self::Blind(question) => {
                write!(f, "blind for {question}: no control proves that it would be seen")
            }
            Self::NoReset => f.write_str("not in every trial did a RST reach the target"),
            Self::ResetLate => f.write_str("not in every trial had the RST been processed before the call"),
            Self::NotKvm => f.write_str("an emulated guest does not count as a KVM guest"),
            Self::NotGuest => f.write_str("no guest"),
            Self::NotHost => f.write_str("not the host"),
            Self::NotCounted => f.write_str("nobody counted it"),
            Self::Proven => {
                f.write_str("its scenario voids every block without it, so nothing could contradict it")
            }
            Self::NotWatched => f.write_str("nobody watched the program's calls"),
        }
    }
}
