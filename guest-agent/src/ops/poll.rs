//! poll(2) through its three doors, and the bits behind the words of events.
//!
//! Holds the making of the list and the reading of what was found; must not label what it saw.
//! Units: a duration. Errors: none. Source: poll(2). Tests: `tests/loopback/poll.rs`.

use std::time::Duration;

use rig_protocol::{Event, PollCall, Slot};

use super::around::{Around, Scratch, Seen};
use crate::plan::StepPlan;
use crate::sys::errno::is_failure;

/// The bits of these words, as poll(2), epoll_ctl(2) and io_uring number them (include/uapi/linux/eventpoll.h).
pub(super) fn bits(events: &[Event]) -> u32 {
    let bit = |event: &Event| match event {
        Event::Readable => libc::EPOLLIN,
        Event::Urgent => libc::EPOLLPRI,
        Event::Writable => libc::EPOLLOUT,
        Event::PeerClosed => libc::EPOLLRDHUP,
        Event::Error => libc::EPOLLERR,
        Event::Hangup => libc::EPOLLHUP,
        Event::Edge => libc::EPOLLET,
        Event::Once => libc::EPOLLONESHOT,
    };
    events.iter().fold(0, |all, event| all | bit(event) as u32)
}

/// Lists the sockets, calls, reads what was found.
pub(super) fn poll(
    planned: &StepPlan,
    (sockets, events): (&[Slot], &[Event]),
    timeout: Duration,
    call: PollCall,
    scratch: &mut Scratch,
    around: &Around<'_>,
) -> Seen {
    let polled = &mut scratch.polled;
    // The words that poll(2) takes are bits of 16.
    let events = bits(events) as i16;
    polled.fill(sockets.iter().map(|slot| around.stage.descriptor_of(*slot)), events);
    let mut seen = match call {
        PollCall::Poll => around.timed(planned, || polled.poll(timeout)),
        PollCall::Ppoll => around.timed(planned, || polled.ppoll(timeout)),
        PollCall::Libc => around.timed(planned, || polled.libc_poll(timeout)),
    };
    seen.events = (!is_failure(seen.returned)).then(|| polled.found());
    seen
}
