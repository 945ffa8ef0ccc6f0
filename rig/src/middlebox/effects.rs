//! What a box, or the rules, want done because of a segment or of the time: the engine carries it out.
//!
//! Plain data. Must not know who wants it or how it is done. Units: nanoseconds since the start of the middlebox.
//! Errors: none. Tests: the engine's (`tests.rs`).

use super::connection::{Connection, ConnectionId};
use super::counters::ResetCounters;
use super::forge;
use super::frame::{FourTuple, Segment};
use super::line::Passing;
use super::pattern::Pattern;
use super::spec::{Direction, Port, Sequence, Towards};
use super::timers::Timer;

/// A segment that came in, for whoever looks at it.
#[derive(Debug)]
pub(super) struct Seen<'f, 'c> {
    pub(super) now: u64,
    /// Where it came in.
    pub(super) port: Port,
    pub(super) frame: &'f [u8],
    pub(super) segment: Segment,
    pub(super) connection: &'c mut Connection,
    /// How long its connection was silent before it.
    pub(super) idle_ns: u64,
}

/// Whether a segment goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// To whoever comes next.
    Pass,
    /// It ends here.
    Consume,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Effect {
    /// Lets a segment through, and with it whatever waited for it.
    Pass { direction: Direction, passing: Passing },
    /// Resets the ends of a connection that `towards` names.
    Reset { of: FourTuple, towards: Towards, sequence: Sequence, counters: ResetCounters },
    /// Sends data that nobody wrote to the ends of a connection that `towards` names.
    Data { of: FourTuple, towards: Towards, sequence: Sequence, payload: Pattern, counters: ResetCounters },
    /// Sends a frame of the middlebox's own.
    Send { port: Port, frame: Vec<u8> },
    /// Calls again at this time.
    Timer { at: u64, timer: Timer },
}

/// Things to do, in order.
#[derive(Debug, Default)]
pub(super) struct Effects {
    wanted: Vec<Effect>,
    /// Done after everything else: once the segment in hand has been let through, held or dropped.
    after: Vec<Effect>,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.wanted.push(effect);
    }

    /// Wants a reset of a connection with exact numbers.
    pub(super) fn reset(&mut self, of: ConnectionId, towards: Towards, counters: ResetCounters) {
        self.push(Effect::Reset { of: of.four_tuple, towards, sequence: Sequence::Exact, counters });
    }

    /// Wants to be called again.
    pub(super) fn call_at(&mut self, at: u64, timer: Timer) {
        self.push(Effect::Timer { at, timer });
    }

    /// Answers a segment to its sender as the addressed end would, if that end did not exist.
    pub(super) fn refuse(&mut self, port: Port, frame: &[u8], segment: &Segment) {
        if let Some(frame) = forge::refuse(frame, segment) {
            self.push(Effect::Send { port, frame });
        }
    }

    /// Wants it done once the segment in hand has met its fate.
    pub(super) fn push_after(&mut self, effect: Effect) {
        self.after.push(effect);
    }

    /// All of it in order; it is empty then, and keeps its room.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Effect> {
        self.wanted.append(&mut self.after);
        self.wanted.drain(..)
    }
}
