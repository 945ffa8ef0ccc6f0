//! epoll(7): its list, level and edge, and the bits of a connection that was reset, through every door.

use rig_protocol::{Delay, EpollCall, EpollChange, Event, Op, Script, Slot, Step};

use crate::driver::*;

const DOORS: [EpollCall; 3] = [EpollCall::EpollWait, EpollCall::EpollPwait2, EpollCall::Libc];
const EPOLL: Slot = Slot(1);
const LATER: u64 = 10 * SECOND;

fn create() -> Step {
    step(Op::EpollCreate { socket: EPOLL })
}

fn control(how: EpollChange, events: &[Event]) -> Step {
    step(Op::EpollCtl { epoll: EPOLL, socket: Slot(0), how, events: events.to_vec() })
}

fn wait(ns: u64, call: EpollCall) -> Step {
    step(Op::EpollWait { epoll: EPOLL, timeout: Delay::Fixed { ns }, call })
}

fn with_epoll(client: Vec<Step>, peer: Vec<Step>) -> Script {
    let mut script = script(client, peer, &["**"]);
    script.sockets.push("epoll".into());
    script
}

fn resets() -> Vec<Step> {
    vec![accept(), read(), linger(), close()]
}

fn outcome(client: Vec<Step>, peer: Vec<Step>) -> String {
    let (target, _) = play(&with_epoll(client, peer), &Setting { trials: 20, ..Setting::default() });
    let outcomes: Vec<_> = target.tally.outcomes.into_keys().collect();
    assert_eq!((target.tally.trials, outcomes.len()), (20, 1), "{outcomes:?} {:?}", target.tally.voids);
    outcomes[0].clone()
}

#[test]
fn a_reset_has_the_bits_of_poll_at_every_door() {
    for call in DOORS {
        let all = [Event::Readable, Event::Urgent, Event::Writable, Event::PeerClosed];
        let client = vec![
            connect(),
            create(),
            control(EpollChange::Add, &[]).outcome(),
            write("go"),
            wait(LATER, call),
            // Until the reset is taken in whole: its error is set before its end.
            sleep(10 * MS),
            wait(LATER, call).verdict(),
            wait(LATER, call).outcome(),
            control(EpollChange::Modify, &all).outcome(),
            wait(LATER, call).outcome(),
            control(EpollChange::Delete, &[]).outcome(),
            wait(0, call).outcome(),
        ];
        let bits = "readable+writable+error+hangup+peer-closed";
        let expected = format!("ok,error+hangup,error+hangup,ok,{bits},ok,timeout");
        assert_eq!(outcome(client.clone(), resets()), expected, "{call:?}");
        let (target, _) = play(&with_epoll(client, resets()), &Setting { trials: 1, ..Setting::default() });
        assert_eq!(target.records[0].steps[9].events, Some(0x201d));
    }
}

#[test]
fn only_a_listed_descriptor_can_be_changed_and_only_once_added() {
    let listed = [Event::Readable];
    let client = vec![
        connect(),
        create(),
        control(EpollChange::Modify, &listed).outcome(),
        control(EpollChange::Delete, &listed).outcome(),
        control(EpollChange::Add, &listed).outcome(),
        control(EpollChange::Add, &listed).outcome(),
        wait(0, EpollCall::EpollWait).verdict(),
        close(),
        control(EpollChange::Modify, &listed).outcome(),
    ];
    assert_eq!(outcome(client, vec![accept(), read()]), "ENOENT,ENOENT,ok,EEXIST,timeout,EBADF");
}

#[test]
fn an_edge_is_told_once_a_level_each_time_and_a_single_shot_until_it_is_armed_again() {
    let arrives = |events: &[Event]| {
        let waits = |ns| wait(ns, EpollCall::EpollWait);
        vec![
            connect(),
            create(),
            control(EpollChange::Add, events),
            write("go"),
            waits(LATER).verdict(),
            waits(0).outcome(),
            control(EpollChange::Modify, events),
            waits(0).outcome(),
        ]
    };
    let writes = || vec![accept(), read(), write("A"), read()];
    assert_eq!(outcome(arrives(&[Event::Readable]), writes()), "readable,readable,readable");
    assert_eq!(outcome(arrives(&[Event::Readable, Event::Edge]), writes()), "readable,timeout,readable");
    assert_eq!(outcome(arrives(&[Event::Readable, Event::Once]), writes()), "readable,timeout,readable");
}

#[test]
fn what_is_no_instance_is_refused() {
    let on_the_connection = |call| {
        let op = Op::EpollWait { epoll: Slot(0), timeout: Delay::Fixed { ns: LATER }, call };
        outcome(vec![connect(), step(op).verdict()], vec![accept(), read()])
    };
    assert_eq!(DOORS.map(on_the_connection), ["EINVAL"; 3]);
    let closed = vec![
        connect(),
        create(),
        step(Op::Close { socket: EPOLL }),
        wait(LATER, EpollCall::EpollPwait2).verdict(),
    ];
    assert_eq!(outcome(closed, vec![accept(), read()]), "EBADF");
}
