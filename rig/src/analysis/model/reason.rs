//! Why a cell, a control or a comparison says less than was asked of it.
//!
//! Holds each reason as data, with its one rendering. Must not decide which one holds.
//! Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/analysis.rs`, the golden reports.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use rig_protocol::Errno;

use super::super::words::{Rounding, count, p_value, percent, several};
use super::CellStop;

/// Why a cell has fewer trials than were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Trials with an outcome.
    pub trials: u64,
    /// Asked for.
    pub wanted: u64,
    /// Blocks that were not even tried,
    pub unplayed: usize,
    /// of this many.
    pub planned: usize,
    /// Void trials by reason.
    pub void: BTreeMap<String, u64>,
}

impl Display for Shortage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} trials", count(self.trials), count(self.wanted))?;
        if self.unplayed > 0 {
            write!(f, ", {} of {} not played", several(self.unplayed, "block"), self.planned)?;
        }
        self.void.iter().try_for_each(|(reason, n)| write!(f, ", {} void ({reason})", count(*n)))
    }
}

/// Why a cell has no trial at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRun {
    /// It was skipped: the plan says why.
    Skipped(String),
    /// None has an outcome.
    Short(Shortage),
    /// None was asked for.
    NothingAsked,
}

impl Display for NotRun {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(reason) => f.write_str(reason),
            Self::Short(shortage) => shortage.fmt(f),
            Self::NothingAsked => f.write_str("no trials were asked for"),
        }
    }
}

/// Why a control has not passed.
#[derive(Debug, Clone, PartialEq)]
pub enum ControlFailure {
    /// It has no trial.
    NotRun(NotRun),
    /// It has trials, and what it must find came in none or too few of them: nothing is proven, and nothing refuted.
    NotExercised {
        /// What was to be found.
        errno: Errno,
        /// The known rate.
        expected: f64,
        /// In how many trials it came, each time found.
        injected: u64,
        /// Of how many.
        trials: u64,
    },
    /// What it must find was injected less or more often than planned.
    NotAsPlanned {
        /// What.
        errno: Errno,
        /// How often it was injected.
        injected: u64,
        /// How often it should have been, at least,
        least: u64,
        /// and at most.
        most: u64,
    },
    /// A negative control found something.
    Invented {
        /// How often the call returned -1,
        seen: u64,
        /// in how many trials.
        of: u64,
    },
    /// Most of its trials ended otherwise than its scenario expects.
    OtherEnds {
        /// How many,
        unexpected: u64,
        /// of how many.
        of: u64,
        /// The most frequent of these ends.
        most: String,
    },
    /// Of what was injected, some was not seen (or more was).
    Lost {
        /// What.
        errno: Errno,
        /// How often the filter was armed.
        injected: u64,
        /// How often the call returned it.
        seen: u64,
    },
    /// The known rate lies outside of the bounds.
    OutOfBounds {
        /// Of what.
        errno: Errno,
        /// The known rate.
        expected: f64,
        /// How often it was seen,
        seen: u64,
        /// in how many trials.
        of: u64,
        /// Lower bound of the rate.
        low: f64,
        /// Upper bound.
        high: f64,
    },
}

impl Display for ControlFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun(NotRun::Skipped(reason)) => write!(f, "not run: {reason}"),
            Self::NotRun(NotRun::Short(shortage)) => write!(f, "no trials: {shortage}"),
            Self::NotRun(NotRun::NothingAsked) => f.write_str("no trials"),
            Self::NotExercised { errno, expected, injected, trials } => {
                let expected = percent(*expected, Rounding::Nearest);
                write!(f, "not exercised: {errno} was expected in {expected} of the trials and came in ")?;
                match injected {
                    0 => write!(f, "none of {}", count(*trials)),
                    injected => {
                        write!(f, "{} of {}, too few to prove anything", count(*injected), count(*trials))
                    }
                }
            }
            Self::NotAsPlanned { errno, injected, least, most } => {
                write!(f, "{errno} was injected {} times, and {} ", count(*injected), count(*least))?;
                if most > least {
                    write!(f, "to {} ", count(*most))?;
                }
                f.write_str("were planned")
            }
            Self::Invented { seen, of } => {
                write!(
                    f,
                    "-1 was returned in {} of {} trials, and nothing in the control causes it",
                    count(*seen),
                    count(*of)
                )
            }
            Self::OtherEnds { unexpected, of, most } => write!(
                f,
                "{} of {} trials ended otherwise than its scenario expects, most often {most}",
                count(*unexpected),
                count(*of)
            ),
            Self::Lost { errno, injected, seen } => {
                write!(f, "{errno} was injected {} times and seen {} times", count(*injected), count(*seen))
            }
            Self::OutOfBounds { errno, expected, seen, of, low, high } => write!(
                f,
                "{errno} was expected in {} of the trials and seen in {} of {} ({} to {})",
                percent(*expected, Rounding::Nearest),
                count(*seen),
                count(*of),
                percent(*low, Rounding::Down),
                percent(*high, Rounding::Up)
            ),
        }
    }
}

/// Why a configuration cannot see an errno: its zeros mean nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Blindness {
    /// A control did not pass.
    Control {
        /// Its name.
        name: String,
        /// Why not.
        failure: ControlFailure,
    },
    /// No control proves that it would be seen.
    NoPositive(Errno),
}

impl Display for Blindness {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control { name, failure } => match failure {
                ControlFailure::Lost { .. }
                | ControlFailure::OutOfBounds { .. }
                | ControlFailure::NotAsPlanned { .. }
                | ControlFailure::Invented { .. }
                | ControlFailure::OtherEnds { .. } => write!(f, "control {name} failed: {failure}"),
                ControlFailure::NotRun(_) | ControlFailure::NotExercised { .. } => {
                    write!(f, "control {name}: {failure}")
                }
            },
            Self::NoPositive(errno) => write!(f, "no positive control for {errno} here"),
        }
    }
}

/// What there is to say about how a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum CellReason {
    /// It was skipped: the plan says why.
    Skipped(String),
    /// It is blind, and perhaps short as well.
    Blind {
        /// For one errno, or for both.
        why: Vec<Blindness>,
        /// Where it is short too.
        short: Option<Shortage>,
    },
    /// It has fewer trials than were asked for.
    Short(Shortage),
    /// It is complete, and rules of its path of which that is claimed matched nothing.
    WithoutEffect(Vec<IdleRule>),
    /// It is complete, because the run's rule was met before its last block.
    Stopped(CellStop),
}

/// A rule of a path of which the claim under test is that it does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdleRule {
    /// Its name.
    pub name: String,
    /// How many packets it matched,
    pub matched: u64,
    /// in this many trials.
    pub trials: u64,
}

impl Display for CellReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(reason) => f.write_str(reason),
            Self::Blind { why, short } => {
                joined(f, "", why)?;
                short.iter().try_for_each(|short| write!(f, "; {short}"))
            }
            Self::Short(shortage) => shortage.fmt(f),
            Self::Stopped(stop) => stop.fmt(f),
            Self::WithoutEffect(rules) => joined(f, "fault had no effect: ", rules),
        }
    }
}

impl Display for IdleRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, matched, trials } = self;
        write!(f, "rule {name} matched {} packets in {} trials", count(*matched), count(*trials))
    }
}

fn joined(f: &mut Formatter<'_>, before: &str, parts: &[impl Display]) -> fmt::Result {
    f.write_str(before)?;
    parts.iter().enumerate().try_for_each(|(place, part)| {
        let between = if place == 0 { "" } else { "; " };
        write!(f, "{between}{part}")
    })
}

/// Which of the two cells of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparedCell {
    /// The one that the other is compared with: in a report the host's.
    First,
    /// The other one: in a report the guest's.
    Second,
}

/// How a reason calls what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComparedNames {
    /// Before a reason that is one of the first cell.
    pub first: &'static str,
    /// Before one of the second cell.
    pub second: &'static str,
    /// What a difference may be one of, if it is not one of boots.
    pub of: &'static str,
}

impl ComparedNames {
    /// In a report: guests beside bare metal, and the guest need not be named.
    pub const REPORT: Self = Self { first: "bare metal: ", second: "", of: "machines" };
    /// Of a kernel and the baseline's.
    pub const KERNELS: Self = Self { first: "on the baseline's kernel: ", second: "", of: "kernels" };
    /// Of two runs.
    pub const RUNS: Self = Self { first: "first run: ", second: "second run: ", of: "runs" };
    /// Of two configurations of one run.
    pub const CONFIGURATIONS: Self =
        Self { first: "first configuration: ", second: "second configuration: ", of: "configurations" };
}

/// Why a comparison says nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum ComparisonReason {
    /// Bare metal did not play the same.
    NoBaseline,
    /// One of the two has no trial.
    NotRun(ComparedCell, NotRun),
    /// One of the two would not have seen the errno.
    Blind(ComparedCell, Blindness),
    /// A difference of single trials is shown, and whole blocks of one side differ as much among themselves.
    BlocksDifferToo {
        /// The p-value of the test of whole blocks.
        p_value: f64,
    },
    /// A difference of single trials is shown, and there are too few blocks to tell one of machines from one of boots.
    FewBlocks {
        /// Number of blocks of the first cell.
        first: u64,
        /// Number of blocks of the second cell.
        second: u64,
    },
    /// A difference of single trials is shown, and all that makes it lies in one block of several: one event, however many trials it hit.
    OneBlock {
        /// Number of blocks of that side.
        blocks: u64,
        /// Which side it is.
        of: ComparedCell,
    },
    /// The two cells of the A/A pair differ, which are the same but for their name: no difference of this run means anything.
    PairDiffers,
}

impl ComparisonReason {
    /// In words, with these names for what is compared.
    pub fn words(&self, names: ComparedNames) -> String {
        let at = |which: &ComparedCell| match which {
            ComparedCell::First => names.first,
            ComparedCell::Second => names.second,
        };
        match self {
            Self::NoBaseline => {
                "no bare-metal cell with this scenario, these parameters, this path, and the same /etc/localtime and TZ".to_owned()
            }
            Self::NotRun(which, why) => format!("{}{why}", at(which)),
            Self::Blind(which, why) => format!("{}{why}", at(which)),
            Self::BlocksDifferToo { p_value: p } => {
                format!("its blocks differ as much among themselves (by blocks: p {})", p_value(*p))
            }
            Self::FewBlocks { first: 1, .. } | Self::FewBlocks { second: 1, .. } => format!(
                "one boot: trials differ, and one boot cannot tell a difference of {} from one of boots",
                names.of
            ),
            Self::FewBlocks { first, second } => format!(
                "trials differ, and {} boots against {} are too few to tell a difference of {} from one of boots",
                count(*second),
                count(*first),
                names.of
            ),
            Self::OneBlock { blocks, of } => {
                format!("{}all of them in one block of {}", at(of), count(*blocks))
            }
            Self::PairDiffers => "the A/A pair differs".to_owned(),
        }
    }
}

impl Display for ComparisonReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(ComparedNames::REPORT))
    }
}

/// Its words, or nothing.
pub fn told(reason: &Option<impl Display>) -> String {
    reason.as_ref().map(ToString::to_string).unwrap_or_default()
}
