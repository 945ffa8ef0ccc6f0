//! Stateful boxes: a firewall with an idle timeout, an intrusion prevention system, a load balancer with a health check.
//!
//! Part of the engine. Must not know the rules. Resets are forged with the numbers that the connection's model gives.
//! Units: nanoseconds. Errors: none; a reset that cannot be made is counted as `unavailable`.
//! Sources: document 000, scenarios 2 to 4. Tests: `tests.rs`.

use std::net::{IpAddr, SocketAddr};

use super::Pattern;
use super::connection::Stream;
use super::counters::{Counter, ResetCounters, Tally};
use super::engine::{Engine, Timer, Verdict};
use super::forge::{self, Link, Say};
use super::frame::{ACK, FourTuple, SYN, Segment};
use super::line::Release;
use super::spec::{Expiry, Firewall, Offender, Port, Sequence, Stranger};

/// Counters of the three.
#[derive(Debug)]
pub(super) struct BoxCounters {
    firewall: ResetCounters,
    admitted: Counter,
    expired: Counter,
    swallowed: Counter,
    forgotten: Counter,
    strangers_reset: Counter,
    strangers_dropped: Counter,
    stranger_connections: Counter,
    ips: ResetCounters,
    ips_matched: Counter,
    ips_dropped: Counter,
    balancer: ResetCounters,
    marked_down: Counter,
    marked_up: Counter,
    sessions_reset: Counter,
    refused: Counter,
    backend_dropped: Counter,
    probes_sent: Counter,
    probes_answered: Counter,
    probes_failed: Counter,
}

impl BoxCounters {
    pub(super) fn new(tally: &mut Tally) -> Self {
        Self {
            firewall: ResetCounters::new("firewall", tally),
            admitted: tally.register("firewall.admitted"),
            expired: tally.register("firewall.expired"),
            swallowed: tally.register("firewall.swallowed"),
            forgotten: tally.register("firewall.forgotten"),
            strangers_reset: tally.register("firewall.strangers_reset"),
            strangers_dropped: tally.register("firewall.strangers_dropped"),
            stranger_connections: tally.register("firewall.stranger_connections"),
            ips: ResetCounters::new("ips", tally),
            ips_matched: tally.register("ips.matched"),
            ips_dropped: tally.register("ips.dropped"),
            balancer: ResetCounters::new("balancer", tally),
            marked_down: tally.register("balancer.marked_down"),
            marked_up: tally.register("balancer.marked_up"),
            sessions_reset: tally.register("balancer.sessions_reset"),
            refused: tally.register("balancer.refused"),
            backend_dropped: tally.register("balancer.backend_dropped"),
            probes_sent: tally.register("balancer.probes_sent"),
            probes_answered: tally.register("balancer.probes_answered"),
            probes_failed: tally.register("balancer.probes_failed"),
        }
    }
}

/// What the balancer knows of its backend.
#[derive(Debug, Default)]
pub(super) struct BalancerState {
    down: bool,
    /// In whose name probes are sent, and how its frames look: the client seen last.
    client: Option<(IpAddr, Link)>,
    /// Sequence number of the probe that is not answered yet.
    waiting: Option<u32>,
    probes: u32,
    /// Failures, or answers, in a row.
    failures: u32,
    successes: u32,
}

impl Engine {
    /// Firewall: admits what a SYN opened, ends what was idle, and meets strangers.
    pub(super) fn pass_firewall(
        &mut self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        idle_ns: u64,
        out: &mut Vec<Release>,
    ) -> Verdict {
        let Some(firewall) = self.spec.firewall.clone() else { return Verdict::Pass };
        let of = segment.four_tuple(port);
        let Some(connection) = self.connections.get(&of) else { return Verdict::Pass };
        if connection.admitted {
            if firewall.expiry == Expiry::OnNextSegment && idle_ns >= firewall.idle_timeout_ns {
                self.tally.count(self.boxes.swallowed);
                self.expire(&of, &firewall, out);
                return Verdict::Consumed;
            }
            // An exact reset ends the state as it passes: what follows it is a stranger's.
            connection.admitted = !connection.is_reset_by(port.opposite(), segment);
            return Verdict::Pass;
        }
        if segment.has(SYN) && !segment.has(ACK) {
            connection.admitted = true;
            connection.finished = false;
            let generation = connection.generation;
            self.tally.count(self.boxes.admitted);
            if firewall.expiry == Expiry::AtOnce {
                let at = self.now.saturating_add(firewall.idle_timeout_ns);
                self.set_timer(at, Timer::Idle { of, generation });
            }
            return Verdict::Pass;
        }
        self.count_connection(&of, self.boxes.stranger_connections);
        match firewall.stranger {
            Stranger::Reset => {
                self.tally.count(self.boxes.strangers_reset);
                self.refuse(port, frame, segment, out);
            }
            Stranger::Drop => self.tally.count(self.boxes.strangers_dropped),
        }
        Verdict::Consumed
    }

    /// Firewall: the timer of a connection. It stands for the last segment's time when it was set, so it may have to wait on.
    pub(super) fn look_for_idleness(&mut self, of: &FourTuple, generation: u64, out: &mut Vec<Release>) {
        let Some(firewall) = self.spec.firewall.clone() else { return };
        let Some(connection) = self.connections.same(of, generation) else { return };
        if !connection.admitted {
            return;
        }
        let at = connection.last_seen_ns.saturating_add(firewall.idle_timeout_ns);
        if at > self.now {
            return self.set_timer(at, Timer::Idle { of: *of, generation });
        }
        self.expire(of, &firewall, out);
    }

    fn expire(&mut self, of: &FourTuple, firewall: &Firewall, out: &mut Vec<Release>) {
        let Some(connection) = self.connections.get(of) else { return };
        connection.admitted = false;
        if connection.finished {
            return self.tally.count(self.boxes.forgotten);
        }
        self.tally.count(self.boxes.expired);
        self.reset(of, firewall.reset, Sequence::Exact, self.boxes.firewall, out);
    }

    /// Firewall: as after a restart.
    pub(super) fn forget_connections(&mut self) {
        for of in self.connections.sorted() {
            let Some(connection) = self.connections.get(&of) else { continue };
            if std::mem::replace(&mut connection.admitted, false) {
                self.tally.count(self.boxes.forgotten);
            }
        }
    }

    /// IPS: whether the segment completes the pattern in its direction's stream, and what becomes of it then.
    pub(super) fn match_pattern(&mut self, port: Port, frame: &[u8], segment: &Segment) -> Option<Verdict> {
        let ips = self.spec.ips.as_ref()?;
        let direction = port.inward();
        let payload = segment.payload(frame);
        if payload.is_empty() || !ips.direction.includes(direction) {
            return None;
        }
        let connection = self.connections.get(&segment.four_tuple(port))?;
        let stream = &mut connection.streams[direction.index()];
        if !completes(stream, segment.seq, payload, &ips.pattern) {
            return None;
        }
        self.tally.count(self.boxes.ips_matched);
        match ips.offender {
            Offender::Pass => Some(Verdict::Pass),
            Offender::Drop => {
                self.tally.count(self.boxes.ips_dropped);
                Some(Verdict::Consumed)
            }
        }
    }

    pub(super) fn reset_by_ips(&mut self, of: &FourTuple, out: &mut Vec<Release>) {
        let Some((reset, sequence)) = self.spec.ips.as_ref().map(|ips| (ips.reset, ips.sequence)) else {
            return;
        };
        self.reset(of, reset, sequence, self.boxes.ips, out);
    }

    pub(super) fn start_balancer(&mut self) {
        let Some(balancer) = &self.spec.balancer else { return };
        let down_at = balancer.down_at_ns;
        let first_probe = balancer.health.as_ref().map(|health| health.interval_ns);
        if down_at > 0 {
            self.set_timer(down_at, Timer::BackendDown);
        }
        if let Some(at) = first_probe {
            self.set_timer(at, Timer::Probe);
        }
    }

    fn is_session(&self, of: &FourTuple) -> bool {
        self.spec
            .balancer
            .as_ref()
            .is_some_and(|balancer| of.peer == balancer.backend && of.peer_port == balancer.backend_port)
    }

    /// Balancer: while the backend is down, clients are refused and the backend's late words are dropped.
    pub(super) fn pass_balancer(
        &mut self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        out: &mut Vec<Release>,
    ) -> Verdict {
        let of = segment.four_tuple(port);
        if !self.is_session(&of) {
            return Verdict::Pass;
        }
        if port == Port::Target {
            let link = self.connections.get(&of).and_then(|known| known.link_from(Port::Target));
            self.balancer.client = link.map(|link| (of.target, link)).or(self.balancer.client);
        }
        if !self.balancer.down {
            return Verdict::Pass;
        }
        match port {
            Port::Target => {
                self.tally.count(self.boxes.refused);
                self.refuse(port, frame, segment, out);
            }
            Port::Peer => self.tally.count(self.boxes.backend_dropped),
        }
        Verdict::Consumed
    }

    pub(super) fn mark_backend_down(&mut self, out: &mut Vec<Release>) {
        if std::mem::replace(&mut self.balancer.down, true) {
            return;
        }
        self.tally.count(self.boxes.marked_down);
        let Some(reset) = self.spec.balancer.as_ref().map(|balancer| balancer.reset) else { return };
        for of in self.connections.sorted() {
            let open = self.connections.get(&of).is_some_and(|connection| !connection.finished);
            if open && self.is_session(&of) {
                self.tally.count(self.boxes.sessions_reset);
                self.reset(&of, reset, Sequence::Exact, self.boxes.balancer, out);
            }
        }
    }

    pub(super) fn mark_backend_up(&mut self) {
        if std::mem::replace(&mut self.balancer.down, false) {
            self.tally.count(self.boxes.marked_up);
        }
    }

    /// Balancer: judges the last probe and sends the next, as soon as there was a client in whose name it can ask.
    pub(super) fn probe(&mut self, out: &mut Vec<Release>) {
        let Some(balancer) = &self.spec.balancer else { return };
        let Some(health) = balancer.health.clone() else { return };
        let backend = SocketAddr::new(balancer.backend, balancer.backend_port);
        self.set_timer(self.now.saturating_add(health.interval_ns), Timer::Probe);
        if self.balancer.waiting.take().is_some() {
            self.tally.count(self.boxes.probes_failed);
            self.balancer.successes = 0;
            self.balancer.failures += 1;
            if self.balancer.failures >= health.fall {
                self.mark_backend_down(out);
            }
        }
        let Some((client, link)) = self.balancer.client else { return };
        // Far apart, so that an answer to an earlier probe is not taken for one to this.
        self.balancer.probes = self.balancer.probes.wrapping_add(1);
        let seq = self.balancer.probes.wrapping_mul(0x0100_0001);
        self.balancer.waiting = Some(seq);
        self.tally.count(self.boxes.probes_sent);
        let say = Say { seq, ack: 0, flags: SYN, window: 1024, options: &[], payload: &[] };
        let from = SocketAddr::new(client, health.source_port);
        let frame = forge::segment(&link, from, backend, say);
        self.send_forged(Port::Peer, frame, out);
    }

    /// Balancer: takes the backend's answer to a probe off the wire.
    pub(super) fn answers_probe(
        &mut self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        out: &mut Vec<Release>,
    ) -> bool {
        let Some(health) = self.spec.balancer.as_ref().and_then(|balancer| balancer.health.as_ref()) else {
            return false;
        };
        let of = segment.four_tuple(port);
        if port != Port::Peer || of.target_port != health.source_port || !self.is_session(&of) {
            return false;
        }
        let rise = health.rise;
        if !segment.has(SYN) || !segment.has(ACK) {
            return true;
        }
        // The half-open connection at the backend is taken back, whichever probe made it.
        let reset = Say::reset(segment.ack, None);
        let link = Link::of(frame, &segment.datagram).reversed();
        let backend = SocketAddr::new(of.peer, of.peer_port);
        let from = SocketAddr::new(of.target, of.target_port);
        self.send_forged(Port::Peer, forge::segment(&link, from, backend, reset), out);
        if self.balancer.waiting.is_some_and(|seq| seq.wrapping_add(1) == segment.ack) {
            self.balancer.waiting = None;
            self.tally.count(self.boxes.probes_answered);
            self.balancer.failures = 0;
            self.balancer.successes += 1;
            if rise > 0 && self.balancer.successes >= rise {
                self.mark_backend_up();
            }
        }
        true
    }
}

/// Adds payload to a stream; whether the pattern then ends in it. Only bytes in order are joined: a gap starts anew.
fn completes(stream: &mut Stream, seq: u32, payload: &[u8], pattern: &Pattern) -> bool {
    let keep = pattern.0.len() - 1;
    let end = seq.wrapping_add(u32::try_from(payload.len()).expect("a frame is small"));
    if stream.next != Some(seq) {
        // A retransmission is searched by itself, and does not disturb what is joined.
        if stream.next.is_some_and(|next| !super::frame::after(end, next)) {
            return pattern.is_in(payload);
        }
        stream.tail.clear();
    }
    let mut joined = std::mem::take(&mut stream.tail);
    joined.extend_from_slice(payload);
    let found = pattern.is_in(&joined);
    stream.tail = joined.split_off(joined.len().saturating_sub(keep));
    stream.next = Some(end);
    found
}
