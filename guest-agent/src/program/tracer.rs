//! The tracer of one trial: from the stops of its processes to its calls.
//!
//! Holds the processes, what each of them stands in, and what is changed in them (a connect that is led to the peer, a return that is injected).
//! Must not decide what an outcome is. Units: nanoseconds on CLOCK_MONOTONIC.
//! Errors: none; a process that was killed meanwhile is reported by the kernel, and its last call has no return.
//! Source: ptrace(2), seccomp(2) "SECCOMP_RET_TRACE", Documentation/process/adding-syscalls.rst (ERESTART*). Tests: `tests/program`.

use std::collections::HashMap;

use rig_protocol::{CallKind, Errno, Injected, Program, WatchedCall, Witness};

use super::calls::{Calls, row_of};
use super::decode::{self, Asked, Memory};
use super::libc_errno::{self, Executable};
use super::prepare::Prepared;
use super::redirect::Listeners;
use super::restart::{RESTART, RESTARTS};
use super::says::Listener;
use crate::clock::now_ns;
use crate::sys::remote;
use crate::sys::trace::{self, Entered, Onward, Report, X86_64};

/// A line is written in pieces of at most so many bytes, or is not followed.
const MOST_WRITTEN: usize = 64 << 10;
/// Why nothing is seen of what a program does.
const FOREIGN: &str = "32-bit system calls";
const IO_URING: &str = "io_uring";

/// The memory of a stopped thread.
pub(super) struct Of(pub(super) i32);

impl Memory for Of {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        trace::read_memory(self.0, address, into) == into.len()
    }
}

/// A process or thread that is traced.
#[derive(Debug, Default)]
struct Tracee {
    /// Its place in [`Calls`].
    index: usize,
    /// The process that it belongs to.
    process: i32,
    executable: Executable,
    /// Where its errno lies.
    errno_at: Option<u64>,
    /// Its call was interrupted, and may begin again.
    interrupted: bool,
    /// What to write back when its connect returns, and the socket.
    restore: Option<Led>,
    /// What its call shall return.
    inject: Option<Errno>,
    /// What it writes to the trial's output, and errno at that moment.
    writes: Option<(Vec<u8>, Option<Errno>)>,
}

/// A connect that is led to the peer.
#[derive(Debug)]
struct Led {
    at: u64,
    bytes: Vec<u8>,
    socket: i32,
}

/// The tracer of a trial.
pub(crate) struct Tracer<'p> {
    prepared: &'p Prepared,
    /// The program's own process.
    main: i32,
    /// Whether all watched calls come here, or connects alone.
    watches: bool,
    inject: Option<Injected>,
    /// What the trial's output is called in /proc.
    output: String,
    tracees: HashMap<i32, Tracee>,
    /// New ones of which the parent has not told yet: they stand still.
    early: Vec<i32>,
    /// The calls.
    pub(crate) calls: Calls<'p>,
    /// Hears what is written, for the moment of the line.
    pub(crate) listener: Listener<'p>,
    listeners: Listeners,
    /// When it was executed.
    pub(crate) begin_ns: Option<u64>,
    /// The port of its first connection.
    pub(crate) local_port: u16,
    /// What is not seen.
    pub(crate) unseen: Vec<&'static str>,
    /// Connects that were led to the peer, of a witness that is not this tracer: thread and time.
    pub(crate) led: Vec<(i32, u64)>,
    /// Every process is to end.
    ending: bool,
}

impl<'p> Tracer<'p> {
    /// Of a trial whose program's process was forked and seized.
    pub(crate) fn new(
        prepared: &'p Prepared,
        program: &'p Program,
        main: i32,
        output: String,
        inject: Option<Injected>,
    ) -> Self {
        let first = Tracee { process: main, ..Tracee::default() };
        let says = prepared.says.as_ref();
        Self {
            prepared,
            main,
            watches: program.witness == Witness::Ptrace,
            inject,
            output,
            tracees: HashMap::from([(main, first)]),
            early: Vec::new(),
            calls: Calls::new(program),
            listener: Listener::seeing(says, program.verdict.nth),
            listeners: Listeners::default(),
            begin_ns: None,
            local_port: 0,
            unseen: Vec::new(),
            led: Vec::new(),
            ending: false,
        }
    }

    /// Ends every process of the trial that is known, and each further one as it shows itself.
    pub(crate) fn end_all(&mut self) {
        self.ending = true;
        trace::kill(-self.main);
        self.tracees.values().for_each(|tracee| trace::kill(tracee.process));
        self.early.iter().for_each(|pid| trace::kill(*pid));
    }

    /// A process is reported; lets it go on. Gives how the program itself ended, if this is that.
    pub(crate) fn follow(&mut self, pid: i32, report: Report) {
        let now_ns = now_ns();
        match report {
            Report::Exited(_) | Report::Killed(..) => {
                self.tracees.remove(&pid);
                self.early.retain(|early| *early != pid);
                return;
            }
            _ if self.ending => trace::kill(pid),
            _ => {}
        }
        if !self.tracees.contains_key(&pid) && !self.ending {
            // Its parent's report is on its way.
            self.early.push(pid);
            return;
        }
        let onward = match report {
            Report::Enters => self.enter(pid, now_ns),
            Report::Leaves => {
                self.leave(pid, now_ns);
                Onward::Freely
            }
            Report::Forked => {
                self.fork(pid);
                self.onward_of(pid)
            }
            Report::Executed => {
                self.execute(pid, now_ns);
                self.onward_of(pid)
            }
            Report::Signal(signal) => Onward::WithSignal(signal),
            Report::GroupStop => Onward::Listen,
            Report::Stop | Report::Exited(_) | Report::Killed(..) => self.onward_of(pid),
        };
        trace::resume(pid, onward);
    }

    /// In the middle of a call, it goes on to its return.
    fn onward_of(&mut self, pid: i32) -> Onward {
        let Some(tracee) = self.tracees.get(&pid).filter(|tracee| !tracee.interrupted) else {
            return Onward::Freely;
        };
        let open = tracee.restore.is_some() || self.calls.open(tracee.index).is_some();
        if open { Onward::ToReturn } else { Onward::Freely }
    }

    fn fork(&mut self, parent: i32) {
        let (Some(child), Some(of)) = (trace::message(parent), self.tracees.get(&parent)) else { return };
        let flags = self.calls.open(of.index).map_or(0, |made| match made.row.name {
            "clone" => made.arguments[0],
            // The flags are the first word of `struct clone_args`.
            "clone3" => {
                let mut word = [0; 8];
                Of(parent).read(made.arguments[0], &mut word);
                u64::from_ne_bytes(word)
            }
            _ => 0,
        });
        let has = |flag: i32| flags & flag as u64 != 0;
        let tracee = Tracee {
            index: self.calls.fork(of.index, has(libc::CLONE_FILES)),
            process: if has(libc::CLONE_THREAD) || is_thread_of(child, of.process) {
                of.process
            } else {
                child
            },
            executable: of.executable.clone(),
            ..Tracee::default()
        };
        self.tracees.insert(child, tracee);
        if let Some(at) = self.early.iter().position(|early| *early == child) {
            self.early.swap_remove(at);
            trace::resume(child, Onward::Freely);
        }
    }

    fn execute(&mut self, pid: i32, now_ns: u64) {
        // Another thread of the process may have made the call: it has the process's number from now on.
        if let Some(former) = trace::message(pid).filter(|former| *former != pid)
            && let Some(thread) = self.tracees.remove(&former)
        {
            self.tracees.insert(pid, thread);
        }
        if let Some(tracee) = self.tracees.get_mut(&pid) {
            (tracee.executable, tracee.errno_at) = (Executable::default(), None);
            self.calls.execute(tracee.index);
        }
        self.begin_ns.get_or_insert(now_ns);
    }

    /// A call is about to be made.
    fn enter(&mut self, pid: i32, now_ns: u64) -> Onward {
        let (Some(entered), Some(tracee)) = (trace::entered(pid), self.tracees.get_mut(&pid)) else {
            return Onward::Freely;
        };
        if entered.arch != X86_64 || entered.number >= 1 << 30 {
            self.see_nothing_of(FOREIGN);
            return Onward::Freely;
        }
        // The program's own exec is no call of the program.
        if self.begin_ns.is_none() {
            return Onward::Freely;
        }
        if tracee.interrupted {
            tracee.interrupted = false;
            let index = tracee.index;
            let again = self.calls.open(index).is_some_and(|made| {
                entered.number == u64::from(RESTART)
                    || (u64::from(made.row.number), made.arguments) == (entered.number, entered.arguments)
            });
            if again {
                return Onward::ToReturn;
            }
            self.finish(pid, -i64::from(libc::EINTR), now_ns);
        }
        match row_of(entered.number) {
            Some(row) if self.watches => self.begin(pid, row, &entered, now_ns),
            Some(row) => self.begin_unwatched(pid, row, &entered, now_ns),
            None => Onward::Freely,
        }
    }

    fn see_nothing_of(&mut self, what: &'static str) {
        if !self.unseen.contains(&what) {
            self.unseen.push(what);
        }
    }

    fn begin(&mut self, pid: i32, row: &'static WatchedCall, entered: &Entered, now_ns: u64) -> Onward {
        let (index, process) = (self.tracees[&pid].index, self.tracees[&pid].process);
        if self.calls.awaits_errno(index) {
            let errno = self.errno(pid, Some(entered.instruction));
            self.calls.note_errno(index, errno);
        }
        self.listen_to_writes(pid, row, entered);
        let asked = decode::ask(&Of(pid), row, &entered.arguments, self.calls.table(index));
        if row.kind == CallKind::Hides {
            self.see_nothing_of(IO_URING);
        }
        let redirected = row.kind == CallKind::Connects && self.lead(pid, entered, &asked);
        let first =
            self.calls.table(index).first_tcp(asked.waits_for.iter().copied().chain(asked.descriptor));
        let verdict = self.calls.begin(index, row, entered.arguments, asked, now_ns);
        let inject = self.inject.filter(|_| verdict);
        if let Some(made) = self.calls.open(index) {
            made.log.redirected = redirected;
            made.log.injected = inject.is_some();
            if verdict {
                made.log.state_before = first.and_then(|fd| remote::borrow(process, fd)?.tcp_state());
            }
            made.log.begin_ns = if verdict { crate::clock::now_ns() } else { now_ns };
        }
        if let Some(tracee) = self.tracees.get_mut(&pid).filter(|_| inject.is_some()) {
            tracee.inject = inject.map(|inject| inject.errno).filter(|_| trace::skip_call(pid));
        }
        Onward::ToReturn
    }

    /// A connect, of a witness that is not this tracer.
    fn begin_unwatched(&mut self, pid: i32, row: &WatchedCall, entered: &Entered, now_ns: u64) -> Onward {
        let asked = decode::ask(&Of(pid), row, &entered.arguments, &Default::default());
        if self.prepared.guide.is_some() {
            let mut processes: Vec<i32> = self.tracees.values().map(|tracee| tracee.process).collect();
            processes.sort_unstable();
            processes.dedup();
            self.listeners = Listeners::of_processes(processes.into_iter());
        }
        if self.lead(pid, entered, &asked) {
            self.led.push((pid, now_ns));
            return Onward::ToReturn;
        }
        Onward::Freely
    }

    /// Writes the peer's address in place of the program's, where the rule says so.
    fn lead(&mut self, pid: i32, entered: &Entered, asked: &Asked) -> bool {
        let (Some(guide), Some(to)) = (&self.prepared.guide, &asked.address) else { return false };
        let Some(tracee) = self.tracees.get_mut(&pid) else { return false };
        let tcp = || {
            let socket = remote::borrow(tracee.process, asked.descriptor?)?;
            socket.is_tcp().then_some(())
        };
        let Some(led) = guide.lead(to, &self.listeners).filter(|_| tcp().is_some()) else { return false };
        let at = entered.arguments[1];
        let led = trace::write_memory(pid, at, led.bytes());
        if led {
            let socket = asked.descriptor.unwrap_or(-1);
            tracee.restore = Some(Led { at, bytes: to.bytes().to_vec(), socket });
        }
        led
    }

    /// Keeps what is about to be written to the trial's output.
    fn listen_to_writes(&mut self, pid: i32, row: &WatchedCall, entered: &Entered) {
        if self.prepared.says.is_none() || !["write", "writev", "sendto"].contains(&row.name) {
            return;
        }
        let Some(process) = self.tracees.get(&pid).map(|tracee| tracee.process) else { return };
        let link = std::fs::read_link(format!("/proc/{process}/fd/{}", entered.arguments[0] as i32));
        if link.is_ok_and(|link| link.as_os_str().to_str() == Some(&self.output)) {
            let bytes = decode::written(&Of(pid), row, &entered.arguments, MOST_WRITTEN);
            let errno = self.errno(pid, Some(entered.instruction));
            if let Some(tracee) = self.tracees.get_mut(&pid) {
                tracee.writes = Some((bytes, errno));
            }
        }
    }

    /// A call has returned.
    fn leave(&mut self, pid: i32, now_ns: u64) {
        let Some(mut returned) = trace::returned(pid) else { return };
        let Some(tracee) = self.tracees.get_mut(&pid) else { return };
        if RESTARTS.contains(&returned) {
            tracee.interrupted = true;
            return;
        }
        if let Some(errno) = tracee.inject.take()
            && trace::change_return(pid, -i64::from(errno.0))
        {
            returned = -i64::from(errno.0);
        }
        self.finish(pid, returned, now_ns);
    }

    /// The end of its call.
    fn finish(&mut self, pid: i32, returned: i64, now_ns: u64) {
        let Some(tracee) = self.tracees.get_mut(&pid) else { return };
        let (index, process) = (tracee.index, tracee.process);
        let begun = returned == 0 || returned == -i64::from(libc::EINPROGRESS);
        let port_of =
            |fd| remote::borrow(process, fd).and_then(|socket| Some(socket.local_address()?.port()));
        if let Some(Led { at, bytes, socket }) = tracee.restore.take() {
            trace::write_memory(pid, at, &bytes);
            if begun && self.local_port == 0 {
                self.local_port = port_of(socket).unwrap_or(0);
            }
        }
        if let Some((mut bytes, errno)) = tracee.writes.take() {
            bytes.truncate(usize::try_from(returned).unwrap_or(0));
            if self.listener.hear(&bytes) {
                self.listener.note_held(errno);
            }
        }
        let Some((row, arguments, connection)) =
            self.calls.open(index).map(|made| (made.row, made.arguments, made.log.connection))
        else {
            return;
        };
        let answer = decode::answer(&Of(pid), row, &arguments, returned);
        let held = if returned < 0 { None } else { self.errno(pid, None) };
        self.calls.finish(index, returned, &answer, held, now_ns);
        if self.calls.verdict.is_some() {
            self.listener.called();
        }
        let socket = || remote::borrow(process, arguments[0] as i32)?.local_address();
        match row.kind {
            CallKind::Connects if begun && connection == Some(1) && self.local_port == 0 => {
                self.local_port = port_of(arguments[0] as i32).unwrap_or(0);
            }
            CallKind::Socket if row.name == "listen" && returned == 0 => {
                if let Some(address) = socket() {
                    self.listeners.add(address.address());
                }
            }
            _ => {}
        }
    }

    /// The C library's errno of a stopped thread; where it lies is looked for at the entry of a call alone.
    fn errno(&mut self, pid: i32, instruction: Option<u64>) -> Option<Errno> {
        let memory = Of(pid);
        let tracee = self.tracees.get_mut(&pid)?;
        if tracee.errno_at.is_none() {
            let instruction = instruction.or_else(|| trace::instruction(pid))?;
            let pointer = trace::thread_pointer(pid)?;
            let libraries = &self.prepared.libraries;
            tracee.errno_at =
                libraries.locate(&mut tracee.executable, tracee.process, &memory, instruction, pointer);
        }
        libc_errno::read(&memory, tracee.errno_at?)
    }
}

/// Whether the kernel says so: who does not see clone(2) has not seen its flags.
fn is_thread_of(thread: i32, process: i32) -> bool {
    std::path::Path::new(&format!("/proc/{process}/task/{thread}")).exists()
}
