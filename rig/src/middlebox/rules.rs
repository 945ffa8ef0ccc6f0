//! Rules over the segments of each connection: hold, drop, inject.
//!
//! Must not know the engine or the stateful boxes. A rule counts a connection's matching segments even while it is disarmed, so that
//! "the second data segment" means the same whenever it is armed.
//! Units: nanoseconds. Errors: an action that no spec declared. Tests: `tests.rs`.

use super::connection::{Connection, ConnectionId, Connections, PerConnection};
use super::counters::{Counts, ResetCounters, Tally};
use super::effects::{Effect, Effects};
use super::error::MiddleboxError;
use super::frame::{ACK, FIN, RST, SYN, Segment};
use super::line::Passing;
use super::names::{ActionCount, MiddleboxCounter, Resetter};
use super::spec::{Action, Condition, Deed, Direction};
use super::timers::{RuleTimer, Timer};

/// Segments that one rule holds of one connection at most; beyond that the oldest is let go, and counted.
const HELD: usize = 1024;

/// A segment that a rule holds back.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) passing: Passing,
    pub(super) direction: Direction,
    deadline_ns: u64,
}

impl Held {
    fn let_go(self) -> Effect {
        Effect::Pass { direction: self.direction, passing: self.passing }
    }
}

/// What a rule remembers of a connection.
#[derive(Debug, Default)]
struct Memory {
    /// Segments for which the condition's other parts held.
    seen: u32,
    seen_until: u32,
    acted: u32,
    /// What a hold waits for has passed.
    passed: bool,
    held: Vec<Held>,
}

/// An action with its counters.
#[derive(Debug)]
struct Rule {
    action: Action,
    armed: bool,
    counts: Counts<ActionCount>,
    resets: ResetCounters,
}

impl Rule {
    fn new(action: Action, tally: &mut Tally) -> Self {
        let counts = Counts::new(tally, |what| MiddleboxCounter::Action(action.name.clone(), what));
        let resets = ResetCounters::new(&Resetter::Action(action.name.clone()), tally);
        Self { armed: action.armed, counts, resets, action }
    }

    fn acts_on(&self, memory: &mut Memory) -> bool {
        if !self.armed || (self.action.first > 0 && memory.acted >= self.action.first) {
            return false;
        }
        memory.acted += 1;
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
        && condition.longer_than.is_none_or(|bound| segment.datagram.bytes() > bound)
        && condition.shorter_than.is_none_or(|bound| segment.datagram.bytes() < bound)
        && condition.contains.is_in(payload);
    if !rest {
        return false;
    }
    *seen = seen.saturating_add(1);
    condition.ordinal.is_none_or(|ordinal| ordinal == *seen)
}

/// All rules of a middlebox, in order.
#[derive(Debug)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    /// By rule, as far as the rules have come; see [`Rules::memories`].
    memories: PerConnection<Vec<Memory>>,
}

impl Rules {
    pub(super) fn new(actions: &[Action], tally: &mut Tally) -> Self {
        let rules = actions.iter().map(|action| Rule::new(action.clone(), tally)).collect();
        Self { rules, memories: PerConnection::default() }
    }

    pub(super) fn are_none(&self) -> bool {
        self.rules.is_empty()
    }

    /// Every rule with what it remembers of this connection.
    fn memories(&mut self, of: &ConnectionId) -> impl Iterator<Item = (&Rule, &mut Memory)> {
        let memories = self.memories.of(of);
        memories.resize_with(self.rules.len(), Memory::default);
        self.rules.iter().zip(memories)
    }

    /// Decides on a segment of a connection: the first hold or drop that acts has the say; resets are injected after it had.
    pub(super) fn on(
        &mut self,
        now: u64,
        direction: Direction,
        passing: Passing,
        connection: &mut Connection,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        let of = connection.id;
        let Some((_, segment)) = passing.segment else {
            return effects.push(Effect::Pass { direction, passing });
        };
        let mut decided = None;
        let mut injecting = vec![];
        for (index, (rule, memory)) in self.memories(&of).enumerate() {
            if !holds(&rule.action.when, direction, &passing.frame, &segment, &mut memory.seen) {
                continue;
            }
            let decides = match rule.action.deed {
                Deed::Hold { .. } if memory.passed || decided.is_some() => continue,
                Deed::Drop if decided.is_some() => continue,
                Deed::Hold { .. } | Deed::Drop => true,
                Deed::InjectRst { .. } | Deed::InjectData { .. } => false,
            };
            if !rule.acts_on(memory) {
                continue;
            }
            tally.count(rule.counts.of(ActionCount::Matched));
            connection.count_once(rule.counts.of(ActionCount::Connections), tally);
            if decides {
                decided = Some(index);
            } else {
                injecting.push(index);
            }
        }
        match decided.map(|index| (index, &self.rules[index])) {
            None => effects.push(Effect::Pass { direction, passing }),
            Some((index, Rule { action: Action { deed: Deed::Hold { timeout_ns, .. }, .. }, .. })) => {
                let held = Held { passing, direction, deadline_ns: now.saturating_add(*timeout_ns) };
                self.keep_back(index, held, connection, tally, effects);
            }
            Some((_, rule)) => tally.count(rule.counts.of(ActionCount::Dropped)),
        }
        for rule in injecting {
            self.begin_injection(rule, of, now, effects);
        }
    }

    fn keep_back(
        &mut self,
        rule: usize,
        held: Held,
        connection: &mut Connection,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        let (of, counts) = (connection.id, &self.rules[rule].counts);
        effects.call_at(held.deadline_ns, Timer::Rule(RuleTimer::HoldOver { of, rule }));
        let all = &mut self.memories.of(&of)[rule].held;
        all.push(held);
        connection.held += 1;
        tally.count(counts.of(ActionCount::Held));
        if all.len() > HELD {
            connection.held -= 1;
            tally.count(counts.of(ActionCount::Overflowed));
            effects.push(all.remove(0).let_go());
        }
    }

    /// A segment passes: gives what was held until it did.
    pub(super) fn released_by(
        &mut self,
        direction: Direction,
        frame: &[u8],
        segment: &Segment,
        connection: &mut Connection,
        tally: &mut Tally,
    ) -> Vec<Held> {
        let mut released = vec![];
        for (rule, memory) in self.memories(&connection.id) {
            let Deed::Hold { until, .. } = &rule.action.deed else { continue };
            if !memory.passed && holds(until, direction, frame, segment, &mut memory.seen_until) {
                memory.passed = true;
                tally.add(rule.counts.of(ActionCount::Released), memory.held.len() as u64);
                connection.held -= memory.held.len();
                released.append(&mut memory.held);
            }
        }
        released
    }

    /// A timer of a rule is due.
    pub(super) fn wake(
        &mut self,
        timer: RuleTimer,
        now: u64,
        connections: &mut Connections,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        match timer {
            RuleTimer::HoldOver { of, rule } => {
                if let Some(connection) = connections.same(&of) {
                    self.release_overdue(rule, now, connection, tally, effects);
                }
            }
            RuleTimer::Inject { of, rule, left } => {
                if connections.same(&of).is_some() {
                    self.inject(rule, of, left, now, effects);
                }
            }
        }
    }

    /// Lets go what a rule has held for too long.
    fn release_overdue(
        &mut self,
        index: usize,
        now: u64,
        connection: &mut Connection,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        let counter = self.rules[index].counts.of(ActionCount::ReleasedByTimeout);
        let Some((_, memory)) = self.memories(&connection.id).nth(index) else { return };
        let (due, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut memory.held).into_iter().partition(|held| held.deadline_ns <= now);
        memory.held = waiting;
        connection.held -= due.len();
        tally.add(counter, due.len() as u64);
        for held in due {
            effects.push(held.let_go());
        }
    }

    fn begin_injection(&self, rule: usize, of: ConnectionId, now: u64, effects: &mut Effects) {
        let (Deed::InjectRst { delay_ns, times, .. } | Deed::InjectData { delay_ns, times, .. }) =
            self.rules[rule].action.deed
        else {
            return;
        };
        if delay_ns == 0 {
            self.inject(rule, of, times, now, effects);
        } else {
            let at = now.saturating_add(delay_ns);
            effects.call_at(at, Timer::Rule(RuleTimer::Inject { of, rule, left: times }));
        }
    }

    /// Sends one round of a rule's segments, and plans the next.
    fn inject(&self, rule: usize, of: ConnectionId, left: u32, now: u64, effects: &mut Effects) {
        let Rule { action, resets, .. } = &self.rules[rule];
        let (counters, of_ends) = (*resets, of.four_tuple);
        let gap_ns = match &action.deed {
            Deed::InjectRst { towards, sequence, gap_ns, .. } => {
                let (towards, sequence) = (*towards, *sequence);
                effects.push(Effect::Reset { of: of_ends, towards, sequence, counters });
                *gap_ns
            }
            Deed::InjectData { towards, sequence, payload, gap_ns, .. } => {
                let (towards, sequence, payload) = (*towards, *sequence, payload.clone());
                effects.push(Effect::Data { of: of_ends, towards, sequence, payload, counters });
                *gap_ns
            }
            Deed::Hold { .. } | Deed::Drop => return,
        };
        if left > 1 {
            let at = now.saturating_add(gap_ns);
            effects.call_at(at, Timer::Rule(RuleTimer::Inject { of, rule, left: left - 1 }));
        }
    }

    fn find(&self, name: &str) -> Result<usize, MiddleboxError> {
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

    /// Disarms a rule; what it holds is let go.
    pub(super) fn disarm(
        &mut self,
        name: &str,
        connections: &mut Connections,
        tally: &mut Tally,
        effects: &mut Effects,
    ) -> Result<(), MiddleboxError> {
        let index = self.find(name)?;
        self.rules[index].armed = false;
        let counter = self.rules[index].counts.of(ActionCount::Released);
        for id in connections.sorted() {
            let Some(connection) = connections.same(&id) else { continue };
            let Some((_, memory)) = self.memories(&id).nth(index) else { continue };
            tally.add(counter, memory.held.len() as u64);
            connection.held -= memory.held.len();
            for held in memory.held.drain(..) {
                effects.push(held.let_go());
            }
        }
        Ok(())
    }
}
