//! One trial of a program, from its fork to the end of its last process.
//!
//! Holds the order of things; the calling thread is the program's parent and its only tracer. Must not count trials.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: a reason in words: the trial is void.
//! The watchdog's signal ends the wait at the deadline; it comes again, so a signal right before the wait is not missed for long.
//! Tests: `tests/program`.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;

use rig_protocol::{Injected, Program};

use super::outcome::{Ended, Ran};
use super::prepare::Prepared;
use super::says::Listener;
use super::stream;
use super::tracer::Tracer;
use crate::clock::now_ns;
use crate::counters;
use crate::draw::Place;
use crate::plan::Plan;
use crate::sys::spawn::{self, Child, Failed, Manner};
use crate::sys::trace::{self, Report};
use crate::sys::{files, orphans, terminal};

/// The void reason of a trial whose time was up before its program was executed.
const TOO_LATE: &str = "trial deadline";
/// Of the thread that empties the program's pipe.
const STACK_BYTES: usize = 128 << 10;

/// A trial that is over.
pub(crate) enum Played<'p> {
    /// With an outcome.
    Ran(Box<Ran<'p>>),
    /// Without one: why.
    Void(String),
}

/// The two ends of what a program writes to, and what it is called in /proc.
struct Output {
    ours: i32,
    theirs: i32,
    name: String,
}

impl Output {
    fn open(program: &Program) -> Result<Self, String> {
        let opened = if program.terminal { terminal::open() } else { files::pipe() };
        let what = if program.terminal { "terminal" } else { "pipe" };
        let (ours, theirs) = opened.map_err(|errno| format!("{what}: {errno}"))?;
        let link = std::fs::read_link(format!("/proc/thread-self/fd/{theirs}"));
        let name = link.map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { ours, theirs, name })
    }
}

/// Plays a trial of `program`, which has until `deadline_ns`.
pub(crate) fn play<'p>(
    prepared: &'p Prepared,
    program: &'p Program,
    plan: &Plan,
    trial: u64,
    deadline_ns: u64,
) -> Played<'p> {
    let output = match Output::open(program) {
        Ok(output) => output,
        Err(reason) => return Played::Void(reason),
    };
    let manner =
        Manner { output: output.theirs, own_network: prepared.own_network, filter: prepared.filter.as_ref() };
    let forked = spawn::fork(&prepared.image, &manner);
    files::close(output.theirs);
    let void = |Failed { step, errno }: Failed| Played::Void(format!("{step}: {errno}"));
    let played = match forked {
        Err(failed) => void(failed),
        Ok(child) => {
            let place = Place { seed: plan.seed, trial, lane: plan.lanes[0].index, step: 0 };
            let inject = program.inject.filter(|inject| place.drawn(inject.rate_ppm));
            let run = Run { prepared, program, output: &output, deadline_ns, inject };
            run.play(child).unwrap_or_else(void)
        }
    };
    files::close(output.ours);
    played
}

/// A trial under way.
struct Run<'p, 'o> {
    prepared: &'p Prepared,
    program: &'p Program,
    output: &'o Output,
    deadline_ns: u64,
    inject: Option<Injected>,
}

impl<'p> Run<'p, '_> {
    fn play(&self, child: Child) -> Result<Played<'p>, Failed> {
        let main = child.pid;
        let traced = self.prepared.filter.is_some();
        let seized = if traced { trace::seize(main) } else { Ok(()) };
        let stop = seized
            .map_err(|errno| Failed { step: "ptrace", errno })
            .and_then(|()| files::pipe().map_err(|errno| Failed { step: "pipe", errno }));
        let (stopped, stop) = match stop {
            Ok(ends) => ends,
            Err(failed) => {
                spawn::failure(child.go());
                spawn::abandon(main);
                return Err(failed);
            }
        };
        let network =
            self.prepared.own_network.then(|| File::open(format!("/proc/{main}/net/snmp")).ok()).flatten();
        let mut tracer =
            Tracer::new(self.prepared, self.program, main, self.output.name.clone(), self.inject);
        let mut listener = Listener::new(self.prepared.says.as_ref(), self.program.verdict.nth);
        let (mut told, mut ended) = (None, None);
        let mut begin_ns = now_ns();
        let heard = std::thread::scope(|scope| {
            let hear = || stream::drain(self.output.ours, stopped, &mut listener, || {});
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, hear);
            if thread.is_ok() {
                begin_ns = now_ns();
                told = Some(child.go());
                ended = self.follow(main, &mut tracer);
            } else {
                spawn::failure(child.go());
                spawn::abandon(main);
            }
            files::close(stop);
            thread.map(|_| ())
        });
        files::close(stopped);
        if let Err(error) = heard {
            let errno = rig_protocol::Errno(error.raw_os_error().unwrap_or(libc::EAGAIN));
            return Err(Failed { step: "thread", errno });
        }
        if let Some(failed) = told.and_then(spawn::failure) {
            return Err(failed);
        }
        let end_ns = now_ns();
        let begin_ns = if traced { tracer.begin_ns } else { Some(begin_ns) };
        let (Some(ended), Some(begin_ns)) = (ended, begin_ns) else {
            return Ok(Played::Void(TOO_LATE.to_owned()));
        };
        let (mut said, output) = listener.conclude();
        if let Some(said) = &mut said {
            said.held = tracer.held;
        }
        tracer.calls.end();
        Ok(Played::Ran(Box::new(Ran {
            ended,
            said,
            output,
            begin_ns,
            end_ns,
            drawn: self.inject.map(|inject| inject.errno),
            local_port: tracer.local_port,
            unseen: tracer.unseen,
            redirected: tracer.calls.redirected.max(tracer.led.len() as u64),
            calls: tracer.calls,
            lost_events: 0,
            own_resets: network.map_or(0, resets_of),
        })))
    }

    /// Until the last process has ended: how the program itself did.
    fn follow(&self, main: i32, tracer: &mut Tracer<'p>) -> Option<Ended> {
        let mut ended = None;
        loop {
            match trace::wait_any() {
                ControlFlow::Continue(Some((pid, report))) => {
                    if pid == main && ended.is_none() {
                        ended = match report {
                            Report::Exited(status) => Some(Ended::Exited(status)),
                            Report::Killed(signal, core) => Some(Ended::Killed(signal, core)),
                            _ => None,
                        };
                        if ended.is_some() {
                            self.end_all(main, tracer);
                        }
                    }
                    tracer.follow(pid, report);
                }
                ControlFlow::Continue(None) => {}
                ControlFlow::Break(_) => return ended,
            }
            if ended.is_none() && now_ns() >= self.deadline_ns {
                ended = Some(Ended::Deadline);
                self.end_all(main, tracer);
            }
        }
    }

    /// Whatever is left of the trial's processes ends. Who is not traced may have left the group: it is found by the pipe that it writes to.
    fn end_all(&self, main: i32, tracer: &mut Tracer<'p>) {
        tracer.end_all();
        if self.prepared.filter.is_some() {
            return;
        }
        trace::kill(-main);
        let writes_here = |pid: &i32| {
            [1, 2].iter().any(|fd| {
                std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
                    .is_ok_and(|link| link.as_os_str().to_str() == Some(&self.output.name))
            })
        };
        orphans::list().into_iter().filter(writes_here).for_each(trace::kill);
    }
}

/// RST segments that the trial's own network sent: the open file keeps it.
fn resets_of(mut network: File) -> u64 {
    let mut text = String::new();
    let read = network.rewind().and_then(|()| network.read_to_string(&mut text));
    read.map_or(0, |_| counters::resets_sent(&text))
}
