//! Signals from one lane to another, and how many a lane has met.
//!
//! Holds the way from a lane of the script to its thread; must not decide what an interruption means.
//! Units: counts. Errors: none, `-errno` is what was seen.
//! Source: signal(7). Tests: `tests/loopback/signals.rs`.

use rig_protocol::{Handler, LaneIndex, Slot};

use super::around::Around;
use crate::sys::signal;

/// Sends it. A lane is a thread, whether it is in a call or between two, or has ended.
pub(super) fn send(lane: LaneIndex, handler: Handler, socket: Option<Slot>, around: &Around<'_>) -> i64 {
    let fd = socket.map_or(-1, |slot| around.stage.descriptor_of(slot));
    signal::send(around.stage.player_of(lane), handler, around.place.trial, fd)
}

/// How many handlers have run in this lane's thread.
pub(super) fn seen(around: &Around<'_>) -> i64 {
    signal::seen(around.place.trial)
}
