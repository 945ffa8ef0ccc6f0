//! What the box knows of a connection: what each end has sent, what it can have received, and so which number a reset must carry.
//!
//! Pure. Must not decide anything. Each end's receiving side is modelled from two sources: what it acknowledged itself, and what the box
//! let through to it (it may acknowledge late). Connections first seen in their middle are known from the first ACK on, with window scale 0.
//! Units: sequence numbers in host order, nanoseconds since the start. Errors: [`Unavailable`]. Tests: beside the module.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::counters::{Counter, Tally};
use super::forge::{self, Forged, Link, Say};
use super::frame::{ACK, FIN, FourTuple, RST, SYN, Segment, after};
use super::spec::{Direction, Port, Sequence};

/// Ranges kept of what an end holds out of order; more than any sender leaves open.
const RANGES: usize = 256;

/// Connections kept. The oldest finished ones go first.
const CONNECTIONS: usize = 16_384;

/// There is no such number: the end's state is unknown, or holds nothing out of order, or the offset lies outside the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unavailable;

/// One end.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    /// How frames that it sends look.
    link: Option<Link>,
    initial: Option<u32>,
    /// After the last byte that it sent.
    sent: Option<u32>,
    /// RCV.NXT.
    next: Option<u32>,
    /// What it acknowledged last, and the window that it offered then, in bytes.
    acknowledged: Option<u32>,
    window: u32,
    shift: Option<u8>,
    /// Beyond `next`, sorted, disjoint.
    out_of_order: Vec<(u32, u32)>,
    sack_edge: Option<u32>,
    /// The sequence number of a FIN that was let through to it and that it has, or will have, received.
    fin_at: Option<u32>,
}

impl End {
    fn right_edge(&self) -> Option<u32> {
        Some(self.acknowledged.or(self.next)?.wrapping_add(self.window))
    }

    /// Takes in `next` to `end`, and what then is no longer out of order.
    fn advance_next(&mut self, to: u32) {
        let mut next = to;
        self.out_of_order.retain(|(start, end)| {
            if after(*start, next) {
                return true;
            }
            if after(*end, next) {
                next = *end;
            }
            false
        });
        self.next = Some(next);
        if self.sack_edge.is_some_and(|edge| !after(edge, next)) {
            self.sack_edge = None;
        }
    }

    fn receive(&mut self, seq: u32, seq_end: u32) {
        let Some(next) = self.next else { return };
        // Data beyond the window (a probe of a closed one) is not kept by any receiver. Without its SYN the window's scale is not known.
        let beyond = self.initial.is_some() && self.right_edge().is_some_and(|edge| !after(edge, seq));
        if !after(seq_end, next) || beyond {
            return;
        }
        if !after(seq, next) {
            return self.advance_next(seq_end);
        }
        if self.out_of_order.len() < RANGES {
            let at = self.out_of_order.partition_point(|(start, _)| after(seq, *start));
            self.out_of_order.insert(at, (seq, seq_end));
        }
    }

    /// Right-most edge of what it holds out of order: modelled, or said by itself in SACK blocks.
    fn held_edge(&self) -> Option<u32> {
        let modelled = self.out_of_order.iter().map(|(_, end)| *end);
        modelled.chain(self.sack_edge).reduce(|a, b| if after(b, a) { b } else { a })
    }
}

/// Names a connection, also when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId {
    pub(super) four_tuple: FourTuple,
    /// Tells it from an earlier one between the same ends, and from an earlier one in the same slot.
    generation: u64,
    /// Its place in a [`PerConnection`]; no other connection has it at the same time.
    slot: usize,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) last_seen_ns: u64,
    /// A reset went to one of its ends, or both have received a FIN.
    pub(super) finished: bool,
    /// Segments of it that rules hold back.
    pub(super) held: usize,
    /// The counters of connections that have counted this one; few.
    counted: Vec<Counter>,
    target: End,
    peer: End,
}

impl Connection {
    fn new(id: ConnectionId) -> Self {
        Self {
            id,
            last_seen_ns: 0,
            finished: false,
            held: 0,
            counted: vec![],
            target: End::default(),
            peer: End::default(),
        }
    }

    fn end(&self, port: Port) -> &End {
        match port {
            Port::Target => &self.target,
            Port::Peer => &self.peer,
        }
    }

    /// The end behind `port`, and the other.
    fn ends(&mut self, port: Port) -> (&mut End, &mut End) {
        match port {
            Port::Target => (&mut self.target, &mut self.peer),
            Port::Peer => (&mut self.peer, &mut self.target),
        }
    }

    /// Learns what a segment says of the end that sent it, whether or not it is let through.
    pub(super) fn observe(&mut self, from: Port, frame: &[u8], segment: &Segment) {
        let options = segment.options(frame);
        let (sender, other) = self.ends(from);
        sender.link = Some(Link::of(frame, &segment.datagram));
        if segment.has(RST) {
            return;
        }
        if segment.has(SYN) {
            sender.initial = Some(segment.seq);
            sender.shift = options.window_shift;
        }
        let end = segment.seq_end();
        if sender.sent.is_none_or(|sent| after(end, sent)) {
            sender.sent = Some(end);
        }
        // A scale counts only when both said one, and never in a SYN (RFC 7323 section 2.2).
        let shift =
            if segment.has(SYN) { 0 } else { sender.shift.and(other.shift).and(sender.shift).unwrap_or(0) };
        let known = other.sent.is_none_or(|sent| !after(segment.ack, sent));
        if segment.has(ACK) && known && sender.acknowledged.is_none_or(|old| !after(old, segment.ack)) {
            sender.acknowledged = Some(segment.ack);
            sender.window = u32::from(segment.window) << shift;
            if sender.next.is_none_or(|next| after(segment.ack, next)) {
                sender.advance_next(segment.ack);
            }
            let next = sender.next.unwrap_or(segment.ack);
            sender.sack_edge = options.sack_edge.filter(|edge| after(*edge, next)).or(sender.sack_edge);
        } else if segment.has(SYN) {
            sender.window = u32::from(segment.window);
        }
    }

    /// Learns that a segment was let through to the end behind `to`.
    pub(super) fn deliver(&mut self, to: Port, segment: &Segment) {
        if segment.has(RST) {
            self.finished |= self.is_reset_by(to, segment);
            return;
        }
        let (receiver, sender) = self.ends(to);
        let end = segment.seq_end();
        if segment.has(SYN) && receiver.next.is_none() {
            receiver.next = Some(end);
        } else {
            receiver.receive(segment.seq, end);
        }
        if segment.has(FIN) {
            receiver.fin_at = Some(end);
        }
        let done = |end: &End| end.fin_at.is_some() && end.fin_at == end.next;
        if done(receiver) && done(sender) {
            self.finished = true;
        }
    }

    /// Whether the end behind `to` takes this reset at its word; an inexact one is challenged (RFC 5961 section 3.2).
    pub(super) fn is_reset_by(&self, to: Port, segment: &Segment) -> bool {
        segment.has(RST) && self.end(to).next.is_none_or(|next| next == segment.seq)
    }

    /// Whether this SYN opens another connection between the same ends.
    fn is_reopened_by(&self, from: Port, segment: &Segment) -> bool {
        segment.has(SYN)
            && !segment.has(ACK)
            && self.finished
            && self.end(from).initial.is_none_or(|initial| initial != segment.seq)
    }

    fn sequence(&self, to: Port, sequence: Sequence) -> Result<u32, Unavailable> {
        let receiver = self.end(to);
        let next = receiver.next.ok_or(Unavailable)?;
        let edge = receiver.right_edge().ok_or(Unavailable)?;
        match sequence {
            Sequence::Exact => Ok(next),
            Sequence::InWindow { offset } => {
                let seq = next.wrapping_add(offset);
                if after(edge, seq) && offset > 0 { Ok(seq) } else { Err(Unavailable) }
            }
            Sequence::Outside { beyond } => Ok(edge.wrapping_add(beyond)),
            Sequence::BeforeNext => Ok(next.wrapping_sub(1)),
            Sequence::SackEdge => receiver.held_edge().ok_or(Unavailable),
        }
    }

    /// Forges a segment that travels in `direction`, in the name of the end that it seems to come from.
    pub(super) fn forge(
        &self,
        direction: Direction,
        sequence: Sequence,
        what: Forged<'_>,
    ) -> Result<Vec<u8>, Unavailable> {
        let to = direction.exit();
        let (receiver, sender) = (self.end(to), self.end(to.opposite()));
        let link = sender.link.or_else(|| receiver.link.map(Link::reversed)).ok_or(Unavailable)?;
        // An end that has only sent its SYN accepts a reset by its acknowledgement alone (RFC 9293 section 3.10.7.3).
        let seq = match (receiver.next, sequence, what) {
            (None, Sequence::Exact, Forged::Reset) => 0,
            _ => self.sequence(to, sequence)?,
        };
        let ack = sender.next.or(receiver.sent);
        let four = &self.id.four_tuple;
        let target = SocketAddr::new(four.target, four.target_port);
        let peer = SocketAddr::new(four.peer, four.peer_port);
        let (from, to) = match direction {
            Direction::ToPeer => (target, peer),
            Direction::ToTarget => (peer, target),
        };
        let say = match what {
            Forged::Reset => Say::reset(seq, ack),
            Forged::Data(payload) => {
                let shift = sender.shift.and(receiver.shift).and(sender.shift).unwrap_or(0);
                let window = u16::try_from(sender.window >> shift).unwrap_or(u16::MAX);
                Say::data(seq, ack.ok_or(Unavailable)?, window, payload)
            }
        };
        Ok(forge::segment(&link, from, to, say))
    }

    /// Counts the connection, once however often this is said of it: a proof that a fault bit asks how many trials it met, not how many of
    /// their retransmissions.
    pub(super) fn count_once(&mut self, counter: Counter, tally: &mut Tally) {
        if !self.counted.contains(&counter) {
            self.counted.push(counter);
            tally.count(counter);
        }
    }

    /// How frames from the end behind `port` look.
    pub(super) fn link_from(&self, port: Port) -> Option<Link> {
        self.end(port).link.or_else(|| self.end(port.opposite()).link.map(Link::reversed))
    }
}

/// All connections that the box watches.
#[derive(Debug, Default)]
pub(super) struct Connections {
    known: HashMap<FourTuple, Connection>,
    generations: u64,
    /// Slots that were given back.
    free: Vec<usize>,
    forgotten: u64,
}

impl Connections {
    /// The segment's connection; `true` when it is new.
    pub(super) fn enter(&mut self, from: Port, segment: &Segment) -> (&mut Connection, bool) {
        let four_tuple = segment.four_tuple(from);
        let fresh = self.known.get(&four_tuple).is_none_or(|known| known.is_reopened_by(from, segment));
        if fresh {
            self.make_room();
            self.generations += 1;
            let slot = self.take_slot(&four_tuple);
            let id = ConnectionId { four_tuple, generation: self.generations, slot };
            self.known.insert(four_tuple, Connection::new(id));
        }
        (self.known.get_mut(&four_tuple).expect("entered above"), fresh)
    }

    /// The slot of an earlier connection between the same ends, one that was given back, or a new one.
    fn take_slot(&mut self, four_tuple: &FourTuple) -> usize {
        let earlier = self.known.get(four_tuple).map(|known| known.id.slot);
        // All slots up to here are taken: by those that are known, or they lie in `free`.
        earlier.or_else(|| self.free.pop()).unwrap_or(self.known.len())
    }

    pub(super) fn get(&mut self, four_tuple: &FourTuple) -> Option<&mut Connection> {
        self.known.get_mut(four_tuple)
    }

    /// The same connection as the one that a timer was set for, if it still is.
    pub(super) fn same(&mut self, id: &ConnectionId) -> Option<&mut Connection> {
        self.known.get_mut(&id.four_tuple).filter(|connection| connection.id == *id)
    }

    /// All, in an order that does not depend on hashing.
    pub(super) fn sorted(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.known.values().map(|known| known.id).collect();
        ids.sort_unstable();
        ids
    }

    /// Connections that had to make room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Segments held back, of all connections.
    pub(super) fn holding(&self) -> usize {
        self.known.values().map(|known| known.held).sum()
    }

    fn make_room(&mut self) {
        if self.known.len() < CONNECTIONS {
            return;
        }
        let mut ages: Vec<_> = self
            .known
            .values()
            .filter(|connection| connection.held == 0)
            .map(|connection| (!connection.finished, connection.last_seen_ns, connection.id.four_tuple))
            .collect();
        ages.sort_unstable();
        for (_, _, four_tuple) in ages.into_iter().take(CONNECTIONS / 4) {
            self.free.extend(self.known.remove(&four_tuple).map(|gone| gone.id.slot));
            self.forgotten += 1;
        }
    }
}

/// What one box knows of each connection: its own state, which nobody else sees. A connection that it never looked at has the default.
#[derive(Debug)]
pub(super) struct PerConnection<S> {
    /// By slot: whose state it is, and the state. Generation 0 is nobody's.
    slots: Vec<(u64, S)>,
}

impl<S> Default for PerConnection<S> {
    fn default() -> Self {
        Self { slots: vec![] }
    }
}

impl<S: Default> PerConnection<S> {
    /// The state of this connection; that of an earlier one in the same slot is dropped.
    pub(super) fn of(&mut self, id: &ConnectionId) -> &mut S {
        if self.slots.len() <= id.slot {
            self.slots.resize_with(id.slot + 1, || (0, S::default()));
        }
        let (generation, state) = &mut self.slots[id.slot];
        if *generation != id.generation {
            (*generation, *state) = (id.generation, S::default());
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::parse;
    use super::super::wire::{Sent, Wire};
    use super::*;

    fn id(first: &Segment) -> ConnectionId {
        ConnectionId { four_tuple: first.four_tuple(Port::Target), generation: 1, slot: 0 }
    }

    struct Watched {
        wire: Wire,
        connection: Connection,
    }

    impl Watched {
        /// After a handshake: target's next byte is 101, peer's 501; windows 1000 << 3.
        fn established(wire: Wire) -> Self {
            let first = parse(&wire.to_peer(SYN, 100, 0, b"").frame()).expect("TCP");
            let connection = Connection::new(id(&first));
            let mut watched = Self { wire, connection };
            let scale = [1, 3, 3, 3];
            watched.pass(Port::Target, wire.to_peer(SYN, 100, 0, b"").options(&scale));
            watched.pass(Port::Peer, wire.to_target(SYN | ACK, 500, 101, b"").options(&scale));
            watched.pass(Port::Target, wire.to_peer(ACK, 101, 501, b""));
            watched
        }

        fn see(&mut self, from: Port, sent: Sent<'_>) -> Segment {
            let frame = sent.frame();
            let segment = parse(&frame).expect("TCP");
            self.connection.observe(from, &frame, &segment);
            segment
        }

        fn pass(&mut self, from: Port, sent: Sent<'_>) {
            let segment = self.see(from, sent);
            self.connection.deliver(from.opposite(), &segment);
        }

        fn to_target(&self, sequence: Sequence) -> Result<u32, Unavailable> {
            let frame = self.connection.forge(Direction::ToTarget, sequence, Forged::Reset)?;
            assert!(super::super::checksum::is_right(&frame));
            Ok(parse(&frame).expect("TCP").seq)
        }
    }

    #[test]
    fn each_kind_of_number() {
        for wire in [Wire::v4(), Wire::v6()] {
            let mut watched = Watched::established(wire);
            assert_eq!(watched.to_target(Sequence::Exact), Ok(501));
            assert_eq!(watched.to_target(Sequence::BeforeNext), Ok(500));
            assert_eq!(watched.to_target(Sequence::InWindow { offset: 1000 }), Ok(1501));
            assert_eq!(watched.to_target(Sequence::InWindow { offset: 8000 }), Err(Unavailable));
            assert_eq!(watched.to_target(Sequence::Outside { beyond: 7 }), Ok(501 + 8000 + 7));
            assert_eq!(watched.to_target(Sequence::SackEdge), Err(Unavailable));
            // Let through but not yet acknowledged: the receiver has it all the same.
            watched.pass(Port::Peer, wire.to_target(ACK, 501, 101, b"ABCD"));
            assert_eq!(watched.to_target(Sequence::Exact), Ok(505));
            // Seen but not let through: it does not.
            watched.see(Port::Peer, wire.to_target(ACK, 505, 101, b"EFGH"));
            assert_eq!(watched.to_target(Sequence::Exact), Ok(505));
            // A hole: 509..513 lies beyond it.
            watched.pass(Port::Peer, wire.to_target(ACK, 509, 101, b"IJKL"));
            assert_eq!(watched.to_target(Sequence::Exact), Ok(505));
            assert_eq!(watched.to_target(Sequence::SackEdge), Ok(513));
            // The hole is filled.
            watched.pass(Port::Peer, wire.to_target(ACK, 505, 101, b"EFGH"));
            assert_eq!(watched.to_target(Sequence::Exact), Ok(513));
            assert_eq!(watched.to_target(Sequence::SackEdge), Err(Unavailable));
        }
    }

    #[test]
    fn the_ends_own_words_count() {
        let wire = Wire::v4();
        let mut watched = Watched::established(wire);
        watched.see(Port::Peer, wire.to_target(ACK, 501, 101, &[7; 400]));
        let mut sack = vec![1, 1, 5, 10];
        sack.extend(600_u32.to_be_bytes());
        sack.extend(700_u32.to_be_bytes());
        watched.pass(Port::Target, wire.to_peer(ACK, 101, 550, b"").options(&sack).window(10));
        assert_eq!(watched.to_target(Sequence::Exact), Ok(550));
        assert_eq!(watched.to_target(Sequence::SackEdge), Ok(700));
        assert_eq!(watched.to_target(Sequence::Outside { beyond: 0 }), Ok(550 + 80));
        watched.pass(Port::Target, wire.to_peer(ACK, 101, 999_999, b""));
        assert_eq!(watched.to_target(Sequence::Exact), Ok(550), "it cannot have what nobody sent");
    }

    #[test]
    fn numbers_wrap() {
        let wire = Wire::v4();
        let first = parse(&wire.to_peer(SYN, 100, 0, b"").frame()).expect("TCP");
        let mut watched = Watched { wire, connection: Connection::new(id(&first)) };
        watched.pass(Port::Target, wire.to_peer(SYN, 100, 0, b""));
        watched.pass(Port::Peer, wire.to_target(SYN | ACK, u32::MAX - 1, 101, b""));
        watched.pass(Port::Peer, watched.wire.to_target(ACK, u32::MAX, 101, b"ABCD"));
        assert_eq!(watched.to_target(Sequence::Exact), Ok(3));
    }

    #[test]
    fn a_probe_of_a_closed_window_is_not_received() {
        let wire = Wire::v4();
        let mut watched = Watched::established(wire);
        watched.pass(Port::Target, wire.to_peer(ACK, 101, 501, b"").window(0));
        watched.pass(Port::Peer, wire.to_target(ACK, 501, 101, b"x"));
        assert_eq!(watched.to_target(Sequence::Exact), Ok(501));
    }

    #[test]
    fn an_end_in_syn_sent_is_reset_by_acknowledgement() {
        let wire = Wire::v6();
        let syn = parse(&wire.to_peer(SYN, 100, 0, b"").frame()).expect("TCP");
        let mut watched = Watched { wire, connection: Connection::new(id(&syn)) };
        watched.see(Port::Target, wire.to_peer(SYN, 100, 0, b""));
        let frame =
            watched.connection.forge(Direction::ToTarget, Sequence::Exact, Forged::Reset).expect("known");
        let reset = parse(&frame).expect("TCP");
        assert_eq!((reset.flags, reset.seq, reset.ack), (RST | ACK, 0, 101));
        assert_eq!((&frame[..6], &frame[6..12]), (&[2, 0, 0, 0, 0, 1][..], &[2, 0, 0, 0, 0, 2][..]));
    }

    #[test]
    fn two_fins_or_a_reset_finish_it_and_a_syn_opens_another() {
        let wire = Wire::v4();
        for reset in [false, true] {
            let mut watched = Watched::established(wire);
            if reset {
                watched.pass(Port::Peer, wire.to_target(RST | ACK, 501, 101, b""));
            } else {
                watched.pass(Port::Peer, wire.to_target(FIN | ACK, 501, 101, b""));
                assert!(!watched.connection.finished);
                watched.pass(Port::Target, wire.to_peer(FIN | ACK, 101, 502, b""));
            }
            assert!(watched.connection.finished);
            let again = parse(&wire.to_peer(SYN, 9000, 0, b"").frame()).expect("TCP");
            assert!(watched.connection.is_reopened_by(Port::Target, &again));
            let same = parse(&wire.to_peer(SYN, 100, 0, b"").frame()).expect("TCP");
            assert!(!watched.connection.is_reopened_by(Port::Target, &same), "a late copy of the first SYN");
        }
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_live() {
        let mut connections = Connections::default();
        for i in 0..CONNECTIONS as u32 + 10 {
            let target = format!("192.0.2.2:{}", 1 + i % 60_000);
            let wire = Wire::between(&target, "192.0.2.1:8083");
            let syn = parse(&wire.to_peer(SYN, 1, 0, b"").frame()).expect("TCP");
            let (connection, fresh) = connections.enter(Port::Target, &syn);
            assert!(fresh);
            connection.last_seen_ns = u64::from(i);
            connection.finished = i > 5;
        }
        assert!(connections.known.len() <= CONNECTIONS);
        assert_eq!(connections.known.values().filter(|c| !c.finished).count(), 6);
        let slots: std::collections::BTreeSet<usize> =
            connections.known.values().map(|known| known.id.slot).collect();
        assert_eq!(slots.len(), connections.known.len(), "no two share a slot");
        assert!(slots.last().is_some_and(|last| *last < CONNECTIONS), "slots are used again");
    }

    #[test]
    fn a_box_never_sees_the_state_of_an_earlier_connection() {
        let wire = Wire::v4();
        let syn = |isn| parse(&wire.to_peer(SYN, isn, 0, b"").frame()).expect("TCP");
        let (mut connections, mut states) = (Connections::default(), PerConnection::<u32>::default());
        let (first, _) = connections.enter(Port::Target, &syn(1));
        first.observe(Port::Target, &wire.to_peer(SYN, 1, 0, b"").frame(), &syn(1));
        first.finished = true;
        let earlier = first.id;
        *states.of(&earlier) = 7;
        assert_eq!(*states.of(&earlier), 7);
        let (again, fresh) = connections.enter(Port::Target, &syn(9000));
        let id = again.id;
        assert!(fresh && id.slot == earlier.slot);
        assert_eq!(*states.of(&id), 0);
        assert!(connections.same(&earlier).is_none() && connections.same(&id).is_some());
    }
}
