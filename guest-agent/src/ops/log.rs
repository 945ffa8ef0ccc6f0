//! The kernel's log of a trial, as a lane looks at it.
//!
//! Holds what was logged since the trial began; must not know what the lines mean.
//! Units: lines. Errors: none, `-errno` is what was seen.
//! Source: Documentation/ABI/testing/dev-kmsg. Tests: `tests/loopback/kernel_log.rs`.

use rig_protocol::Op;

use crate::plan::StepPlan;
use crate::sys::errno::is_failure;
use crate::sys::log;

/// A lane's view of the log; made for lanes that look at it, and for no others.
#[derive(Debug)]
pub(super) struct KernelLog {
    /// Of the present trial, or the `-errno` with which it could not be had.
    fd: i64,
    lines: Vec<String>,
}

impl KernelLog {
    /// For a lane of these steps.
    pub(super) fn of(steps: &[StepPlan]) -> Option<Self> {
        let looks = steps.iter().any(|planned| matches!(planned.step.op, Op::KernelLog { .. }));
        looks.then(|| Self { fd: -i64::from(libc::EBADF), lines: Vec::new() })
    }

    /// A trial begins: what is in the log already is not of it. Before any lane plays, so that its descriptor is not in their way.
    pub(super) fn begin(&mut self) {
        self.lines.clear();
        self.fd = log::open_at_end();
    }

    /// How many lines of the trial have this text.
    pub(super) fn count(&mut self, contained: &str) -> i64 {
        if is_failure(self.fd) {
            return self.fd;
        }
        let lines = &mut self.lines;
        let read = log::read(self.fd as i32, |line| lines.push(line.to_owned()));
        if is_failure(read) {
            return read;
        }
        i64::try_from(lines.iter().filter(|line| line.contains(contained)).count()).unwrap_or(i64::MAX)
    }
}
