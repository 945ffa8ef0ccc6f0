//! Reading what a program writes while it runs.
//!
//! Holds the thread that empties its pipe, so that the program never waits for its tracer. Must not know what the text means.
//! Units: bytes. Errors: none. Tests: `tests/program`.

use super::says::Listener;
use crate::sys::files;

/// A piece.
const PIECE: usize = 64 << 10;

/// Takes what is there to be read now; false at the end.
pub(crate) fn take(output: i32, listener: &mut Listener<'_>) -> bool {
    let mut piece = vec![0; PIECE];
    match files::read(output, &mut piece) {
        0 => false,
        bytes => {
            listener.hear(&piece[..bytes]);
            true
        }
    }
}

/// Takes everything until the end, or until `stop` ends: processes that nobody waits for may keep the pipe open for ever. `also` is done as
/// often as something else is to be read.
pub(crate) fn drain(output: i32, stop: i32, listener: &mut Listener<'_>, mut also: impl FnMut()) {
    let mut open = true;
    loop {
        let [readable, stopped] = files::poll([if open { output } else { -1 }, stop], also_every());
        also();
        if readable {
            open = take(output, listener);
        } else if stopped {
            return;
        }
    }
}

/// The kernel's buffers of events have room for this long.
const fn also_every() -> i32 {
    20
}
