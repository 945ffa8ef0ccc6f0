//! An intrusion prevention system: a pattern in the byte stream, also across segments, resets the connection.
//!
//! Must not know the engine, the rules or another box. Units: bytes. Errors: none; a reset that cannot be made is counted.
//! Sources: document 000, scenarios 2 to 4. Tests: `tests/boxes.rs`.

use super::connection::PerConnection;
use super::counters::{Counts, ResetCounters, Tally};
use super::effects::{Effect, Effects, Fate, Seen};
use super::frame;
use super::names::{IpsCount, MiddleboxCounter, Resetter};
use super::pattern::Pattern;
use super::spec::{Ips, Offender};

/// What is remembered of one direction's byte stream.
#[derive(Debug, Default)]
struct Stream {
    next: Option<u32>,
    /// Last bytes before `next`, fewer than the pattern has.
    tail: Vec<u8>,
}

/// The IPS at work.
#[derive(Debug)]
pub(super) struct IpsBox {
    spec: Ips,
    streams: PerConnection<[Stream; 2]>,
    counts: Counts<IpsCount>,
    resets: ResetCounters,
}

impl IpsBox {
    /// Its counters are there also where the middlebox has none.
    pub(super) fn new(spec: Option<&Ips>, tally: &mut Tally) -> Option<Self> {
        let counts = Counts::new(tally, MiddleboxCounter::Ips);
        let resets = ResetCounters::new(&Resetter::Ips, tally);
        Some(Self { spec: spec?.clone(), streams: PerConnection::default(), counts, resets })
    }

    /// Looks for the pattern; a connection in which it is found is reset after the segment that completed it has passed, or was dropped.
    pub(super) fn on(&mut self, seen: &mut Seen<'_, '_>, tally: &mut Tally, effects: &mut Effects) -> Fate {
        let direction = seen.port.inward();
        let payload = seen.segment.payload(seen.frame);
        if payload.is_empty() || !self.spec.direction.includes(direction) {
            return Fate::Pass;
        }
        let stream = &mut self.streams.of(&seen.connection.id)[direction.index()];
        if !completes(stream, seen.segment.seq, payload, &self.spec.pattern) {
            return Fate::Pass;
        }
        tally.count(self.counts.of(IpsCount::Matched));
        let of = seen.connection.id.four_tuple;
        let Ips { reset: towards, sequence, .. } = self.spec;
        effects.push_after(Effect::Reset { of, towards, sequence, counters: self.resets });
        match self.spec.offender {
            Offender::Pass => Fate::Pass,
            Offender::Drop => {
                tally.count(self.counts.of(IpsCount::Dropped));
                Fate::Consume
            }
        }
    }
}

/// Adds payload to a stream; whether the pattern then ends in it. Only bytes in order are joined: a gap starts anew.
fn completes(stream: &mut Stream, seq: u32, payload: &[u8], pattern: &Pattern) -> bool {
    let keep = pattern.0.len() - 1;
    let end = seq.wrapping_add(u32::try_from(payload.len()).expect("a frame is small"));
    if stream.next != Some(seq) {
        // A retransmission is searched by itself, and does not disturb what is joined.
        if stream.next.is_some_and(|next| !frame::after(end, next)) {
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
