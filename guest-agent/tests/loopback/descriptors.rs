//! Numbers, duplicates, descriptors that travel, children that hold a connection open.

use rig_protocol::{Callee, Delay, Family, Op, Script, Step};

use crate::driver::*;

fn resets() -> Vec<Step> {
    vec![accept(), read(), linger(), close()]
}

fn connect_at(number: i32) -> Op {
    Op::Connect {
        socket: slot(0),
        to: Callee::Server,
        nonblock: false,
        descriptor: Some(number),
        family: Family::Path,
    }
}

#[test]
fn a_number_over_1023_serves_as_any_other_and_is_ebadf_when_it_is_closed() {
    let script = of_four(
        vec![
            step(connect_at(1_500)),
            write("go"),
            select(5 * SECOND).verdict(),
            read().outcome(),
            close(),
            select(0).outcome(),
        ],
        resets(),
        &["readable,ECONNRESET,EBADF"],
    );
    let played = all_as_expected(&script, 50, 4);
    assert!(played.records.iter().all(|record| record.descriptor == 1_500));
}

#[test]
fn a_number_that_nothing_opened_is_ignored_beyond_a_small_table_and_ebadf_within_it() {
    let number = |number| step(Op::Number { socket: slot(1), descriptor: number });
    let of = |first: Step, expect: &str| {
        let client = vec![connect(), first, select_on(1, 0).verdict(), close()];
        all_as_expected(&of_four(client, vec![accept(), read(), close()], &[expect]), 50, 4);
    };
    of(number(1_000), "timeout");
    of(number(20), "EBADF");
}

#[test]
fn a_duplicate_holds_the_connection_open_and_has_its_error() {
    let dup = |number| Op::Dup { socket: slot(1), of: slot(0), descriptor: number };
    let of = |number| {
        of_four(
            vec![
                connect(),
                step(dup(number)).outcome(),
                close(),
                fd_check().outcome(),
                step(Op::Write { socket: slot(1), data: Some("go".into()), bytes: None }),
                select_on(1, 5 * SECOND).verdict(),
                step(Op::Read { socket: slot(1), bytes: 8 }).outcome(),
            ],
            resets(),
            &["ok,EBADF,readable,ECONNRESET"],
        )
    };
    all_as_expected(&of(None), 50, 4);
    let played = all_as_expected(&of(Some(77)), 50, 4);
    assert!(played.records.iter().all(|record| record.descriptor == 77));
}

#[test]
fn a_descriptor_that_was_sent_to_oneself_is_the_same_socket() {
    let script = of_four(
        vec![
            connect(),
            step(Op::Pass { socket: slot(1), of: slot(0) }).outcome(),
            close(),
            step(Op::Write { socket: slot(1), data: Some("go".into()), bytes: None }),
            select_on(1, 5 * SECOND).verdict(),
            step(Op::Read { socket: slot(1), bytes: 8 }).outcome(),
            step(Op::Pass { socket: slot(2), of: slot(0) }).outcome(),
        ],
        resets(),
        &["ok,readable,ECONNRESET,EBADF"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn a_path_descriptor_is_open_and_select_calls_it_readable_which_it_is_not() {
    let script = of_four(
        vec![
            connect(),
            step(Op::OpenPath { socket: slot(1) }),
            step(Op::FdCheck { socket: slot(1) }).outcome(),
            select_on(1, 0).verdict(),
            step(Op::Read { socket: slot(1), bytes: 4 }).outcome(),
            close(),
        ],
        vec![accept(), read(), close()],
        &["ok,readable,EBADF"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn after_a_reset_the_descriptor_is_valid_and_a_nonblocking_read_does_not_wait() {
    let script = of_four(
        vec![
            connect(),
            step(Op::SetNonblock { socket: slot(0) }).outcome(),
            read().outcome(),
            write("go"),
            select(5 * SECOND).verdict(),
            fd_check().outcome(),
            close(),
            fd_check().outcome(),
        ],
        resets(),
        &["ok,EAGAIN,readable,ok,EBADF"],
    );
    let played = all_as_expected(&script, 50, 4);
    // F_GETFD gives FD_CLOEXEC and nothing of the connection.
    let checked = played.records[0].steps.iter().find(|step| step.step == 5).map(|step| step.returned);
    assert_eq!(checked, Some(1));
}

/// A child that holds the connection keeps the FIN back; one that has executed another program does not. The peer says over a second
/// connection when it has seen which, so the trial, and with it the child, lasts until then.
fn forked(exec: bool) -> Script {
    let length = Delay::Fixed { ns: 600 * SECOND };
    let limit = Delay::Fixed { ns: if exec { 0 } else { 50 * MS } };
    let mut script = of_four(
        vec![
            connect(),
            read(),
            step(connect_to(1, Callee::Listener)),
            step(Op::Fork { duration: length, exec }).outcome(),
            close(),
            step(Op::Read { socket: slot(1), bytes: 1 }).verdict(),
        ],
        vec![
            accept(),
            step(Op::Listen { socket: slot(2), backlog: 1 }),
            write("!"),
            step(Op::AcceptFrom { socket: slot(1), listener: slot(2), nonblock: false }),
            step(Op::ReceiveTimeout { socket: slot(0), duration: limit }),
            read(),
            step(Op::Write { socket: slot(1), data: Some("!".into()), bytes: None }),
        ],
        &["ok,data"],
    );
    script.expect_peer = vec![if exec { "ok,eof,ok" } else { "ok,EAGAIN,ok" }.to_owned()];
    script
}

#[test]
fn a_child_keeps_a_connection_open_until_the_trials_end_and_an_exec_closes_it() {
    let mut pair = Pair::start_for(&forked(false));
    let setting = Setting { trials: 12, in_flight: 4, ..Setting::default() };
    for exec in [false, true] {
        let (target, peer) = pair.play(&forked(exec), &setting);
        assert_eq!((target.tally.anomalies, target.tally.void()), (0, 0), "{:?}", target.tally.outcomes);
        assert_eq!((peer.tally.anomalies, peer.tally.void()), (0, 0), "{:?}", peer.tally.outcomes);
        // Nobody is left, although each would have lived for ten minutes.
        let agent = pair.target.child.id();
        let children = std::fs::read_dir(format!("/proc/{agent}/task")).expect("it lives").flatten();
        let children: String = children
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
            .collect();
        assert_eq!(children, "");
    }
}
