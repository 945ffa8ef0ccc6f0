//! How long a block and its trials wait, by the name of what they wait for, and how a time goes into the record.
//!
//! Must not wait. Units: `Duration` in code, nanoseconds in the record. Errors: none.
//! Tests: below; `tests/qemu.rs` reaches the bounds of a block.

use std::collections::BTreeMap;
use std::time::Duration;

use rig_protocol::{Lane, Op, ReceiveFlag, Script, SendFlag, Side, Slot};

use crate::{clock, program};

/// After a block's deadline: to find out why, and to tear down.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// For the reason of an end that has shown already.
pub(super) const EXPLANATION: Duration = Duration::from_secs(1);

/// For a guest's answer about its NIC; a guest that is too busy to give it leaves the reason as it is.
pub(super) const NIC_DEADLINE: Duration = Duration::from_secs(10);

/// An agent that says nothing for this long is given up; it speaks five times a second while it plays, also while all of its trials wait.
pub(super) fn silence() -> Duration {
    Duration::from_secs(20) * clock::patience()
}

/// For a hello, a "ready", a peer's last words.
pub(super) fn exchange() -> Duration {
    Duration::from_secs(30) * clock::patience()
}

/// How long a trial may last at one end: the target's whole trial, or the peer's lane from the accept on.
///
/// A program of the user's has the time that the script says, or [`program::USUAL_TIME_LIMIT`].
///
/// Without a time in the script, a target may wait for as long as its longest lane can by its own steps. A read or a write without a limit waits
/// for the peer, so then the peer's waits count too; a connect does not wait for them. The peer's lane may last longer than the
/// target's trial, in any case: a connection that it gives up first would look like an answer to the call that waits at the target.
pub(super) fn trial_deadline(script: &Script, side: Side) -> Duration {
    let longest = |side| script.lanes_of(side).map(longest_wait);
    let (own, waits_for_peer) = longest(Side::Target)
        .fold((Duration::ZERO, false), |(own, waits), lane| (own.max(lane.own), waits || lane.for_other_end));
    let peers: Duration = longest(Side::Peer).map(|lane| lane.own).max().unwrap_or_default();
    let by_steps = own.saturating_add(if waits_for_peer { peers } else { Duration::ZERO });
    let unsaid = match script.program {
        // Its steps are not known. That its time is up is an outcome, so nothing is added.
        Some(_) => program::USUAL_TIME_LIMIT,
        None => by_steps.saturating_add(exchange()),
    };
    let target = script.deadline_ns.map_or(unsaid, Duration::from_nanos);
    match side {
        Side::Target => target,
        Side::Peer => target.saturating_add(peers).saturating_add(exchange()),
    }
}

/// How long a lane can wait.
struct LaneWait {
    /// By its own steps.
    own: Duration,
    /// Whether a step waits for the other end besides, for as long as that takes.
    for_other_end: bool,
}

fn longest_wait(lane: &Lane) -> LaneWait {
    let mut wait = LaneWait { own: Duration::ZERO, for_other_end: false };
    let mut limits = Limits::default();
    for step in &lane.steps {
        limits.note(&step.op);
        let own = match limits.of(&step.op) {
            Some(limit) => {
                wait.for_other_end |= limit.is_zero();
                limit
            }
            // So long can the close wait that comes after it.
            None => match &step.op {
                Op::Linger { seconds, .. } => Duration::from_secs((*seconds).into()),
                other => other.longest_wait(),
            },
        };
        wait.own = wait.own.saturating_add(own);
    }
    wait
}

/// How long calls on a socket wait for the other end, as steps have said so far.
#[derive(Default)]
struct Limits {
    receive: BTreeMap<Slot, Duration>,
    send: BTreeMap<Slot, Duration>,
}

impl Limits {
    fn note(&mut self, op: &Op) {
        match op {
            Op::ReceiveTimeout { socket, duration } => {
                self.receive.insert(*socket, duration.longest());
            }
            // Whichever ends a write first; the later one is as good a bound as the shorter one.
            Op::SendTimeout { socket, duration } | Op::UserTimeout { socket, duration } => {
                self.send.insert(*socket, duration.longest());
            }
            _ => {}
        }
    }

    /// The limit of a call that waits for the other end: 0 is none (socket(7), SO_RCVTIMEO). `None` for a call that does not.
    fn of(&self, op: &Op) -> Option<Duration> {
        let limit = |limits: &BTreeMap<Slot, Duration>, socket: &Slot| {
            limits.get(socket).copied().unwrap_or_default()
        };
        match op {
            Op::Receive { flags, .. } if flags.contains(&ReceiveFlag::DontWait) => None,
            Op::Send { flags, .. } if flags.contains(&SendFlag::DontWait) => None,
            Op::AcceptFrom { nonblock: true, .. } => None,
            Op::Read { socket, .. } | Op::Receive { socket, .. } | Op::Splice { socket, .. } => {
                Some(limit(&self.receive, socket))
            }
            Op::AcceptFrom { listener, .. } => Some(limit(&self.receive, listener)),
            Op::Write { socket, .. } | Op::Send { socket, .. } | Op::Sendfile { socket, .. } => {
                Some(limit(&self.send, socket))
            }
            _ => None,
        }
    }
}

/// As it stands in the record.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Delay, Program, Step};

    use super::*;

    const S: Slot = Slot(0);

    fn seconds(seconds: u64) -> Delay {
        Delay::Fixed { ns: seconds * 1_000_000_000 }
    }

    fn sleep(length: u64) -> Op {
        Op::Sleep { duration: seconds(length) }
    }

    fn read() -> Op {
        Op::Read { socket: S, bytes: 1 }
    }

    /// Seconds beyond [`exchange`] for the target, and beyond two of it for the peer.
    fn deadlines(target: Vec<Op>, peer: Vec<Op>, said: Option<u64>) -> (u64, u64) {
        let lane = |name: &str, side, ops: Vec<Op>| {
            let steps = ops.into_iter().map(Step::of);
            Lane { name: name.into(), side, steps: steps.collect() }
        };
        let script = Script {
            name: "s".into(),
            sockets: vec!["s".into()],
            marks: vec![],
            lanes: vec![
                lane("client", Side::Target, target),
                lane("second", Side::Target, vec![sleep(2)]),
                lane("peer", Side::Peer, peer),
            ],
            expect: vec![],
            expect_peer: vec![],
            deadline_ns: said.map(|seconds| seconds * 1_000_000_000),
            program: None,
        };
        let beyond = |side, times| (trial_deadline(&script, side) - exchange() * times).as_secs();
        let target = match said {
            Some(_) => trial_deadline(&script, Side::Target).as_secs(),
            None => beyond(Side::Target, 1),
        };
        (target, beyond(Side::Peer, if said.is_some() { 1 } else { 2 }))
    }

    #[test]
    fn a_trial_may_last_as_long_as_its_steps_can_wait() {
        let connect = || Op::connect(S);
        // The peer sleeps, but nobody at the target waits for it.
        assert_eq!(deadlines(vec![connect()], vec![sleep(60)], None), (2, 62));
        assert_eq!(deadlines(vec![connect(), sleep(3)], vec![sleep(60)], None), (3, 63));
        // A read waits for it, unless it has a limit.
        assert_eq!(deadlines(vec![connect(), sleep(3), read()], vec![sleep(60)], None), (63, 123));
        let limit = |length| Op::ReceiveTimeout { socket: S, duration: seconds(length) };
        assert_eq!(deadlines(vec![limit(40), read(), read()], vec![sleep(60)], None), (80, 140));
        assert_eq!(deadlines(vec![limit(0), read()], vec![sleep(60)], None), (62, 122));
        let write = Op::Write { socket: S, data: Some("x".into()), bytes: None };
        assert_eq!(deadlines(vec![write], vec![sleep(60)], None), (62, 122));
        // So does a wait for its connect; a step that does not wait is no wait.
        let accept = |nonblock| Op::AcceptFrom { socket: S, listener: Slot(1), nonblock };
        assert_eq!(deadlines(vec![accept(false)], vec![sleep(60)], None), (62, 122));
        assert_eq!(deadlines(vec![accept(true)], vec![sleep(60)], None), (2, 62));
        let receive = |flags| Op::Receive { socket: S, bytes: 1, flags };
        assert_eq!(deadlines(vec![receive(vec![])], vec![sleep(60)], None), (62, 122));
        assert_eq!(deadlines(vec![receive(vec![ReceiveFlag::DontWait])], vec![sleep(60)], None), (2, 62));
        // Writes have limits of their own.
        let write = || Op::Send { socket: S, data: Some("x".into()), bytes: None, flags: vec![] };
        let user = Op::UserTimeout { socket: S, duration: seconds(7) };
        assert_eq!(deadlines(vec![user, write()], vec![sleep(60)], None), (7, 67));
        let limit = Op::SendTimeout { socket: S, duration: seconds(40) };
        assert_eq!(deadlines(vec![limit, write(), receive(vec![])], vec![sleep(60)], None), (100, 160));
        // A child outlives no trial.
        let fork = Op::Fork { duration: seconds(90), exec: false };
        assert_eq!(deadlines(vec![fork], vec![], None), (2, 2));
        // A close that lingers.
        assert_eq!(deadlines(vec![Op::Linger { socket: S, seconds: 70 }], vec![], None), (70, 70));
    }

    #[test]
    fn a_program_has_its_usual_time_or_what_the_script_says_and_the_peer_outlasts_it() {
        let lane = |side, ops: Vec<Op>| {
            let steps = ops.into_iter().map(Step::of).collect();
            Lane { name: "l".into(), side, steps }
        };
        let mut script = Script {
            lanes: vec![lane(Side::Target, vec![]), lane(Side::Peer, vec![sleep(5)])],
            program: Some(Box::new(Program::default())),
            ..Script::default()
        };
        assert_eq!(trial_deadline(&script, Side::Target), program::USUAL_TIME_LIMIT);
        let peers = |script: &Script| (trial_deadline(script, Side::Peer) - exchange()).as_secs();
        assert_eq!(peers(&script), program::USUAL_TIME_LIMIT.as_secs() + 5);
        script.deadline_ns = Some(3_000_000_000);
        assert_eq!(trial_deadline(&script, Side::Target), Duration::from_secs(3));
        assert_eq!(peers(&script), 8);
    }

    #[test]
    fn what_the_script_says_is_the_targets_deadline_and_the_peer_outlasts_it() {
        assert_eq!(deadlines(vec![sleep(60), read()], vec![sleep(5)], Some(180)), (180, 185));
        assert_eq!(deadlines(vec![sleep(60)], vec![], Some(3)), (3, 3));
    }
}
