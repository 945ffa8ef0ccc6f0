//! Reading what a program writes while it runs.
//!
//! Holds the thread that empties its pipe, so that the program never waits for its tracer. Must not know what the text means.
//! Units: bytes. Errors: none. Tests: `tests/program`.

use super::says::Listener;
use crate::sys::files;

/// A piece.
const PIECE: usize = 64 << 10;
/// The kernel's buffers of events are looked at this often.
const OFTEN_MS: i32 = 20;

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

/// Takes everything until the end, or until `stop` ends: processes that nobody waits for may keep the pipe open for ever. `also` is done
/// whenever something happens, one of `others` has something to read, or some time has passed.
pub(crate) fn drain(
    output: i32,
    stop: i32,
    others: &[i32],
    listener: &mut Listener<'_>,
    mut also: impl FnMut(),
) {
    let mut fds = vec![output, stop];
    fds.extend(others);
    // Without others there is nothing that could be missed.
    let timeout_ms = if others.is_empty() { -1 } else { OFTEN_MS };
    loop {
        let ready = files::poll_all(&fds, timeout_ms);
        also();
        if ready.contains(&0) {
            if !take(output, listener) {
                // poll(2) leaves out what is negative.
                fds[0] = -1;
            }
        } else if ready.contains(&1) {
            return;
        }
    }
}
