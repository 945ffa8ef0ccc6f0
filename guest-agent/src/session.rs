//! One conversation with the controller: hello, then assignments one after the other, until the input ends.
//!
//! Holds the order of frames and their count; must not know steps or sockets.
//! Units: frames. Errors: [`Broken`], which ends the process; what cannot be played is a `Refused` frame instead.
//! The thread that reads requests ends the process at once when the input ends: the controller is gone.
//! Tests: `tests/loopback`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rig_protocol::{Assignment, Fin, FrameError, FrameReader, FrameWriter, Reply, Request, Side, Tally};

use crate::counters::{self, Counters};
use crate::incoming::Incoming;
use crate::machine;
use crate::plan::{Plan, Refusal};
use crate::pool::peer::Grace;
use crate::pool::{Shared, peer, target};
use crate::sys::{orphans, process, signal, thread};

/// How often the watchdog looks and records are sent.
const TICK: Duration = Duration::from_millis(50);
/// Signs of life come this often.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// Lanes of a finished peer may end by themselves for so long.
const GRACE: Duration = Duration::from_millis(500);
/// After which workers that cannot be interrupted (a kernel that hangs in a call) are left behind.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why the conversation cannot go on.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Replies cannot be written.
    Output(io::Error),
    /// An assignment came while another was being played.
    Overlap,
}

/// The conversation.
pub(crate) struct Session {
    output: FrameWriter<File, Reply>,
    incoming: Receiver<Incoming>,
    sender: Sender<Incoming>,
    /// Assignments so far.
    number: u64,
    /// Frames and records of the present assignment.
    frames: u64,
    records: u64,
}

/// Says hello and serves requests; returns only when the conversation is broken.
pub(crate) fn serve(input: File, output: File) -> Result<(), Broken> {
    let (sender, incoming) = channel();
    let requests = sender.clone();
    std::thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || read_requests(input, &requests))
        .map_err(Broken::Output)?;
    let mut session =
        Session { output: FrameWriter::new(output), incoming, sender, number: 0, frames: 0, records: 0 };
    session.send(&Reply::Hello(machine::hello()))?;
    loop {
        match session.incoming.recv() {
            Ok(Incoming::Request(Request::Play(assignment))) => session.play(*assignment)?,
            // Finish crosses a Refused or a Fin on the way; an idle crew was refused or left behind.
            Ok(Incoming::Request(Request::Finish) | Incoming::Idle { .. }) => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Ends the process with the input. Garbage ends it too, loudly: the other end is not our controller.
fn read_requests(input: File, requests: &Sender<Incoming>) {
    let mut reader = FrameReader::<_, Request>::new(input);
    loop {
        match reader.read() {
            Ok(request) => {
                if requests.send(Incoming::Request(request)).is_err() {
                    return;
                }
            }
            Err(FrameError::Closed) => {
                orphans::end_groups();
                process::exit(0)
            }
            Err(error) => panic!("requests: {error}"),
        }
    }
}

impl Session {
    fn send(&mut self, reply: &Reply) -> Result<(), Broken> {
        self.frames += 1;
        self.output.write(reply).map_err(Broken::Output)
    }

    /// Plays one assignment from `Ready` to `Fin`, or refuses it.
    fn play(&mut self, assignment: Assignment) -> Result<(), Broken> {
        self.number += 1;
        self.frames = 0;
        self.records = 0;
        let shared = match Plan::of(assignment) {
            Ok(plan) => Arc::new(Shared::new(plan, self.number, self.sender.clone())),
            Err(Refusal(reason)) => return self.send(&Reply::Refused { reason }),
        };
        let highest = shared.plan.needs.highest;
        if let Err(limit) = process::allow_descriptor(highest) {
            let reason =
                format!("descriptor {highest}: numbers must stay below {limit} here (RLIMIT_NOFILE)");
            return self.send(&Reply::Refused { reason });
        }
        match shared.plan.side {
            Side::Target => self.play_target(&shared),
            Side::Peer => self.play_peer(&shared),
        }
    }

    fn play_target(&mut self, shared: &Arc<Shared>) -> Result<(), Broken> {
        let crew = match target::Crew::assemble(shared.clone()) {
            Ok(crew) => crew,
            Err(reason) => return self.send(&Reply::Refused { reason }),
        };
        let before = counters::read();
        self.send(&Reply::Ready { listening: String::new() })?;
        crew.begin();
        let mut heartbeat = Heartbeat::new();
        while !self.await_end(false)?.ended() {
            crew.sweep();
            self.report(shared, &mut heartbeat)?;
        }
        crew.dismiss();
        self.conclude(shared, &before, Counters::new())
    }

    fn play_peer(&mut self, shared: &Arc<Shared>) -> Result<(), Broken> {
        let before = counters::read();
        let mut crew = match peer::Crew::assemble(shared.clone()) {
            Ok(crew) => crew,
            Err(reason) => return self.send(&Reply::Refused { reason }),
        };
        self.send(&Reply::Ready { listening: crew.listening() })?;
        crew.begin();
        let mut heartbeat = Heartbeat::new();
        while !self.await_end(true)?.ended() {
            crew.sweep(Grace::Granted);
            self.report(shared, &mut heartbeat)?;
        }
        crew.drain();
        crew.stop();
        let stopped = Instant::now();
        while stopped.elapsed() < PATIENCE && !self.await_end(false)?.ended() {
            crew.sweep(if stopped.elapsed() < GRACE { Grace::Granted } else { Grace::Over });
            self.report(shared, &mut heartbeat)?;
        }
        let starved = i64::from(crew.starved());
        let own =
            if starved == 0 { Counters::new() } else { [("Agent.PeerStarved".to_owned(), starved)].into() };
        self.conclude(shared, &before, own)
    }

    /// Waits a tick for the end of the present phase: the crew's last worker, or `Finish` where that ends it.
    fn await_end(&mut self, finish_ends: bool) -> Result<Waited, Broken> {
        match self.incoming.recv_timeout(TICK) {
            Ok(Incoming::Idle { number }) if number == self.number => Ok(Waited::Ended),
            Ok(Incoming::Request(Request::Finish)) if finish_ends => Ok(Waited::Ended),
            Ok(Incoming::Idle { .. } | Incoming::Request(Request::Finish)) => Ok(Waited::Goes),
            Ok(Incoming::Request(Request::Play(_))) => Err(Broken::Overlap),
            Err(RecvTimeoutError::Timeout) => Ok(Waited::Goes),
            Err(RecvTimeoutError::Disconnected) => unreachable!("the session holds a sender itself"),
        }
    }

    /// Sends the records kept since the last time, and a sign of life when it is due.
    fn report(&mut self, shared: &Shared, heartbeat: &mut Heartbeat) -> Result<(), Broken> {
        for record in shared.ledger.take_records() {
            self.records += 1;
            self.send(&Reply::Example(record))?;
        }
        if heartbeat.due() {
            self.send(&Reply::Progress(shared.ledger.progress()))?;
        }
        Ok(())
    }

    /// Last records, sums and totals.
    fn conclude(&mut self, shared: &Shared, before: &Counters, own: Counters) -> Result<(), Broken> {
        self.report(shared, &mut Heartbeat::new())?;
        let mut tally: Tally = shared.ledger.sums();
        tally.counters = counters::differences(before, &counters::read());
        tally.counters.extend(own);
        let (trials, void) = (tally.trials, tally.void());
        self.send(&Reply::Tally(Box::new(tally)))?;
        self.send(&Reply::Fin(Fin { frames: self.frames + 1, trials, void, records: self.records }))
    }
}

/// Whether a phase has ended.
enum Waited {
    Ended,
    Goes,
}

impl Waited {
    fn ended(&self) -> bool {
        matches!(self, Self::Ended)
    }
}

struct Heartbeat {
    last: Instant,
}

impl Heartbeat {
    fn new() -> Self {
        Self { last: Instant::now() }
    }

    fn due(&mut self) -> bool {
        let due = self.last.elapsed() >= HEARTBEAT;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// What has to be done once, before the first thread is started.
pub(crate) fn prepare_process() -> Result<(), rig_protocol::Errno> {
    process::limit_heaps();
    process::raise_limits();
    machine::tune();
    signal::install_handlers()?;
    thread::prepare_interrupts()
}
