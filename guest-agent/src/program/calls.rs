//! The calls of one trial, put together from entries and returns, whoever saw them.
//!
//! Holds the processes, their descriptors and open calls, which call is the verdict, and what is kept. Must not know registers, memory or tracers.
//! Units: nanoseconds on CLOCK_MONOTONIC. Errors: none; what a witness could not see is absent.
//! Memory is bounded: calls that are neither kept nor part of the outcome are only counted.
//! Tests: below, and `tests/program`.

use std::collections::BTreeMap;

use rig_protocol::{
    CallKind, CallLog, Direction, Errno, Observed, Program, ProgramTrial, WatchedCall, watched_calls,
};

use super::decode::{Answer, Asked};
use super::descriptors::{Descriptors, Held};

/// Before a program's first call on a socket no more calls are kept: an interpreter reads hundreds of files first.
const MOST_EARLY: usize = 64;
/// So much room is left to calls on sockets, and the last place to the verdict.
const KEPT_FREE: usize = 64;
/// No more labels are remembered before they are put into order.
const MOST_LABELS: usize = 256;

/// A call of the program.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// How many began before it.
    order: u64,
    /// Its row.
    pub(crate) row: &'static WatchedCall,
    /// Its arguments.
    pub(crate) arguments: [u64; 6],
    /// Its log.
    pub(crate) log: CallLog,
    /// A signal came, and it may begin again.
    pub(crate) interrupted: bool,
    /// How many bytes it was asked to send.
    payload: Option<u64>,
    /// Whether it is about a socket, and whether that is TCP's.
    on_socket: bool,
    on_tcp: bool,
    /// Whether it began after the verdict call had returned.
    later: bool,
}

/// A process or thread.
#[derive(Debug, Default)]
struct Thread {
    /// Its descriptors: processes that share them have the same number.
    table: usize,
    open: Option<Box<Made>>,
    /// A call that failed, and whose errno the C library has not stored yet.
    failed: Option<Box<Made>>,
}

/// What is known of a trial's calls.
#[derive(Debug)]
pub(crate) struct Calls<'p> {
    program: &'p Program,
    threads: Vec<Thread>,
    tables: Vec<Descriptors>,
    /// How many calls began.
    began: u64,
    connections: u32,
    verdicts: u32,
    /// The verdict call, once it has returned or the trial is over.
    pub(crate) verdict: Option<Made>,
    kept: Vec<Made>,
    left_out: u64,
    /// When the first call on a socket began.
    pub(crate) first_socket_ns: Option<u64>,
    /// Labels of the outcome behind the verdict.
    later: Vec<(u64, String)>,
    /// Connects that failed before the verdict.
    refused: Vec<(u64, String)>,
    /// Calls by name.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    /// How often each process or thread came to each call.
    visits: BTreeMap<(u32, &'static str), u32>,
    /// Labels by site.
    pub(crate) sites: Vec<(String, String)>,
    /// How many connects were led to the peer.
    pub(crate) redirected: u64,
    /// Whether the program made a call behind which nobody sees.
    pub(crate) hides: bool,
}

impl<'p> Calls<'p> {
    /// Sites of one trial, at most; the block has less.
    const MOST_SITES: usize = 512;

    /// Of a program that has made none.
    pub(crate) fn new(program: &'p Program) -> Self {
        Self {
            program,
            threads: vec![Thread::default()],
            tables: vec![Descriptors::default()],
            began: 0,
            connections: 0,
            verdicts: 0,
            verdict: None,
            kept: Vec::new(),
            left_out: 0,
            first_socket_ns: None,
            later: Vec::new(),
            refused: Vec::new(),
            counts: BTreeMap::new(),
            visits: BTreeMap::new(),
            sites: Vec::new(),
            redirected: 0,
            hides: false,
        }
    }

    /// A new process or thread of `parent`; it shares the descriptors, or has a copy of them. Gives its index.
    pub(crate) fn fork(&mut self, parent: usize, shares: bool) -> usize {
        let mut table = self.threads[parent].table;
        if !shares {
            table = self.copy_table(table);
        }
        self.threads.push(Thread { table, ..Thread::default() });
        self.threads.len() - 1
    }

    fn copy_table(&mut self, table: usize) -> usize {
        self.tables.push(self.tables[table].clone());
        self.tables.len() - 1
    }

    /// It runs another program now.
    pub(crate) fn execute(&mut self, thread: usize) {
        let table = self.copy_table(self.threads[thread].table);
        self.tables[table].execute();
        self.threads[thread].table = table;
    }

    /// How many processes and threads there were.
    pub(crate) fn processes(&self) -> u32 {
        u32::try_from(self.threads.len()).unwrap_or(u32::MAX)
    }

    /// Its descriptors.
    pub(crate) fn table(&self, thread: usize) -> &Descriptors {
        &self.tables[self.threads[thread].table]
    }

    /// The call that it is in.
    pub(crate) fn open(&mut self, thread: usize) -> Option<&mut Made> {
        self.threads[thread].open.as_deref_mut()
    }

    /// Whether its last call failed, so that the C library's errno behind it is still to be read.
    pub(crate) fn awaits_errno(&self, thread: usize) -> bool {
        self.threads[thread].failed.is_some()
    }

    /// The C library's errno behind the call that failed.
    pub(crate) fn note_errno(&mut self, thread: usize, errno: Option<Errno>) {
        if let Some(mut made) = self.threads[thread].failed.take() {
            made.log.errno_after = errno;
            self.settle(*made);
        }
    }

    /// It makes a call. Whether that is the verdict call.
    pub(crate) fn begin(
        &mut self,
        thread: usize,
        row: &'static WatchedCall,
        arguments: [u64; 6],
        asked: Asked,
        begin_ns: u64,
    ) -> bool {
        self.note_errno(thread, None);
        if let Some(open) = self.threads[thread].open.take() {
            self.settle(*open);
        }
        let table = &mut self.tables[self.threads[thread].table];
        let descriptor = asked.descriptor.or_else(|| asked.waits_for.first().copied());
        let held = descriptor.and_then(|fd| table.get(fd).cloned()).unwrap_or_default();
        let mut connection = held.connection;
        if row.kind == CallKind::Connects && held.tcp && connection.is_none() {
            self.connections += 1;
            connection = Some(self.connections);
            if let Some(fd) = descriptor {
                table.connect(fd, connection);
            }
        }
        let makes_one = row.name == "socket" && Held::socket(arguments[0], arguments[1], arguments[2]).tcp;
        if self.first_socket_ns.is_none() && (held.socket || makes_one) {
            self.first_socket_ns = Some(begin_ns);
        }
        let is_or_was_socket = descriptor.is_some_and(|fd| table.is_or_was_socket(fd));
        let verdict = self.is_verdict(row, is_or_was_socket);
        self.hides |= row.kind == CallKind::Hides;
        *self.counts.entry(row.name).or_default() += 1;
        let log = CallLog {
            process: u32::try_from(thread).unwrap_or(u32::MAX),
            call: row.name.to_owned(),
            about: asked.about,
            begin_ns,
            descriptor: asked.descriptor,
            connection,
            verdict,
            ..CallLog::default()
        };
        let order = self.began;
        self.began += 1;
        let later = self.verdict.is_some();
        let (on_socket, on_tcp, payload) = (held.socket, held.tcp, asked.payload);
        let interrupted = false;
        let made = Made { order, row, arguments, log, interrupted, payload, on_socket, on_tcp, later };
        self.threads[thread].open = Some(Box::new(made));
        verdict
    }

    /// Moving data and closing count on sockets alone: a loader reads files, and closes them.
    fn is_verdict(&mut self, row: &WatchedCall, is_or_was_socket: bool) -> bool {
        let wanted = &self.program.verdict;
        if !wanted.calls.iter().any(|name| name == row.name) || (takes_any_file(row) && !is_or_was_socket) {
            return false;
        }
        self.verdicts += 1;
        self.verdicts == wanted.nth
    }

    /// Its call has returned: what the kernel said, what was ready, and what the C library held before.
    pub(crate) fn finish(
        &mut self,
        thread: usize,
        returned: i64,
        answer: &Answer,
        held: Option<Errno>,
        end_ns: u64,
    ) {
        let Some(mut made) = self.threads[thread].open.take() else { return };
        made.log.returned = Some(returned);
        made.log.end_ns = end_ns;
        made.log.label = label(&made, returned, answer);
        self.follow(thread, &mut made, returned, answer);
        if made.log.verdict {
            self.verdict = Some((*made).clone());
        }
        if Errno::of_return(returned).is_some() {
            self.threads[thread].failed = Some(made);
        } else {
            made.log.errno_after = held;
            self.settle(*made);
        }
    }

    /// What it means for the descriptors.
    fn follow(&mut self, thread: usize, made: &mut Made, returned: i64, answer: &Answer) {
        let [a, b, c, ..] = made.arguments;
        let table = &mut self.tables[self.threads[thread].table];
        if returned < 0 {
            // Linux frees the number also where close(2) fails, but for EBADF: then there was nothing.
            if made.row.name == "close" {
                table.close(a, a);
            }
            return;
        }
        match made.row.name {
            "socket" => table.open(returned, Held::socket(a, b, c)),
            "accept" | "accept4" => {
                let tcp = made.on_tcp.then(|| {
                    self.connections += 1;
                    self.connections
                });
                made.log.connection = tcp;
                let flags = if made.row.name == "accept4" { made.arguments[3] } else { 0 };
                table.open(returned, Held::accepted(tcp, flags));
            }
            "socketpair" => {
                for fd in &answer.pair {
                    table.open(i64::from(*fd), Held::socket(a, b, c));
                }
            }
            "epoll_create" => table.open(returned, Held::set_of_interest(0)),
            "epoll_create1" => table.open(returned, Held::set_of_interest(a)),
            "epoll_ctl" => {
                if let Some(held) = table.get_mut(a as i32) {
                    held.interest.retain(|fd| *fd != c as i32);
                    if b as i32 != libc::EPOLL_CTL_DEL && held.interest.len() < 64 {
                        held.interest.push(c as i32);
                    }
                }
            }
            "dup" | "dup2" => table.copy(a as i32, returned, false),
            "dup3" => table.copy(a as i32, returned, c as i32 & libc::O_CLOEXEC != 0),
            "fcntl" => match b as i32 {
                libc::F_DUPFD => table.copy(a as i32, returned, false),
                libc::F_DUPFD_CLOEXEC => table.copy(a as i32, returned, true),
                libc::F_SETFD => table.mark(a, a, c as i32 & libc::FD_CLOEXEC != 0),
                _ => {}
            },
            "open" | "openat" => table.open_file(returned),
            "close" => table.close(a, a),
            "close_range" if c as u32 & libc::CLOSE_RANGE_CLOEXEC != 0 => table.mark(a, b, true),
            "close_range" => table.close(a, b),
            _ => {}
        }
    }

    /// A call of which nothing more will be known.
    fn settle(&mut self, mut made: Made) {
        if made.log.returned.is_none() && made.log.verdict {
            self.verdict = Some(made.clone());
        }
        if let Some(verdict) = self.verdict.as_mut().filter(|verdict| verdict.order == made.order) {
            verdict.log.errno_after = made.log.errno_after;
        }
        self.redirected += u64::from(made.log.redirected);
        self.tell(&made);
        self.count_site(&made);
        if !self.is_of_interest(&made) {
            return;
        }
        let most = match (made.log.verdict, made.on_socket, self.first_socket_ns) {
            (true, ..) => ProgramTrial::MOST_CALLS,
            (false, true, _) => ProgramTrial::MOST_CALLS - 1,
            (false, false, Some(_)) => ProgramTrial::MOST_CALLS - KEPT_FREE,
            (false, false, None) => MOST_EARLY,
        };
        if self.kept.len() < most {
            made.log.about.truncate(200);
            self.kept.push(made);
        } else {
            self.left_out += 1;
        }
    }

    /// Calls for files are of interest where they fail once the program is at work: they leave an errno behind.
    fn is_of_interest(&self, made: &Made) -> bool {
        let failed = made.log.returned.and_then(Errno::of_return).is_some();
        let at_work = self.first_socket_ns.is_some_and(|first_ns| first_ns <= made.log.begin_ns);
        made.row.kind != CallKind::File || (failed && at_work)
    }

    /// Labels of the outcome.
    fn tell(&mut self, made: &Made) {
        let Some(returned) = made.log.returned.filter(|_| !made.log.verdict) else { return };
        let errno = Errno::of_return(returned).filter(|errno| errno.0 != libc::EINPROGRESS);
        if made.later {
            let named = self.program.outcome.iter().any(|name| name == made.row.name);
            if named && made.on_socket && self.later.len() < MOST_LABELS {
                self.later.push((made.order, made.log.label.clone()));
            }
        } else if let Some(errno) = errno
            && made.row.kind == CallKind::Connects
            && made.on_tcp
            && self.refused.len() < MOST_LABELS
        {
            self.refused.push((made.order, format!("{}:{errno}", made.row.name)));
        }
    }

    /// A site is the n-th call of a name in one process or thread; sleeping, files and what is no socket are none.
    fn count_site(&mut self, made: &Made) {
        let none = matches!(made.row.kind, CallKind::File | CallKind::Sleeps)
            || (takes_any_file(made.row) && !made.on_socket);
        if none || self.sites.len() >= Self::MOST_SITES {
            return;
        }
        let process = made.log.process;
        let visits = self.visits.entry((process, made.row.name)).or_default();
        *visits += 1;
        let label = if made.log.returned.is_some() { made.log.label.as_str() } else { "unreturned" };
        let whose = if process == 0 { String::new() } else { format!("[{process}] ") };
        self.sites.push((format!("{whose}{} {visits}", made.row.name), label.to_owned()));
    }

    /// The trial is over: calls that have not returned never will.
    pub(crate) fn end(&mut self) {
        for thread in 0..self.threads.len() {
            self.note_errno(thread, None);
            if let Some(open) = self.threads[thread].open.take() {
                self.settle(*open);
            }
        }
        self.kept.sort_by_key(|made| made.order);
        self.later.sort_by_key(|(order, _)| *order);
        self.refused.sort_by_key(|(order, _)| *order);
    }

    /// The connect that this thread made then, and that is about to begin, was led to the peer.
    pub(crate) fn mark_led(&mut self, thread: usize, ns: u64) {
        let is_it = |made: &&mut Made| {
            made.row.kind == CallKind::Connects
                && made.log.process as usize == thread
                && made.log.begin_ns >= ns
        };
        if let Some(made) = self.kept.iter_mut().find(is_it) {
            made.log.redirected = true;
        }
    }

    /// The connects that failed before the verdict call began, as labels.
    pub(crate) fn refused(&self) -> impl Iterator<Item = &str> {
        let before = self.verdict.as_ref().map_or(u64::MAX, |verdict| verdict.order);
        let refused = self.refused.iter().filter(move |(order, _)| *order < before);
        refused.map(|(_, label)| label.as_str()).take(Program::MOST_OUTCOME_LABELS)
    }

    /// The labels behind the verdict's.
    pub(crate) fn later(&self) -> impl Iterator<Item = &str> {
        self.later.iter().map(|(_, label)| label.as_str()).take(Program::MOST_OUTCOME_LABELS)
    }

    /// The calls that are kept, and how many are not.
    pub(crate) fn logs(&self) -> (Vec<CallLog>, u64) {
        (self.kept.iter().map(|made| made.log.clone()).collect(), self.left_out)
    }
}

/// Whether it is as often about a file as about a socket.
fn takes_any_file(row: &WatchedCall) -> bool {
    matches!(row.kind, CallKind::Moves(_) | CallKind::Descriptor) || row.name == "ioctl"
}

/// The word for what it returned. Where a witness cannot see what was ready, that is said.
fn label(made: &Made, returned: i64, answer: &Answer) -> String {
    let mut out = String::new();
    let blind = made.row.kind == CallKind::Waits && answer.ready.is_none() && answer.events.is_none();
    if blind && returned > 0 {
        return "ready".to_owned();
    }
    let seen = Observed { returned, ready: answer.ready, events: answer.events, ..Observed::default() };
    let payload = made.payload.filter(|_| made.row.kind == CallKind::Moves(Direction::Out));
    made.row.write_label(&mut out, &seen, payload);
    out
}

/// The row of a number.
pub(crate) fn row_of(number: u64) -> Option<&'static WatchedCall> {
    let rows = watched_calls();
    rows.binary_search_by_key(&number, |row| u64::from(row.number)).ok().map(|at| &rows[at])
}
