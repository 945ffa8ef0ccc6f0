//! The middlebox without its sockets: frames and times in, frames and times out.
//!
//! Pure: no clock, no I/O, no threads; the same spec, frames and times give the same answers. Rules are in `rules.rs`, the stateful boxes
//! in `boxes.rs`, the link itself in `line.rs`. Must not know interfaces.
//! Units: nanoseconds since the start of the box; calls must not go back in time (an earlier time counts as the last one).
//! Errors: [`MiddleboxError`], for a spec or a command that cannot be meant. Tests: `tests.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::IpAddr;

use super::MiddleboxError;
use super::boxes::{BalancerState, BoxCounters};
use super::connection::{Connection, Connections, Unavailable};
use super::counters::{Counter, Counters, ResetCounters, Tally};
use super::forge;
use super::frame::{self, FourTuple, Segment};
use super::line::{Line, Origin, Passing, Release};
use super::rules::Rule;
use super::spec::{Command, Deed, Direction, MiddleboxSpec, Port, Sequence, Towards};

/// What is to be done later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Something held may be due.
    HoldOver { of: FourTuple, generation: u64, rule: usize },
    /// A reset of a rule.
    Inject { of: FourTuple, generation: u64, rule: usize, left: u32 },
    /// The firewall looks whether the connection was idle.
    Idle { of: FourTuple, generation: u64 },
    /// The balancer's backend goes down.
    BackendDown,
    /// The next health probe.
    Probe,
    /// A line's shelf must be looked at.
    Shelf(Direction),
}

/// Whether a segment goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Consumed,
}

#[derive(Debug)]
struct FlowCounters {
    received: [Counter; 2],
    forwarded: [Counter; 2],
    forged: [Counter; 2],
    connections: Counter,
    answered_for_gone: Counter,
    gone_connections: Counter,
    neighbours_answered: Counter,
}

/// A middlebox as a function.
#[derive(Debug)]
pub struct Engine {
    pub(super) spec: MiddleboxSpec,
    pub(super) now: u64,
    pub(super) tally: Tally,
    pub(super) connections: Connections,
    pub(super) rules: Vec<Rule>,
    pub(super) boxes: BoxCounters,
    pub(super) balancer: BalancerState,
    gone: BTreeSet<IpAddr>,
    lines: [Line; 2],
    /// Whether a timer is set for the line's shelf: one is enough.
    shelf_watched: [bool; 2],
    timers: BinaryHeap<Reverse<(u64, u64, Timer)>>,
    timer_number: u64,
    flow: FlowCounters,
    /// Whether anything looks at segments at all; if not, frames are not even parsed.
    watches: bool,
    leaving: Vec<(u64, Passing)>,
}

impl Engine {
    /// Prepares a middlebox at time 0.
    ///
    /// # Errors
    /// [`MiddleboxError::Spec`] when the spec cannot be meant.
    pub fn new(spec: MiddleboxSpec) -> Result<Self, MiddleboxError> {
        spec.check()?;
        let mut tally = Tally::default();
        let flow = FlowCounters {
            received: tally.register_both("received"),
            forwarded: tally.register_both("forwarded"),
            forged: tally.register_both("forged"),
            connections: tally.register("connections"),
            answered_for_gone: tally.register("gone.answered"),
            gone_connections: tally.register("gone.connections"),
            neighbours_answered: tally.register("gone.neighbours_answered"),
        };
        let lines = Direction::ALL
            .map(|direction| Line::new(spec.seed, direction, spec.impairment(direction).clone(), &mut tally));
        let rules: Vec<_> = spec.actions.iter().map(|action| Rule::new(action.clone(), &mut tally)).collect();
        let mut engine = Self {
            now: 0,
            connections: Connections::new(rules.len()),
            rules,
            boxes: BoxCounters::new(&mut tally),
            balancer: BalancerState::default(),
            gone: spec.dead_hosts.iter().filter(|host| host.gone).map(|host| host.address).collect(),
            lines,
            shelf_watched: [false; 2],
            timers: BinaryHeap::new(),
            timer_number: 0,
            flow,
            watches: false,
            leaving: vec![],
            tally,
            spec,
        };
        engine.watches = engine.must_watch();
        engine.start_balancer();
        Ok(engine)
    }

    /// A frame came in at `port`. What leaves because of it, now or later, is appended to `out`.
    pub fn receive(&mut self, now: u64, port: Port, frame: Vec<u8>, out: &mut Vec<Release>) {
        self.advance(now, out);
        let direction = port.inward();
        self.tally.count(self.flow.received[direction.index()]);
        let segment = if self.watches { frame::parse(&frame) } else { None };
        match segment {
            Some(segment) => self.receive_segment(port, frame, segment, out),
            None => {
                if self.answer_neighbour(port, &frame, out) {
                    return;
                }
                let passing = Passing { frame, origin: Origin::Sent, segment: None };
                self.send(direction, passing, out);
            }
        }
    }

    /// Does what is due at `now`.
    pub fn advance(&mut self, now: u64, out: &mut Vec<Release>) {
        self.now = self.now.max(now);
        while let Some(Reverse((at, _, _))) = self.timers.peek() {
            if *at > self.now {
                return;
            }
            let Some(Reverse((_, _, timer))) = self.timers.pop() else { return };
            self.fire(timer, out);
        }
    }

    /// When [`Engine::advance`] must be called, if no frame comes before.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Carries out a change.
    ///
    /// # Errors
    /// [`MiddleboxError::UnknownAction`], [`MiddleboxError::NoBox`], [`MiddleboxError::Spec`]; nothing has changed then.
    pub fn command(
        &mut self,
        now: u64,
        command: &Command,
        out: &mut Vec<Release>,
    ) -> Result<(), MiddleboxError> {
        self.advance(now, out);
        match command {
            Command::Arm { action } => self.arm(action)?,
            Command::Disarm { action } => self.disarm(action, out)?,
            Command::BackendDown | Command::BackendUp => {
                self.spec.balancer.as_ref().ok_or(MiddleboxError::NoBox { what: "balancer" })?;
                if *command == Command::BackendDown {
                    self.mark_backend_down(out);
                } else {
                    self.mark_backend_up();
                }
            }
            Command::HostGone { address } => {
                self.gone.insert(*address);
            }
            Command::HostBack { address } => {
                self.gone.remove(address);
            }
            Command::ForgetConnections => {
                self.spec.firewall.as_ref().ok_or(MiddleboxError::NoBox { what: "firewall" })?;
                self.forget_connections();
            }
            Command::Impair { towards, impairment } => {
                impairment.check("command")?;
                for direction in towards.directions() {
                    self.lines[direction.index()].impair(impairment.clone());
                }
            }
        }
        self.watches = self.must_watch();
        Ok(())
    }

    /// Every counter of the box, by name.
    pub fn counters(&self) -> Counters {
        let mut all = self.tally.snapshot();
        all.insert("connections_forgotten".to_owned(), self.connections.forgotten());
        all
    }

    /// Frames that rules hold back, or that wait to be overtaken.
    pub fn holding(&self) -> usize {
        self.connections.holding() + self.lines.iter().map(Line::waiting).sum::<usize>()
    }

    /// How many timers are set.
    #[cfg(test)]
    pub(super) fn timers_set(&self) -> usize {
        self.timers.len()
    }

    fn must_watch(&self) -> bool {
        let spec = &self.spec;
        !self.rules.is_empty()
            || !self.gone.is_empty()
            || spec.firewall.is_some()
            || spec.ips.is_some()
            || spec.balancer.is_some()
    }

    fn receive_segment(&mut self, port: Port, frame: Vec<u8>, segment: Segment, out: &mut Vec<Release>) {
        if self.gone.contains(&segment.destination) {
            self.tally.count(self.flow.answered_for_gone);
            // Nobody may have looked at segments until the host was gone.
            self.connections.enter(port, &segment);
            self.count_connection(&segment.four_tuple(port), self.flow.gone_connections);
            return self.refuse(port, &frame, &segment, out);
        }
        if self.answers_probe(port, &frame, &segment, out) {
            return;
        }
        let (connection, fresh) = self.connections.enter(port, &segment);
        let idle_ns = self.now.saturating_sub(connection.last_seen_ns);
        connection.last_seen_ns = self.now;
        connection.observe(port, &frame, &segment);
        let four_tuple = connection.four_tuple;
        if fresh {
            self.tally.count(self.flow.connections);
        }
        if self.pass_firewall(port, &frame, &segment, idle_ns, out) == Verdict::Consumed
            || self.pass_balancer(port, &frame, &segment, out) == Verdict::Consumed
        {
            return;
        }
        let tripped = self.match_pattern(port, &frame, &segment);
        let passing = Passing { frame, origin: Origin::Sent, segment: Some((four_tuple, segment)) };
        if tripped != Some(Verdict::Consumed) {
            self.apply_rules(port.inward(), passing, out);
        }
        if tripped.is_some() {
            self.reset_by_ips(&four_tuple, out);
        }
    }

    /// Answers a segment to its sender as the addressed end would, if that end did not exist.
    pub(super) fn refuse(&mut self, port: Port, frame: &[u8], segment: &Segment, out: &mut Vec<Release>) {
        if let Some(answer) = forge::refuse(frame, segment) {
            self.send_forged(port.inward().exit().opposite(), answer, out);
        }
    }

    fn answer_neighbour(&mut self, port: Port, frame: &[u8], out: &mut Vec<Release>) -> bool {
        if self.gone.is_empty() {
            return false;
        }
        let Some(answer) = forge::answer_neighbour(frame, |address| self.gone.contains(&address)) else {
            return false;
        };
        self.tally.count(self.flow.neighbours_answered);
        self.send_forged(port, answer, out);
        true
    }

    /// Sends a frame of our own out of `port`.
    pub(super) fn send_forged(&mut self, port: Port, frame: Vec<u8>, out: &mut Vec<Release>) {
        let direction = port.opposite().inward();
        self.tally.count(self.flow.forged[direction.index()]);
        let segment = frame::parse(&frame).and_then(|segment| {
            let four_tuple = segment.four_tuple(port.opposite());
            self.connections.get(&four_tuple).map(|_| (four_tuple, segment))
        });
        let passing = Passing { frame, origin: Origin::Forged, segment };
        self.pass(direction, passing, out);
    }

    /// Resets the ends of a connection that `towards` names, and counts what became of each reset.
    pub(super) fn reset(
        &mut self,
        of: &FourTuple,
        towards: Towards,
        sequence: Sequence,
        counters: ResetCounters,
        out: &mut Vec<Release>,
    ) {
        // Both are made before one is sent, so that neither changes what the other says.
        let made: Vec<_> = towards
            .directions()
            .iter()
            .map(|direction| {
                let connection = self.connections.get(of).ok_or(Unavailable);
                (*direction, connection.and_then(|known| known.forge_reset(*direction, sequence)))
            })
            .collect();
        for (direction, made) in made {
            let index = direction.index();
            match made {
                Ok(frame) => {
                    self.tally.count(counters.injected[index]);
                    self.count_connection(of, counters.connections[index]);
                    self.send_forged(direction.exit(), frame, out);
                }
                Err(Unavailable) => self.tally.count(counters.unavailable[index]),
            }
        }
    }

    /// Counts a connection, once however often this is said of it: a proof that a fault bit asks how many trials it met, not how many of
    /// their retransmissions.
    pub(super) fn count_connection(&mut self, of: &FourTuple, counter: Counter) {
        if let Some(connection) = self.connections.get(of)
            && !connection.counted.contains(&counter)
        {
            connection.counted.push(counter);
            self.tally.count(counter);
        }
    }

    /// Puts a frame on its line; whatever leaves the line is known to have been let through.
    pub(super) fn send(&mut self, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
        let mut leaving = std::mem::take(&mut self.leaving);
        self.lines[direction.index()].send(self.now, passing, &mut self.tally, &mut leaving);
        self.watch_shelf(direction);
        self.release(direction, leaving, out);
    }

    /// Sets the timer of a shelf, unless it is set; it looks again when it fires.
    fn watch_shelf(&mut self, direction: Direction) {
        if self.shelf_watched[direction.index()] {
            return;
        }
        if let Some(at) = self.lines[direction.index()].next_deadline() {
            self.shelf_watched[direction.index()] = true;
            self.set_timer(at, Timer::Shelf(direction));
        }
    }

    fn release(&mut self, direction: Direction, mut leaving: Vec<(u64, Passing)>, out: &mut Vec<Release>) {
        let port = direction.exit();
        for (at_ns, passing) in leaving.drain(..) {
            self.tally.count(self.flow.forwarded[direction.index()]);
            if let Some((connection, segment)) = self.connection_of(&passing) {
                connection.deliver(port, &segment);
            }
            out.push(Release { at_ns, port, frame: passing.frame });
        }
        self.leaving = leaving;
    }

    pub(super) fn set_timer(&mut self, at: u64, timer: Timer) {
        self.timer_number += 1;
        self.timers.push(Reverse((at, self.timer_number, timer)));
    }

    fn fire(&mut self, timer: Timer, out: &mut Vec<Release>) {
        match timer {
            Timer::HoldOver { of, generation, rule } => self.release_overdue(&of, generation, rule, out),
            Timer::Inject { of, generation, rule, left } => {
                if self.connections.same(&of, generation).is_some() {
                    self.inject(&of, generation, rule, left, out);
                }
            }
            Timer::Idle { of, generation } => self.look_for_idleness(&of, generation, out),
            Timer::BackendDown => self.mark_backend_down(out),
            Timer::Probe => self.probe(out),
            Timer::Shelf(direction) => {
                let mut leaving = std::mem::take(&mut self.leaving);
                self.lines[direction.index()].advance(self.now, &mut self.tally, &mut leaving);
                self.shelf_watched[direction.index()] = false;
                self.watch_shelf(direction);
                self.release(direction, leaving, out);
            }
        }
    }

    /// The connection of a frame in hand.
    pub(super) fn connection_of(&mut self, passing: &Passing) -> Option<(&mut Connection, Segment)> {
        let (four_tuple, segment) = passing.segment?;
        self.connections.get(&four_tuple).map(|connection| (connection, segment))
    }

    /// The declared deed of a rule.
    pub(super) fn deed(&self, rule: usize) -> &Deed {
        &self.rules[rule].action.deed
    }
}
