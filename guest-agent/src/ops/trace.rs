//! Events of the kernel around a trial's connection, and the task to which each is attributed: what bpftrace and SystemTap print.
//!
//! Holds the probes of one lane, opened before its first trial and read at its steps; must not decide what an attribution means.
//! Units: none. Errors: none, `-errno` is what was seen; a probe that could not be had is the errno of both of its steps.
//! The task is the one that the CPU executed, which for a packet that comes in is whoever was just running.
//! Tests: below, and `tests/loopback/traces.rs`.

use rig_protocol::{Errno, Op};

use crate::plan::StepPlan;
use crate::stage::Stage;
use crate::sys::probe::{Fired, Probe, Taken};

/// The words of the label, by their places in `Labels::ATTRIBUTED`.
const NONE: i64 = 0;
const OWN: i64 = 1;
const OTHER: i64 = 2;
const IDLE: i64 = 3;

/// The probes of a lane.
#[derive(Debug, Default)]
pub(super) struct Traces(Vec<Trace>);

/// One event under watch.
#[derive(Debug)]
struct Trace {
    event: String,
    probe: Result<Probe, Errno>,
    /// Whether the present trial watches it.
    begun: bool,
    /// To whom the first firing in this trial was attributed.
    found: Option<i64>,
}

impl Traces {
    /// Opens those that a lane of these steps watches; by its thread, before the first trial: the last probe of an event takes the kernel long to end,
    /// and no descriptor number is taken from a trial.
    pub(super) fn open(&mut self, steps: &[StepPlan]) {
        for planned in steps {
            if let Op::Trace { event } = &planned.step.op
                && self.of(event).is_none()
            {
                let probe = Probe::start(event);
                self.0.push(Trace { event: event.clone(), probe, begun: false, found: None });
            }
        }
    }

    /// Forgets the last trial.
    pub(super) fn empty(&mut self) {
        for trace in &mut self.0 {
            (trace.begun, trace.found) = (false, None);
        }
    }

    fn of(&mut self, event: &str) -> Option<&mut Trace> {
        self.0.iter_mut().find(|trace| trace.event == event)
    }

    /// From now on counts what fires.
    pub(super) fn begin(&mut self, event: &str) -> i64 {
        let Some(trace) = self.of(event) else { return -i64::from(libc::ENODATA) };
        match &mut trace.probe {
            Ok(probe) => {
                probe.skip();
                (trace.begun, trace.found) = (true, None);
                0
            }
            Err(Errno(errno)) => -i64::from(*errno),
        }
    }

    /// Whom the first firing was attributed to. `-ENODATA` where this lane does not watch the event; `-ENOBUFS` where firings were lost and
    /// none of those that were kept was the connection's.
    pub(super) fn attributed(&mut self, event: &str, stage: &Stage) -> i64 {
        let Some(trace) = self.of(event) else { return -i64::from(libc::ENODATA) };
        let probe = match &mut trace.probe {
            Ok(probe) if trace.begun => probe,
            Ok(_) => return -i64::from(libc::ENODATA),
            Err(Errno(errno)) => return -i64::from(*errno),
        };
        if let Some(found) = trace.found {
            return found;
        }
        let taken = probe.take();
        let is_player = |thread| stage.is_player(thread);
        trace.found = match is_call(event) {
            // A filter on a system call follows a program: what others call is none of its lines.
            true => taken.fired.iter().any(|fired| is_player(fired.thread)).then_some(OWN),
            false => first(&taken, stage.port(), is_player),
        };
        trace.found.unwrap_or(if taken.lost > 0 { -i64::from(libc::ENOBUFS) } else { NONE })
    }
}

/// Whether the event is the entry or exit of a system call.
fn is_call(event: &str) -> bool {
    event.starts_with("syscalls:") || event.starts_with("raw_syscalls:")
}

/// Where the event tells ports, only those of the connection from `port` count.
fn first(taken: &Taken, port: u16, is_player: impl Fn(i32) -> bool) -> Option<i64> {
    let of_connection = |fired: &&Fired| fired.ports.is_none_or(|ports| port != 0 && ports.contains(&port));
    taken.fired.iter().find(of_connection).map(|fired| match fired {
        Fired { idle: true, .. } => IDLE,
        Fired { thread, .. } if is_player(*thread) => OWN,
        Fired { .. } => OTHER,
    })
}

#[cfg(test)]
mod tests {
    use rig_protocol::Labels;

    use super::*;

    #[test]
    fn the_numbers_are_the_places_of_the_words() {
        let words = [NONE, OWN, OTHER, IDLE].map(|code| Labels::ATTRIBUTED.words[code as usize]);
        assert_eq!(words, ["none", "own", "other", "idle"]);
    }

    #[test]
    fn a_system_call_is_the_programs_own_or_none() {
        assert!(is_call("syscalls:sys_enter_select") && !is_call("tcp:tcp_receive_reset"));
    }

    #[test]
    fn the_first_firing_of_the_connection_counts() {
        let fired = |thread, idle, ports| Fired { time_ns: 0, thread, idle, ports };
        let foreign = fired(7, false, Some([1, 2]));
        let found = |rest: &[Fired]| {
            let fired = std::iter::once(foreign).chain(rest.iter().copied()).collect();
            first(&Taken { fired, lost: 0 }, 80, |thread| thread == 7)
        };
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[fired(7, false, Some([3, 80])), fired(9, false, Some([80, 3]))]), Some(OWN));
        assert_eq!(found(&[fired(9, false, Some([80, 3]))]), Some(OTHER));
        assert_eq!(found(&[fired(0, true, Some([80, 3]))]), Some(IDLE));
        assert_eq!(found(&[fired(0, false, None)]), Some(OTHER), "a task of another PID namespace");
        let none = Taken { fired: vec![fired(7, false, Some([0, 3]))], lost: 0 };
        assert_eq!(first(&none, 0, |_| true), None, "no connection yet");
    }
}
