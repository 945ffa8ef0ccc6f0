//! Rules over the segments of each connection: hold, drop, inject.
//!
//! Part of the engine. Must not know the stateful boxes. A rule counts a connection's matching segments even while it is disarmed, so that
//! "the second data segment" means the same whenever it is armed.
//! Units: nanoseconds. Errors: an action that no spec declared. Tests: `tests.rs`.

use super::MiddleboxError;
use super::connection::{Held, RuleState};
use super::counters::{Counter, ResetCounters, Tally};
use super::engine::{Engine, Timer};
use super::frame::{ACK, FIN, FourTuple, RST, SYN, Segment};
use super::line::{Passing, Release};
use super::spec::{Action, Condition, Deed, Direction};

/// Segments that one rule holds of one connection at most; beyond that the oldest is let go, and counted.
const HELD: usize = 1024;

/// An action with its counters.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) action: Action,
    armed: bool,
    matched: Counter,
    connections: Counter,
    dropped: Counter,
    held: Counter,
    released: Counter,
    released_by_timeout: Counter,
    overflowed: Counter,
    resets: ResetCounters,
}

impl Rule {
    pub(super) fn new(action: Action, tally: &mut Tally) -> Self {
        let mut register = |what: &str| tally.register(format!("action.{}.{what}", action.name));
        Self {
            armed: action.armed,
            matched: register("matched"),
            connections: register("connections"),
            dropped: register("dropped"),
            held: register("held"),
            released: register("released"),
            released_by_timeout: register("released_by_timeout"),
            overflowed: register("overflowed"),
            resets: ResetCounters::new(&format!("action.{}", action.name), tally),
            action,
        }
    }

    fn acts_on(&self, state: &mut RuleState) -> bool {
        if !self.armed || (self.action.first > 0 && state.acted >= self.action.first) {
            return false;
        }
        state.acted += 1;
        true
    }
}

/// Whether the condition holds, with `seen` as its ordinal's counter.
fn holds(
    condition: &Condition,
    direction: Direction,
    frame: &[u8],
    segment: &Segment,
    seen: &mut u32,
) -> bool {
    let said = |wanted: Option<bool>, flag: u8| wanted.is_none_or(|wanted| wanted == segment.has(flag));
    let payload = segment.payload(frame);
    let rest = condition.direction.is_none_or(|wanted| wanted == direction)
        && condition.port.is_none_or(|port| port == segment.source_port || port == segment.destination_port)
        && said(condition.syn, SYN)
        && said(condition.fin, FIN)
        && said(condition.rst, RST)
        && said(condition.ack, ACK)
        && condition.payload.is_none_or(|wanted| wanted != payload.is_empty())
        && condition.contains.is_in(payload);
    if !rest {
        return false;
    }
    *seen = seen.saturating_add(1);
    condition.ordinal.is_none_or(|ordinal| ordinal == *seen)
}

impl Engine {
    /// Lets the rules decide on a segment; the first hold or drop that acts has the say, resets are injected after it had.
    pub(super) fn apply_rules(&mut self, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
        let mut decided = None;
        let mut injecting = vec![];
        for index in 0..self.rules.len() {
            let rule = &self.rules[index];
            let Some((four_tuple, segment)) = passing.segment else { break };
            let Some(connection) = self.connections.get(&four_tuple) else { break };
            let generation = connection.generation;
            let state = &mut connection.rules[index];
            if !holds(&rule.action.when, direction, &passing.frame, &segment, &mut state.seen) {
                continue;
            }
            let decides = match rule.action.deed {
                Deed::Hold { .. } if state.passed || decided.is_some() => continue,
                Deed::Drop if decided.is_some() => continue,
                Deed::Hold { .. } | Deed::Drop => true,
                Deed::InjectRst { .. } => false,
            };
            if !rule.acts_on(state) {
                continue;
            }
            let connections = rule.connections;
            self.tally.count(rule.matched);
            self.count_connection(&four_tuple, connections);
            if decides {
                decided = Some(index);
            } else {
                injecting.push((index, four_tuple, generation));
            }
        }
        match decided {
            Some(rule) => self.keep_back(rule, direction, passing, out),
            None => self.pass(direction, passing, out),
        }
        for (rule, of, generation) in injecting {
            self.begin_injection(rule, of, generation, out);
        }
    }

    fn keep_back(&mut self, index: usize, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
        let rule = &self.rules[index];
        let (dropped, held, overflowed) = (rule.dropped, rule.held, rule.overflowed);
        let Deed::Hold { timeout_ns, .. } = rule.action.deed else {
            return self.tally.count(dropped);
        };
        let deadline_ns = self.now.saturating_add(timeout_ns);
        let Some((connection, _)) = self.connection_of(&passing) else { return };
        let (of, generation) = (connection.four_tuple, connection.generation);
        let kept = &mut connection.rules[index].held;
        kept.push(Held { passing, direction, deadline_ns });
        let oldest = if kept.len() > HELD { Some(kept.remove(0)) } else { None };
        self.tally.count(held);
        self.set_timer(deadline_ns, Timer::HoldOver { of, generation, rule: index });
        if let Some(oldest) = oldest {
            self.tally.count(overflowed);
            self.pass(oldest.direction, oldest.passing, out);
        }
    }

    /// Lets a frame through, and with it whatever waited for it.
    pub(super) fn pass(&mut self, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
        let released = self.opened_by(direction, &passing);
        self.send(direction, passing, out);
        for held in released {
            self.pass(held.direction, held.passing, out);
        }
    }

    /// What holds release because this frame passes.
    fn opened_by(&mut self, direction: Direction, passing: &Passing) -> Vec<Held> {
        let Some((four_tuple, segment)) = passing.segment else { return vec![] };
        let Some(connection) = self.connections.get(&four_tuple) else { return vec![] };
        let mut released = vec![];
        for (rule, state) in self.rules.iter().zip(&mut connection.rules) {
            let Deed::Hold { until, .. } = &rule.action.deed else { continue };
            if !state.passed && holds(until, direction, &passing.frame, &segment, &mut state.seen_until) {
                state.passed = true;
                self.tally.add(rule.released, state.held.len() as u64);
                released.append(&mut state.held);
            }
        }
        released
    }

    /// Lets go what a rule has held for too long.
    pub(super) fn release_overdue(
        &mut self,
        of: &FourTuple,
        generation: u64,
        rule: usize,
        out: &mut Vec<Release>,
    ) {
        let now = self.now;
        let Some(connection) = self.connections.same(of, generation) else { return };
        let held = std::mem::take(&mut connection.rules[rule].held);
        let (due, waiting): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.deadline_ns <= now);
        connection.rules[rule].held = waiting;
        self.tally.add(self.rules[rule].released_by_timeout, due.len() as u64);
        for held in due {
            self.pass(held.direction, held.passing, out);
        }
    }

    fn begin_injection(&mut self, rule: usize, of: FourTuple, generation: u64, out: &mut Vec<Release>) {
        let Deed::InjectRst { delay_ns, times, .. } = *self.deed(rule) else { return };
        if delay_ns == 0 {
            self.inject(&of, generation, rule, times, out);
        } else {
            let at = self.now.saturating_add(delay_ns);
            self.set_timer(at, Timer::Inject { of, generation, rule, left: times });
        }
    }

    /// Sends one round of a rule's resets, and plans the next.
    pub(super) fn inject(
        &mut self,
        of: &FourTuple,
        generation: u64,
        rule: usize,
        left: u32,
        out: &mut Vec<Release>,
    ) {
        let Deed::InjectRst { towards, sequence, gap_ns, .. } = *self.deed(rule) else { return };
        self.reset(of, towards, sequence, self.rules[rule].resets, out);
        if left > 1 {
            let at = self.now.saturating_add(gap_ns);
            self.set_timer(at, Timer::Inject { of: *of, generation, rule, left: left - 1 });
        }
    }

    fn find(&mut self, name: &str) -> Result<usize, MiddleboxError> {
        self.rules.iter().position(|rule| rule.action.name == name).ok_or_else(|| {
            let known = self.rules.iter().map(|rule| rule.action.name.clone()).collect();
            MiddleboxError::UnknownAction { name: name.to_owned(), known }
        })
    }

    pub(super) fn arm(&mut self, name: &str) -> Result<(), MiddleboxError> {
        let index = self.find(name)?;
        self.rules[index].armed = true;
        Ok(())
    }

    pub(super) fn disarm(&mut self, name: &str, out: &mut Vec<Release>) -> Result<(), MiddleboxError> {
        let index = self.find(name)?;
        self.rules[index].armed = false;
        for four_tuple in self.connections.sorted() {
            let Some(connection) = self.connections.get(&four_tuple) else { continue };
            let held = std::mem::take(&mut connection.rules[index].held);
            self.tally.add(self.rules[index].released, held.len() as u64);
            for held in held {
                self.pass(held.direction, held.passing, out);
            }
        }
        Ok(())
    }
}
