//! The thread that carries frames between two packet sockets and the engine, and the handle on it.
//!
//! Must not know what is done to frames. It holds what is not yet due, sleeps until something comes or is due, and keeps the order in which
//! the engine released frames of the same time.
//! Units: nanoseconds on the monotonic clock since the start. Errors: [`MiddleboxError`]; a frame that the kernel refuses is counted.
//! Tests: `rig/tests/middlebox.rs`; the schedule beside the module.

#![expect(unsafe_code, reason = "packet sockets: recvmmsg, sendmmsg and their control messages")]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::counters::{Counter, Counters, Counts, Tally};
use super::engine::Engine;
use super::error::MiddleboxError;
use super::line::Release;
use super::names::{LateCount, MiddleboxCounter, PortCount};
use super::offload;
use super::socket::{BATCH, Inbox, PacketSocket};
use super::spec::{Command, MiddleboxSpec, Port};

/// How long a question to the thread may stay unanswered. It answers within one batch of frames.
const ANSWER: Duration = Duration::from_secs(10);
/// A full queue of the interface is tried again after this.
const RETRY_NS: u64 = 100_000;
/// So often; then the frame is dropped and counted.
const RETRIES: u32 = 50;

/// The middlebox as a thread of this process.
#[derive(Debug)]
pub struct Middlebox;

impl Middlebox {
    /// Starts forwarding between two interfaces of the calling thread's network namespace: the target is behind `target_port`, the peer
    /// behind `peer_port`. Both become promiscuous; neither should have an address or belong to a kernel bridge.
    ///
    /// # Errors
    /// A spec that is not valid, an interface that is not there, missing privileges.
    pub fn start(spec: MiddleboxSpec, target_port: &str, peer_port: &str) -> Result<Handle, MiddleboxError> {
        let stopped = |what| move |cause| MiddleboxError::Stopped { what, cause };
        let busy_poll_ns = spec.busy_poll_ns;
        let engine = Engine::new(&spec)?;
        let sockets = [PacketSocket::open(target_port)?, PacketSocket::open(peer_port)?];
        let (wake, woken) = wake_pair().map_err(stopped("make a pair of sockets to wake it"))?;
        let (requests, asked) = mpsc::channel();
        let worker = Worker::new(engine, sockets, woken, asked, busy_poll_ns);
        let thread = thread::Builder::new()
            .name("middlebox".to_owned())
            .spawn(move || worker.run())
            .map_err(stopped("start its thread"))?;
        Ok(Handle { requests, wake, thread: Some(thread) })
    }
}

fn wake_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    Ok((wake, woken))
}

enum Request {
    Counters(Sender<Counters>),
    Command(Command, Sender<Result<(), MiddleboxError>>),
    Stop,
}

/// A running middlebox; dropping it stops it.
#[derive(Debug)]
pub struct Handle {
    requests: Sender<Request>,
    wake: UnixStream,
    thread: Option<JoinHandle<Result<Counters, MiddleboxError>>>,
}

impl Handle {
    /// All counters at this moment.
    ///
    /// # Errors
    /// The thread is gone; [`Handle::stop`] says why.
    pub fn counters(&self) -> Result<Counters, MiddleboxError> {
        let (answer, answered) = mpsc::channel();
        self.ask("counters", Request::Counters(answer), &answered)
    }

    /// Carries out a change; when this returns, it holds for every frame that comes in from now on.
    ///
    /// # Errors
    /// A command that the spec has no part for; or the thread is gone.
    pub fn command(&self, command: Command) -> Result<(), MiddleboxError> {
        let (answer, answered) = mpsc::channel();
        self.ask("a command", Request::Command(command, answer), &answered)?
    }

    /// Stops it, and gives the last counters. What is held or delayed at this moment is discarded, and counted.
    ///
    /// # Errors
    /// Why the thread ended earlier, if it did.
    pub fn stop(mut self) -> Result<Counters, MiddleboxError> {
        match self.end() {
            Some(Ok(end)) => end,
            Some(Err(_)) | None => Err(MiddleboxError::Silent { what: "stop" }),
        }
    }

    fn ask<T>(
        &self,
        what: &'static str,
        request: Request,
        answered: &Receiver<T>,
    ) -> Result<T, MiddleboxError> {
        self.requests.send(request).map_err(|_| MiddleboxError::Silent { what })?;
        self.wake_up();
        answered.recv_timeout(ANSWER).map_err(|_| MiddleboxError::Silent { what })
    }

    fn wake_up(&self) {
        // It can only fail when the buffer is full, and then the thread is awake.
        let _ = (&self.wake).write(&[1]);
    }

    fn end(&mut self) -> Option<thread::Result<Result<Counters, MiddleboxError>>> {
        let thread = self.thread.take()?;
        // A thread that has ended by itself takes no request; it is joined all the same.
        let _ = self.requests.send(Request::Stop);
        self.wake_up();
        Some(thread.join())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a delay is worth on this machine: how many frames left so much after their time (nanoseconds).
const LATE: [(LateCount, u64); 3] =
    [(LateCount::Over100us, 100_000), (LateCount::Over1ms, 1_000_000), (LateCount::Over10ms, 10_000_000)];

/// Time of departure, number in the order of release, port, frame.
type Later = (u64, u64, Port, Vec<u8>);

/// Frames on their way out: what is due, in order, and what is not yet.
#[derive(Debug, Default)]
struct Schedule {
    later: BinaryHeap<Reverse<Later>>,
    due: [VecDeque<Vec<u8>>; 2],
    number: u64,
    /// Frames that left later than they should have, by the limits of [`LATE`].
    late: [u64; 3],
}

fn index(port: Port) -> usize {
    match port {
        Port::Target => 0,
        Port::Peer => 1,
    }
}

const PORTS: [Port; 2] = [Port::Target, Port::Peer];

impl Schedule {
    fn accept(&mut self, now: u64, releases: &mut Vec<Release>) {
        for Release { at_ns, port, frame } in releases.drain(..) {
            if at_ns <= now && self.later.is_empty() {
                self.due[index(port)].push_back(frame);
            } else {
                self.number += 1;
                self.later.push(Reverse((at_ns, self.number, port, frame)));
            }
        }
        while self.later.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((at, _, port, frame))) = self.later.pop() else { return };
            for (late, (_, over)) in self.late.iter_mut().zip(LATE) {
                *late += u64::from(now - at > over);
            }
            self.due[index(port)].push_back(frame);
        }
    }

    fn next(&self) -> Option<u64> {
        self.later.peek().map(|Reverse((at, ..))| *at)
    }

    fn len(&self) -> usize {
        self.later.len() + self.due.iter().map(VecDeque::len).sum::<usize>()
    }
}

/// Why a port takes no frames at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blocked {
    No,
    /// The socket's buffer is full: the kernel will say when it is not.
    Buffer,
    /// The interface's queue is full: it is tried again then.
    Until(u64),
}

struct Worker {
    engine: Engine,
    sockets: [PacketSocket; 2],
    woken: UnixStream,
    asked: Receiver<Request>,
    busy_poll_ns: u64,
    start: Instant,
    schedule: Schedule,
    tally: Tally,
    ports: [Counts<PortCount>; 2],
    discarded: Counter,
    blocked: [Blocked; 2],
    retries: [u32; 2],
    readable: [bool; 2],
    releases: Vec<Release>,
}

impl Worker {
    fn new(
        engine: Engine,
        sockets: [PacketSocket; 2],
        woken: UnixStream,
        asked: Receiver<Request>,
        busy_poll_ns: u64,
    ) -> Self {
        let mut tally = Tally::default();
        let ports = PORTS.map(|port| Counts::new(&mut tally, |what| MiddleboxCounter::Port(port, what)));
        Self {
            engine,
            sockets,
            woken,
            asked,
            busy_poll_ns,
            start: Instant::now(),
            schedule: Schedule::default(),
            discarded: tally.register(&MiddleboxCounter::DiscardedAtStop),
            tally,
            ports,
            blocked: [Blocked::No; 2],
            retries: [0; 2],
            readable: [true; 2],
            releases: vec![],
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn run(mut self) -> Result<Counters, MiddleboxError> {
        sharpen_timers();
        let mut inbox = Inbox::new();
        let mut last_frame = 0;
        loop {
            let mut read = 0;
            for port in PORTS {
                if self.readable[index(port)] {
                    read += self.read(port, &mut inbox)?;
                }
            }
            let now = self.now();
            if read > 0 {
                last_frame = now;
            }
            self.engine.advance(now, &mut self.releases);
            self.schedule.accept(now, &mut self.releases);
            for port in PORTS {
                self.flush(port)?;
            }
            if self.sleep(last_frame)? && !self.answer()? {
                self.discard();
                return self.counters();
            }
        }
    }

    /// Reads one batch and hands it to the engine; gives how many frames there were.
    fn read(&mut self, port: Port, inbox: &mut Inbox) -> Result<usize, MiddleboxError> {
        let counters = self.ports[index(port)];
        let count = match inbox.receive(&self.sockets[index(port)]) {
            Ok(count) => count,
            Err(error) => {
                match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                    Errno::EAGAIN => self.readable[index(port)] = false,
                    Errno::EINTR => {}
                    // The interface was set down; the socket hears again when it is up.
                    Errno::ENETDOWN => self.tally.count(counters.of(PortCount::LinkDown)),
                    // A super-segment of a kind that has no metadata (packet(7): PACKET_VNET_HDR).
                    Errno::EINVAL => self.tally.count(counters.of(PortCount::ReceiveUnreadable)),
                    _ => return Err(MiddleboxError::Stopped { what: "receive frames", cause: error }),
                }
                return Ok(0);
            }
        };
        self.readable[index(port)] = count == BATCH;
        let now = self.now();
        let Self { engine, releases, tally, .. } = self;
        for at in 0..count {
            let Some(received) = inbox.get(at).filter(|received| !received.cut) else {
                tally.count(counters.of(PortCount::ReceiveUnreadable));
                continue;
            };
            if received.meta.is_super() {
                tally.count(counters.of(PortCount::SuperSegments));
            }
            let mut each = |frame| engine.receive(now, port, frame, releases);
            if offload::make_ready(received.meta, received.tag, received.bytes, &mut each).is_err() {
                tally.count(counters.of(PortCount::ReceiveUnreadable));
            }
        }
        Ok(count)
    }

    /// Sends what is due by a port, until it takes no more.
    fn flush(&mut self, port: Port) -> Result<(), MiddleboxError> {
        let i = index(port);
        if matches!(self.blocked[i], Blocked::Until(at) if self.now() < at) {
            return Ok(());
        }
        self.blocked[i] = Blocked::No;
        while !self.schedule.due[i].is_empty() {
            let counters = self.ports[i];
            match self.sockets[i].send(self.schedule.due[i].iter().map(Vec::as_slice)) {
                Ok(sent) => {
                    self.schedule.due[i].drain(..sent);
                    self.retries[i] = 0;
                }
                Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                    Errno::EINTR => {}
                    Errno::EAGAIN => {
                        self.blocked[i] = Blocked::Buffer;
                        return Ok(());
                    }
                    Errno::ENOBUFS if self.retries[i] < RETRIES => {
                        self.retries[i] += 1;
                        self.tally.count(counters.of(PortCount::SendRetried));
                        self.blocked[i] = Blocked::Until(self.now() + RETRY_NS);
                        return Ok(());
                    }
                    Errno::EMSGSIZE => self.drop_first(i, counters.of(PortCount::SendTooLong)),
                    // Too full for too long, set down, taken away, or a frame that is none: this frame is lost here, and counted.
                    Errno::ENOBUFS | Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV | Errno::EINVAL => {
                        self.drop_first(i, counters.of(PortCount::SendRefused));
                    }
                    _ => return Err(MiddleboxError::Stopped { what: "send frames", cause: error }),
                },
            }
        }
        Ok(())
    }

    fn drop_first(&mut self, i: usize, counter: Counter) {
        self.schedule.due[i].pop_front();
        self.retries[i] = 0;
        self.tally.count(counter);
    }

    /// Waits until there is something to do; gives whether somebody asks something.
    fn sleep(&mut self, last_frame: u64) -> Result<bool, MiddleboxError> {
        let now = self.now();
        let retry = self.blocked.iter().filter_map(|blocked| match blocked {
            Blocked::Until(at) => Some(*at),
            Blocked::No | Blocked::Buffer => None,
        });
        let next = retry.chain(self.engine.next_timer()).chain(self.schedule.next()).min();
        let spins = self.busy_poll_ns > 0 && now.saturating_sub(last_frame) < self.busy_poll_ns;
        let wait = if self.readable.contains(&true) || spins {
            Some(0)
        } else {
            next.map(|at| at.saturating_sub(now))
        };
        let event = |fd, events| libc::pollfd { fd, events, revents: 0 };
        let writable = |i: usize| {
            // A negative descriptor is ignored (poll(2)).
            let fd = if self.blocked[i] == Blocked::Buffer { self.sockets[i].outgoing() } else { -1 };
            event(fd, libc::POLLOUT)
        };
        let mut fds = [
            event(self.sockets[0].incoming(), libc::POLLIN),
            event(self.sockets[1].incoming(), libc::POLLIN),
            event(self.woken.as_raw_fd(), libc::POLLIN),
            writable(0),
            writable(1),
        ];
        poll(&mut fds, wait).map_err(|cause| MiddleboxError::Stopped { what: "poll", cause })?;
        for (readable, fd) in self.readable.iter_mut().zip(&fds) {
            *readable |= fd.revents != 0;
        }
        Ok(fds[2].revents != 0)
    }

    /// Answers all requests; `false` means stop.
    fn answer(&mut self) -> Result<bool, MiddleboxError> {
        // Whatever it says: it was woken for a request that is in the channel, or the handle is gone, which the channel says too.
        let _ = self.woken.read(&mut [0; 64]);
        loop {
            match self.asked.try_recv() {
                // Whoever asked may have given up: no one to tell.
                Ok(Request::Counters(answer)) => {
                    let counters = self.counters()?;
                    let _ = answer.send(counters);
                }
                Ok(Request::Command(command, answer)) => {
                    let now = self.now();
                    let done = self.engine.command(now, &command, &mut self.releases);
                    self.schedule.accept(now, &mut self.releases);
                    let _ = answer.send(done);
                    for port in PORTS {
                        self.flush(port)?;
                    }
                }
                Ok(Request::Stop) | Err(TryRecvError::Disconnected) => return Ok(false),
                Err(TryRecvError::Empty) => return Ok(true),
            }
        }
    }

    fn discard(&mut self) {
        self.tally.add(self.discarded, (self.schedule.len() + self.engine.holding()) as u64);
    }

    fn counters(&mut self) -> Result<Counters, MiddleboxError> {
        for (socket, counters) in self.sockets.iter().zip(&self.ports) {
            let lost = socket
                .take_lost()
                .map_err(|cause| MiddleboxError::Stopped { what: "read the kernel's statistics", cause })?;
            self.tally.add(counters.of(PortCount::ReceiveLost), lost);
        }
        let mut all = self.engine.counters();
        all.extend(self.tally.snapshot());
        all.extend(
            LATE.iter()
                .zip(self.schedule.late)
                .map(|((over, _), count)| (MiddleboxCounter::Late(*over).to_string(), count)),
        );
        Ok(all)
    }
}

/// Lets this thread's timeouts end when they are due: by default the kernel may be 50 microseconds late (prctl(2), `PR_SET_TIMERSLACK`).
fn sharpen_timers() {
    // SAFETY: takes no pointers; when it fails, timers are less sharp and nothing else.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

fn poll(fds: &mut [libc::pollfd], wait_ns: Option<u64>) -> io::Result<()> {
    const SECOND: u64 = 1_000_000_000;
    let timeout = wait_ns.map(|ns| libc::timespec {
        tv_sec: i64::try_from(ns / SECOND).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(ns % SECOND).expect("less than a second"),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let count = libc::nfds_t::try_from(fds.len()).expect("a handful");
    // SAFETY: the array and the timeout live through the call; no signal mask is given.
    let done = unsafe { libc::ppoll(fds.as_mut_ptr(), count, timeout, std::ptr::null()) };
    if done >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::EINTR) { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// By each port frames leave in order of time, those of one time in the order of the engine, none before its time.
        #[test]
        fn the_schedule_keeps_order(steps in prop::collection::vec((0_u64..50, prop::collection::vec((0_u64..100, any::<bool>()), 0..5)), 1..50)) {
            let mut schedule = Schedule::default();
            let (mut now, mut number) = (0, 0_u64);
            let mut left: [Vec<(u64, u64)>; 2] = Default::default();
            for (pause, delays) in steps {
                now += pause;
                let mut releases = vec![];
                for (delay, to_peer) in delays {
                    number += 1;
                    let mut frame = (now + delay).to_be_bytes().to_vec();
                    frame.extend(number.to_be_bytes());
                    releases.push(Release { at_ns: now + delay, port: if to_peer { Port::Peer } else { Port::Target }, frame });
                }
                schedule.accept(now, &mut releases);
                for (due, left) in schedule.due.iter_mut().zip(&mut left) {
                    for frame in due.drain(..) {
                        let word = |at: usize| u64::from_be_bytes(frame[at..at + 8].try_into().expect("eight bytes"));
                        prop_assert!(word(0) <= now);
                        left.push((word(0), word(8)));
                    }
                }
                prop_assert!(schedule.next().is_none_or(|at| at > now));
            }
            schedule.accept(u64::MAX, &mut vec![]);
            let rest: usize = schedule.due.iter().map(VecDeque::len).sum();
            prop_assert_eq!(left.iter().map(Vec::len).sum::<usize>() + rest, usize::try_from(number).expect("small"));
            for left in &left {
                prop_assert!(left.is_sorted());
            }
        }
    }
}
