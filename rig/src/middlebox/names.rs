//! The names of the middlebox's counters: a contract between whoever counts and whoever asks for a proof.
//!
//! A name is made here and nowhere else, so that nobody can ask for a counter that is spelled otherwise than the one that is counted.
//! The spelling is stored with every block: it never changes. Must not know what is counted when. Units: frames, unless the name says otherwise.
//! Errors: none. Tests: below; that every shipped path's proofs are counted, in `matrix/path/tests/proofs.rs`.

use std::fmt;

use super::spec::{Direction, Port};

/// A closed list of words.
pub trait Word: Copy + 'static {
    /// All of them, in order.
    const ALL: &'static [Self];

    /// As it stands in a counter's name.
    fn word(self) -> &'static str;

    /// Its place in [`Word::ALL`].
    fn index(self) -> usize;
}

/// Declares closed lists of words, each with the spelling of its words.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$each])* $variant,)+ }

        impl $crate::middlebox::Word for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

pub(crate) use words;

words! {
    /// What becomes of every frame: `received.to_peer`.
    FlowCount {
        /// Came in.
        Received = "received",
        /// Left, or will at its time.
        Forwarded = "forwarded",
        /// Made by the middlebox.
        Forged = "forged",
    }
    /// What one direction of the link did: `link.to_target.lost`.
    LinkCount {
        /// Frames for which a random number was drawn, whatever it decided: not frames that are gone.
        Thrown = "thrown",
        /// Lost by chance.
        Lost = "lost",
        /// Left twice.
        Duplicated = "duplicated",
        /// Kept back to be overtaken.
        Reordered = "reordered",
        /// Not overtaken in time.
        ReorderTimeouts = "reorder_timeouts",
        /// Found the rate's queue full.
        QueueDropped = "queue_dropped",
        /// Left later than they came.
        Delayed = "delayed",
        /// Longer than the link's MTU.
        TooLong = "too_long",
    }
    /// What an action did: `action.NAME.held`.
    ActionCount {
        /// Segments that it acted on.
        Matched = "matched",
        /// Connections that it acted on.
        Connections = "connections",
        /// Segments that it dropped.
        Dropped = "dropped",
        /// Segments that it kept back.
        Held = "held",
        /// Of these those that were let go because what they waited for had passed, or the action was disarmed.
        Released = "released",
        /// Of these those that were let go because they had waited too long.
        ReleasedByTimeout = "released_by_timeout",
        /// Of these those that were let go because too many were kept back.
        Overflowed = "overflowed",
    }
    /// What became of forged segments (resets, or an action's data), by direction: `ips.injected.to_target`.
    ResetCount {
        /// Those that were sent.
        Injected = "injected",
        /// Those that could not be made: the connection's numbers were not known.
        Unavailable = "unavailable",
        /// Connections that got one, however many each got.
        Connections = "connections",
    }
    /// What the firewall did: `firewall.expired`.
    FirewallCount {
        /// Connections let in.
        Admitted = "admitted",
        /// Connections that were silent too long.
        Expired = "expired",
        /// Segments that found their connection's time over.
        Swallowed = "swallowed",
        /// Connections whose state was given up without a reset.
        Forgotten = "forgotten",
        /// Segments of connections without state that were answered with a reset.
        StrangersReset = "strangers_reset",
        /// Those that were dropped.
        StrangersDropped = "strangers_dropped",
        /// Connections without state that had a segment come in.
        StrangerConnections = "stranger_connections",
    }
    /// What the IPS did: `ips.matched`.
    IpsCount {
        /// Segments that completed the pattern.
        Matched = "matched",
        /// Of these those that were dropped.
        Dropped = "dropped",
    }
    /// What the balancer did: `balancer.marked_down`.
    BalancerCount {
        /// Times that the backend went down.
        MarkedDown = "marked_down",
        /// Times that it came up.
        MarkedUp = "marked_up",
        /// Sessions that were reset.
        SessionsReset = "sessions_reset",
        /// Segments of clients that were refused.
        Refused = "refused",
        /// Segments of a backend that is down.
        BackendDropped = "backend_dropped",
        /// Health checks sent.
        ProbesSent = "probes_sent",
        /// Of these answered in time.
        ProbesAnswered = "probes_answered",
        /// Of these not answered in time.
        ProbesFailed = "probes_failed",
    }
    /// What was said on behalf of hosts that are gone: `gone.answered`.
    GoneCount {
        /// Segments that were answered.
        Answered = "answered",
        /// Their connections.
        Connections = "connections",
        /// Questions of neighbours (ARP, neighbour discovery) that were answered.
        NeighboursAnswered = "neighbours_answered",
    }
    /// What a packet socket did: `port.peer.receive_lost`.
    PortCount {
        /// Frames that the socket had no room for.
        ReceiveLost = "receive_lost",
        /// Frames that could not be read.
        ReceiveUnreadable = "receive_unreadable",
        /// Times that the interface was found down.
        LinkDown = "link_down",
        /// Frames that the kernel did not take.
        SendRefused = "send_refused",
        /// Frames that the interface cannot carry.
        SendTooLong = "send_too_long",
        /// Times that the interface's queue was full and tried again.
        SendRetried = "send_retried",
        /// Super-segments (GSO) that came in and were taken apart.
        SuperSegments = "super_segments",
    }
    /// Frames that left this much later than they should have: `late.over_1ms`.
    LateCount {
        /// Over 100 microseconds.
        Over100us = "over_100us",
        /// Over a millisecond.
        Over1ms = "over_1ms",
        /// Over ten milliseconds.
        Over10ms = "over_10ms",
    }
}

/// Who resets connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resetter {
    /// An action of this name.
    Action(String),
    /// The firewall.
    Firewall,
    /// The IPS.
    Ips,
    /// The balancer.
    Balancer,
}

impl fmt::Display for Resetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(name) => write!(f, "action.{name}"),
            Self::Firewall => f.write_str("firewall"),
            Self::Ips => f.write_str("ips"),
            Self::Balancer => f.write_str("balancer"),
        }
    }
}

/// The name of a counter of the middlebox; its text is what the record stores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MiddleboxCounter {
    /// Frames by direction.
    Flow(FlowCount, Direction),
    /// Connections that were seen.
    Connections,
    /// Connections that had to make room.
    ConnectionsForgotten,
    /// Frames that were still held or delayed when the middlebox was stopped.
    DiscardedAtStop,
    /// The link, by direction.
    Link(Direction, LinkCount),
    /// An action, by its name.
    Action(String, ActionCount),
    /// Resets, by who sends them and in which direction they travel.
    Reset(Resetter, ResetCount, Direction),
    /// The firewall.
    Firewall(FirewallCount),
    /// The IPS.
    Ips(IpsCount),
    /// The balancer.
    Balancer(BalancerCount),
    /// Hosts that are gone.
    Gone(GoneCount),
    /// A packet socket.
    Port(Port, PortCount),
    /// Frames that left too late.
    Late(LateCount),
}

impl fmt::Display for MiddleboxCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow(what, direction) => write!(f, "{}.{}", what.word(), direction.name()),
            Self::Connections => f.write_str("connections"),
            Self::ConnectionsForgotten => f.write_str("connections_forgotten"),
            Self::DiscardedAtStop => f.write_str("discarded_at_stop"),
            Self::Link(direction, what) => write!(f, "link.{}.{}", direction.name(), what.word()),
            Self::Action(name, what) => write!(f, "action.{name}.{}", what.word()),
            Self::Reset(by, what, direction) => write!(f, "{by}.{}.{}", what.word(), direction.name()),
            Self::Firewall(what) => write!(f, "firewall.{}", what.word()),
            Self::Ips(what) => write!(f, "ips.{}", what.word()),
            Self::Balancer(what) => write!(f, "balancer.{}", what.word()),
            Self::Gone(what) => write!(f, "gone.{}", what.word()),
            Self::Port(port, what) => write!(f, "port.{}.{}", port.name(), what.word()),
            Self::Late(what) => write!(f, "late.{}", what.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_name_has_its_form() {
        let forge = || Resetter::Action("forge".to_owned());
        for (name, text) in [
            (MiddleboxCounter::Flow(FlowCount::Forged, Direction::ToPeer), "forged.to_peer"),
            (MiddleboxCounter::ConnectionsForgotten, "connections_forgotten"),
            (MiddleboxCounter::Link(Direction::ToTarget, LinkCount::Lost), "link.to_target.lost"),
            (MiddleboxCounter::Action("forge".to_owned(), ActionCount::Matched), "action.forge.matched"),
            (
                MiddleboxCounter::Reset(forge(), ResetCount::Injected, Direction::ToPeer),
                "action.forge.injected.to_peer",
            ),
            (
                MiddleboxCounter::Reset(Resetter::Ips, ResetCount::Connections, Direction::ToTarget),
                "ips.connections.to_target",
            ),
            (MiddleboxCounter::Firewall(FirewallCount::Expired), "firewall.expired"),
            (MiddleboxCounter::Port(Port::Peer, PortCount::SendRetried), "port.peer.send_retried"),
            (MiddleboxCounter::Late(LateCount::Over10ms), "late.over_10ms"),
        ] {
            assert_eq!(name.to_string(), text);
        }
    }
}
