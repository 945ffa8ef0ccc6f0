//! What controller and agent say to each other.
//!
//! Holds requests (controller to agent), replies (agent to controller) and the order in which they come:
//! `Hello`; then per assignment `Play` -> `Ready`, (`Progress` | `Example`)*, `Tally`, `Fin`. A peer's play goes on until `Finish`;
//! a target's ends by itself. End of input means that the controller is gone: the agent exits at once.
//! Units: nanoseconds. Errors: none here; a reply out of order blames the agent. Tests: below, and `frame.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counts::{is_zero, total};
use crate::tally::{check_counted, check_labels};
use crate::{Interface, Returned, Script, Tally, TrialRecord};

/// Raised with every change of the wire; checked besides the build id so that the message can say which it is.
pub const PROTOCOL_VERSION: u32 = 5;

/// The agent's first frame.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the agent.
    pub protocol_version: u32,
    /// SHA-256 (hex) of the agent's own executable file (`/proc/self/exe`): "the same bytes" is checked, not assumed.
    pub build_id: String,
    /// `uname -r`
    pub kernel_release: String,
    /// `uname -v`
    pub kernel_version: String,
    /// Whether CPUID says "hypervisor present" where the agent runs.
    pub hypervisor: bool,
    /// Content of /sys/devices/system/clocksource/clocksource0/current_clocksource, or empty.
    pub clocksource: String,
    /// Online CPUs.
    pub cpus: u32,
    /// Whether /etc/localtime exists where the agent runs.
    pub localtime: bool,
    /// The network sysctls that change what TCP does around a RST, by name.
    pub sysctls: BTreeMap<String, String>,
    /// Every network interface of the agent's network namespace except `lo`, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// In a guest of rig: the CID of its vsock device, where a driver has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vsock_cid: Option<u32>,
}

/// Which end of the connections an agent plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Listens and plays the peer lane for every accepted connection, until [`Request::Finish`].
    Peer {
        /// `address:port` to listen on; port 0 lets the kernel choose. Or a [`VsockAddress`](crate::VsockAddress).
        listen: String,
    },
    /// Connects and plays the target's lanes, `trials` times.
    Target {
        /// `address:port` of the peer, or a [`VsockAddress`](crate::VsockAddress). Empty for a script without a peer lane.
        connect: String,
    },
}

/// One block's work for one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The whole script; the agent plays the lanes of its side.
    pub script: Script,
    /// Which side, and where.
    pub role: Role,
    /// How many trials (target) or at most how many connections at once (peer: `in_flight`).
    pub trials: u64,
    /// How many trials are under way at once. Each has a thread and a descriptor table of its own.
    pub in_flight: u32,
    /// Seed of every random draw of this block.
    pub seed: u64,
    /// The first K examples of each outcome are kept whole.
    pub keep_examples: u32,
    /// At most this many anomalies of each outcome are kept whole, and of the block [`Assignment::most_anomalies`]; all are counted.
    pub keep_anomalies: u32,
    /// A trial that lasts longer than this is cut. A call on a socket that is under way then gets the label `deadline`. Where all lanes
    /// sleep or wait for marks, a last label `deadline` says it if the verdict call has returned; otherwise the trial is void
    /// ("trial deadline").
    pub trial_deadline_ns: u64,
    /// Where the paths of the script's program begin: a folder that is the program's root; `None`: they are the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

impl Assignment {
    /// Anomalies of so many outcomes can be kept whole up to [`Assignment::keep_anomalies`]; of a block's further ones none is. A block that
    /// has many different anomalies would otherwise fill the agent's memory and the record with them.
    pub const OUTCOMES_KEPT_WHOLE: u32 = 4;

    /// At most this many anomalies of a block are kept whole.
    pub fn most_anomalies(&self) -> u64 {
        u64::from(self.keep_anomalies) * u64::from(Self::OUTCOMES_KEPT_WHOLE)
    }
}

/// Controller to agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Start this assignment.
    Play(Box<Assignment>),
    /// Peer: stop accepting, send `Tally` and `Fin`.
    Finish,
}

/// A sign of life while an assignment is played, several times a second: the sums so far. Taken at one moment of each worker's sums, so
/// returns (with those that are missing) and outcomes add up to the trials in each of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Trials with an outcome so far.
    pub trials: u64,
    /// Void trials so far by reason, as in [`Tally::voids`].
    pub voids: BTreeMap<String, u64>,
    /// Verdict returns so far, as in [`Tally::returns`].
    pub returns: BTreeMap<Returned, u64>,
    /// Outcome labels so far, as in [`Tally::outcomes`].
    pub outcomes: BTreeMap<String, u64>,
    /// Trials without a verdict return so far, as in [`Tally::unreturned`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreturned: u64,
}

impl Progress {
    /// All void trials so far.
    pub fn void(&self) -> u64 {
        self.voids.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Why this cannot be a sign of life of at most `most` trials of `script`, if it cannot: the guest is not trusted. Names nothing that the
    /// guest named.
    pub fn inconsistency(&self, script: &Script, most: u64) -> Option<String> {
        let Self { trials, voids, returns, outcomes, unreturned } = self;
        let void = self.void();
        if trials.checked_add(void).is_none_or(|played| played > most) {
            return Some(format!("a sign of life counts {trials} trials and {void} void of {most}"));
        }
        let returned = total(returns.values().chain([unreturned]));
        for (sum, name) in [(returned, "verdict returns"), (total(outcomes.values()), "outcomes")] {
            if sum != Some(*trials) {
                return Some(format!("a sign of life counts {trials} trials but not as many {name}"));
            }
        }
        check_counted("verdict returns", returns)
            .and_then(|()| check_labels("outcomes", script, outcomes))
            .and_then(|()| check_labels("void reasons", script, voids))
            .err()
            .map(|what| format!("a sign of life: {what}"))
    }

    /// The tally of a block that was stopped here, as far as it is known: the other sums are empty.
    pub fn into_tally(self) -> Tally {
        let Self { trials, voids, returns, outcomes, unreturned } = self;
        Tally { trials, voids, returns, outcomes, unreturned, ..Tally::default() }
    }
}

/// The last frame of an assignment: what came before must add up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fin {
    /// Frames sent for this assignment, this one included.
    pub frames: u64,
    /// Trials with an outcome.
    pub trials: u64,
    /// Void trials.
    pub void: u64,
    /// Records sent as `Example`.
    pub records: u64,
}

/// Agent to controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// First frame after start.
    Hello(Hello),
    /// The assignment can be played; a peer listens on this `address:port` now.
    Ready {
        /// Where (peer), or empty.
        listening: String,
    },
    /// Sign of life.
    Progress(Progress),
    /// A trial kept whole.
    Example(TrialRecord),
    /// The sums.
    Tally(Box<Tally>),
    /// The end of this assignment.
    Fin(Fin),
    /// The assignment could not be played (no memory for threads, seccomp refused, address in use): void, never an outcome.
    Refused {
        /// What failed and with which errno.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;

    #[test]
    fn a_sign_of_life_is_a_tally_of_what_it_knows() {
        let progress = Progress {
            trials: 4,
            voids: [("connect: EMFILE".into(), 2), ("trial deadline".into(), 1)].into(),
            returns: [(Returned::ONE, 2), (Returned::failed(crate::Errno::EBADF), 1)].into(),
            outcomes: [("readable".into(), 2), ("EBADF".into(), 1), ("deadline".into(), 1)].into(),
            unreturned: 1,
        };
        assert_eq!(progress.void(), 3);
        let tally = progress.clone().into_tally();
        let script = Script { name: "s".into(), ..Script::default() };
        assert_eq!(tally.inconsistency(&script), None);
        assert_eq!(progress.inconsistency(&script, 7), None);
        let changed = |change: fn(&mut Progress)| {
            let mut progress = progress.clone();
            change(&mut progress);
            progress.inconsistency(&script, 7)
        };
        for (change, words) in [
            (
                (|progress| progress.unreturned = 0) as fn(&mut Progress),
                "a sign of life counts 4 trials but not as many verdict returns",
            ),
            (|progress| progress.trials = 5, "a sign of life counts 5 trials and 3 void of 7"),
            (
                |progress| progress.returns.extend([(Returned::ZERO, 0)]),
                "a sign of life: verdict returns that were counted 0 times",
            ),
            (
                |progress| progress.outcomes.extend([("eof".into(), 0)]),
                "a sign of life: outcomes that were counted 0 times",
            ),
            (
                |progress| {
                    progress.voids.clear();
                    progress.voids.insert("\u{fffe}".into(), 3);
                },
                "a sign of life: void reasons with something else than printable ASCII",
            ),
        ] {
            assert_eq!(changed(change).as_deref(), Some(words));
        }
        assert_eq!((tally.trials, tally.void(), tally.returned(Errno::EBADF)), (4, 3, 1));
        assert_eq!((&tally.voids, &tally.outcomes), (&progress.voids, &progress.outcomes));
        assert_eq!(
            Progress { voids: [("a".into(), u64::MAX), ("b".into(), 1)].into(), ..progress }.void(),
            u64::MAX
        );
    }
}
