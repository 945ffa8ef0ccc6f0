//! Bytes with flags, from a file and into a pipe; what waits, and what is not acknowledged.

use rig_protocol::{Call, Delay, Op, Payload, ReceiveFlag, SendFlag, SocketOption, Step};

use crate::driver::*;

fn receive(bytes: u32, flags: &[ReceiveFlag]) -> Op {
    Op::Receive { socket: slot(0), bytes, flags: flags.to_vec() }
}

fn send(data: &str, flags: &[SendFlag]) -> Op {
    Op::Send { socket: slot(0), data: Some(data.to_owned()), bytes: None, flags: flags.to_vec() }
}

fn counted(op: Op) -> Step {
    Step { count: true, ..step(op) }.outcome()
}

fn ends_with(client: Vec<Step>, peer: Vec<Step>, expect: &str, expect_peer: &str) -> rig_protocol::Script {
    let mut script = of_four(client, peer, &[expect]);
    script.expect_peer = vec![expect_peer.to_owned()];
    script
}

#[test]
fn a_peek_leaves_what_it_saw_and_a_wait_for_all_takes_two_segments() {
    let script = ends_with(
        vec![
            connect(),
            counted(receive(4, &[ReceiveFlag::DontWait])),
            write("go"),
            select(5 * SECOND).verdict(),
            counted(receive(3, &[ReceiveFlag::Peek])),
            counted(receive(6, &[ReceiveFlag::WaitAll])),
            counted(receive(6, &[])),
            close(),
        ],
        vec![accept(), read(), nodelay(), write("abc"), sleep(20 * MS), write("def"), close()],
        "EAGAIN,readable,data=3,data=6,eof",
        "data,ok,ok",
    );
    let played = all_as_expected(&script, 20, 4);
    let steps = &played.records[0].steps;
    let shown: Vec<_> = steps.iter().filter_map(|step| step.data.as_deref()).collect();
    assert_eq!(shown, ["abc", "abcdef"]);
}

#[test]
fn an_urgent_byte_is_read_apart() {
    let urgent = Delay::Fixed { ns: 5 * SECOND };
    let script = ends_with(
        vec![
            connect(),
            write("go"),
            step(Op::Select {
                read: vec![],
                write: vec![],
                except: vec![slot(0)],
                timeout: urgent,
                call: Call::Select,
            }),
            select_both(0, 5 * SECOND).verdict(),
            counted(receive(8, &[ReceiveFlag::Urgent])),
            counted(receive(8, &[])),
            counted(receive(8, &[ReceiveFlag::Urgent])),
            close(),
        ],
        vec![accept(), read(), step(send("ab!", &[SendFlag::Urgent])), read(), close()],
        "readable+writable+exceptional,data=1,data=2,EINVAL",
        // The urgent byte is still in the client's queue, so its close is a reset (RFC 2525, 2.17).
        "data,ok,ECONNRESET",
    );
    all_as_expected(&script, 20, 4);
}

#[test]
fn a_file_is_sent_and_spliced_on_the_other_side() {
    let script = ends_with(
        vec![
            connect(),
            counted(Op::Sendfile { socket: slot(0), bytes: Payload(5_000) }).verdict(),
            step(Op::Shutdown { socket: slot(0), how: rig_protocol::Shut::Write }),
            read().outcome(),
            close(),
        ],
        vec![
            accept(),
            sleep(20 * MS),
            counted(Op::Splice { socket: slot(0), bytes: 5_000 }),
            counted(Op::Splice { socket: slot(0), bytes: 5_000 }),
            close(),
        ],
        "ok=5000,eof",
        "data=5000,eof",
    );
    all_as_expected(&script, 20, 4);
}

#[test]
fn after_a_reset_every_door_has_the_errno_once() {
    let reset = || vec![accept(), read(), linger(), close()];
    let doors = [
        (receive(8, &[]), "readable,ECONNRESET,eof"),
        (receive(8, &[ReceiveFlag::Peek]), "readable,ECONNRESET,eof"),
        (Op::Splice { socket: slot(0), bytes: 8 }, "readable,ECONNRESET,eof"),
        (send("x", &[SendFlag::DontWait]), "readable,ECONNRESET,EPIPE"),
        (Op::Sendfile { socket: slot(0), bytes: Payload(8) }, "readable,ECONNRESET,EPIPE"),
    ];
    for (op, expect) in doors {
        let script = of_four(
            vec![
                connect(),
                write("go"),
                select(5 * SECOND).verdict(),
                step(op.clone()).outcome(),
                step(op).outcome(),
                close(),
            ],
            reset(),
            &[expect],
        );
        all_as_expected(&script, 20, 4);
    }
}

#[test]
fn what_is_not_acknowledged_is_unsent_and_a_full_socket_takes_no_more_in_its_time() {
    let limit = Delay::Fixed { ns: 50 * MS };
    let script = of_four(
        vec![
            connect(),
            read(),
            step(Op::Option { socket: slot(0), name: SocketOption::SendBuffer, value: 16_384 }),
            step(Op::SendTimeout { socket: slot(0), duration: limit }),
            step(Op::Unsent { socket: slot(0) }).outcome(),
            step(Op::Send { socket: slot(0), data: None, bytes: Some(1 << 26), flags: vec![] }).verdict(),
            write("x").outcome(),
            step(Op::Unsent { socket: slot(0) }).outcome(),
            close(),
        ],
        vec![
            accept(),
            step(Op::Option { socket: slot(0), name: SocketOption::ReceiveBuffer, value: 4_096 }),
            write("!"),
            sleep(400 * MS),
            close(),
        ],
        // A late acknowledgement may make room for one byte.
        &["unsent=0,short,EAGAIN,unsent=1..10000000", "unsent=0,short,ok,unsent=1..10000000"],
    );
    all_as_expected(&script, 8, 4);
}

#[test]
fn a_closed_number_is_ebadf_through_every_door_although_it_is_free_again() {
    let splice = Op::Splice { socket: slot(0), bytes: 8 };
    let sendfile = Op::Sendfile { socket: slot(0), bytes: Payload(8) };
    let script = of_four(
        vec![
            connect(),
            close(),
            step(splice).outcome(),
            step(sendfile).outcome(),
            step(receive(8, &[])).outcome(),
            step(Op::Unsent { socket: slot(0) }).verdict(),
        ],
        vec![accept(), read(), close()],
        &["EBADF,EBADF,EBADF,EBADF"],
    );
    all_as_expected(&script, 20, 4);
}
