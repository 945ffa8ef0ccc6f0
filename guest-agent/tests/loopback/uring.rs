//! io_uring(7): polls and receives around a reset, what is left to change after it, and where there is no io_uring.

use std::process::Command;

use rig_protocol::{Delay, Errno, Event, Op, Returned, Script, Slot, Step};

use crate::driver::*;

const RING: Slot = Slot(1);
const LATER: u64 = 10 * SECOND;
const ALL: [Event; 4] = [Event::Readable, Event::Urgent, Event::Writable, Event::PeerClosed];

fn set_up() -> Step {
    step(Op::UringSetup { ring: RING })
}

fn poll(id: u32, events: &[Event], multishot: bool) -> Step {
    step(Op::UringPoll { ring: RING, socket: Slot(0), events: events.to_vec(), multishot, id })
}

fn update(id: u32, events: &[Event]) -> Step {
    step(Op::UringUpdate { ring: RING, id, events: events.to_vec() })
}

fn remove(id: u32) -> Step {
    step(Op::UringRemove { ring: RING, id })
}

fn cancel(id: u32) -> Step {
    step(Op::UringCancel { ring: RING, id })
}

fn receive(id: u32) -> Step {
    step(Op::UringReceive { ring: RING, socket: Slot(0), bytes: 64, id })
}

fn wait(id: u32, ns: u64) -> Step {
    step(Op::UringWait { ring: RING, id, timeout: Delay::Fixed { ns } })
}

fn with_ring(client: Vec<Step>, peer: Vec<Step>) -> Script {
    let mut script = script(client, peer, &["**"]);
    script.sockets.push("ring".into());
    script
}

fn resets() -> Vec<Step> {
    vec![accept(), read(), linger(), close()]
}

/// Whether this kernel gives this process a ring, asked apart from the agent.
fn rings_are_given() -> bool {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let release = Agent::start().hello.kernel_release.clone();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    disabled.trim() != "2" && version >= (5, 13)
}

/// The one outcome; where nobody gets a ring, the test's claim is that each program sees that, and the outcome is none.
fn outcome(client: Vec<Step>, peer: Vec<Step>) -> Option<String> {
    let (target, _) = play(&with_ring(client, peer), &Setting { trials: 20, ..Setting::default() });
    let outcomes: Vec<_> = target.tally.outcomes.into_keys().collect();
    assert_eq!((target.tally.trials, outcomes.len()), (20, 1), "{outcomes:?} {:?}", target.tally.voids);
    let refused = ["uring_setup:ENOSYS", "uring_setup:EPERM"].iter().any(|told| outcomes[0].contains(told));
    assert_eq!(!refused, rings_are_given(), "{outcomes:?}");
    (!refused).then(|| outcomes[0].clone())
}

fn assert_outcome(client: Vec<Step>, peer: Vec<Step>, expected: &str) {
    if let Some(outcome) = outcome(client, peer) {
        assert_eq!(outcome, expected);
    }
}

#[test]
fn a_poll_completes_with_the_bits_of_a_reset_and_then_there_is_nothing_to_change() {
    let changes = |first: Step| {
        vec![
            connect(),
            set_up(),
            poll(1, &[Event::Readable], false).outcome(),
            first.outcome(),
            write("go"),
            wait(1, LATER).verdict(),
        ]
    };
    // Before the reset each of the three finds the poll; removed and cancelled ones complete with ECANCELED.
    assert_outcome(changes(remove(1)), resets(), "ok,ok,ECANCELED");
    assert_outcome(changes(cancel(1)), resets(), "ok,ok,ECANCELED");
    // io_uring tells POLLRDHUP to who did not ask for it (IO_POLL_UNMASK in io_uring/poll.c); poll(2) and epoll do not.
    let bits = "readable+error+hangup+peer-closed";
    assert_outcome(changes(update(1, &[Event::Readable])), resets(), &format!("ok,ok,{bits}"));
    for change in [remove(1), cancel(1), update(1, &[Event::Writable])] {
        let client = vec![
            connect(),
            set_up(),
            poll(1, &[Event::Readable], false).outcome(),
            write("go"),
            wait(1, LATER).verdict(),
            change.outcome(),
        ];
        assert_outcome(client, resets(), &format!("ok,{bits},ENOENT"));
    }
}

#[test]
fn a_poll_after_the_reset_is_complete_at_once_with_all_bits() {
    let client = vec![
        connect(),
        set_up(),
        write("go"),
        poll(1, &[], false),
        // A poll that looks while the kernel takes the reset in can see POLLERR alone: the error is set before the end.
        wait(1, LATER),
        sleep(10 * MS),
        poll(2, &ALL, false).outcome(),
        wait(2, LATER).verdict(),
        poll(3, &[], true).outcome(),
        wait(3, LATER).outcome(),
        read().outcome(),
    ];
    let all = "readable+writable+error+hangup+peer-closed";
    let end = format!("ok,{all},ok,error+hangup+peer-closed,ECONNRESET");
    if let Some(outcome) = outcome(client.clone(), resets()) {
        assert_eq!(outcome, end);
        let (target, _) = play(&with_ring(client, resets()), &Setting { trials: 1, ..Setting::default() });
        let step = &target.records[0].steps[7];
        assert_eq!((step.events, step.returned), (Some(0x201d), 0x201d));
    }
}

#[test]
fn a_single_poll_completes_once_and_a_multishot_for_each_arrival() {
    let client = |multishot| {
        vec![
            connect(),
            set_up(),
            poll(1, &[Event::Readable], multishot),
            write("go"),
            wait(1, LATER).verdict(),
            read().outcome(),
            write("go"),
            wait(1, if multishot { LATER } else { 50 * MS }).outcome(),
            read().outcome(),
            remove(1).outcome(),
        ]
    };
    let writes = || vec![accept(), read(), write("A"), read(), write("B"), read()];
    assert_outcome(client(true), writes(), "readable,data,readable,data,ok");
    assert_outcome(client(false), writes(), "readable,data,ETIME,data,ENOENT");
}

#[test]
fn a_receive_gets_the_data_the_end_or_the_reset_and_a_later_wait_gets_what_came_first() {
    let client = || {
        vec![
            connect(),
            set_up(),
            poll(1, &[Event::Writable], false),
            receive(2).outcome(),
            write("go"),
            wait(2, LATER).verdict(),
            receive(3),
            wait(3, LATER).outcome(),
            wait(1, 0).outcome(),
        ]
    };
    let words = || vec![accept(), read(), write("ABCD"), sleep(20 * MS)];
    let ends: [(Vec<Step>, &str); 2] =
        [(vec![close()], "ok,data,eof,writable"), (vec![linger(), close()], "ok,data,ECONNRESET,writable")];
    for (end, expected) in ends {
        assert_outcome(client(), words().into_iter().chain(end).collect(), expected);
    }
}

#[test]
fn what_is_unknown_closed_or_of_another_lane_is_an_errno() {
    let client = vec![
        connect(),
        set_up(),
        wait(7, 0).verdict(),
        remove(7).outcome(),
        step(Op::Close { socket: RING }),
        poll(1, &[], false).outcome(),
        wait(1, LATER).outcome(),
    ];
    assert_outcome(client, vec![accept(), read()], "ETIME,ENOENT,EBADF,EBADF");
    let mut script = script_of(
        vec![
            target_lane("client", vec![connect(), set_up(), mark(0), select(LATER).verdict()]),
            target_lane("watcher", vec![wait_for(0, LATER), poll(1, &[], false).outcome(), write("go")]),
        ],
        vec![accept(), read()],
        &["**"],
    );
    script.sockets.push("ring".into());
    let (target, _) = play(&script, &Setting { trials: 4, ..Setting::default() });
    let outcomes: Vec<_> = target.tally.outcomes.keys().collect();
    assert!(outcomes.iter().all(|outcome| outcome.contains("EBADF")), "{outcomes:?}");
}

/// A ring holds the sockets of its requests: were it not given up with its trial, the peer would wait for the end of the connection.
#[test]
fn a_ring_ends_with_its_trial() {
    let client = vec![connect(), set_up(), poll(1, &[Event::Urgent], true), receive(2), wait(1, 0).verdict()];
    let mut script = with_ring(client, vec![accept(), read(), so_error()]);
    script.expect_peer = vec!["eof,ok".into()];
    let (target, peer) = play(&script, &Setting { trials: 50, in_flight: 2, ..Setting::default() });
    assert_eq!((target.tally.trials, target.tally.void()), (50, 0));
    assert_eq!(peer.tally.outcomes.values().sum::<u64>(), 50, "{:?}", peer.tally);
    assert!(!peer.tally.outcomes.keys().any(|key| key.contains("unfinished")), "{:?}", peer.tally.outcomes);
}

/// RLIMIT_NOFILE 4: the connection is descriptor 3, and a ring finds no number. That is the testbed's lack, as with any descriptor.
#[test]
fn where_no_number_is_left_the_trial_is_void() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=4:4", env!("CARGO_BIN_EXE_guest-agent")]);
    let mut pair = Pair { target: Agent::start_as(command), peer: Agent::start() };
    let script = with_ring(vec![connect(), set_up(), wait(1, 0).verdict()], vec![accept(), read()]);
    let (target, _) = pair.play(&script, &Setting { trials: 4, in_flight: 1, ..Setting::default() });
    if rings_are_given() {
        assert_eq!(target.tally.voids, counts(&[("uring_setup: EMFILE", 4)]));
    } else {
        let ebadf = Returned::failed(Errno::EBADF);
        assert_eq!(target.tally.returns, [(ebadf, 4)].into());
    }
}
