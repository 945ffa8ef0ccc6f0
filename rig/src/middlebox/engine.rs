//! The middlebox without its sockets: frames and times in, frames and times out.
//!
//! Pure: no clock, no I/O, no threads; the same spec, frames and times give the same answers. Asks the rules (`rules.rs`) and the stateful
//! boxes (`boxes.rs`) what is to be done, and does it; the link itself is in `line.rs`. Must not know interfaces.
//! Units: nanoseconds since the start of the box; calls must not go back in time (an earlier time counts as the last one).
//! Errors: [`MiddleboxError`], for a spec or a command that is not valid. Tests: `tests.rs`.

use super::boxes::Boxes;
use super::connection::{Connections, Unavailable};
use super::counters::{Counter, Counters, Counts, ResetCounters, Tally};
use super::dead_hosts::DeadHosts;
use super::effects::{Effect, Effects, Fate, Seen};
use super::error::MiddleboxError;
use super::forge::Forged;
use super::frame::{self, FourTuple, Segment};
use super::line::{Line, Origin, Passing, Release};
use super::names::{FlowCount, MiddleboxCounter, ResetCount};
use super::rules::Rules;
use super::spec::{Command, Direction, MiddleboxSpec, Port, Sequence, Towards};
use super::timers::{Timer, Timers};

/// A middlebox as a function.
#[derive(Debug)]
pub struct Engine {
    now: u64,
    tally: Tally,
    connections: Connections,
    rules: Rules,
    boxes: Boxes,
    dead_hosts: DeadHosts,
    lines: [Line; 2],
    /// Whether a timer is set for the line's shelf: one is enough.
    shelf_watched: [bool; 2],
    timers: Timers,
    flow: [Counts<FlowCount>; 2],
    seen_connections: Counter,
    /// Whether anything looks at segments at all; if not, frames are not even parsed.
    watches: bool,
    /// Empty between two calls, and kept for their room.
    effects: Effects,
    leaving: Vec<(u64, Passing)>,
}

impl Engine {
    /// Prepares a middlebox at time 0.
    ///
    /// # Errors
    /// [`MiddleboxError::Spec`] when the spec is not valid.
    pub fn new(spec: &MiddleboxSpec) -> Result<Self, MiddleboxError> {
        spec.check()?;
        let (mut tally, mut timers) = (Tally::default(), Timers::default());
        let mut engine = Self {
            now: 0,
            flow: Direction::ALL
                .map(|direction| Counts::new(&mut tally, |what| MiddleboxCounter::Flow(what, direction))),
            seen_connections: tally.register(&MiddleboxCounter::Connections),
            dead_hosts: DeadHosts::new(&spec.dead_hosts, &mut tally),
            lines: Direction::ALL.map(|direction| {
                Line::new(spec.seed, direction, spec.impairment(direction).clone(), &mut tally)
            }),
            rules: Rules::new(&spec.actions, &mut tally),
            boxes: Boxes::new(spec, &mut tally, &mut timers),
            connections: Connections::default(),
            shelf_watched: [false; 2],
            timers,
            watches: false,
            effects: Effects::default(),
            leaving: vec![],
            tally,
        };
        engine.watches = engine.must_watch();
        Ok(engine)
    }

    /// A frame came in at `port`. What leaves because of it, now or later, is appended to `out`.
    pub fn receive(&mut self, now: u64, port: Port, frame: Vec<u8>, out: &mut Vec<Release>) {
        self.advance(now, out);
        let direction = port.inward();
        self.tally.count(self.flow[direction.index()].of(FlowCount::Received));
        let segment = if self.watches { frame::parse(&frame) } else { None };
        match segment {
            Some(segment) => self.receive_segment(port, frame, segment, out),
            None if self.dead_hosts.on_question(port, &frame, &mut self.tally, &mut self.effects) => {
                self.carry_out(out);
            }
            None => self.send(direction, Passing { frame, origin: Origin::Sent, segment: None }, out),
        }
    }

    /// Does what is due at `now`.
    pub fn advance(&mut self, now: u64, out: &mut Vec<Release>) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.take_due(self.now) {
            self.fire(timer, out);
        }
    }

    /// When [`Engine::advance`] must be called, if no frame comes before.
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.next()
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
        let Self { rules, boxes, connections, tally, effects, .. } = self;
        match command {
            Command::Arm { action } => rules.arm(action)?,
            Command::Disarm { action } => rules.disarm(action, connections, tally, effects)?,
            Command::BackendDown => boxes.balancer()?.mark_down(connections, tally, effects),
            Command::BackendUp => boxes.balancer()?.mark_up(tally),
            Command::HostGone { address } => self.dead_hosts.begin(*address),
            Command::HostBack { address } => self.dead_hosts.end(*address),
            Command::ForgetConnections => boxes.firewall()?.forget_connections(connections, tally),
            Command::Impair { towards, impairment } => {
                impairment.check("command")?;
                for direction in towards.directions() {
                    self.lines[direction.index()].impair(impairment.clone());
                }
            }
        }
        self.carry_out(out);
        self.watches = self.must_watch();
        Ok(())
    }

    /// Every counter of the box, by name.
    pub fn counters(&self) -> Counters {
        let mut all = self.tally.snapshot();
        all.insert(MiddleboxCounter::ConnectionsForgotten.to_string(), self.connections.forgotten());
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
        !(self.rules.are_none() && self.boxes.are_none() && self.dead_hosts.are_none())
    }

    fn receive_segment(&mut self, port: Port, frame: Vec<u8>, segment: Segment, out: &mut Vec<Release>) {
        let Self { now, connections, dead_hosts, boxes, rules, tally, effects, .. } = self;
        let now = *now;
        if dead_hosts.are_addressed_by(&segment) {
            // Nobody may have looked at segments until the host was gone.
            let (connection, _) = connections.enter(port, &segment);
            dead_hosts.on(port, &frame, &segment, connection, tally, effects);
            return self.carry_out(out);
        }
        if boxes.intercept(port, &frame, &segment, tally, effects) == Fate::Consume {
            return self.carry_out(out);
        }
        let (connection, fresh) = connections.enter(port, &segment);
        let idle_ns = now.saturating_sub(connection.last_seen_ns);
        connection.last_seen_ns = now;
        connection.observe(port, &frame, &segment);
        if fresh {
            tally.count(self.seen_connections);
        }
        let four_tuple = connection.id.four_tuple;
        let mut seen = Seen { now, port, frame: &frame, segment, connection, idle_ns };
        if boxes.on(&mut seen, tally, effects) == Fate::Pass {
            let Seen { connection, .. } = seen;
            let passing = Passing { frame, origin: Origin::Sent, segment: Some((four_tuple, segment)) };
            rules.on(now, port.inward(), passing, connection, tally, effects);
        }
        self.carry_out(out);
    }

    /// Does what was wanted, in order.
    fn carry_out(&mut self, out: &mut Vec<Release>) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain() {
            match effect {
                Effect::Pass { direction, passing } => self.pass(direction, passing, out),
                Effect::Reset { of, towards, sequence, counters } => {
                    self.forge(&of, towards, sequence, Forged::Reset, counters, out);
                }
                Effect::Data { of, towards, sequence, payload, counters } => {
                    self.forge(&of, towards, sequence, Forged::Data(&payload.0), counters, out);
                }
                Effect::Send { port, frame } => self.send_forged(port, frame, out),
                Effect::Timer { at, timer } => self.timers.set(at, timer),
            }
        }
        self.effects = effects;
    }

    /// Lets a frame through, and with it whatever waited for it.
    fn pass(&mut self, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
        let mut released = vec![];
        if let Some((four_tuple, segment)) = &passing.segment
            && !self.rules.are_none()
            && let Some(connection) = self.connections.get(four_tuple)
        {
            released =
                self.rules.released_by(direction, &passing.frame, segment, connection, &mut self.tally);
        }
        self.send(direction, passing, out);
        for held in released {
            self.pass(held.direction, held.passing, out);
        }
    }

    /// Sends a frame of our own out of `port`.
    fn send_forged(&mut self, port: Port, frame: Vec<u8>, out: &mut Vec<Release>) {
        let direction = port.opposite().inward();
        self.tally.count(self.flow[direction.index()].of(FlowCount::Forged));
        let segment = frame::parse(&frame).and_then(|segment| {
            let four_tuple = segment.four_tuple(port.opposite());
            self.connections.get(&four_tuple).map(|_| (four_tuple, segment))
        });
        let passing = Passing { frame, origin: Origin::Forged, segment };
        self.pass(direction, passing, out);
    }

    /// Forges a segment to the ends of a connection that `towards` names, and counts what became of each.
    fn forge(
        &mut self,
        of: &FourTuple,
        towards: Towards,
        sequence: Sequence,
        what: Forged<'_>,
        counters: ResetCounters,
        out: &mut Vec<Release>,
    ) {
        // Both are made before one is sent, so that neither changes what the other says.
        let made: Vec<_> = towards
            .directions()
            .iter()
            .map(|direction| {
                let connection = self.connections.get(of).ok_or(Unavailable);
                (*direction, connection.and_then(|known| known.forge(*direction, sequence, what)))
            })
            .collect();
        for (direction, made) in made {
            match made {
                Ok(frame) => {
                    self.tally.count(counters.of(ResetCount::Injected, direction));
                    if let Some(connection) = self.connections.get(of) {
                        connection
                            .count_once(counters.of(ResetCount::Connections, direction), &mut self.tally);
                    }
                    self.send_forged(direction.exit(), frame, out);
                }
                Err(Unavailable) => self.tally.count(counters.of(ResetCount::Unavailable, direction)),
            }
        }
    }

    /// Puts a frame on its line; whatever leaves the line is known to have been let through.
    fn send(&mut self, direction: Direction, passing: Passing, out: &mut Vec<Release>) {
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
            self.timers.set(at, Timer::Shelf(direction));
        }
    }

    fn release(&mut self, direction: Direction, mut leaving: Vec<(u64, Passing)>, out: &mut Vec<Release>) {
        let port = direction.exit();
        for (at_ns, passing) in leaving.drain(..) {
            self.tally.count(self.flow[direction.index()].of(FlowCount::Forwarded));
            if let Some((four_tuple, segment)) = &passing.segment
                && let Some(connection) = self.connections.get(four_tuple)
            {
                connection.deliver(port, segment);
            }
            out.push(Release { at_ns, port, frame: passing.frame });
        }
        self.leaving = leaving;
    }

    fn fire(&mut self, timer: Timer, out: &mut Vec<Release>) {
        let Self { now, rules, boxes, connections, tally, effects, .. } = self;
        match timer {
            Timer::Rule(timer) => rules.wake(timer, *now, connections, tally, effects),
            Timer::Box(timer) => boxes.wake(timer, *now, connections, tally, effects),
            Timer::Shelf(direction) => {
                let mut leaving = std::mem::take(&mut self.leaving);
                self.lines[direction.index()].advance(self.now, &mut self.tally, &mut leaving);
                self.shelf_watched[direction.index()] = false;
                self.watch_shelf(direction);
                self.release(direction, leaving, out);
            }
        }
        self.carry_out(out);
    }
}
