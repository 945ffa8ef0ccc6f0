//! What the middlebox is to do later, in order of time; at one time in the order in which it was set.
//!
//! Pure. Must not do any of it. Units: nanoseconds since the start of the middlebox. Errors: none.
//! Tests: the engine's (`tests.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::connection::ConnectionId;
use super::spec::Direction;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// By the rules.
    Rule(RuleTimer),
    /// By a box.
    Box(BoxTimer),
    /// A line's shelf must be looked at.
    Shelf(Direction),
}

/// What the rules do later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleTimer {
    /// Something held may be due.
    HoldOver { of: ConnectionId, rule: usize },
    /// A reset of a rule.
    Inject { of: ConnectionId, rule: usize, left: u32 },
}

/// What the boxes do later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BoxTimer {
    /// The firewall looks whether the connection was idle.
    Idle(ConnectionId),
    /// The balancer's backend goes down.
    BackendDown,
    /// The balancer's next health check.
    Probe,
}

/// All that are set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: BinaryHeap<Reverse<(u64, u64, Timer)>>,
    number: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: u64, timer: Timer) {
        self.number += 1;
        self.waiting.push(Reverse((at, self.number, timer)));
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<u64> {
        self.waiting.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes the next one, if it is due.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        self.waiting.pop().map(|Reverse((_, _, timer))| timer)
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
