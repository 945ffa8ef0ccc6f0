//! A compiled script: the resolved form of one scenario file with all parameters filled in.
//!
//! Holds lanes of steps over numbered slots and marks; knows nothing of TOML, parameters or claims.
//! Units: nanoseconds.
//! Errors: none; `rig`'s script room has validated everything before it builds one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Call, Op};

/// Which end of the connection a lane runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The kernel whose sockets are measured.
    Target,
    /// The other end.
    Peer,
}

/// One system call, sleep or wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub op: Op,
    /// The one step whose observation the cell counts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub verdict: bool,
    /// Its label joins the outcome (`readable,data,ECONNRESET`); always true for the verdict step.
    #[serde(default, skip_serializing_if = "is_false")]
    pub outcome: bool,
    /// Without effect: once it said that a failure of this step is an observation, which now every failure of a call under test is. Still read,
    /// and part of a cell's id.
    #[serde(default, skip_serializing_if = "is_false")]
    pub may_fail: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_false(b: &bool) -> bool {
    !*b
}

/// A sequence of steps that one thread plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Its name in the scenario file: `client`, `peer`, `watcher`, ...
    pub name: String,
    /// Which end plays it.
    pub side: Side,
    /// In order.
    pub steps: Vec<Step>,
}

/// An `inject` that reaches no call: the filter is armed for the `select` system call of its lane and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreachableInjection {
    /// Index of the `inject` in the lane.
    pub inject: usize,
    /// Index of the next `select`, which goes through another door; `None`: there is none.
    pub select: Option<usize>,
}

impl Lane {
    /// The first `inject` whose next `select` does not make the plain `select` system call.
    pub fn unreachable_injection(&self) -> Option<UnreachableInjection> {
        let injections =
            self.steps.iter().enumerate().filter(|(_, step)| matches!(step.op, Op::Inject { .. }));
        injections.map(|(inject, _)| inject).find_map(|inject| {
            let later = self.steps.iter().enumerate().skip(inject + 1);
            let mut selects = later.filter_map(|(at, step)| match step.op {
                Op::Select { call, .. } => Some((at, call)),
                _ => None,
            });
            match selects.next() {
                Some((_, Call::Select)) => None,
                Some((at, Call::Pselect6 | Call::Libc)) => {
                    Some(UnreachableInjection { inject, select: Some(at) })
                }
                None => Some(UnreachableInjection { inject, select: None }),
            }
        })
    }
}

/// A whole script, ready to be played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The scenario's name, for logs.
    pub name: String,
    /// Names of the socket slots.
    pub sockets: Vec<String>,
    /// Names of the marks.
    pub marks: Vec<String>,
    /// At least one [`Side::Target`] lane; at most one [`Side::Peer`] lane, whose first step is `accept`.
    pub lanes: Vec<Lane>,
    /// Outcomes that the scenario expects (`*` matches within one label). Any other is an anomaly.
    pub expect: Vec<String>,
    /// The same of the peer lane; empty where the scenario expects nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect_peer: Vec<String>,
    /// How long a trial may last, in nanoseconds, where the scenario says it; otherwise it follows from what its steps can wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ns: Option<u64>,
}

impl Script {
    /// The lanes of one side, in file order.
    pub fn lanes_of(&self, side: Side) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(move |lane| lane.side == side)
    }

    /// The longest that one trial can sleep and wait by its own script: the base of every deadline on it.
    pub fn longest_trial(&self) -> Duration {
        self.lanes
            .iter()
            .map(|lane| lane.steps.iter().map(|s| s.op.longest_wait()).sum())
            .max()
            .unwrap_or_default()
    }

    /// Whether `outcome` is one that the scenario expects.
    pub fn expects(&self, outcome: &str) -> bool {
        self.expect.iter().any(|pattern| matches_outcome(pattern, outcome))
    }
}

/// Whether an outcome is as a pattern says. Labels are compared one by one; `*` stands for any one label, a last `**` for any rest.
pub fn matches_outcome(pattern: &str, outcome: &str) -> bool {
    let mut labels = outcome.split(',');
    for wanted in pattern.split(',') {
        match (wanted, labels.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(label)) if wanted == label => {}
            _ => return false,
        }
    }
    labels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_patterns_match_label_by_label() {
        assert!(matches_outcome("readable,data,ECONNRESET", "readable,data,ECONNRESET"));
        assert!(matches_outcome("readable,*", "readable,eof"));
        assert!(!matches_outcome("readable,*", "readable"));
        assert!(!matches_outcome("readable", "readable,data"));
        assert!(matches_outcome("readable,**", "readable"));
        assert!(matches_outcome("readable,**", "readable,data,ECONNRESET"));
        assert!(!matches_outcome("EBADF,**", "readable,data"));
    }
}
