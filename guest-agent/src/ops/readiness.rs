//! select(2) through its three doors.
//!
//! Holds the building of the sets from slots and their reading afterwards; must not label what it saw.
//! Units: a duration. Errors: none.
//! Source: select(2). Tests: `sys/readiness.rs`, `tests/loopback` (the doors agree, closed descriptor, injection).

use std::time::Duration;

use rig_protocol::{Call, Readiness, Slot};

use super::around::{Around, Scratch, Seen};
use crate::plan::StepPlan;
use crate::sys::errno::is_failure;
use crate::sys::readiness::arm;

/// Builds the sets anew, calls, reads them.
pub(super) fn select(
    planned: &StepPlan,
    [read, write, except]: [&[Slot]; 3],
    timeout: Duration,
    call: Call,
    scratch: &mut Scratch,
    around: &Around<'_>,
) -> Seen {
    let cookie = std::mem::take(&mut scratch.cookie);
    let sets = &mut scratch.sets;
    let mut highest = -1;
    for (set, slots) in [(&mut sets.read, read), (&mut sets.write, write), (&mut sets.except, except)] {
        set.clear();
        for slot in slots {
            let fd = around.stage.descriptor_of(*slot);
            set.insert(fd);
            highest = highest.max(fd);
        }
    }
    let mut armed = arm(sets, highest + 1, timeout);
    let mut seen = match call {
        Call::Select => around.timed(planned, || armed.select(cookie)),
        Call::Pselect6 => around.timed(planned, || armed.pselect6()),
        Call::Libc => around.timed(planned, || armed.libc_select()),
    };
    // After a failure the sets are undefined (select(2)).
    seen.ready = (!is_failure(seen.returned)).then(|| Readiness {
        readable: sets.read.any(),
        writable: sets.write.any(),
        exceptional: sets.except.any(),
    });
    seen
}
