//! An assignment that was looked through: everything that trials need, and nothing that could still be refused.
//!
//! Holds the checks of a script against the side that plays it; no system call, no thread.
//! Units: nanoseconds. Errors: [`Refusal`], which blames the sender of the assignment.
//! Must not repeat what `rig` checks for people (names, hints): here a wrong index must only never become a panic or a wrong count.
//! Tests: below.

use std::net::SocketAddr;
use std::time::Duration;

use rig_protocol::{
    Assignment, Delay, FailureReport, Handler, Lane, LaneIndex, Op, Player, Program, Role, Script, Side,
    Slot, Step, Timing, UnreachableInjection, VsockAddress,
};

use crate::program::check::check;
use crate::sys::socket::KernelAddress;

/// Buffers are made for every read step of every trial in flight.
const MAX_READ_BYTES: u32 = 1 << 20;

/// Workers of a script that sleeps, or that says how long a trial may last, start so far apart, and stay so: a thousand connections in the same instant, again after every
/// sleep, would overflow the queues of a slow guest (a tap holds 500 packets, net.core.netdev_max_backlog 1000) and measure that.
const START_PACE: Duration = Duration::from_millis(5);

/// Why an assignment is not played.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// A step, and what its row of the table of operations says: looked up once, not in every trial.
#[derive(Debug)]
pub(crate) struct StepPlan {
    /// The step itself.
    pub(crate) step: Step,
    /// The sockets that it names, in its own order.
    pub(crate) sockets: Box<[Slot]>,
    /// Whether it opens the socket that it names first.
    pub(crate) opens: bool,
    /// Whether the C library's function for it sets errno when it fails.
    pub(crate) sets_errno: bool,
}

impl StepPlan {
    fn of(step: &Step) -> Self {
        let schema = step.op.schema();
        Self {
            step: step.clone(),
            sockets: step.op.sockets().collect(),
            opens: schema.opens(),
            sets_errno: schema.failure == FailureReport::Errno,
        }
    }

    /// The slot that it fills.
    pub(crate) fn made(&self) -> Option<Slot> {
        self.sockets.first().copied().filter(|_| self.opens)
    }

    /// The sockets that it uses.
    pub(crate) fn named(&self) -> &[Slot] {
        &self.sockets[usize::from(self.opens)..]
    }

    fn player(&self) -> Player {
        self.step.op.schema().player
    }
}

/// A lane of this agent's side.
#[derive(Debug)]
pub(crate) struct LanePlan {
    /// Its index in the script.
    pub(crate) index: u16,
    /// Its name in the scenario file.
    pub(crate) name: String,
    /// In order.
    pub(crate) steps: Vec<StepPlan>,
    /// Whether its thread needs the seccomp filter.
    pub(crate) filter: bool,
}

impl LanePlan {
    fn of(index: usize, lane: &Lane) -> Self {
        Self {
            index: index as u16,
            name: lane.name.clone(),
            steps: lane.steps.iter().map(StepPlan::of).collect(),
            filter: lane.steps.iter().any(|step| matches!(step.op, Op::Inject { .. })),
        }
    }

    /// The operation of the step with this index.
    pub(crate) fn op(&self, step: u16) -> &Op {
        &self.steps[usize::from(step)].step.op
    }
}

/// An assignment that can be played.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The script, for names and expectations.
    pub(crate) script: Script,
    /// The lanes of this side: at least one; a peer has exactly one.
    pub(crate) lanes: Vec<LanePlan>,
    /// Where to connect or to listen; a target without a `connect` step has none.
    pub(crate) address: Option<KernelAddress>,
    /// Which side.
    pub(crate) side: Side,
    /// Trials to play (target).
    pub(crate) trials: u64,
    /// Trials (or connections) under way at once.
    pub(crate) in_flight: u32,
    /// Seed of all draws.
    pub(crate) seed: u64,
    /// Examples kept of each outcome.
    pub(crate) keep_examples: u32,
    /// Anomalies kept of each outcome.
    pub(crate) keep_anomalies: u32,
    /// Anomalies kept of the block.
    pub(crate) most_anomalies: u64,
    /// Longest trial.
    pub(crate) deadline: Duration,
    /// The directory that is a program's root.
    pub(crate) root: Option<String>,
    /// What the script's sockets need.
    pub(crate) needs: Needs,
}

/// What the sockets of a script need, because of what one of its steps does: looked up once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// A trial has a listening socket of its own: its port may be that of another trial's connection, so all sockets have `SO_REUSEADDR`.
    pub(crate) reuse: bool,
    /// A step looks from outside: addresses are kept beyond descriptors.
    pub(crate) ends: bool,
    /// The highest number that a step asks for.
    pub(crate) highest: i32,
}

impl Needs {
    /// Whether a step asks for the addresses of a connection.
    pub(crate) fn any(self) -> bool {
        self.reuse || self.ends
    }

    fn of(script: &Script) -> Self {
        let ops = || script.lanes.iter().flat_map(|lane| &lane.steps).map(|step| &step.op);
        Self {
            reuse: ops().any(Op::listens),
            ends: ops().any(Op::looks_from_outside),
            highest: ops().filter_map(Op::number).max().unwrap_or(-1),
        }
    }
}

impl Plan {
    /// Looks an assignment through.
    pub(crate) fn of(assignment: Assignment) -> Result<Self, Refusal> {
        let most_anomalies = assignment.most_anomalies();
        let Assignment { script, role, trials, in_flight, seed, keep_examples, keep_anomalies, root, .. } =
            assignment;
        let (side, text) = match role {
            Role::Peer { listen } => (Side::Peer, listen),
            Role::Target { connect } => (Side::Target, connect),
        };
        script.lanes_of(side).try_for_each(|lane| check_lane(lane, &script))?;
        let lanes: Vec<LanePlan> = script
            .lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| lane.side == side)
            .map(|(index, lane)| LanePlan::of(index, lane))
            .collect();
        match (side, &script.program) {
            (Side::Target, Some(program)) => check_program(program, root.as_deref(), &script)?,
            (Side::Target, None) => check_target(&lanes)?,
            (Side::Peer, _) => check_peer(&lanes)?,
        }
        let is_played = side == Side::Target && script.program.is_some();
        let steps = || lanes.iter().flat_map(|planned| &planned.steps);
        let calls = side == Side::Peer || steps().any(|step| step.step.op.needs_an_address());
        let needs_address = calls || (is_played && script.lanes_of(Side::Peer).next().is_some());
        let address = needs_address.then(|| parse_address(&text)).transpose()?;
        if address.is_some_and(|address| address.vsock().is_some() != script.is_over_vsock()) {
            return refuse(format!("{text:?} is of another family than the script's sockets"));
        }
        if in_flight == 0 {
            return refuse("in_flight is 0: no trial could ever begin");
        }
        if assignment.trial_deadline_ns == 0 {
            return refuse("trial_deadline_ns is 0: every trial would be void");
        }
        let deadline = Duration::from_nanos(assignment.trial_deadline_ns);
        let needs = Needs::of(&script);
        Ok(Self {
            script,
            lanes,
            address,
            side,
            trials,
            in_flight,
            seed,
            keep_examples,
            keep_anomalies,
            most_anomalies,
            deadline,
            root,
            needs,
        })
    }
}

impl Plan {
    /// The user's program, where this side plays one.
    pub(crate) fn program(&self) -> Option<&Program> {
        self.script.program.as_deref().filter(|_| self.side == Side::Target)
    }

    /// Whether its address is that of the peer's agent, and not the own one.
    pub(crate) fn calls_the_server(&self) -> bool {
        self.side == Side::Target
    }

    /// How far apart the workers' first trials begin: spread over at most one trial's own sleeps, or the time that the script gives it.
    pub(crate) fn pace(&self) -> Duration {
        let slept = self.script.lanes.iter().map(Lane::sleeps).max().unwrap_or_default();
        let declared = self.script.deadline_ns.map_or(Duration::ZERO, Duration::from_nanos);
        START_PACE.min(slept.max(declared) / self.in_flight)
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(reason.into()))
}

fn parse_address(text: &str) -> Result<KernelAddress, Refusal> {
    if let Some(address) = VsockAddress::parse(text) {
        return Ok(KernelAddress::of_vsock(address));
    }
    match text.parse::<SocketAddr>() {
        Ok(address) => Ok(KernelAddress::of(address)),
        Err(_) => refuse(format!("{text:?} is no address:port (names are not resolved here)")),
    }
}

fn check_target(lanes: &[LanePlan]) -> Result<(), Refusal> {
    if lanes.is_empty() {
        return refuse("the script has no lane for the target");
    }
    let steps = || lanes.iter().flat_map(|planned| planned.steps.iter().map(move |step| (planned, step)));
    let verdicts = steps().filter(|(_, step)| step.step.verdict).count();
    if verdicts != 1 {
        return refuse(format!("the target's lanes have {verdicts} verdict steps, not one"));
    }
    if let Some((planned, _)) = steps().find(|(_, step)| step.player() == Player::PeerFirst) {
        return refuse(format!("lane {}: only the peer accepts", planned.name));
    }
    Ok(())
}

/// A program takes the place of the steps of the target's only lane.
fn check_program(program: &Program, root: Option<&str>, script: &Script) -> Result<(), Refusal> {
    let lanes: Vec<_> = script.lanes_of(Side::Target).collect();
    let [lane] = lanes[..] else {
        return refuse(format!("the script has {} lanes for the target, and a program is one", lanes.len()));
    };
    if !lane.steps.is_empty() {
        return refuse(format!("lane {} has steps, and a program in their place", lane.name));
    }
    check(program, root, script.lanes_of(Side::Peer).next().is_some()).map_err(Refusal)
}

fn check_peer(lanes: &[LanePlan]) -> Result<(), Refusal> {
    let [planned] = lanes else {
        return refuse(format!("the script has {} lanes for the peer, not one", lanes.len()));
    };
    let accepts = |step: &StepPlan| step.player() == Player::PeerFirst;
    let mut steps = planned.steps.iter();
    if !steps.next().is_some_and(accepts) || steps.any(accepts) {
        return refuse("the peer lane accepts exactly once, in its first step");
    }
    if planned.steps.iter().any(|step| step.step.op.calls_the_server()) {
        return refuse("the peer lane does not connect to itself");
    }
    Ok(())
}

/// A signal goes to a thread of the agent that sends it, and a handler that closes needs something to close.
fn check_signal(to: u16, handler: Handler, socket: Option<Slot>, script: &Script) -> Result<(), String> {
    match script.lanes.get(usize::from(to)) {
        None => Err(format!("there is no lane {to}")),
        Some(lane) if lane.side == Side::Peer => {
            Err(format!("lane {} is the peer's, and a signal reaches this end's lanes only", lane.name))
        }
        Some(_) if (handler == Handler::Close) != socket.is_some() => {
            Err("the handler \"close\", and no other, names the socket that it closes".to_owned())
        }
        Some(_) => Ok(()),
    }
}

/// Checks what does not depend on the side: indices, bounds, and that an injection meets the call that can carry it.
fn check_lane(lane: &Lane, script: &Script) -> Result<(), Refusal> {
    if lane.steps.len() > usize::from(u16::MAX) {
        return refuse(format!("lane {} has {} steps", lane.name, lane.steps.len()));
    }
    let place = |index: usize| format!("lane {}, step {index} ({})", lane.name, lane.steps[index].op.name());
    for (index, step) in lane.steps.iter().enumerate() {
        let place = place(index);
        if let Some(slot) = step.op.sockets().find(|slot| usize::from(slot.0) >= script.sockets.len()) {
            return refuse(format!("{place}: there is no socket {}", slot.0));
        }
        if let Some(mark) = step.op.mark().filter(|mark| usize::from(mark.0) >= script.marks.len()) {
            return refuse(format!("{place}: there is no mark {}", mark.0));
        }
        match &step.op {
            Op::Read { bytes, .. } | Op::Receive { bytes, .. } | Op::Splice { bytes, .. }
                if *bytes == 0 || *bytes > MAX_READ_BYTES =>
            {
                return refuse(format!("{place}: {bytes} bytes are not in 1..={MAX_READ_BYTES}"));
            }
            Op::Write { data, bytes, .. } | Op::Send { data, bytes, .. }
                if data.is_some() == bytes.is_some() || bytes.is_some_and(|n| n > Op::MOST_BYTES_SENT) =>
            {
                let most = Op::MOST_BYTES_SENT;
                return refuse(format!("{place}: either data, or a number of bytes up to {most}"));
            }
            Op::Signal { lane: LaneIndex(to), handler, socket } => {
                check_signal(*to, *handler, *socket, script)
                    .or_else(|reason| refuse(format!("{place}: {reason}")))?;
            }
            Op::Sendfile { bytes, .. } if bytes.0 > Op::MOST_BYTES_SENT => {
                return refuse(format!("{place}: a number of bytes up to {}", Op::MOST_BYTES_SENT));
            }
            Op::Inject { errno, rate_ppm } if !(1..=4095).contains(&errno.0) || *rate_ppm > 1_000_000 => {
                return refuse(format!("{place}: errno {} at {rate_ppm} ppm", errno.0));
            }
            _ => {}
        }
        if let Some(Timing::Classes(classes)) = &step.timing
            && classes.is_empty()
        {
            return refuse(format!("{place}: there is no class of times"));
        }
        if let Some(Delay::Uniform { low_ns, high_ns }) = step.op.delay()
            && low_ns > high_ns
        {
            return refuse(format!("{place}: uniform from {low_ns} ns down to {high_ns} ns"));
        }
    }
    match lane.unreachable_injection() {
        Some(UnreachableInjection { inject, .. }) => refuse(format!(
            "{}: the next select must use call = \"select\", the only one that can carry an injection",
            place(inject)
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Call, Errno, Mark};

    use super::*;

    fn step(op: Op) -> Step {
        Step::of(op)
    }

    fn select(call: Call) -> Step {
        let timeout = Delay::Fixed { ns: 1 };
        let op = Op::Select { read: vec![Slot(0)], write: vec![], except: vec![], timeout, call };
        Step { verdict: true, ..step(op) }
    }

    fn assignment(role: Role, target: Vec<Step>, peer: Vec<Step>) -> Assignment {
        let lane = |name: &str, side, steps| Lane { name: name.into(), side, steps };
        Assignment {
            script: Script {
                name: "test".into(),
                sockets: vec!["s".into()],
                marks: vec!["m".into()],
                lanes: vec![lane("client", Side::Target, target), lane("peer", Side::Peer, peer)],
                expect: vec![],
                expect_peer: vec![],
                deadline_ns: None,
                program: None,
            },
            role,
            trials: 1,
            in_flight: 1,
            seed: 0,
            keep_examples: 0,
            keep_anomalies: 0,
            trial_deadline_ns: 1,
            root: None,
        }
    }

    fn target(steps: Vec<Step>) -> Assignment {
        assignment(Role::Target { connect: "192.0.2.1:1".into() }, steps, vec![])
    }

    fn peer(steps: Vec<Step>) -> Assignment {
        assignment(Role::Peer { listen: "192.0.2.1:0".into() }, vec![], steps)
    }

    fn refusal(assignment: Assignment) -> String {
        Plan::of(assignment).expect_err("refused").0
    }

    #[test]
    fn a_whole_script_is_taken() {
        let connect = step(Op::connect(Slot(0)));
        let plan = Plan::of(target(vec![connect, select(Call::Select)])).expect("whole");
        assert_eq!((plan.lanes.len(), plan.lanes[0].index, plan.lanes[0].filter), (1, 0, false));
        let plan = Plan::of(peer(vec![step(Op::Accept { socket: Slot(0) })])).expect("whole");
        assert_eq!((plan.lanes.len(), plan.lanes[0].index), (1, 1));
    }

    #[test]
    fn workers_start_apart_where_the_script_sleeps_and_at_once_where_it_does_not() {
        let pace = |sleep_ns, in_flight| {
            let sleep = step(Op::Sleep { duration: Delay::Fixed { ns: sleep_ns } });
            let mut assignment = target(vec![sleep, select(Call::Select)]);
            assignment.in_flight = in_flight;
            Plan::of(assignment).expect("whole").pace()
        };
        assert_eq!(pace(0, 100), Duration::ZERO);
        assert_eq!(pace(1_000_000_000, 100), Duration::from_millis(5));
        assert_eq!(pace(1_000_000_000, 4_000), Duration::from_micros(250));
        let declared = |deadline_ns| {
            let mut assignment = target(vec![select(Call::Select)]);
            (assignment.script.deadline_ns, assignment.in_flight) = (deadline_ns, 1_000);
            Plan::of(assignment).expect("whole").pace()
        };
        assert_eq!(declared(None), Duration::ZERO);
        assert_eq!(declared(Some(180_000_000_000)), Duration::from_millis(5));
        assert_eq!(declared(Some(1_000_000_000)), Duration::from_millis(1));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_reason() {
        let connect = || step(Op::connect(Slot(0)));
        let accept = || step(Op::Accept { socket: Slot(0) });
        let write = |data: Option<&str>, bytes| {
            step(Op::Write { socket: Slot(0), data: data.map(str::to_owned), bytes })
        };
        let signal = |lane, handler, socket| step(Op::Signal { lane: LaneIndex(lane), handler, socket });
        let inject = |rate_ppm| step(Op::Inject { errno: Errno::ENOENT, rate_ppm });
        let with = |change: fn(&mut Assignment)| {
            let mut changed = target(vec![connect(), select(Call::Select)]);
            change(&mut changed);
            changed
        };
        let cases: Vec<(Assignment, &str)> = vec![
            (target(vec![connect()]), "0 verdict steps"),
            (target(vec![select(Call::Select), select(Call::Select)]), "2 verdict steps"),
            (with(|a| a.script.lanes.clear()), "no lane for the target"),
            (with(|a| a.in_flight = 0), "in_flight is 0"),
            (with(|a| a.trial_deadline_ns = 0), "trial_deadline_ns is 0"),
            (with(|a| a.role = Role::Target { connect: "peer.example:1".into() }), "no address:port"),
            (with(|a| a.role = Role::Target { connect: "vsock:1:1".into() }), "of another family"),
            (with(|a| a.script.sockets.clear()), "there is no socket 0"),
            (target(vec![accept(), select(Call::Select)]), "only the peer accepts"),
            (target(vec![step(Op::Mark { mark: Mark(1) }), select(Call::Select)]), "there is no mark 1"),
            (target(vec![step(Op::Read { socket: Slot(0), bytes: 0 }), select(Call::Select)]), "0 bytes"),
            (target(vec![write(None, None), select(Call::Select)]), "either data, or a number of bytes"),
            (
                target(vec![write(Some("A"), Some(1)), select(Call::Select)]),
                "either data, or a number of bytes",
            ),
            (target(vec![write(None, Some((1 << 26) + 1)), select(Call::Select)]), "up to 67108864"),
            (
                target(vec![Step { timing: Some(Timing::Classes(vec![])), ..select(Call::Select) }]),
                "no class of times",
            ),
            (target(vec![signal(7, Handler::Interrupt, None), select(Call::Select)]), "there is no lane 7"),
            (
                target(vec![signal(1, Handler::Interrupt, None), select(Call::Select)]),
                "lane peer is the peer's",
            ),
            (target(vec![signal(0, Handler::Close, None), select(Call::Select)]), "names the socket"),
            (
                target(vec![signal(0, Handler::Restart, Some(Slot(0))), select(Call::Select)]),
                "names the socket",
            ),
            (target(vec![inject(1), select(Call::Pselect6)]), "must use call"),
            (target(vec![inject(1), select(Call::Libc)]), "must use call"),
            (target(vec![select(Call::Select), inject(1)]), "must use call"),
            (target(vec![inject(1_000_001), select(Call::Select)]), "1000001 ppm"),
            (
                target(vec![
                    step(Op::Sleep { duration: Delay::Uniform { low_ns: 2, high_ns: 1 } }),
                    select(Call::Select),
                ]),
                "uniform from 2 ns down to 1 ns",
            ),
            (peer(vec![]), "accepts exactly once"),
            (peer(vec![accept(), accept()]), "accepts exactly once"),
            (peer(vec![accept(), connect()]), "does not connect"),
        ];
        for (assignment, words) in cases {
            let reason = refusal(assignment);
            assert!(reason.contains(words), "{reason:?} does not say {words:?}");
        }
    }
}
