//! Connects that do not wait, that are made again, that nobody answers; sockets apart from their connect; options that end a connect.

use rig_protocol::{Callee, Delay, Errno, Family, Op, SocketOption, Step};

use crate::driver::*;

fn waiting_peer() -> Vec<Step> {
    vec![accept(), read(), close()]
}

fn error_of(socket: u16) -> Step {
    step(Op::SoError { socket: slot(socket) }).outcome()
}

#[test]
fn a_connect_that_does_not_wait_is_under_way_then_writable_and_then_connected() {
    let script = of_four(
        vec![
            step(connect_on(0, Callee::Server)).outcome(),
            select_both(0, 5 * SECOND).verdict(),
            so_error().outcome(),
            so_error().outcome(),
            step(Op::ConnectSocket { socket: slot(0), to: Callee::Server }).outcome(),
            step(Op::ConnectSocket { socket: slot(0), to: Callee::Server }).outcome(),
            close(),
        ],
        waiting_peer(),
        &["EINPROGRESS,writable,ok,ok,ok,EISCONN"],
    );
    let played = all_as_expected(&script, 100, 4);
    // The trial's port is that of the connect although it returned a failure.
    assert!(played.records.iter().all(|record| record.local_port != 0));
}

#[test]
fn a_refused_connect_tells_its_error_once_and_is_aborted_afterwards() {
    let again = || step(Op::ConnectSocket { socket: slot(1), to: Callee::ClosedPort }).outcome();
    let script = of_four(
        vec![
            connect(),
            step(connect_on(1, Callee::ClosedPort)).outcome(),
            select_both(1, 5 * SECOND).verdict(),
            error_of(1),
            error_of(1),
            again(),
            again(),
            close(),
        ],
        waiting_peer(),
        &["EINPROGRESS,readable+writable,ECONNREFUSED,ok,ECONNABORTED,EINPROGRESS"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn a_socket_that_is_not_connected_is_there_before_its_connect_and_another_lane_can_name_it() {
    let make = Op::Socket { socket: slot(0), nonblock: false, descriptor: None };
    let script = of_four(
        vec![
            step(make),
            select_both(0, SECOND).outcome(),
            step(Op::ConnectSocket { socket: slot(0), to: Callee::Server }).verdict(),
            write("x").outcome(),
            close(),
        ],
        waiting_peer(),
        &["readable+writable,ok,ok"],
    );
    let played = all_as_expected(&script, 50, 4);
    assert!(played.records.iter().all(|record| record.local_port != 0));
}

#[test]
fn a_mapped_socket_is_connected_and_its_second_connect_is_mapped_too() {
    let mapped = Op::Connect {
        socket: slot(0),
        to: Callee::Server,
        nonblock: false,
        descriptor: None,
        family: Family::Mapped,
    };
    let script = of_four(
        vec![
            step(mapped),
            step(Op::ConnectSocket { socket: slot(0), to: Callee::Server }).outcome(),
            write("x").verdict(),
            close(),
        ],
        waiting_peer(),
        &["EISCONN,ok"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn a_bound_socket_has_its_port_and_nobody_else_gets_it() {
    let bind = |socket, port| Op::Bind { socket: slot(socket), port };
    let make = |socket| Op::Socket { socket: slot(socket), nonblock: false, descriptor: None };
    let script = of_four(
        vec![
            step(make(0)),
            step(bind(0, 1_021)).outcome(),
            step(make(1)),
            step(bind(1, 1_021)).outcome(),
            step(bind(1, 0)).outcome(),
            step(bind(1, 0)).outcome(),
            step(Op::ConnectSocket { socket: slot(1), to: Callee::Server }).verdict(),
            step(Op::Close { socket: slot(1) }),
        ],
        waiting_peer(),
        &["ok,EADDRINUSE,ok,EINVAL,ok"],
    );
    all_as_expected(&script, 20, 1);
}

#[test]
fn a_callee_without_an_address_makes_a_trial_void() {
    // On 127.0.0.0/8 every address is the own one; and there is no listener's port before there is a connection.
    for (to, connects_first) in [(Callee::AbsentHost, true), (Callee::Listener, false)] {
        let mut steps = vec![connect()];
        steps.truncate(usize::from(connects_first));
        steps.extend([step(connect_to(1, to)), select_on(1, 0).verdict()]);
        let (target, _) = play(&of_four(steps, waiting_peer(), &["**"]), &Setting::default());
        assert_eq!(target.tally.voids, counts(&[("connect: EDESTADDRREQ", 200)]), "{to:?}");
    }
}

#[test]
fn a_slot_whose_opening_failed_is_no_descriptor_and_one_that_nothing_was_to_open_is_void() {
    let number = Op::Number { socket: slot(1), descriptor: 900 };
    let dup = Op::Dup { socket: slot(2), of: slot(1), descriptor: None };
    let script = of_four(
        vec![
            connect(),
            step(number),
            step(dup).outcome(),
            step(Op::Read { socket: slot(2), bytes: 4 }).verdict(),
            step(Op::SetNonblock { socket: slot(2) }).outcome(),
            close(),
        ],
        waiting_peer(),
        &["EBADF,EBADF,EBADF"],
    );
    all_as_expected(&script, 50, 4);
}

#[test]
fn the_peer_may_set_an_option_too_and_both_read_what_they_set() {
    let set = |name, value| step(Op::Option { socket: slot(0), name, value });
    let get = |name| step(Op::ReadOption { socket: slot(0), name });
    let length = Delay::Fixed { ns: 1_500 * MS };
    let mut script = of_four(
        vec![
            connect(),
            set(SocketOption::SynCount, 2),
            get(SocketOption::SynCount).outcome(),
            step(Op::UserTimeout { socket: slot(0), duration: length }),
            get(SocketOption::UserTimeout).verdict(),
            write("x"),
            close(),
        ],
        vec![accept(), read(), set(SocketOption::NoDelay, 1), get(SocketOption::NoDelay).outcome(), close()],
        &["value=2,value=1500"],
    );
    script.expect_peer = vec!["data,value=1".to_owned()];
    let played = all_as_expected(&script, 50, 4);
    assert_eq!(played.tally.stale_errno, [(Errno(0), 50)].into());
}
