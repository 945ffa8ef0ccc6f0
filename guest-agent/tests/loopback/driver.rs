//! Two agents as children, driven over pipes with real frames, and a small language for scripts.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use rig_protocol::{
    Assignment, Call, Callee, Delay, Errno, Family, Fin, FrameError, FrameReader, FrameWriter, Hello, Lane,
    Mark, Op, Progress, Reply, Request, Returned, Role, Script, Shut, Side, Slot, Step, Tally, TrialRecord,
};

use crate::namespace::Namespace;

/// An agent under our control.
pub(crate) struct Agent {
    pub(crate) child: Child,
    requests: Option<FrameWriter<ChildStdin, Request>>,
    replies: FrameReader<ChildStdout, Reply>,
    pub(crate) hello: Hello,
    /// Of the assignment under way.
    script: Option<Script>,
}

/// One assignment's replies.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) tally: Tally,
    pub(crate) fin: Fin,
    pub(crate) records: Vec<TrialRecord>,
    pub(crate) signs: Vec<Progress>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    pub(crate) fn start() -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_guest-agent")))
    }

    pub(crate) fn start_as(mut command: Command) -> Self {
        // Where TZ is set, localtime() does not look for /etc/localtime.
        let mut child = command
            .env_remove("TZ")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let requests = FrameWriter::new(child.stdin.take().expect("piped"));
        let mut replies = FrameReader::new(child.stdout.take().expect("piped"));
        let Reply::Hello(hello) = replies.read().expect("hello comes first") else {
            panic!("the first frame is no hello")
        };
        Self { child, requests: Some(requests), replies, hello, script: None }
    }

    pub(crate) fn send(&mut self, request: &Request) {
        self.requests.as_mut().expect("open").write(request).expect("the agent reads");
    }

    pub(crate) fn read(&mut self) -> Result<Reply, FrameError> {
        self.replies.read()
    }

    pub(crate) fn play(&mut self, assignment: Assignment) -> Reply {
        self.script = Some(assignment.script.clone());
        self.send(&Request::Play(Box::new(assignment)));
        self.read().expect("ready or refused")
    }

    /// Plays and expects a refusal.
    pub(crate) fn refuse(&mut self, assignment: Assignment) -> String {
        match self.play(assignment) {
            Reply::Refused { reason } => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Plays and expects to be ready; gives the listening address.
    pub(crate) fn begin(&mut self, assignment: Assignment) -> String {
        match self.play(assignment) {
            Reply::Ready { listening } => listening,
            other => panic!("not ready: {other:?}"),
        }
    }

    /// Reads to the `Fin` and checks that everything adds up.
    pub(crate) fn conclude(&mut self) -> Played {
        let mut frames = 1; // Ready
        let (mut records, mut signs, mut tally) = (Vec::new(), Vec::new(), None);
        loop {
            let reply = self.read().expect("the assignment ends with Fin");
            frames += 1;
            match reply {
                Reply::Progress(sign) => {
                    let script = self.script.as_ref().expect("an assignment was begun");
                    assert_eq!(sign.inconsistency(script, Tally::MOST), None);
                    signs.push(sign);
                }
                Reply::Example(record) => records.push(record),
                Reply::Tally(sums) => assert!(tally.replace(*sums).is_none(), "one tally"),
                Reply::Fin(fin) => {
                    let tally = tally.expect("the tally comes before Fin");
                    assert_eq!(fin.frames, frames);
                    assert_eq!((fin.trials, fin.void), (tally.trials, tally.void()));
                    assert_eq!(fin.records, records.len() as u64);
                    let script = self.script.as_ref().expect("an assignment was begun");
                    assert_eq!(tally.inconsistency(script), None);
                    return Played { tally, fin, records, signs };
                }
                other => panic!("out of place: {other:?}"),
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Played {
        self.send(&Request::Finish);
        self.conclude()
    }

    /// Ends the agent's input.
    pub(crate) fn hang_up(&mut self) -> ExitStatus {
        self.requests = None;
        self.child.wait().expect("it ends")
    }

    pub(crate) fn last_words(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
        text
    }
}

/// A target and a peer.
pub(crate) struct Pair {
    pub(crate) target: Agent,
    pub(crate) peer: Agent,
}

/// How a script is to be played.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) trials: u64,
    pub(crate) in_flight: u32,
    pub(crate) seed: u64,
    pub(crate) keep_examples: u32,
    pub(crate) keep_anomalies: u32,
    pub(crate) deadline_ns: u64,
    pub(crate) listen: &'static str,
}

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MS: u64 = 1_000_000;

impl Default for Setting {
    fn default() -> Self {
        Self {
            trials: 200,
            in_flight: 4,
            seed: 42,
            keep_examples: 3,
            keep_anomalies: 1000,
            deadline_ns: 20 * SECOND,
            listen: "127.0.0.1:0",
        }
    }
}

impl Setting {
    pub(crate) fn assignment(&self, script: &Script, role: Role) -> Assignment {
        Assignment {
            script: script.clone(),
            role,
            trials: self.trials,
            in_flight: self.in_flight,
            seed: self.seed,
            keep_examples: self.keep_examples,
            keep_anomalies: self.keep_anomalies,
            trial_deadline_ns: self.deadline_ns,
            root: None,
        }
    }

    pub(crate) fn target(&self, script: &Script, connect: &str) -> Assignment {
        self.assignment(script, Role::Target { connect: connect.to_owned() })
    }

    pub(crate) fn peer(&self, script: &Script) -> Assignment {
        self.assignment(script, Role::Peer { listen: self.listen.to_owned() })
    }
}

impl Pair {
    pub(crate) fn start() -> Self {
        Self { target: Agent::start(), peer: Agent::start() }
    }

    /// In a namespace of its own, where the script needs one. The agents keep it when its maker has gone.
    pub(crate) fn start_for(script: &Script) -> Self {
        let namespace = listens(script).then(Namespace::make).flatten();
        namespace.map_or_else(Self::start, |namespace| namespace.pair())
    }

    /// One block: both sides to their Fin.
    pub(crate) fn play(&mut self, script: &Script, setting: &Setting) -> (Played, Played) {
        let address = self.peer.begin(setting.peer(script));
        self.target.begin(setting.target(script, &address));
        let target = self.target.conclude();
        (target, self.peer.finish())
    }
}

/// Whether a trial of it has a listener of its own.
///
/// Its port follows from the trial's first connection. On the host's network that can be another program's port, and two agents can have connections from the
/// same port: such scripts play in a namespace, as every block of rig does.
fn listens(script: &Script) -> bool {
    script.lanes.iter().flat_map(|lane| &lane.steps).any(|step| matches!(step.op, Op::Listen { .. }))
}

/// One block on fresh agents.
pub(crate) fn play(script: &Script, setting: &Setting) -> (Played, Played) {
    Pair::start_for(script).play(script, setting)
}

pub(crate) fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

/// Counts of returns, by their spelling.
pub(crate) fn returns(pairs: &[(&str, u64)]) -> BTreeMap<Returned, u64> {
    pairs.iter().map(|(key, count)| (key.parse().expect("a return"), *count)).collect()
}

// ---- the small language: one socket `s` (slot 0), marks 0 and 1 ----

pub(crate) fn step(op: Op) -> Step {
    Step::of(op)
}

pub(crate) trait Flags {
    fn verdict(self) -> Step;
    fn outcome(self) -> Step;
    fn may_fail(self) -> Step;
}

impl Flags for Step {
    fn verdict(self) -> Step {
        Step { verdict: true, outcome: true, ..self }
    }
    fn outcome(self) -> Step {
        Step { outcome: true, ..self }
    }
    fn may_fail(self) -> Step {
        Step { may_fail: true, ..self }
    }
}

const S: Slot = Slot(0);

pub(crate) fn connect() -> Step {
    step(Op::connect(S))
}
pub(crate) fn accept() -> Step {
    step(Op::Accept { socket: S })
}
pub(crate) fn close() -> Step {
    step(Op::Close { socket: S })
}
pub(crate) fn shutdown(how: Shut) -> Step {
    step(Op::Shutdown { socket: S, how })
}
pub(crate) fn linger() -> Step {
    step(Op::Linger { socket: S, seconds: 0 })
}
pub(crate) fn cork() -> Step {
    step(Op::Cork { socket: S })
}
pub(crate) fn nodelay() -> Step {
    step(Op::Nodelay { socket: S })
}
pub(crate) fn receive_timeout(ns: u64) -> Step {
    step(Op::ReceiveTimeout { socket: S, duration: Delay::Fixed { ns } })
}
pub(crate) fn so_error() -> Step {
    step(Op::SoError { socket: S })
}
pub(crate) fn tcp_state() -> Step {
    step(Op::TcpState { socket: S })
}
pub(crate) fn pending() -> Step {
    step(Op::Pending { socket: S })
}
pub(crate) fn fd_check() -> Step {
    step(Op::FdCheck { socket: S })
}
pub(crate) fn read() -> Step {
    step(Op::Read { socket: S, bytes: 64 })
}
pub(crate) fn write(data: &str) -> Step {
    step(Op::Write { socket: S, data: Some(data.to_owned()), bytes: None })
}
pub(crate) fn localtime() -> Step {
    step(Op::Localtime {})
}
pub(crate) fn sleep(ns: u64) -> Step {
    step(Op::Sleep { duration: Delay::Fixed { ns } })
}
pub(crate) fn sleep_between(low_ns: u64, high_ns: u64) -> Step {
    step(Op::Sleep { duration: Delay::Uniform { low_ns, high_ns } })
}
pub(crate) fn mark(index: u16) -> Step {
    step(Op::Mark { mark: Mark(index) })
}
pub(crate) fn wait_for(index: u16, ns: u64) -> Step {
    step(Op::Await { mark: Mark(index), timeout: Delay::Fixed { ns } })
}
pub(crate) fn inject(errno: Errno, rate_ppm: u32) -> Step {
    step(Op::Inject { errno, rate_ppm })
}
pub(crate) fn select_through(call: Call, timeout_ns: u64) -> Step {
    let timeout = Delay::Fixed { ns: timeout_ns };
    step(Op::Select { read: vec![S], write: vec![], except: vec![], timeout, call })
}
pub(crate) fn select(timeout_ns: u64) -> Step {
    select_through(Call::Select, timeout_ns)
}

pub(crate) fn target_lane(name: &str, steps: Vec<Step>) -> Lane {
    Lane { name: name.into(), side: Side::Target, steps }
}

pub(crate) fn script_of(targets: Vec<Lane>, peer: Vec<Step>, expect: &[&str]) -> Script {
    let mut lanes = targets;
    if !peer.is_empty() {
        lanes.push(Lane { name: "peer".into(), side: Side::Peer, steps: peer });
    }
    Script {
        name: "test".into(),
        sockets: vec!["s".into()],
        marks: vec!["m".into(), "n".into()],
        lanes,
        expect: expect.iter().map(|pattern| (*pattern).to_owned()).collect(),
        expect_peer: vec![],
        deadline_ns: None,
        program: None,
    }
}

pub(crate) fn script(client: Vec<Step>, peer: Vec<Step>, expect: &[&str]) -> Script {
    script_of(vec![target_lane("client", client)], peer, expect)
}

/// Document 000's program: the client greets, the peer answers and resets.
pub(crate) fn base(call: Call) -> Script {
    script(
        vec![
            connect(),
            write("hello"),
            select_through(call, 5 * SECOND).verdict(),
            read().outcome(),
            read().outcome(),
            close(),
        ],
        vec![accept(), read(), write("CDEF"), linger(), close()],
        &["readable,data,ECONNRESET"],
    )
}

// ---- steps over slots by number, for scripts with several sockets ----

/// A slot.
pub(crate) fn slot(index: u16) -> Slot {
    Slot(index)
}

/// A connect to this one.
pub(crate) fn connect_to(socket: u16, to: Callee) -> Op {
    Op::Connect { socket: Slot(socket), to, nonblock: false, descriptor: None, family: Family::Path }
}

/// A connect that does not wait.
pub(crate) fn connect_on(socket: u16, to: Callee) -> Op {
    Op::Connect { socket: Slot(socket), to, nonblock: true, descriptor: None, family: Family::Path }
}

/// A select on one socket for reading and writing.
pub(crate) fn select_both(socket: u16, timeout_ns: u64) -> Step {
    let sockets = vec![Slot(socket)];
    let timeout = Delay::Fixed { ns: timeout_ns };
    step(Op::Select {
        read: sockets.clone(),
        write: sockets.clone(),
        except: sockets,
        timeout,
        call: Call::Select,
    })
}

/// A select on one socket for reading.
pub(crate) fn select_on(socket: u16, timeout_ns: u64) -> Step {
    let timeout = Delay::Fixed { ns: timeout_ns };
    step(Op::Select { read: vec![Slot(socket)], write: vec![], except: vec![], timeout, call: Call::Select })
}

/// A script with further sockets `t`, `u`, `v`.
pub(crate) fn of_four(client: Vec<Step>, peer: Vec<Step>, expect: &[&str]) -> Script {
    let mut script = script(client, peer, expect);
    script.sockets = ["s", "t", "u", "v"].map(str::to_owned).into();
    script
}

/// Plays few trials: every one ends as the script expects, on both sides. Gives the target's.
pub(crate) fn all_as_expected(script: &Script, trials: u64, in_flight: u32) -> Played {
    let setting = Setting { trials, in_flight, ..Setting::default() };
    let (target, peer) = play(script, &setting);
    assert_eq!(target.tally.voids, BTreeMap::new());
    assert_eq!((target.tally.anomalies, target.tally.trials), (0, trials), "{:?}", target.tally.outcomes);
    assert_eq!((peer.tally.anomalies, peer.tally.void()), (0, 0), "{:?}", peer.tally.outcomes);
    target
}
