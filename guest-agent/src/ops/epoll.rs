//! epoll(7): its instances, their lists, and waiting through three doors.
//!
//! Holds the way from words to numbers and the reading of what was told; must not label what it saw.
//! Units: a duration. Errors: none, `-errno` is what was seen; an instance that could not be made is no descriptor.
//! Source: epoll_ctl(2), epoll_wait(2). Tests: `tests/loopback/epoll.rs`.

use std::time::Duration;

use rig_protocol::{EpollCall, EpollChange, Event, Slot};

use super::around::{Around, Seen};
use super::poll::bits;
use crate::plan::StepPlan;
use crate::stage::Stage;
use crate::sys::epoll::{self, Told};
use crate::sys::errno::is_failure;

/// epoll_create1(2).
pub(super) fn create(stage: &Stage, slot: Slot) -> i64 {
    stage.fill_made(slot, epoll::create())
}

/// epoll_ctl(2).
pub(super) fn control(epoll: i32, fd: i32, how: EpollChange, events: &[Event]) -> i64 {
    let operation = match how {
        EpollChange::Add => libc::EPOLL_CTL_ADD,
        EpollChange::Modify => libc::EPOLL_CTL_MOD,
        EpollChange::Delete => libc::EPOLL_CTL_DEL,
    };
    epoll::control(epoll, operation, fd, bits(events))
}

/// Waits, and reads what was told.
pub(super) fn wait(
    planned: &StepPlan,
    epoll: i32,
    timeout: Duration,
    call: EpollCall,
    around: &Around<'_>,
) -> Seen {
    let mut told = Told::new();
    let mut seen = match call {
        EpollCall::EpollWait => around.timed(planned, || told.wait(epoll, timeout)),
        EpollCall::EpollPwait2 => around.timed(planned, || told.pwait2(epoll, timeout)),
        EpollCall::Libc => around.timed(planned, || told.libc_wait(epoll, timeout)),
    };
    seen.events = (!is_failure(seen.returned)).then(|| told.found(seen.returned));
    seen
}
