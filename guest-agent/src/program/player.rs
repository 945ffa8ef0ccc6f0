//! One trial of a program, from its fork to the end of its last process.
//!
//! Holds the order of things; the calling thread is the program's parent and its only tracer. Must not count trials.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: a reason in words: the trial is void.
//! The watchdog's signal ends the wait at the deadline; it comes again, so a signal right before the wait is not missed for long.
//! Tests: `tests/program`.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::ControlFlow;

use rig_protocol::{Errno, Injected, Program};

use super::outcome::{Ended, Ran};
use super::prepare::Prepared;
use super::says::Listener;
use super::stream;
use super::tracepoint::Observer;
use super::tracer::Tracer;
use crate::clock::now_ns;
use crate::counters;
use crate::draw::Place;
use crate::plan::Plan;
use crate::sys::perf::Watching;
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
    let manner = Manner {
        output: output.theirs,
        own_network: prepared.own_network,
        filter: prepared.filter.as_ref(),
        deadline_ns,
    };
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

/// What is opened for a trial before its program is executed.
struct Opened {
    /// Ends when the other end is closed: nobody writes any more.
    stopped: i32,
    stop: i32,
    watching: Option<Watching>,
    /// The counters of the trial's own network.
    network: Option<File>,
}

/// How a trial went.
struct Went {
    ended: Option<Ended>,
    begin_ns: Option<u64>,
}

impl<'p> Run<'p, '_> {
    fn play(&self, child: Child) -> Result<Played<'p>, Failed> {
        let main = child.pid;
        let mut opened = match self.open(main) {
            Ok(opened) => opened,
            Err(failed) => {
                give_up(child);
                return Err(failed);
            }
        };
        let mut tracer =
            Tracer::new(self.prepared, self.program, main, self.output.name.clone(), self.inject);
        let mut observer = Observer::new(self.program, main);
        let mut listener = Listener::new(self.prepared.says.as_ref(), self.program.verdict.nth);
        let went = self.run(child, &mut opened, &mut tracer, (&mut observer, &mut listener));
        files::close(opened.stopped);
        let Went { ended: Some(ended), begin_ns: Some(begin_ns) } = went? else {
            return Ok(Played::Void(TOO_LATE.to_owned()));
        };
        let end_ns = now_ns();
        let (said, output) = listener.conclude();
        // Who sees writes and calls in one order knows better what a line is about.
        let said = if tracer.listener.heard_any() { tracer.listener.said().cloned() } else { said };
        tracer.calls.end();
        let redirected = tracer.calls.redirected.max(tracer.led.len() as u64);
        let (calls, lost_events, unseen) = match &opened.watching {
            Some(_) => observer.end(&tracer.led),
            None => (tracer.calls, 0, tracer.unseen),
        };
        Ok(Played::Ran(Box::new(Ran {
            calls,
            ended,
            said,
            output,
            begin_ns,
            end_ns,
            drawn: self.inject.map(|inject| inject.errno),
            redirected,
            local_port: tracer.local_port,
            unseen,
            lost_events,
            own_resets: opened.network.map_or(0, resets_of),
        })))
    }

    /// Traces it where it is traced, and opens what watches it.
    fn open(&self, main: i32) -> Result<Opened, Failed> {
        let failed = |step| move |errno| Failed { step, errno };
        if self.prepared.filter.is_some() {
            trace::seize(main).map_err(failed("ptrace"))?;
        }
        let tracing = self.prepared.tracing.as_ref();
        let watching = tracing
            .map(|tracing| Watching::start(main, tracing.tracepoints, &tracing.filter))
            .transpose()
            .map_err(failed("perf_event_open"))?;
        let network = self.prepared.own_network.then(|| File::open(format!("/proc/{main}/net/snmp")).ok());
        let (stopped, stop) = files::pipe().map_err(failed("pipe"))?;
        Ok(Opened { stopped, stop, watching, network: network.flatten() })
    }

    /// Lets the child go, and follows it to the end of its last process, while another thread takes what it writes.
    fn run(
        &self,
        child: Child,
        opened: &mut Opened,
        tracer: &mut Tracer<'p>,
        (observer, listener): (&mut Observer<'p>, &mut Listener<'p>),
    ) -> Result<Went, Failed> {
        let (main, stop, stopped) = (child.pid, opened.stop, opened.stopped);
        let mut watching = opened.watching.as_mut();
        let others: Vec<i32> = watching.iter().flat_map(|watching| watching.descriptors()).collect();
        let take = move || {
            let mut look = |end| {
                if let Some(watching) = watching.as_deref_mut() {
                    observer.take(watching, end);
                }
            };
            stream::drain(self.output.ours, stopped, &others, listener, || look(false));
            look(true);
        };
        std::thread::scope(|scope| {
            let taker = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, take);
            if let Err(error) = taker {
                files::close(stop);
                give_up(child);
                let errno = Errno(error.raw_os_error().unwrap_or(libc::EAGAIN));
                return Err(Failed { step: "thread", errno });
            }
            // Who is traced dies with its tracer.
            let untraced = self.prepared.filter.is_none().then(|| orphans::Group::enlist(main));
            let begin_ns = now_ns();
            let told = child.go();
            let ended = self.follow(main, tracer);
            drop(untraced);
            files::close(stop);
            match spawn::failure(told) {
                Some(failed) => Err(failed),
                None if self.prepared.filter.is_some() => Ok(Went { ended, begin_ns: tracer.begin_ns }),
                None => Ok(Went { ended, begin_ns: Some(begin_ns) }),
            }
        })
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
        orphans::end_tree(main);
        let writes_here = |pid: &i32| {
            [1, 2].iter().any(|fd| {
                std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
                    .is_ok_and(|link| link.as_os_str().to_str() == Some(&self.output.name))
            })
        };
        orphans::list().into_iter().filter(writes_here).for_each(orphans::end_tree);
    }
}

/// Ends a child that has not been executed.
fn give_up(child: Child) {
    let pid = child.pid;
    trace::kill(pid);
    spawn::failure(child.go());
    spawn::abandon(pid);
}

/// RST segments that the trial's own network sent: the open file keeps it.
fn resets_of(mut network: File) -> u64 {
    let mut text = String::new();
    let read = network.rewind().and_then(|()| network.read_to_string(&mut text));
    read.map_or(0, |_| counters::resets_sent(&text))
}
