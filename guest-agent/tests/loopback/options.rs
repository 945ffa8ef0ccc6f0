//! Options by name, and the connections that they end.

use rig_protocol::{Callee, Op, SocketOption, Step};

use crate::driver::*;

fn set(name: SocketOption, value: i32) -> Step {
    step(Op::Option { socket: slot(0), name, value })
}

fn get(name: SocketOption) -> Step {
    step(Op::ReadOption { socket: slot(0), name })
}

/// The client sets and reads on a live connection.
fn reads(steps: Vec<Step>, expect: &str) {
    let mut client = vec![connect()];
    client.extend(steps);
    client.push(close());
    all_as_expected(&of_four(client, vec![accept(), read(), close()], &[expect]), 20, 4);
}

#[test]
fn keepalive_and_its_three_numbers_read_back() {
    use SocketOption::{KeepAlive, KeepCount, KeepIdle, KeepInterval};
    let numbers = [(KeepAlive, 1), (KeepIdle, 3), (KeepInterval, 2), (KeepCount, 5)];
    let mut steps: Vec<Step> = numbers.iter().map(|(name, value)| set(*name, *value)).collect();
    steps.extend(numbers.iter().map(|(name, _)| get(*name).outcome()));
    steps.push(write("x").verdict());
    reads(steps, "value=1,value=3,value=2,value=5,ok");
}

#[test]
fn a_buffer_is_doubled_a_bad_number_is_refused_and_an_option_of_another_level_is_found() {
    let steps = vec![
        set(SocketOption::ReceiveBuffer, 8_192),
        get(SocketOption::ReceiveBuffer).outcome(),
        set(SocketOption::KeepIdle, 0).outcome(),
        set(SocketOption::Error, 1).outcome(),
        set(SocketOption::TimeToLive, 7),
        get(SocketOption::TimeToLive).outcome(),
        get(SocketOption::Error).verdict(),
    ];
    reads(steps, "value=16384,EINVAL,ENOPROTOOPT,value=7,value=0");
}

#[test]
fn an_option_of_a_closed_descriptor_is_ebadf() {
    let script = of_four(
        vec![
            connect(),
            close(),
            set(SocketOption::NoDelay, 1).outcome(),
            get(SocketOption::NoDelay).verdict(),
        ],
        vec![accept(), read(), close()],
        &["EBADF,EBADF"],
    );
    all_as_expected(&script, 20, 4);
}

#[test]
fn reading_so_error_takes_it() {
    let script = of_four(
        vec![
            connect(),
            write("go"),
            select(5 * SECOND).verdict(),
            get(SocketOption::Error).outcome(),
            get(SocketOption::Error).outcome(),
            read().outcome(),
            close(),
        ],
        vec![accept(), read(), linger(), close()],
        &["readable,value=104,value=0,eof"],
    );
    all_as_expected(&script, 20, 4);
}

/// A listening socket whose queue is full answers no SYN: with one retry a connect gives up after its timer has fired twice.
#[test]
fn a_connect_gives_up_after_as_many_retries_as_tcp_syncnt_says() {
    let mut steps = vec![connect(), read()];
    steps.extend([1, 2].map(|socket| step(connect_to(socket, Callee::Listener))));
    steps.extend([
        step(Op::Socket { socket: slot(3), nonblock: false, descriptor: None }),
        step(Op::Option { socket: slot(3), name: SocketOption::SynCount, value: 1 }),
        step(Op::ConnectSocket { socket: slot(3), to: Callee::Listener }).verdict(),
        close(),
    ]);
    let peer = vec![accept(), step(Op::Listen { socket: slot(1), backlog: 1 }), write("!"), read(), close()];
    let script = of_four(steps, peer, &["ETIMEDOUT"]);
    all_as_expected(&script, 4, 4);
}
