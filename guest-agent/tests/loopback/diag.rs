//! What ss and /proc/net/tcp list of a connection, while it lives and afterwards.

use rig_protocol::{Callee, Op, Queue, ReceiveFlag, Step};

use crate::driver::*;

fn state() -> Step {
    step(Op::SocketState { socket: slot(0) }).outcome()
}

fn line() -> Step {
    step(Op::ProcNetTcp { socket: slot(0) }).outcome()
}

fn queue(which: Queue) -> Step {
    step(Op::SocketQueue { socket: slot(0), which }).outcome()
}

fn timer() -> Step {
    step(Op::SocketTimer { socket: slot(0) }).outcome()
}

#[test]
fn after_a_reset_nothing_lists_the_connection_and_tcp_info_says_close() {
    let script = of_four(
        vec![
            connect(),
            state(),
            line(),
            write("go"),
            select(5 * SECOND).verdict(),
            state(),
            line(),
            timer(),
            tcp_state().outcome(),
            close(),
        ],
        vec![accept(), read(), linger(), close()],
        &["ESTABLISHED,ESTABLISHED,readable,absent,absent,absent,CLOSE"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn a_fin_counts_in_the_queue_of_ss_and_not_in_siocinq() {
    let script = of_four(
        vec![
            connect(),
            select(5 * SECOND).verdict(),
            state(),
            queue(Queue::Receive),
            pending().outcome(),
            timer(),
            step(Op::SocketRetries { socket: slot(0) }).outcome(),
            close(),
        ],
        vec![accept(), close()],
        &["readable,CLOSE_WAIT,queued=1,pending=0,off,retries=0"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn who_closes_first_is_in_time_wait_with_its_timer_after_its_descriptor_is_closed() {
    let script = of_four(
        vec![
            connect(),
            write("go"),
            close(),
            sleep(400 * MS),
            state(),
            timer(),
            line(),
            fd_check().verdict(),
        ],
        vec![accept(), read(), read(), close()],
        &["TIME_WAIT,time-wait,TIME_WAIT,EBADF"],
    );
    all_as_expected(&script, 20, 4);
}

#[test]
fn keepalive_has_its_timer_and_what_the_peer_does_not_read_is_in_no_queue_of_the_sender() {
    let peek = step(Op::Receive { socket: slot(0), bytes: 8, flags: vec![ReceiveFlag::Peek] });
    let keepalive = Op::Option { socket: slot(0), name: rig_protocol::SocketOption::KeepAlive, value: 1 };
    let mut script = of_four(
        vec![
            connect(),
            step(keepalive),
            timer(),
            write("1234"),
            sleep(400 * MS),
            queue(Queue::Send),
            write("x").verdict(),
            close(),
        ],
        vec![accept(), peek, queue(Queue::Receive), read(), read(), close()],
        &["keepalive,queued=0,ok"],
    );
    script.expect_peer = vec!["data,queued=4,data,data".into()];
    all_as_expected(&script, 20, 4);
}

#[test]
fn a_destroyed_connection_is_aborted_here_and_reset_there() {
    let mut script = of_four(
        vec![
            connect(),
            step(Op::Destroy { socket: slot(0) }).outcome(),
            select(5 * SECOND).verdict(),
            read().outcome(),
            read().outcome(),
            step(Op::Destroy { socket: slot(0) }).outcome(),
            close(),
        ],
        vec![accept(), read()],
        &["ok,readable,ECONNABORTED,eof,ENOENT"],
    );
    script.expect_peer = vec!["ECONNRESET".into()];
    all_as_expected(&script, 50, 4);
}

#[test]
fn a_connect_that_another_lane_makes_is_seen_under_way() {
    let steps = vec![
        connect(),
        read(),
        step(connect_to(1, Callee::Listener)),
        step(connect_to(2, Callee::Listener)),
        mark(0),
        step(connect_to(3, Callee::Listener)).verdict(),
    ];
    let watcher = vec![
        wait_for(0, 5 * SECOND),
        sleep(400 * MS),
        step(Op::SocketState { socket: slot(3) }),
        step(Op::Shutdown { socket: slot(3), how: rig_protocol::Shut::Both }),
    ];
    let mut script = of_four(
        steps,
        vec![accept(), step(Op::Listen { socket: slot(1), backlog: 1 }), write("!"), read()],
        &["ECONNRESET"],
    );
    script.lanes.insert(1, target_lane("watcher", watcher));
    let played = all_as_expected(&script, 8, 4);
    let seen = |record: &rig_protocol::TrialRecord| {
        record.steps.iter().find(|step| (step.lane, step.step) == (1, 2)).map(|step| step.returned)
    };
    // TCP_SYN_SENT
    assert!(played.records.iter().all(|record| seen(record) == Some(2)), "{:?}", played.records);
}
