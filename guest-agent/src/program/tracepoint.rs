//! The calls of one trial, from the kernel's tracepoints.
//!
//! Holds the order of what several CPUs saw, and which thread is which. The program runs on meanwhile: nothing is read from its memory.
//! Must not decide what an outcome is. Units: nanoseconds on CLOCK_MONOTONIC. Errors: none; what was lost is counted.
//! Tests: below, and `tests/program`.

use std::collections::HashMap;
use std::ffi::CString;

use rig_protocol::{CallKind, Program, watched_calls};

use super::calls::{Calls, row_of};
use super::decode::{self, NoMemory};
use super::restart::{RESTART, RESTARTS};
use crate::clock::now_ns;
use crate::sys::perf::{Event, Watching, What};

/// What is older than this has come to every ring: an event is written within microseconds.
const SETTLED_NS: u64 = 10_000_000;
/// The filter that names the watched calls.
pub(crate) fn filter() -> CString {
    let numbers = watched_calls().iter().map(|row| row.number).chain([RESTART]);
    let terms: Vec<_> = numbers.map(|number| format!("id == {number}")).collect();
    CString::new(terms.join(" || ")).unwrap_or_default()
}

/// Puts the calls of a trial together.
pub(crate) struct Observer<'p> {
    pending: Vec<Event>,
    threads: HashMap<i32, usize>,
    /// The calls.
    pub(crate) calls: Calls<'p>,
    /// Events for which there was no room.
    pub(crate) lost: u64,
    /// What is not seen.
    pub(crate) unseen: Vec<&'static str>,
}

impl<'p> Observer<'p> {
    /// Of a trial whose program is the process `main`.
    pub(crate) fn new(program: &'p Program, main: i32) -> Self {
        Self {
            pending: Vec::new(),
            threads: HashMap::from([(main, 0)]),
            calls: Calls::new(program),
            lost: 0,
            unseen: Vec::new(),
        }
    }

    /// Takes what the rings have; uses what is settled, or all of it at the end.
    pub(crate) fn take(&mut self, watching: &mut Watching, end: bool) {
        let settled_ns = if end { u64::MAX } else { now_ns().saturating_sub(SETTLED_NS) };
        self.lost += watching.take(&mut self.pending);
        self.pending.sort_by_key(|event| event.time_ns);
        let settled = self.pending.partition_point(|event| event.time_ns < settled_ns);
        let events: Vec<_> = self.pending.drain(..settled).collect();
        events.iter().for_each(|event| self.see(event));
    }

    fn see(&mut self, event: &Event) {
        let thread = match event.what {
            What::Forked { parent, thread } => {
                let parent = self.thread(parent);
                let shares = thread || self.shares(parent);
                let child = self.calls.fork(parent, shares);
                self.threads.insert(event.thread, child);
                return;
            }
            _ => self.thread(event.thread),
        };
        match event.what {
            What::Enters { foreign: true, .. } => self.see_nothing_of("32-bit system calls"),
            What::Enters { number, arguments, foreign: false } => {
                let Some(row) = row_of(number) else { return };
                if row.kind == CallKind::Hides {
                    self.see_nothing_of("io_uring");
                }
                let open = self.calls.open(thread).filter(|made| made.interrupted);
                let again = open.is_some_and(|made| {
                    made.interrupted = false;
                    made.row.number == row.number && made.arguments == arguments
                });
                if !again {
                    // Had the call not been interrupted, it would have returned.
                    self.finish(thread, -i64::from(libc::EINTR), event.time_ns);
                    let asked = decode::ask(&NoMemory, row, &arguments, self.calls.table(thread));
                    self.calls.begin(thread, row, arguments, asked, event.time_ns);
                }
            }
            What::Leaves { number, returned } => self.leave(thread, number, returned, event.time_ns),
            What::Executed => self.calls.execute(thread),
            What::Forked { .. } => {}
        }
    }

    fn leave(&mut self, thread: usize, number: u64, returned: i64, now_ns: u64) {
        let Some(made) = self.calls.open(thread) else { return };
        let again = made.interrupted && number == u64::from(RESTART);
        if u64::from(made.row.number) != number && !again {
            return;
        }
        made.interrupted = RESTARTS.contains(&returned);
        if !made.interrupted {
            self.finish(thread, returned, now_ns);
        }
    }

    fn finish(&mut self, thread: usize, returned: i64, now_ns: u64) {
        let Some((row, arguments)) = self.calls.open(thread).map(|made| (made.row, made.arguments)) else {
            return;
        };
        let answer = decode::answer(&NoMemory, row, &arguments, returned);
        self.calls.finish(thread, returned, &answer, None, now_ns);
    }

    /// Whether the call with which it makes a process lets that share its descriptors.
    fn shares(&mut self, thread: usize) -> bool {
        let flags =
            self.calls.open(thread).filter(|made| made.row.name == "clone").map(|made| made.arguments[0]);
        flags.is_some_and(|flags| flags & libc::CLONE_FILES as u64 != 0)
    }

    /// One whose making was lost is a process of the program's own.
    fn thread(&mut self, thread: i32) -> usize {
        let calls = &mut self.calls;
        *self.threads.entry(thread).or_insert_with(|| calls.fork(0, false))
    }

    fn see_nothing_of(&mut self, what: &'static str) {
        if !self.unseen.contains(&what) {
            self.unseen.push(what);
        }
    }

    /// The trial is over: the calls, in which these threads' connects were led to the peer.
    pub(crate) fn end(mut self, led: &[(i32, u64)]) -> (Calls<'p>, u64, Vec<&'static str>) {
        self.calls.end();
        for (thread, ns) in led {
            if let Some(index) = self.threads.get(thread) {
                self.calls.mark_led(*index, *ns);
            }
        }
        (self.calls, self.lost, self.unseen)
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::Verdict;

    use super::*;

    fn event(time_ns: u64, what: What) -> Event {
        Event { time_ns, thread: 7, what }
    }

    #[test]
    fn events_of_two_cpus_are_put_into_order_and_a_restart_is_one_call() {
        let verdict = Verdict { calls: vec!["select".into()], nth: 1 };
        let program = Program { verdict, ..Program::default() };
        let mut observer = Observer::new(&program, 7);
        let enters = |number| What::Enters { number, arguments: [4, 9, 0, 0, 0, 0], foreign: false };
        let leaves = |number, returned| What::Leaves { number, returned };
        for one in [
            event(10, leaves(59, 0)),
            event(20, enters(23)),
            event(30, leaves(23, -514)),
            event(40, enters(23)),
            event(50, leaves(23, 1)),
            event(60, What::Enters { number: 3, arguments: [0; 6], foreign: true }),
        ] {
            observer.see(&one);
        }
        assert_eq!(observer.calls.counts, [("select", 1)].into());
        let (calls, _, unseen) = observer.end(&[]);
        let verdict = calls.verdict.expect("it returned");
        assert_eq!(
            (verdict.log.begin_ns, verdict.log.end_ns, verdict.log.label.as_str()),
            (20, 50, "readable")
        );
        assert_eq!(unseen, ["32-bit system calls"]);
    }

    #[test]
    fn the_filter_names_every_watched_call() {
        let filter = filter().into_string().expect("ASCII");
        assert_eq!(filter.split(" || ").count(), watched_calls().len() + 1);
        assert!(filter.starts_with("id == 0 || id == 1 "));
    }
}
