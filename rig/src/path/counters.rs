//! The names of what a path's mechanisms count: a contract between whoever counts and whoever asks for a proof.
//!
//! A name is made here (the own middlebox's: in [`crate::middlebox`]) and nowhere else. The spelling is stored with every block: it never changes.
//! Must not know what is counted when. Units: as each says. Errors: none.
//! Tests: below; that every shipped path's proofs are counted, in `matrix/path/tests/proofs.rs`.

use std::fmt;

use super::spec::Fault;
use crate::middlebox::{Direction, MiddleboxCounter, Word, words};

words! {
    /// What a netem queue says of itself: `netem.to_peer.packets`.
    NetemCount {
        /// Packets that left it.
        Packets = "packets",
        /// Packets that it dropped.
        Dropped = "dropped",
    }
    /// What a switch that translates addresses did: `nat.connections`.
    NatCount {
        /// Connections that it translated.
        Connections = "connections",
        /// Resets that it sent to the peer in its own name: it knows no connection that such a segment could be of.
        HostResets = "host_resets",
    }
    /// What HAProxy says of its backend: `haproxy.sessions`.
    HaProxyCount {
        /// Sessions that it opened.
        Sessions = "sessions",
        /// Times that the backend went down.
        MarkedDown = "marked_down",
        /// Health checks that failed.
        FailedChecks = "failed_checks",
        /// Sessions that it ended because the backend went down.
        ShutDown = "shut_down",
    }
}

impl NatCount {
    /// Its name among nft's named counters, which begin with a letter and are no words of its language.
    pub(super) fn in_nft(self) -> String {
        format!("nat-{}", self.word())
    }

    /// The one of this name.
    pub(super) fn of_nft(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|count| count.in_nft() == name)
    }
}

/// The name of a counter of a path; its text is what the record stores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathCounter {
    /// Of the own middlebox.
    Middlebox(MiddleboxCounter),
    /// Of the netem queue on what travels in this direction.
    Netem(Direction, NetemCount),
    /// Of HAProxy.
    HaProxy(HaProxyCount),
    /// Of address translation.
    Nat(NatCount),
    /// Packets that this packet filter rule matched.
    Rule(String),
    /// Times that this fault was carried out.
    Fault(String),
    /// CPU time that this fault took, in milliseconds.
    FaultCpuTime(String),
}

impl PathCounter {
    /// Whether a stored name is of a packet filter rule.
    pub fn is_of_rule(name: &str) -> bool {
        name.starts_with(RULE)
    }

    /// What is counted of these faults whether they come or not.
    pub fn of_faults(faults: &[Fault]) -> impl Iterator<Item = Self> {
        faults.iter().map(|fault| Self::Fault(fault.name.clone()))
    }
}

const RULE: &str = "rule.";

impl From<MiddleboxCounter> for PathCounter {
    fn from(counter: MiddleboxCounter) -> Self {
        Self::Middlebox(counter)
    }
}

impl fmt::Display for PathCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Middlebox(counter) => counter.fmt(f),
            Self::Netem(direction, what) => write!(f, "netem.{}.{}", direction.name(), what.word()),
            Self::Nat(what) => write!(f, "nat.{}", what.word()),
            Self::HaProxy(what) => write!(f, "haproxy.{}", what.word()),
            Self::Rule(name) => write!(f, "{RULE}{name}"),
            Self::Fault(name) => write!(f, "fault.{name}"),
            Self::FaultCpuTime(name) => write!(f, "fault.{name}.cpu_ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_has_its_form() {
        for (name, text) in [
            (PathCounter::Middlebox(MiddleboxCounter::Connections), "connections"),
            (PathCounter::Netem(Direction::ToPeer, NetemCount::Dropped), "netem.to_peer.dropped"),
            (PathCounter::HaProxy(HaProxyCount::ShutDown), "haproxy.shut_down"),
            (PathCounter::Nat(NatCount::HostResets), "nat.host_resets"),
            (PathCounter::Rule("reject".to_owned()), "rule.reject"),
            (PathCounter::Fault("busy".to_owned()), "fault.busy"),
            (PathCounter::FaultCpuTime("busy".to_owned()), "fault.busy.cpu_ms"),
        ] {
            assert_eq!(name.to_string(), text);
            assert_eq!(PathCounter::is_of_rule(text), matches!(name, PathCounter::Rule(_)), "{text}");
        }
    }
}
