//! A load balancer of layer 4 with a health check: resets the sessions of a backend that is down, and refuses new ones.
//!
//! Must not know the engine, the rules or another box. Units: nanoseconds. Errors: none; a reset that cannot be made is counted.
//! Sources: document 000, scenarios 2 to 4. Tests: `tests/boxes.rs`.

use std::net::{IpAddr, SocketAddr};

use super::connection::Connections;
use super::counters::{Counts, ResetCounters, Tally};
use super::effects::{Effect, Effects, Fate, Seen};
use super::forge::{self, Link, Say};
use super::frame::{ACK, FourTuple, SYN, Segment};
use super::names::{BalancerCount, MiddleboxCounter, Resetter};
use super::spec::{Balancer, HealthCheck, Port};
use super::timers::{BoxTimer, Timer};

/// The balancer at work.
#[derive(Debug)]
pub(super) struct BalancerBox {
    spec: Balancer,
    down: bool,
    /// In whose name probes are sent, and how its frames look: the client seen last.
    client: Option<(IpAddr, Link)>,
    /// Sequence number of the probe that is not answered yet.
    waiting: Option<u32>,
    probes: u32,
    /// Failures, or answers, in a row.
    failures: u32,
    successes: u32,
    counts: Counts<BalancerCount>,
    resets: ResetCounters,
}

impl BalancerBox {
    /// Its counters are there also where the middlebox has none.
    pub(super) fn new(spec: Option<&Balancer>, tally: &mut Tally) -> Option<Self> {
        let counts = Counts::new(tally, MiddleboxCounter::Balancer);
        let resets = ResetCounters::new(&Resetter::Balancer, tally);
        Some(Self {
            spec: spec?.clone(),
            down: false,
            client: None,
            waiting: None,
            probes: 0,
            failures: 0,
            successes: 0,
            counts,
            resets,
        })
    }

    /// What it will do by itself, from time 0 on.
    pub(super) fn first_timers(&self) -> impl Iterator<Item = (u64, BoxTimer)> {
        let down = Some(self.spec.down_at_ns).filter(|at| *at > 0).map(|at| (at, BoxTimer::BackendDown));
        let probe = self.spec.health.as_ref().map(|health| (health.interval_ns, BoxTimer::Probe));
        down.into_iter().chain(probe)
    }

    fn is_session(&self, of: &FourTuple) -> bool {
        of.peer == self.spec.backend && of.peer_port == self.spec.backend_port
    }

    /// While the backend is down, clients are refused and the backend's late words are dropped.
    pub(super) fn on(&mut self, seen: &mut Seen<'_, '_>, tally: &mut Tally, effects: &mut Effects) -> Fate {
        let of = seen.connection.id.four_tuple;
        if !self.is_session(&of) {
            return Fate::Pass;
        }
        if seen.port == Port::Target {
            let link = seen.connection.link_from(Port::Target);
            self.client = link.map(|link| (of.target, link)).or(self.client);
        }
        if !self.down {
            return Fate::Pass;
        }
        match seen.port {
            Port::Target => {
                tally.count(self.counts.of(BalancerCount::Refused));
                effects.refuse(seen.port, seen.frame, &seen.segment);
            }
            Port::Peer => tally.count(self.counts.of(BalancerCount::BackendDropped)),
        }
        Fate::Consume
    }

    pub(super) fn mark_down(
        &mut self,
        connections: &mut Connections,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        if std::mem::replace(&mut self.down, true) {
            return;
        }
        tally.count(self.counts.of(BalancerCount::MarkedDown));
        for id in connections.sorted() {
            let open = connections.same(&id).is_some_and(|connection| !connection.finished);
            if open && self.is_session(&id.four_tuple) {
                tally.count(self.counts.of(BalancerCount::SessionsReset));
                effects.reset(id, self.spec.reset, self.resets);
            }
        }
    }

    pub(super) fn mark_up(&mut self, tally: &mut Tally) {
        if std::mem::replace(&mut self.down, false) {
            tally.count(self.counts.of(BalancerCount::MarkedUp));
        }
    }

    /// Judges the last probe and sends the next, as soon as there was a client in whose name it can ask.
    pub(super) fn probe(
        &mut self,
        now: u64,
        connections: &mut Connections,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        let Some(HealthCheck { interval_ns, fall, source_port, .. }) = self.spec.health else { return };
        effects.call_at(now.saturating_add(interval_ns), Timer::Box(BoxTimer::Probe));
        if self.waiting.take().is_some() {
            tally.count(self.counts.of(BalancerCount::ProbesFailed));
            self.successes = 0;
            self.failures += 1;
            if self.failures >= fall {
                self.mark_down(connections, tally, effects);
            }
        }
        let Some((client, link)) = self.client else { return };
        // Far apart, so that an answer to an earlier probe is not taken for one to this.
        self.probes = self.probes.wrapping_add(1);
        let seq = self.probes.wrapping_mul(0x0100_0001);
        self.waiting = Some(seq);
        tally.count(self.counts.of(BalancerCount::ProbesSent));
        let say = Say { seq, ack: 0, flags: SYN, window: 1024, options: &[], payload: &[] };
        let from = SocketAddr::new(client, source_port);
        let backend = SocketAddr::new(self.spec.backend, self.spec.backend_port);
        effects.push(Effect::Send { port: Port::Peer, frame: forge::segment(&link, from, backend, say) });
    }

    /// Takes the backend's answer to a probe off the wire: no connection of the ends'.
    pub(super) fn on_answer(
        &mut self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        tally: &mut Tally,
        effects: &mut Effects,
    ) -> Fate {
        let of = segment.four_tuple(port);
        let Some(HealthCheck { rise, .. }) =
            self.spec.health.as_ref().filter(|health| health.source_port == of.target_port)
        else {
            return Fate::Pass;
        };
        if port != Port::Peer || !self.is_session(&of) {
            return Fate::Pass;
        }
        if !segment.has(SYN) || !segment.has(ACK) {
            return Fate::Consume;
        }
        // The half-open connection at the backend is taken back, whichever probe made it.
        let reset = Say::reset(segment.ack, None);
        let link = Link::of(frame, &segment.datagram).reversed();
        let backend = SocketAddr::new(of.peer, of.peer_port);
        let from = SocketAddr::new(of.target, of.target_port);
        effects.push(Effect::Send { port: Port::Peer, frame: forge::segment(&link, from, backend, reset) });
        if self.waiting.is_some_and(|seq| seq.wrapping_add(1) == segment.ack) {
            self.waiting = None;
            tally.count(self.counts.of(BalancerCount::ProbesAnswered));
            self.failures = 0;
            self.successes += 1;
            if *rise > 0 && self.successes >= *rise {
                self.mark_up(tally);
            }
        }
        Fate::Consume
    }
}
