//! A stateful firewall with an idle timeout: only a SYN makes state, idleness ends it, and whoever has none is a stranger.
//!
//! Must not know the engine, the rules or another box. Units: nanoseconds. Errors: none; a reset that cannot be made is counted.
//! Sources: document 000, scenarios 2 to 4. Tests: `tests/boxes.rs`.

use super::connection::{Connection, Connections, PerConnection};
use super::counters::{Counts, ResetCounters, Tally};
use super::effects::{Effects, Fate, Seen};
use super::frame::{ACK, SYN};
use super::names::{FirewallCount, MiddleboxCounter, Resetter};
use super::spec::{Expiry, Firewall, Stranger};
use super::timers::{BoxTimer, Timer};

/// The firewall at work.
#[derive(Debug)]
pub(super) struct FirewallBox {
    spec: Firewall,
    /// Whether it has state for a connection.
    admitted: PerConnection<bool>,
    counts: Counts<FirewallCount>,
    resets: ResetCounters,
}

impl FirewallBox {
    /// Its counters are there also where the middlebox has none.
    pub(super) fn new(spec: Option<&Firewall>, tally: &mut Tally) -> Option<Self> {
        let counts = Counts::new(tally, MiddleboxCounter::Firewall);
        let resets = ResetCounters::new(&Resetter::Firewall, tally);
        Some(Self { spec: spec?.clone(), admitted: PerConnection::default(), counts, resets })
    }

    /// Admits what a SYN opened, ends what was idle, and meets strangers.
    pub(super) fn on(&mut self, seen: &mut Seen<'_, '_>, tally: &mut Tally, effects: &mut Effects) -> Fate {
        let id = seen.connection.id;
        let admitted = self.admitted.of(&id);
        if *admitted {
            if self.spec.expiry == Expiry::OnNextSegment && seen.idle_ns >= self.spec.idle_timeout_ns {
                tally.count(self.counts.of(FirewallCount::Swallowed));
                self.expire(seen.connection, tally, effects);
                return Fate::Consume;
            }
            // An exact reset ends the state as it passes: what follows it is a stranger's.
            *admitted = !seen.connection.is_reset_by(seen.port.opposite(), &seen.segment);
            return Fate::Pass;
        }
        if seen.segment.has(SYN) && !seen.segment.has(ACK) {
            *admitted = true;
            seen.connection.finished = false;
            tally.count(self.counts.of(FirewallCount::Admitted));
            if self.spec.expiry == Expiry::AtOnce {
                let at = seen.now.saturating_add(self.spec.idle_timeout_ns);
                effects.call_at(at, Timer::Box(BoxTimer::Idle(id)));
            }
            return Fate::Pass;
        }
        seen.connection.count_once(self.counts.of(FirewallCount::StrangerConnections), tally);
        match self.spec.stranger {
            Stranger::Reset => {
                tally.count(self.counts.of(FirewallCount::StrangersReset));
                effects.refuse(seen.port, seen.frame, &seen.segment);
            }
            Stranger::Drop => tally.count(self.counts.of(FirewallCount::StrangersDropped)),
        }
        Fate::Consume
    }

    /// The timer of a connection. It stands for the last segment's time when it was set, so it may have to wait on.
    pub(super) fn look_for_idleness(
        &mut self,
        now: u64,
        connection: &Connection,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        if !*self.admitted.of(&connection.id) {
            return;
        }
        let at = connection.last_seen_ns.saturating_add(self.spec.idle_timeout_ns);
        if at > now {
            return effects.call_at(at, Timer::Box(BoxTimer::Idle(connection.id)));
        }
        self.expire(connection, tally, effects);
    }

    fn expire(&mut self, connection: &Connection, tally: &mut Tally, effects: &mut Effects) {
        *self.admitted.of(&connection.id) = false;
        if connection.finished {
            return tally.count(self.counts.of(FirewallCount::Forgotten));
        }
        tally.count(self.counts.of(FirewallCount::Expired));
        if let Some(towards) = self.spec.reset.towards() {
            effects.reset(connection.id, towards, self.resets);
        }
    }

    /// Loses its state, as in a restart.
    pub(super) fn forget_connections(&mut self, connections: &Connections, tally: &mut Tally) {
        for id in connections.sorted() {
            if std::mem::take(self.admitted.of(&id)) {
                tally.count(self.counts.of(FirewallCount::Forgotten));
            }
        }
    }
}
