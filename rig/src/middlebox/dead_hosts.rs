//! Hosts that are gone: whoever speaks to one is answered on its behalf.
//!
//! Must not know the engine, the rules or a box. Units: none. Errors: none. Source: RFC 826 and RFC 4861 for what neighbours ask.
//! Tests: `tests.rs`, and `forge` for the answers.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::connection::Connection;
use super::counters::{Counts, Tally};
use super::effects::{Effect, Effects};
use super::forge;
use super::frame::Segment;
use super::names::{GoneCount, MiddleboxCounter};
use super::spec::{DeadHost, Port};

/// Those that are gone at the moment.
#[derive(Debug)]
pub(super) struct DeadHosts {
    gone: BTreeSet<IpAddr>,
    counts: Counts<GoneCount>,
}

impl DeadHosts {
    pub(super) fn new(declared: &[DeadHost], tally: &mut Tally) -> Self {
        let gone = declared.iter().filter(|host| host.gone).map(|host| host.address).collect();
        Self { gone, counts: Counts::new(tally, MiddleboxCounter::Gone) }
    }

    pub(super) fn are_none(&self) -> bool {
        self.gone.is_empty()
    }

    pub(super) fn begin(&mut self, host: IpAddr) {
        self.gone.insert(host);
    }

    pub(super) fn end(&mut self, host: IpAddr) {
        self.gone.remove(&host);
    }

    /// Whether it is for one of them.
    pub(super) fn are_addressed_by(&self, segment: &Segment) -> bool {
        self.gone.contains(&segment.destination)
    }

    /// Answers a segment that is for one of them.
    pub(super) fn on(
        &self,
        port: Port,
        frame: &[u8],
        segment: &Segment,
        connection: &mut Connection,
        tally: &mut Tally,
        effects: &mut Effects,
    ) {
        tally.count(self.counts.of(GoneCount::Answered));
        connection.count_once(self.counts.of(GoneCount::Connections), tally);
        effects.refuse(port, frame, segment);
    }

    /// Answers a frame that asks for the link address of one of them; whether it was one.
    pub(super) fn on_question(
        &self,
        port: Port,
        frame: &[u8],
        tally: &mut Tally,
        effects: &mut Effects,
    ) -> bool {
        if self.gone.is_empty() {
            return false;
        }
        let Some(frame) = forge::answer_neighbour(frame, |address| self.gone.contains(&address)) else {
            return false;
        };
        tally.count(self.counts.of(GoneCount::NeighboursAnswered));
        effects.push(Effect::Send { port, frame });
        true
    }
}
