//! A laboratory in which blocks of one planned boot are played in one guest, one after the other.
//!
//! Holds the guest that waits for the next block of its boot; dropping it kills that guest. Must not know how a block is played, nor who is next.
//! Units: none. Errors: none; where a guest cannot be passed on, the next block boots its own. Tests: `tests/qemu.rs`, `tests/guest.rs`.

use rig_protocol::TrialRecord;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::attempt::Attempt;
use super::block;
use super::dispatcher::Player;
use super::laboratory::Laboratory;
use super::stage::Kept;
use super::stop::Stop;
use crate::event::Event;
use crate::record::format::BlockRecord;

/// A player of blocks that lets those of one planned boot share a guest.
#[derive(Debug)]
pub struct Boots {
    laboratory: Laboratory,
    kept: Mutex<Option<Kept>>,
}

impl Boots {
    /// Nothing is booted yet.
    pub fn of(laboratory: Laboratory) -> Self {
        Self { laboratory, kept: Mutex::new(None) }
    }
}

impl Player for Boots {
    async fn play(
        &self,
        attempt: Attempt,
        events: UnboundedSender<Event>,
        stop: Stop,
    ) -> Option<(BlockRecord, Vec<TrialRecord>)> {
        let mut place = self.kept.lock().await;
        let found = match place.take() {
            Some(kept) if kept.is_for(&attempt) => Some(kept),
            Some(kept) => {
                kept.end().await;
                None
            }
            None => None,
        };
        let (played, kept) = block::play(&self.laboratory, attempt, found, events, stop).await;
        *place = kept;
        played
    }
}
