//! The closed list of rules by which cells decide a claim.
//!
//! Holds each rule's own figures. Must not know how a file spells them, nor how they are judged. Units: shares of 1, nanoseconds.
//! Errors: none. Tests: `tests.rs`, `tests/golden/fair`.

use rig_protocol::{Errno, TcpState};

use super::cells::Cells;

/// How a part of a claim is decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// By how the trials end.
    Ends(Ends),
    /// By how often the verdict call fails with an errno.
    Returns(Returns),
    /// By the difference of two selections.
    Differs(Box<Differs>),
    /// By a counter, cell by cell.
    PerTrial(PerTrial),
    /// By what follows from the TCP state before the verdict call.
    Order(Order),
    /// By who set errno.
    Said(Said),
    /// By how long the verdict call takes.
    Takes(Takes),
    /// By no measurement: it is about a document or a tool.
    Documented {
        /// Why it cannot be measured, or need not.
        reason: String,
        /// Where it can be read.
        source: String,
    },
}

/// The trials end as claimed, or otherwise. What fits to neither decides nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Ends {
    /// Patterns of outcomes that are as claimed.
    pub claimed: Vec<String>,
    /// Patterns of outcomes that contradict it.
    pub otherwise: Vec<String>,
    /// The share of the trials (of 1) that must be as claimed, and below which it is refuted; none is all but the run's margin, and refuted by as many of the others.
    pub at_least: Option<f64>,
}

/// The verdict call returns -1 with one of these.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    /// Each asked for itself; none is any errno.
    pub errnos: Vec<Errno>,
    /// The rate (a share of 1) up to which the claim is refuted; none is the run's margin.
    pub at_most: Option<f64>,
}

/// Two selections differ in something.
#[derive(Debug, Clone, PartialEq)]
pub struct Differs {
    /// The one.
    pub a: Cells,
    /// The other.
    pub b: Cells,
    /// In what.
    pub what: What,
    /// What is claimed of the two.
    pub claimed: Direction,
    /// A share of 1, of latencies nanoseconds: what is within it is the same. None is the run's margin, of latencies none at all.
    pub margin: Option<f64>,
    /// So many trials of both sides together must be as `what` says before anything is said: of what never happened nothing can be compared.
    pub least: u64,
}

/// In what two selections may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// How often the verdict call fails with one of these errnos; none is any.
    Rate(Vec<Errno>),
    /// How often a trial ends like this pattern.
    Share(String),
    /// How often TCP_INFO says CLOSE before the verdict call.
    ClosedBeforeCall,
    /// The median of the verdict call's duration.
    Latency,
}

/// What a claim says of two selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More of it, or longer, in a.
    AMore,
    /// In b.
    BMore,
    /// Either.
    Differs,
    /// None.
    Same,
}

impl Direction {
    /// All, with their words in a file.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::AMore, "a-more"), (Self::BMore, "b-more"), (Self::Differs, "differs"), (Self::Same, "same")];
}

/// A counter rises by so much in each trial.
#[derive(Debug, Clone, PartialEq)]
pub struct PerTrial {
    /// Which.
    pub counter: Counter,
    /// Per trial.
    pub ratio: f64,
    /// The share of the trials (of 1) that may lack it or have one too many.
    pub tolerance: f64,
    /// Whether more than that is as claimed, too.
    pub or_more: bool,
}

/// Who counts what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counter {
    /// A counter of the kernel of the peer: `peer.Tcp.OutRsts`.
    Peer(String),
    /// The same of the target.
    Target(String),
    /// RSTs that the packet socket saw on their way to the target.
    WitnessToTarget,
    /// RSTs on their way to the peer.
    WitnessToPeer,
    /// What a mechanism of the path counted: `path.firewall.expired`.
    Path(String),
}

impl Counter {
    /// The counter of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name.split_once('.')? {
            ("witness", "to_target") => Some(Self::WitnessToTarget),
            ("witness", "to_peer") => Some(Self::WitnessToPeer),
            ("peer", of) if of.contains('.') => Some(Self::Peer(of.to_owned())),
            ("target", of) if of.contains('.') => Some(Self::Target(of.to_owned())),
            ("path", of) => Some(Self::Path(of.to_owned())),
            _ => None,
        }
    }

    /// As a file spells it.
    pub fn name(&self) -> String {
        match self {
            Self::Peer(name) => format!("peer.{name}"),
            Self::Target(name) => format!("target.{name}"),
            Self::WitnessToTarget => "witness.to_target".to_owned(),
            Self::WitnessToPeer => "witness.to_peer".to_owned(),
            Self::Path(name) => format!("path.{name}"),
        }
    }

    /// Whether a scenario's `proof` voids the blocks in which this did not rise: then nothing that is left can contradict it. What a kernel sent is what
    /// the witness saw.
    pub fn is_proven_by(&self, proof: &[String]) -> bool {
        let has = |name: &str| proof.iter().any(|one| one == name);
        match self {
            Self::WitnessToTarget => has("peer.Tcp.OutRsts"),
            Self::WitnessToPeer => has("target.Tcp.OutRsts"),
            Self::Peer(_) | Self::Target(_) | Self::Path(_) => has(&self.name()),
        }
    }
}

/// A trial ends so where the socket was in a state before the verdict call, and so where it was in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The state.
    pub when: TcpState,
    /// Patterns of outcomes that the claim says follow from it.
    pub claimed: Vec<String>,
    /// The same of every other state.
    pub else_claimed: Vec<String>,
}

/// Who set errno: what the kernel returned, what libc's errno then held, what the program said. What is not named is anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `success`, `failure`, or the name of an errno.
    pub kernel: Option<String>,
    /// The errno that libc held after the call.
    pub libc: Option<Errno>,
    /// The errno that libc held after localtime(), or when the program wrote its line.
    pub localtime: Option<Errno>,
    /// The errno that the program said.
    pub program: Option<Errno>,
}

/// The verdict call lasts so long.
#[derive(Debug, Clone, PartialEq)]
pub struct Takes {
    /// At least, in nanoseconds.
    pub from_ns: u64,
    /// At most.
    pub to_ns: u64,
    /// In what share of the trials, of 1; none is all of them.
    pub share: Option<f64>,
}

impl Rule {
    /// The key of a file that begins it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Ends(_) => "ends",
            Self::Returns(_) => "returns",
            Self::Differs(_) => "differs",
            Self::PerTrial(_) => "per_trial",
            Self::Order(_) => "order",
            Self::Said(_) => "said",
            Self::Takes(_) => "takes",
            Self::Documented { .. } => "documented",
        }
    }

    /// Whether it counts failures of the verdict call: then a script that makes the call fail by itself says nothing.
    pub fn counts_failures(&self) -> bool {
        match self {
            Self::Returns(_) | Self::Order(_) => true,
            Self::Differs(differs) => matches!(differs.what, What::Rate(_)),
            Self::Ends(_) | Self::PerTrial(_) | Self::Said(_) | Self::Takes(_) | Self::Documented { .. } => {
                false
            }
        }
    }
}
