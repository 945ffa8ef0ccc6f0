//! What reaches the session's thread, from the controller and from the crew that plays.
//!
//! Holds one type, so that crews can report without knowing the session. Must not hold anything else.
//! Units: none. Errors: none.
//! Tests: `tests/loopback` (every conversation).

use rig_protocol::Request;

/// What reaches the session's thread.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// From the controller.
    Request(Request),
    /// The last worker of an assignment has gone.
    Idle {
        /// Which assignment.
        number: u64,
    },
}
