//! The signals that the outer process and init of an enclosure take.
//!
//! Must not know what is done with them. Units: none. Errors: none. Tests: `tests/enclosure.rs` (root).

use nix::sys::signal::{SigSet, Signal};

/// The signals that a person or a script sends to the process that they started, and that are meant for the body.
const RELAYED: [Signal; 8] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// The relayed ones, and the end of a child.
pub(super) fn watched_signals() -> SigSet {
    let mut set = SigSet::from_iter(RELAYED);
    set.add(Signal::SIGCHLD);
    set
}
