//! A listening socket of the trial's own, at the peer and at the target.

use rig_protocol::{Callee, Op, Queue, Step};

use crate::driver::*;

fn listen(backlog: u32) -> Step {
    step(Op::Listen { socket: slot(1), backlog })
}

fn accept_from(socket: u16, nonblock: bool) -> Op {
    Op::AcceptFrom { socket: slot(socket), listener: slot(1), nonblock }
}

#[test]
fn the_client_calls_the_peers_own_listener_and_talks_over_it() {
    let script = of_four(
        vec![
            connect(),
            read(),
            step(connect_to(2, Callee::Listener)).outcome(),
            step(Op::Write { socket: slot(2), data: Some("hello".into()), bytes: None }),
            select_on(2, 5 * SECOND).verdict(),
            step(Op::Read { socket: slot(2), bytes: 8 }).outcome(),
            step(Op::Read { socket: slot(2), bytes: 8 }).outcome(),
        ],
        vec![
            accept(),
            listen(4),
            write("!"),
            step(accept_from(2, false)),
            step(Op::Read { socket: slot(2), bytes: 8 }),
            step(Op::Write { socket: slot(2), data: Some("ok".into()), bytes: None }),
            // A close with SO_LINGER {1, 0} throws away what has not left (H60): on a busy machine in 1 of 200 trials, even after 20 ms.
            sleep(200_000_000),
            step(Op::Linger { socket: slot(2), seconds: 0 }),
            step(Op::Close { socket: slot(2) }),
        ],
        &["ok,readable,data,ECONNRESET"],
    );
    let played = all_as_expected(&script, 200, 16);
    // The trial's port stays that of the first connection.
    let ports: std::collections::BTreeSet<u16> =
        played.records.iter().map(|record| record.local_port).collect();
    assert!(!ports.contains(&0) && ports.len() == played.records.len());
}

#[test]
fn the_target_is_the_server_and_the_peer_resets_what_it_accepted() {
    let script = of_four(
        vec![
            connect(),
            listen(4),
            write("!"),
            step(accept_from(2, false)).outcome(),
            select_on(2, 5 * SECOND).verdict(),
            step(Op::Read { socket: slot(2), bytes: 8 }).outcome(),
            step(Op::Read { socket: slot(2), bytes: 8 }).outcome(),
            close(),
        ],
        vec![
            accept(),
            read(),
            step(connect_to(2, Callee::Listener)),
            step(Op::Linger { socket: slot(2), seconds: 0 }),
            step(Op::Close { socket: slot(2) }),
            read(),
        ],
        &["ok,readable,ECONNRESET,eof"],
    );
    all_as_expected(&script, 200, 16);
}

#[test]
fn an_empty_queue_is_eagain_and_a_listener_that_is_closed_has_no_connection_for_anybody() {
    let script = of_four(
        vec![
            connect(),
            listen(4),
            step(accept_from(2, true)).outcome(),
            step(Op::Close { socket: slot(1) }),
            step(accept_from(3, false)).verdict(),
            write("!"),
            read().outcome(),
        ],
        vec![accept(), read(), step(connect_to(2, Callee::Listener)).outcome(), close()],
        &["EAGAIN,EBADF,eof"],
    );
    let mut script = script;
    script.expect_peer = vec!["data,ECONNREFUSED".into()];
    all_as_expected(&script, 50, 4);
}

/// Linux queues one connection more than the backlog says.
#[test]
fn two_connects_fill_a_backlog_of_one_and_the_third_is_under_way() {
    let queue = |which| step(Op::SocketQueue { socket: slot(1), which }).outcome();
    let mut script = of_four(
        vec![
            connect(),
            read(),
            step(connect_to(1, Callee::Listener)).outcome(),
            step(connect_to(2, Callee::Listener)).outcome(),
            step(connect_on(3, Callee::Listener)).outcome(),
            select_both(3, 300 * MS).verdict(),
            close(),
        ],
        vec![
            accept(),
            listen(1),
            step(Op::SocketState { socket: slot(1) }).outcome(),
            write("!"),
            read(),
            queue(Queue::Receive),
            queue(Queue::Send),
            step(accept_from(2, true)).outcome(),
            queue(Queue::Receive),
        ],
        &["ok,ok,EINPROGRESS,timeout"],
    );
    script.expect_peer = vec!["LISTEN,ok,eof,queued=2,queued=1,ok,queued=1".into()];
    all_as_expected(&script, 8, 4);
}

#[test]
fn a_second_listener_of_the_same_trial_finds_its_port_taken() {
    let script = of_four(
        vec![
            connect(),
            listen(1),
            step(Op::Listen { socket: slot(2), backlog: 1 }),
            select(0).verdict(),
            close(),
        ],
        vec![accept(), read(), close()],
        &["**"],
    );
    let (target, _) = play(&script, &Setting::default());
    assert_eq!(target.tally.voids, counts(&[("listen: EADDRINUSE", 200)]));
}

/// The target's trials are over long before the peer's workers, 80 at most, have accepted the last connection: it waits in the queue, and is played.
#[test]
fn a_connection_that_no_worker_has_accepted_when_the_target_is_done_is_a_trial_of_the_peers_too() {
    let peer = vec![accept(), sleep(50 * MS), close()];
    let script = script(vec![connect(), select(0).verdict()], peer, &["**"]);
    let (target, peer) = play(&script, &Setting { trials: 400, in_flight: 2, ..Setting::default() });
    assert_eq!((target.tally.trials, peer.tally.trials), (400, 400));
}
